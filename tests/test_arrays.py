"""The boundary check, and planes padded, shrunk and enlarged as torch does it."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from temperfill import arrays
from temperfill.arrays import Array, check_image_mask


def rand(*shape: int) -> Array:
    return np.random.default_rng(0).random(shape, np.float32)


def test_what_keeps_the_conventions_passes() -> None:
    image = rand(2, 3, 4, 5)
    image[0, 0, 0, 0], image[0, 0, 0, 1] = 0, 1
    plane = (rand(2, 1, 4, 5) > 0.5).astype(np.float32)
    check_image_mask(image, plane)
    check_image_mask(image.astype(np.float64), plane, plane)
    check_image_mask(np.zeros((1, 3, 1, 1), np.float32), np.ones((1, 1, 1, 1), np.float32))


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (rand(3, 4, 5), r"shape \(B, 3, H, W\), got \(3, 4, 5\).*batch axis"),
        (rand(2, 4, 4, 5), r"got \(2, 4, 4, 5\).*RGB"),
        (rand(2, 3, 0, 5), "not be empty"),
        (
            np.zeros((2, 3, 4, 5), np.uint8),
            r"floating point in \[0, 1\], got uint8; divide bytes by 255",
        ),
        (rand(2, 3, 4, 5) + 1, r"lie in \[0, 1\]"),
        (rand(2, 3, 4, 5) - 1, r"lie in \[0, 1\]"),
        (np.full((2, 3, 4, 5), float("nan")), r"lie in \[0, 1\]"),
        (np.full((2, 3, 4, 5), float("inf")), r"lie in \[0, 1\]"),
    ],
)
def test_wrong_images_are_refused(image: Array, words: str) -> None:
    with pytest.raises(ValueError, match=f"image must.*{words}"):
        check_image_mask(image, np.zeros((2, 1, 4, 5), np.float32))


def test_one_nan_is_enough() -> None:
    image = rand(1, 3, 8, 8)
    image[0, 1, 2, 3] = float("nan")
    with pytest.raises(ValueError, match="nan"):
        check_image_mask(image, np.zeros((1, 1, 8, 8), np.float32))


@pytest.mark.parametrize("name", ["mask", "sketch"])
@pytest.mark.parametrize(
    ("plane", "words"),
    [
        (np.zeros((2, 1, 5, 4), np.float32), r"shape \(2, 1, 4, 5\) to match the image, got \(2, 1, 5, 4\)"),
        (np.zeros((1, 1, 4, 5), np.float32), r"got \(1, 1, 4, 5\)"),
        (np.zeros((2, 4, 5), np.float32), r"got \(2, 4, 5\); add the axis of channels: \w+\[:, None\]"),
        (np.zeros((2, 1, 4, 5), bool), "floating point 0 or 1, got bool"),
        (np.full((2, 1, 4, 5), 0.5), "only 0 and 1; threshold"),
        (np.full((2, 1, 4, 5), 255.0), "only 0 and 1"),
        (np.full((2, 1, 4, 5), float("nan")), "only 0 and 1"),
    ],
)
def test_wrong_masks_and_sketches_are_refused_by_name(name: str, plane: Array, words: str) -> None:
    planes = {"mask": np.zeros((2, 1, 4, 5), np.float32), name: plane}
    with pytest.raises(ValueError, match=f"{name} must.*{words}"):
        check_image_mask(rand(2, 3, 4, 5), **planes)


@pytest.mark.parametrize("factor", [2, 3, 4, 11])
def test_sizes_change_as_torch_changes_them(factor: int) -> None:
    plane = rand(2, 3, 5 * factor, 7 * factor)
    same = torch.from_numpy(plane)
    assert np.array_equal(arrays.mean(plane, factor), F.avg_pool2d(same, factor).numpy())
    assert np.array_equal(arrays.maximum(plane, factor), F.max_pool2d(same, factor).numpy())
    for mode, enlarge in (("bicubic", arrays.bicubic), ("bilinear", arrays.bilinear)):
        expected = F.interpolate(same, scale_factor=float(factor), mode=mode, align_corners=False).numpy()
        assert np.abs(enlarge(plane, factor) - expected).max() < 1e-6


def test_edges_are_repeated_as_far_as_asked() -> None:
    plane = rand(1, 2, 3, 4)
    assert arrays.pad(plane, 0, 0) is plane
    padded = arrays.pad(plane, 2, 1)
    assert np.array_equal(padded, F.pad(torch.from_numpy(plane), (0, 1, 0, 2), mode="replicate").numpy())


def test_known_pixels_keep_their_bits_and_the_type_of_the_image() -> None:
    image, mask = rand(2, 3, 4, 5).astype(np.float64), (rand(2, 1, 4, 5) > 0.5).astype(np.float32)
    pasted = arrays.composite(np.ones((2, 3, 4, 5), np.float32), image, mask)
    assert pasted.dtype == np.float64
    assert np.array_equal(pasted, np.where(mask > 0, 1, image))
