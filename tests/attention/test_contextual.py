"""Contextual attention equals its definition, image by image, each with its own mask."""

import pytest
import torch
import torch.nn.functional as F

from attention import contextual_unfold
from attention.contextual_loop import ContextualLoop, draw
from temperfill.attention import ContextualAttention
from temperfill.attention.contextual import fuse

SIZES = [(1, 1), (2, 2), (6, 4), (5, 7), (8, 8), (1, 9)]


@pytest.mark.parametrize("size", SIZES)
def test_equals_the_definition(size: tuple[int, int]) -> None:
    features, mask, small = draw(4, 3, size)
    got = ContextualAttention()(features, mask)
    expected = torch.stack([ContextualLoop(f, m).output(0.1) for f, m in zip(features, small, strict=True)])
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-10)


def test_equals_the_definition_at_given_temperatures() -> None:
    features, mask, small = draw(4, 2, (6, 6))
    given = [0.05, 0.5, 2.0, 10.0]
    got = ContextualAttention()(features, mask, torch.tensor(given, dtype=torch.float64)[:, None])
    loops = [ContextualLoop(f, m).output(t) for f, m, t in zip(features, small, given, strict=True)]
    torch.testing.assert_close(got, torch.stack(loops), rtol=0, atol=1e-10)


@pytest.mark.parametrize("size", [(1, 1), (2, 5), (4, 4), (5, 3)])
def test_fusing_equals_two_convolutions_with_the_identity(size: tuple[int, int]) -> None:
    """The score matrix as an image, in row order and then in column order."""
    height, width = size
    count = height * width
    scores = torch.randn(3, count, count, dtype=torch.float64)
    kernel = torch.eye(3, dtype=torch.float64)[None, None]
    image = F.conv2d(scores[:, None], kernel, padding=1)
    image = image.reshape(3, height, width, height, width).permute(0, 2, 1, 4, 3).reshape(3, 1, count, count)
    image = F.conv2d(image, kernel, padding=1)
    image = image.reshape(3, width, height, width, height).permute(0, 2, 1, 4, 3).reshape(3, count, count)
    torch.testing.assert_close(fuse(scores, size), image, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 2e-5), (torch.float64, 1e-13)])
@pytest.mark.parametrize("size", [(2, 2), (6, 4), (16, 12)])
def test_results_and_gradients_are_those_of_unfold_and_fold(
    size: tuple[int, int], dtype: torch.dtype, tolerance: float
) -> None:
    features, _, mask = draw(4, 5, size)
    mask = mask.to(dtype)[:, None]
    towards = torch.randn(4, 5, *size, dtype=dtype, generator=torch.Generator().manual_seed(0))
    found = []
    for temperature in (0.1, 0.7):
        given = torch.full((4,), temperature, dtype=dtype)
        for attend in (
            lambda x, t: ContextualAttention()(x, mask, t[:, None]),
            lambda x, t: contextual_unfold.attend(x, mask, t),
        ):
            inputs = [features.to(dtype).requires_grad_(True), given.clone().requires_grad_(True)]
            result = attend(*inputs)
            found.append((result.detach(), *torch.autograd.grad(result, inputs, towards)))
    for ours, theirs in (found[:2], found[2:]):
        for one, other in zip(ours, theirs, strict=True):
            scale = max(float(other.abs().max()), 1.0)
            torch.testing.assert_close(one, other, rtol=0, atol=tolerance * scale)


def test_every_image_has_its_own_mask() -> None:
    features, mask, _ = draw(4, 3, (8, 6))
    features = features[:1].expand(4, -1, -1, -1)
    attention = ContextualAttention()
    together = attention(features, mask)
    alone = torch.cat([attention(f, m) for f, m in zip(features.split(1), mask.split(1), strict=True)])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-12)
    for i in range(1, 4):
        assert not torch.allclose(together[0], together[i])


def test_permuting_the_batch_permutes_the_output() -> None:
    features, mask, _ = draw(4, 3, (8, 6))
    order = torch.tensor([2, 0, 3, 1])
    attention = ContextualAttention()
    torch.testing.assert_close(attention(features[order], mask[order]), attention(features, mask)[order])


@pytest.mark.parametrize("size", SIZES)
def test_empty_and_full_masks_give_finite_values_and_gradients(size: tuple[int, int]) -> None:
    for fill in (0.0, 1.0):
        for features in (torch.randn(2, 3, *size), torch.zeros(2, 3, *size)):
            features.requires_grad_(True)
            output = ContextualAttention()(features, torch.full((2, 1, *size), fill))
            assert output.shape == features.shape
            output.square().sum().backward()
            assert output.isfinite().all()
            assert features.grad is not None
            assert features.grad.isfinite().all()
            assert fill == 0 or not output.any()


def test_nothing_is_copied_from_the_hole() -> None:
    """Where the hole's features are the only ones that are not zero, nothing arrives anywhere."""
    features, mask = torch.zeros(1, 2, 12, 12), torch.zeros(1, 1, 12, 12)
    mask[..., 4:8, 4:8] = 1
    features[..., 4:8, 4:8] = torch.randn(1, 2, 4, 4)
    assert not ContextualAttention()(features, mask).any()
    assert ContextualAttention()(features, torch.zeros_like(mask)).any()


def test_it_has_no_parameters_and_a_constant_temperature() -> None:
    attention = ContextualAttention()
    assert not list(attention.parameters())
    torch.testing.assert_close(attention.temperatures(torch.randn(5, 3, 4, 4)), torch.full((5, 1), 0.1))


def test_half_precision_is_computed_in_float32() -> None:
    features, mask, _ = draw(2, 3, (6, 6))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        got = ContextualAttention()(features.float(), mask.float())
    torch.testing.assert_close(got, ContextualAttention()(features.float(), mask.float()))
