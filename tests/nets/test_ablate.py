"""Switched-off parts have no influence, and nothing else changes."""

import copy

import pytest
import torch
from torch import Tensor

from temperfill.config import GeneratorConfig
from temperfill.nets.ablate import ABLATED, ablate
from temperfill.nets.generator import Generator


def generator(**options: object) -> Generator:
    torch.manual_seed(0)
    return Generator(GeneratorConfig(width=4, head_dim=4, **options)).eval()  # type: ignore[arg-type]


@torch.inference_mode()
def fill(network: Generator, name: str = "full") -> Tensor:
    network = copy.deepcopy(network)
    ablate(network, name)
    draw = torch.Generator().manual_seed(1)
    image, mask = torch.rand(2, 3, 64, 64, generator=draw), torch.zeros(2, 1, 64, 64)
    mask[:, :, 8:24, 4:20] = 1
    return network(image, mask, holes=[(8, 4, 24, 20)]).refined[:, :, 8:24, 4:20]


def disturbed(network: Generator, part: str) -> Generator:
    network = copy.deepcopy(network)
    with torch.no_grad():
        for parameter in getattr(network.refinement, part).parameters():
            parameter.add_(0.1)
    return network


@pytest.mark.parametrize("detail", [False, True])
@pytest.mark.parametrize(
    ("name", "off", "on"),
    [
        ("convolution-only", "attention_branch", "convolution_branch"),
        ("attention-only", "convolution_branch", "attention_branch"),
    ],
)
def test_branch_that_is_off_has_no_influence(name: str, off: str, on: str, detail: bool) -> None:
    network = generator(detail=detail)
    result = fill(network, name)
    assert not torch.equal(result, fill(network))
    assert torch.equal(result, fill(disturbed(network, off), name))
    assert not torch.equal(result, fill(disturbed(network, on), name))


@pytest.mark.parametrize("attention", ["mhtma", "atma"])
def test_one_temperature_only(attention: str) -> None:
    network = generator(attention=attention)
    assert network.refinement.attention_branch is not None
    layer = network.refinement.attention_branch.attention.temperature.linear  # type: ignore[union-attr]
    with torch.no_grad():
        layer.weight.zero_()
        layer.bias.copy_(torch.tensor([0.05, 2.0]))
    low, high, both = (fill(network, name) for name in ("low-temperature", "high-temperature", "full"))
    assert not torch.equal(low, high)
    assert not torch.equal(low, both)
    for chosen, expected in ((0.05, low), (2.0, high)):
        with torch.no_grad():
            layer.bias.fill_(chosen)
        assert torch.equal(fill(network), expected)


def test_refusals() -> None:
    with pytest.raises(ValueError, match="unknown ablation"):
        ablate(generator(), "half")
    with pytest.raises(ValueError, match="has both"):
        ablate(generator(attention_branch=False), "full")
    with pytest.raises(ValueError, match="contextual has no learned temperatures"):
        ablate(generator(attention="contextual"), "high-temperature")
    assert next(iter(ABLATED)) == "full"
