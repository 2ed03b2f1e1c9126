"""What the losses of our network see."""

from typing import Any

import pytest
import torch

from temperfill.config import LossConfig, TrainConfig
from temperfill.data import Batch
from temperfill.nets.network import GeneratorOutput
from temperfill.presets import PRESETS
from temperfill.systems.ours.losses import generator_terms
from temperfill.tensors import composite


class Spy(torch.nn.Module):
    """Stands in for the perceptual distance: remembers what was compared."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[torch.Tensor] = []

    def forward(self, pred: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        self.seen.append(pred)
        return (pred - target).abs().mean()


def seen(loss: LossConfig) -> tuple[list[torch.Tensor], Batch, GeneratorOutput]:
    torch.manual_seed(0)
    image, coarse, refined = torch.rand(3, 2, 3, 16, 16)
    mask = torch.zeros(2, 1, 16, 16)
    mask[..., 4:12, 6:10] = 1
    number = torch.arange(2)
    batch = Batch(image, mask, torch.full((2, 2), 8), number, number, torch.zeros(2, 0, 16, 16))
    spy, output = Spy(), GeneratorOutput(coarse, refined, torch.zeros(2, 0))
    terms = generator_terms(TrainConfig(loss=loss), batch, output, spy)
    if not loss.perceptual_local:
        expected = loss.perceptual_weight * sum((pred - image).abs().mean() for pred in spy.seen)
        torch.testing.assert_close(terms["perceptual"], expected)
    return spy.seen, batch, output


def test_the_preset_paper_compares_the_intermediate_output_itself() -> None:
    """Eq. 3: its known part counts, too."""
    (pred,), _, output = seen(PRESETS["paper"].loss)
    assert torch.equal(pred, output.coarse)


@pytest.mark.parametrize("on", ["coarse", "refined", "both"])
@pytest.mark.parametrize("pasted", [False, True])
def test_the_perceptual_loss_sees_what_the_configuration_says(on: Any, pasted: bool) -> None:
    found, batch, output = seen(LossConfig(perceptual_on=on, perceptual_pasted=pasted))
    names = ("coarse", "refined") if on == "both" else (on,)
    for pred, name in zip(found, names, strict=True):
        expected = getattr(output, name)
        assert torch.equal(pred, composite(expected, batch.image, batch.mask) if pasted else expected)


def test_presets_of_the_bundled_model_compare_composites() -> None:
    for name in ("base", "large"):
        assert PRESETS[name].loss.perceptual_pasted
    (pred,), _, _ = seen(PRESETS["base"].loss)
    assert pred.shape[-1] == 8  # on the local patch
