"""Pruned generators: what is dropped is dropped everywhere, importance is first order, and sizes are as asked for."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from temperfill.config import GeneratorConfig
from temperfill.nets.ablate import ablate
from temperfill.nets.generator import Generator
from temperfill.nets.network import GeneratorOutput
from temperfill.nets.pruning import MULTIPLE, chosen, gated_convolutions, importance, pruned
from temperfill.weights_files import load_generator, save_generator

CONFIG = GeneratorConfig(width=8, head_dim=4, detail=True)
FIXED = "refinement.attention_branch.before.5"


def network(config: GeneratorConfig = CONFIG) -> Generator:
    torch.manual_seed(0)
    return Generator(config).eval()


def sample() -> tuple[Tensor, Tensor]:
    image, mask = torch.rand(2, 3, 32, 24, generator=torch.Generator().manual_seed(1)), torch.zeros(2, 1, 32, 24)
    mask[:, :, 8:20, 6:17] = 1
    return image, mask


def loss(output: GeneratorOutput, image: Tensor, mask: Tensor) -> Tensor:
    return ((output.refined - image).abs() * mask).mean() + ((output.coarse - image).abs() * mask).mean()


def some(generator: Generator) -> dict[str, Tensor]:
    """A random half of the channels of every gated convolution, but of what the attention sees."""
    kept = {}
    for name, layer in gated_convolutions(generator).items():
        number = layer.width if name == FIXED else max(layer.width // 2, 1)
        kept[name] = torch.randperm(layer.width)[:number].sort().values
    return kept


@torch.no_grad()
def silenced(generator: Generator, kept: dict[str, Tensor]) -> None:
    """Sets the features of all other channels to zero, which leaves nothing of them in the next layer."""
    for name, layer in gated_convolutions(generator).items():
        gone = torch.ones(layer.width, dtype=torch.bool)
        gone[kept[name]] = False
        rows = torch.cat([gone, torch.zeros_like(gone)])
        layer.convolution.weight[rows] = 0
        assert layer.convolution.bias is not None
        layer.convolution.bias[rows] = 0


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"detail": False, "sketch": True},
        {"detail": False, "attention_branch": False},
        {"convolution_branch": False},
        {"detail": False, "attention": "atma"},
    ],
)
def test_channels_that_give_nothing_can_go(changes: dict[str, Any], tmp_path: Path) -> None:
    generator = network(replace(CONFIG, **changes))
    kept = some(generator)
    silenced(generator, kept)
    smaller = pruned(generator, kept)
    assert smaller.config.widths == tuple(len(kept[name]) for name in gated_convolutions(generator))
    count = sum(p.numel() for p in smaller.parameters())
    assert count < 0.7 * sum(p.numel() for p in generator.parameters())
    save_generator(tmp_path / "small.safetensors", smaller)
    loaded = load_generator(tmp_path / "small.safetensors")
    with torch.no_grad():
        expected, found = generator(*sample()), loaded(*sample())
        holes = loaded(*sample(), holes=[(8, 6, 20, 17)]).refined
    for name in ("coarse", "refined", "temperatures"):
        torch.testing.assert_close(getattr(found, name), getattr(expected, name), rtol=0, atol=2e-6)
    inside = (sample()[1] > 0).expand_as(holes)
    torch.testing.assert_close(holes[inside], found.refined[inside], rtol=0, atol=2e-6)


def test_branches_of_a_pruned_network_can_be_switched_off() -> None:
    generator = network()
    kept = some(generator)
    kept["refinement.convolution_branch.9"] = torch.arange(4)
    smaller = pruned(generator, kept)
    plain = smaller(*sample()).refined
    ablate(smaller, "attention-only")
    assert not torch.equal(smaller(*sample()).refined, plain)


def test_importance_is_the_change_of_the_loss_to_first_order() -> None:
    generator = network().double()
    image, mask = (x[:1].double() for x in sample())
    scores = importance(generator, loss, image, mask)
    assert scores.keys() == gated_convolutions(generator).keys()
    assert all(parameter.grad is None for parameter in generator.parameters())
    name, small = "coarse.12", 1e-6
    layer = gated_convolutions(generator)[name]
    with torch.no_grad():
        before = loss(generator(image, mask), image, mask)
        for channel in range(layer.width):
            handle = layer.register_forward_hook(
                lambda _, __, result, channel=channel: (
                    result * (1 - small * (torch.arange(result.shape[1]) == channel).double()[:, None, None])
                )
            )
            change = (loss(generator(image, mask), image, mask) - before).abs() / small
            handle.remove()
            assert float(change) == pytest.approx(float(scores[name][channel]), rel=1e-2, abs=1e-9)


def test_the_most_important_channels_stay() -> None:
    scores = {"a": torch.tensor([3.0, 1.0, 2.0, 5.0, 4.0, 0.0, 9.0, 8.0]), FIXED: torch.arange(8.0), "b": torch.ones(2)}
    kept = chosen(scores, 0.5)
    assert kept["a"].tolist() == [3, 4, 6, 7]
    assert len(kept[FIXED]) == 8
    assert len(kept["b"]) == 2
    assert all(len(found) % MULTIPLE == 0 for found in (chosen({"a": torch.rand(96)}, 0.7)["a"],))


@pytest.mark.parametrize(("widths", "message"), [((4,), "got only 1"), ((4,) * 60, "gated convolutions, got 60")])
def test_widths_that_do_not_fit_are_refused(widths: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Generator(replace(CONFIG, attention_branch=False, detail=False, widths=widths))
