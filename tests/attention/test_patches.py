"""Unrolling and rolling of patches, and masks at feature size."""

from collections.abc import Callable
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from temperfill.attention import ATMA, MHTMA, ContextualAttention
from temperfill.attention.patches import (
    key_mask,
    overlap_add,
    pad_to_patch,
    reduce_mask,
    roll,
    unroll_keys,
    unroll_queries,
)

SIZES = [(1, 1), (1, 6), (4, 2), (5, 7), (8, 8)]


def mask_of(height: int, width: int, *cells: tuple[int, int]) -> Tensor:
    mask = torch.zeros(1, 1, height, width)
    for row, column in cells:
        mask[0, 0, row, column] = 1
    return mask


@pytest.mark.parametrize("patch_size", range(1, 8))
@pytest.mark.parametrize("size", SIZES)
def test_roll_undoes_unroll(size: tuple[int, int], patch_size: int) -> None:
    features = torch.randn(2, 3, *size, dtype=torch.float64)
    unrolled = unroll_queries(features, patch_size)
    assert unrolled.shape == (2, size[0] * size[1], 3 * patch_size**2)
    torch.testing.assert_close(roll(unrolled, size, patch_size), features, rtol=0, atol=1e-13)


@pytest.mark.parametrize("patch_size", range(1, 6))
def test_queries_are_the_patches_around_every_cell(patch_size: int) -> None:
    height, width = 4, 5
    features = torch.randn(1, 2, height, width)
    unrolled = unroll_queries(features, patch_size).reshape(height, width, patch_size, patch_size, 2)
    before = (patch_size - 1) // 2  # even sizes: the extra row and column go after
    for y in range(height):
        for x in range(width):
            for i in range(patch_size):
                for j in range(patch_size):
                    row, column = y - before + i, x - before + j
                    inside = 0 <= row < height and 0 <= column < width
                    expected = features[0, :, row, column] if inside else torch.zeros(2)
                    assert torch.equal(unrolled[y, x, i, j], expected)


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("patch_size", [1, 2, 3, 4])
def test_keys_are_whole_patches_and_their_mask_says_which_touch_the_hole(patch_size: int, stride: int) -> None:
    height, width = 7, 6
    features = torch.randn(1, 2, height, width)
    mask = mask_of(height, width, (0, 0), (4, 3))
    keys, masked = unroll_keys(features, patch_size, stride)[0], key_mask(mask, patch_size, stride)[0]
    number = 0
    for y in range(0, height - patch_size + 1, stride):
        for x in range(0, width - patch_size + 1, stride):
            window = (slice(y, y + patch_size), slice(x, x + patch_size))
            expected = features[0, :, *window].permute(1, 2, 0)
            assert torch.equal(keys[number].reshape(patch_size, patch_size, 2), expected)
            assert masked[number] == mask[0, 0][window].any()
            number += 1
    assert len(keys) == len(masked) == number


@pytest.mark.parametrize("patch_size", range(1, 6))
def test_overlaps_are_averaged_by_their_actual_count(patch_size: int) -> None:
    """Patches that each hold the number of their cell: the average at a cell is that of the cells whose patch covers
    it, fewer at the border."""
    height, width = 5, 4
    number = torch.arange(height * width, dtype=torch.float64)
    patches = number[None, :, None].expand(1, -1, patch_size**2)
    before, after = (patch_size - 1) // 2, patch_size // 2
    rolled = roll(patches, (height, width), patch_size)[0, 0]
    for y in range(height):
        for x in range(width):
            rows = [r for r in range(height) if r - before <= y <= r + after]
            columns = [c for c in range(width) if c - before <= x <= c + after]
            covering = [r * width + c for r in rows for c in columns]
            assert rolled[y, x].item() == pytest.approx(sum(covering) / len(covering), abs=1e-12)


@pytest.mark.parametrize(("patch_size", "stride"), [(1, 1), (3, 1), (4, 2), (6, 2), (3, 3)])
@pytest.mark.parametrize("size", [(1, 1), (3, 2)])
def test_overlapping_patches_are_added(size: tuple[int, int], patch_size: int, stride: int) -> None:
    """Unrolled from a map and added, every cell is there as often as patches cover it, as ``F.fold`` counts."""
    height, width = ((number - 1) * stride + patch_size for number in size)
    features = torch.randn(2, 3, height, width, dtype=torch.float64)
    added = overlap_add(unroll_keys(features, patch_size, stride), size, patch_size, stride)
    ones = F.unfold(torch.ones(1, 1, height, width, dtype=torch.float64), patch_size, stride=stride)
    count = F.fold(ones, (height, width), patch_size, stride=stride)
    torch.testing.assert_close(added, features * count, rtol=0, atol=1e-13)


def test_maps_smaller_than_the_patch_are_padded_to_it_and_others_left_alone() -> None:
    features = torch.randn(1, 2, 1, 4)
    padded = pad_to_patch(features, 3)
    assert padded.shape == (1, 2, 3, 4)
    assert torch.equal(padded[:, :, :1], features)
    assert not padded[:, :, 1:].any()
    assert torch.equal(pad_to_patch(features, 1), features)


@pytest.mark.parametrize(
    ("size", "small"), [((16, 16), (4, 4)), ((37, 50), (9, 12)), ((5, 9), (5, 9)), ((7, 3), (2, 1))]
)
def test_every_scratch_of_one_pixel_survives_the_reduction(size: tuple[int, int], small: tuple[int, int]) -> None:
    for y in range(size[0]):
        for x in range(size[1]):
            reduced = reduce_mask(mask_of(*size, (y, x)), small)
            assert reduced.shape[2:] == small
            assert reduced[0, 0, y * small[0] // size[0], x * small[1] // size[1]] == 1
            assert set(reduced.unique().tolist()) <= {0.0, 1.0}
    assert not reduce_mask(mask_of(*size), small).any()


def test_known_cells_stay_known() -> None:
    reduced = reduce_mask(mask_of(16, 16, (5, 9)), (4, 4))
    assert reduced.sum() == 1


@pytest.mark.parametrize("build", [partial(MHTMA, 8), partial(ATMA, 8), ContextualAttention])
def test_masks_of_bool_and_without_the_axis_of_channels_are_as_good(build: Callable[[], nn.Module]) -> None:
    attention = build()
    features, mask = torch.rand(2, 8, 12, 10), torch.zeros(2, 1, 24, 20)
    mask[:, :, 6:14, 4:12] = 1
    expected = attention(features, mask)
    for same in (mask.bool(), mask[:, 0], mask[:, 0].bool(), mask.byte() * 255):
        assert torch.equal(attention(features, same), expected)
    with pytest.raises(ValueError, match=r"mask must have shape \(B, 1, H, W\) or \(B, H, W\), got \(24, 20\); add"):
        attention(features, mask[0, 0])
