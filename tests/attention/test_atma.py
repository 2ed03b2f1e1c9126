"""ATMA equals its definition: contextual attention once per learned temperature, concatenated and projected."""

import pytest
import torch
from torch import Tensor

from attention.contextual_loop import ContextualLoop, draw
from temperfill.attention import ATMA, ContextualAttention


def module(channels: int = 3, heads: int = 2, **options: float) -> ATMA:
    torch.manual_seed(0)
    return ATMA(channels, heads, **options).double()


def looped(attention: ATMA, features: Tensor, mask: Tensor, temperatures: Tensor) -> Tensor:
    loop = ContextualLoop(features, mask)
    maps = torch.cat([loop.output(temperature) for temperature in temperatures.tolist()])
    projection = attention.project_out
    return torch.einsum("oc,chw->ohw", projection.weight[:, :, 0, 0], maps) + projection.bias[:, None, None]  # type: ignore[index]


@pytest.mark.parametrize("size", [(1, 1), (6, 4), (5, 7), (1, 8)])
@pytest.mark.parametrize("heads", [1, 3])
def test_equals_the_definition_at_temperatures_of_either_sign(size: tuple[int, int], heads: int) -> None:
    attention = module(heads=heads)
    features, mask, small = draw(4, 3, size)
    given = torch.tensor([0.05, -0.1, 1.0, 5.0, -3.0, 0.3, 0.1, 10.0, -0.05, 0.7, 0.2, 2.0], dtype=torch.float64)
    given = given[: 4 * heads].reshape(4, heads)
    with torch.no_grad():
        got = attention(features, mask, given)
        expected = torch.stack([looped(attention, *x) for x in zip(features, small, given, strict=True)])
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-9)


def test_the_learned_temperatures_are_the_ones_used() -> None:
    attention = module()
    features, mask, _ = draw(4, 3, (6, 6))
    learned = attention.temperatures(features)
    assert learned.shape == (4, 2)
    torch.testing.assert_close(attention(features, mask), attention(features, mask, learned), rtol=0, atol=0)
    assert not torch.allclose(attention(features, mask), attention(features, mask, 2 * learned))


def test_one_head_at_the_constant_temperature_is_contextual_attention() -> None:
    attention = module(heads=1)
    torch.nn.init.dirac_(attention.project_out.weight)
    torch.nn.init.zeros_(attention.project_out.bias)  # type: ignore[arg-type]
    features, mask, _ = draw(4, 3, (8, 6))
    given = torch.full((4, 1), 0.1, dtype=torch.float64)
    torch.testing.assert_close(attention(features, mask, given), ContextualAttention()(features, mask, given))


def test_every_image_has_its_own_mask_and_the_batch_can_be_permuted() -> None:
    attention = module()
    features, mask, _ = draw(4, 3, (8, 6))
    together = attention(features, mask)
    alone = torch.cat([attention(f, m) for f, m in zip(features.split(1), mask.split(1), strict=True)])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-12)
    order = torch.tensor([2, 0, 3, 1])
    torch.testing.assert_close(attention(features[order], mask[order]), together[order], rtol=0, atol=1e-12)
    other_mask = mask.roll(1, 0)
    assert all(not torch.allclose(a, b) for a, b in zip(attention(features, other_mask), together, strict=True))


@pytest.mark.parametrize("size", [(1, 1), (5, 3), (8, 8)])
@pytest.mark.parametrize("temperature", [None, 0.0, -1e-9, -0.1, 1e-3])
def test_empty_and_full_masks_are_finite_even_at_temperature_zero(
    size: tuple[int, int], temperature: float | None
) -> None:
    attention = module()
    mask = torch.stack([torch.zeros(1, *size), torch.ones(1, *size)])
    features = torch.randn(2, 3, *size, dtype=torch.float64, requires_grad=True)
    given = None if temperature is None else torch.full((2, 2), temperature, dtype=torch.float64)
    output = attention(features, mask, given)
    output.square().sum().backward()
    assert output.shape == features.shape
    assert output.isfinite().all()
    assert features.grad is not None
    assert features.grad.isfinite().all()


def test_gradient_reaches_every_parameter() -> None:
    attention = module()
    features, mask, _ = draw(4, 3, (8, 6))
    attention(features, mask).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in attention.parameters())
