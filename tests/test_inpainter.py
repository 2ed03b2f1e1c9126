"""The guarded call and pictures of any size: known pixels, hidden holes, windows, memory, sources."""

import logging
import math
import subprocess
import sys
import time
import tracemalloc
import warnings
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image
from scipy import ndimage
from torch import Tensor

import temperfill
from temperfill import images, methods, regions
from temperfill.config import GeneratorConfig
from temperfill.geometry import SizeRule
from temperfill.inpainter import Inpainter, choose_device, fill, load_method, plan
from temperfill.inpainter import inpainter as inpainter_module
from temperfill.methods.contract import Abilities
from temperfill.methods.ours import Ours
from temperfill.nets.generator import CellSources, Generator
from temperfill.options import FillOptions
from temperfill.weights_files import save_generator

log = logging.getLogger(__name__)


class Stub:
    """A method made of a function, which remembers the sizes it was called with."""

    ABILITIES = Abilities()

    def __init__(self, function: Callable[..., Tensor], rule: SizeRule | None = None) -> None:
        self.name = "stub"
        self.function = function
        self.size_rule = rule or SizeRule()
        self.abilities = self.ABILITIES
        self.sizes: list[tuple[int, ...]] = []

    def __call__(self, image: Tensor, mask: Tensor, *_: Any, **__: Any) -> Tensor:
        self.sizes.append(tuple(image.shape[2:]))
        return self.function(image, mask)


def grey(image: Tensor, mask: Tensor) -> Tensor:
    return torch.full_like(image, 0.25)


def mean_of_known(image: Tensor, mask: Tensor) -> Tensor:
    known = 1 - mask
    mean = (image * known).sum((2, 3), keepdim=True) / known.sum((2, 3), keepdim=True).clamp(min=1)
    return mean.expand_as(image)


@pytest.fixture(scope="module")
def tiny() -> Generator:
    torch.manual_seed(0)
    return Generator(GeneratorConfig(width=4, head_dim=4)).eval()


@pytest.fixture(scope="module")
def weights(tiny: Generator, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_generator(path, tiny)
    return path


@pytest.fixture(scope="module")
def inpainter(weights: Path) -> Inpainter:
    return Inpainter.from_pretrained(weights, "cpu")


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


# fill


@given(
    height=st.integers(1, 21),
    width=st.integers(1, 21),
    batch=st.integers(1, 2),
    multiple=st.integers(1, 9),
    minimum=st.integers(1, 25),
    seed=st.integers(0, 99),
)
def test_fill_pads_crops_and_keeps_known_bits(
    height: int, width: int, batch: int, multiple: int, minimum: int, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    image = torch.rand(batch, 3, height, width, generator=generator)
    mask = (torch.rand(batch, 1, height, width, generator=generator) > 0.5).float()
    method = Stub(lambda i, m: i * 3 - 1, SizeRule(multiple, minimum))
    result = fill(method, image, mask)
    assert all(side % multiple == 0 and side >= minimum for side in method.sizes[0])
    assert method.sizes[0][0] < max(height, minimum) + multiple
    assert result.shape == image.shape
    assert 0 <= result.min() <= result.max() <= 1
    known = (mask < 0.5).expand_as(image)
    assert torch.equal(result[known], image[known])


def test_fill_repeats_edges_of_image_and_mask() -> None:
    seen = {}

    def look(image: Tensor, mask: Tensor) -> Tensor:
        seen.update(image=image, mask=mask)
        return image

    image, mask = torch.rand(1, 3, 2, 3), torch.tensor([[[[0.0, 0, 0], [1, 0, 1]]]])
    fill(Stub(look, SizeRule(4)), image, mask)
    assert torch.equal(seen["image"][0, :, 0, 2:], image[0, :, 0, 2:].expand(3, 2))
    assert seen["mask"][0, 0].tolist() == [[0, 0, 0, 0], [1, 0, 1, 1], [1, 0, 1, 1], [1, 0, 1, 1]]


def test_fill_hides_the_hole() -> None:
    """Whatever a method does with its input, the content of the hole changes no bit of the result."""
    mask = (torch.rand(1, 1, 8, 8) > 0.5).float()
    image = torch.rand(1, 3, 8, 8)
    other = torch.where(mask > 0.5, torch.rand(1, 3, 8, 8), image)
    copy = Stub(lambda i, m: torch.roll(i, 1, 2))
    assert torch.equal(fill(copy, image, mask), fill(copy, other, mask))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_fill_refuses_what_is_not_finite(value: float) -> None:
    with pytest.raises(ValueError, match="not finite"):
        fill(Stub(lambda i, m: torch.full_like(i, value)), torch.rand(1, 3, 4, 4), torch.ones(1, 1, 4, 4))


def test_fill_refuses_another_shape_and_bad_input() -> None:
    image, mask = torch.rand(1, 3, 4, 4), torch.ones(1, 1, 4, 4)
    with pytest.raises(ValueError, match="gave shape"):
        fill(Stub(lambda i, m: i[:, :1]), image, mask)
    with pytest.raises(ValueError, match="mask must have shape"):
        fill(Stub(grey), image, torch.ones(1, 1, 4, 5))
    with pytest.raises(ValueError, match="takes no sketch"):
        fill(Stub(grey), image, mask, mask)


def test_fill_gives_a_start_picture_to_methods_that_refine_one() -> None:
    seen: list[Tensor] = []

    class Refiner(Stub):
        ABILITIES = Abilities(start=True)

        def __call__(self, image: Tensor, mask: Tensor, *_: Any, start: Tensor | None = None, **__: Any) -> Tensor:
            assert start is not None
            seen.append(start)
            return start

    image, mask, start = torch.rand(1, 3, 6, 7), torch.zeros(1, 1, 6, 7), torch.rand(1, 3, 6, 7)
    mask[:, :, 2:4, 3:5] = 1
    filled = fill(Refiner(grey, SizeRule(4)), image, mask, start=start)
    assert seen[0].shape == (1, 3, 8, 8)  # padded as the image is
    assert torch.equal(filled, torch.where(mask > 0, start, image))
    with pytest.raises(ValueError, match="cannot start from a given picture"):
        fill(Stub(grey), image, mask, start=start)
    with pytest.raises(ValueError, match=r"must have the image's shape \(1, 3, 6, 7\), got \(1, 3, 3, 7\)"):
        fill(Refiner(grey), image, mask, start=start[:, :, :3])


def test_fill_gives_the_sketch_inside_the_hole_alone() -> None:
    torch.manual_seed(0)
    method = Ours(Generator(GeneratorConfig(width=4, head_dim=4, sketch=True)).eval())
    image, mask = torch.rand(1, 3, 16, 16), torch.zeros(1, 1, 16, 16)
    mask[..., 4:12, 4:12] = 1
    line = torch.zeros_like(mask)
    line[..., 8, :] = 1
    with_line = fill(method, image, mask, line)
    assert not torch.equal(with_line, fill(method, image, mask, torch.zeros_like(line)))
    assert torch.equal(with_line, fill(method, image, mask, line * mask))


class Follower:
    """Paints the lines that it is shown; they lie in the last of its calls."""

    name = "follower"
    size_rule = SizeRule(4)
    abilities = Abilities(sketch=True)

    def __init__(self) -> None:
        self.shown: list[torch.Tensor] = []

    def __call__(self, image: torch.Tensor, mask: torch.Tensor, sketch: torch.Tensor, **_: Any) -> torch.Tensor:
        self.shown.append(sketch.clone())
        return (1 - sketch).expand_as(image)


@pytest.mark.parametrize("strategy", ["full", "crop", "multiscale"])
def test_lines_are_thin_for_the_method_whatever_the_brush(strategy: Any) -> None:
    """A broad stroke across the hole is one pixel wide in every column that the method sees."""
    method = Follower()
    hole, sketch = np.zeros((2, 128, 160), bool)
    hole[40:90, 50:110] = True
    sketch[60:67, 20:140] = True
    Inpainter(method, "cpu", "fp32")(picture(128, 160), hole, sketch=sketch, strategy=strategy)
    (shown,) = method.shown
    columns = shown[0, 0].sum(0)
    factor = 2 if strategy == "multiscale" else 1
    assert set(columns.unique().tolist()) == {0.0, 1.0}
    assert abs(int(columns.sum()) - 60 // factor) <= 1


# Inpainter


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 5), (13, 64), (33, 30), (2, 400)])
@pytest.mark.filterwarnings("ignore:.*of the picture:UserWarning", "ignore:the mask covers:UserWarning")
def test_any_size(inpainter: Inpainter, size: tuple[int, int]) -> None:
    image = picture(*size)
    mask = np.random.default_rng(1).random(size) > 0.5
    mask.flat[0] = True
    result = inpainter(image, mask, output_type="np")
    assert result.shape == image.shape
    assert np.array_equal(result[~mask], image[~mask])


@given(
    mode=st.sampled_from(["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"]),
    height=st.integers(1, 24),
    width=st.integers(1, 24),
    seed=st.integers(0, 999),
    dilate=st.integers(0, 3),
    feather=st.integers(0, 3),
)
def test_known_pixels_in_every_mode(
    inpainter: Inpainter, mode: str, height: int, width: int, seed: int, dilate: int, feather: int
) -> None:
    rng = np.random.default_rng(seed)
    image = Image.fromarray(rng.integers(0, 256, (height, width, 3), np.uint8))
    image = (
        Image.fromarray(rng.integers(0, 65536, (height, width), np.uint16)) if mode == "I;16" else image.convert(mode)
    )
    mask = rng.random((height, width)) < 0.3
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = inpainter(image, mask, mask_dilate=dilate, feather=feather)
    assert (result.mode, result.size) == (image.mode, image.size)
    known = ~regions.dilate(mask, dilate)
    assert np.array_equal(np.asarray(result)[known], np.asarray(image)[known])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_float_arrays_keep_their_bits(inpainter: Inpainter, dtype: Any) -> None:
    image = np.random.default_rng(0).random((16, 16, 3)).astype(dtype)
    mask = np.zeros((16, 16), bool)
    mask[4:9, 4:9] = True
    result = inpainter(image, mask, output_type="np")
    assert result.dtype == dtype
    assert np.array_equal(result[~mask], image[~mask])
    assert not np.array_equal(result[mask], image[mask])


def test_output_types(inpainter: Inpainter) -> None:
    image, mask = picture(12, 10), np.zeros((12, 10), bool)
    mask[3:6, 3:6] = True
    pil, array, tensor = (inpainter(image, mask, output_type=kind) for kind in ("pil", "np", "pt"))
    assert isinstance(pil, Image.Image)
    assert np.array_equal(np.asarray(pil), array)
    assert tensor.shape == (3, 12, 10)
    assert np.array_equal((tensor.permute(1, 2, 0) * 255).round().byte().numpy(), array)
    assert (tensor + 1).max() <= 2  # an ordinary tensor
    with pytest.raises(ValueError, match="output_type"):
        inpainter(image, mask, output_type="jpg")  # type: ignore[arg-type]


def test_lists_match_single_calls(inpainter: Inpainter) -> None:
    pictures = [picture(12, 10, 0), picture(20, 16, 1)]
    masks = [np.zeros(p.shape[:2], bool) for p in pictures]
    for mask in masks:
        mask[4:8, 2:7] = True
    results = inpainter(pictures, masks, output_type="np")
    for image, mask, result in zip(pictures, masks, results, strict=True):
        assert np.array_equal(result, inpainter(image, mask, output_type="np"))
    assert len(inpainter([pictures[0]] * 2, masks[0])) == 2  # one mask for all
    with pytest.raises(ValueError, match="2 images need one mask or 2, got 1"):
        inpainter(pictures, masks[:1])


def test_content_of_the_hole_does_not_matter(inpainter: Inpainter) -> None:
    mask = np.zeros((40, 40), bool)
    mask[10:25, 12:30] = True
    image = picture(40, 40)
    other = np.where(mask[..., None], picture(40, 40, 9), image)
    assert np.array_equal(inpainter(image, mask, output_type="np"), inpainter(other, mask, output_type="np"))


def test_same_call_gives_same_bytes(inpainter: Inpainter) -> None:
    mask = np.random.default_rng(3).random((30, 30)) > 0.7
    first, second = (inpainter(picture(30, 30), mask, output_type="np") for _ in range(2))
    assert np.array_equal(first, second)


def test_other_numbers_of_threads_change_nothing_but_rounding(inpainter: Inpainter) -> None:
    mask = np.random.default_rng(3).random((60, 70)) > 0.7
    before, results = torch.get_num_threads(), []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            results.append(inpainter(picture(60, 70), mask, output_type="np").astype(int))
    finally:
        torch.set_num_threads(before)
    assert np.abs(results[0] - results[1]).max() <= 1


def test_empty_mask_gives_the_picture_and_a_note(inpainter: Inpainter) -> None:
    image = picture(8, 8)
    with pytest.warns(UserWarning, match="nothing to fill"):
        result = inpainter(image, np.zeros((8, 8), bool), mask_dilate=3, output_type="np")
    assert np.array_equal(result, image)


def test_full_mask_is_finite_and_warned_of(inpainter: Inpainter) -> None:
    with pytest.warns(UserWarning, match="whole picture"):
        result = inpainter(picture(16, 16), np.ones((16, 16), bool), feather=2, output_type="pt")
    assert result.isfinite().all()


def test_nearly_full_mask_asks_about_polarity(inpainter: Inpainter) -> None:
    mask = np.ones((32, 32), bool)
    mask[0, 0] = False
    with pytest.warns(UserWarning, match="inverted"):
        inpainter(picture(32, 32), mask)


def test_mask_options(inpainter: Inpainter) -> None:
    image, mask = picture(24, 24), np.zeros((24, 24), bool)
    mask[8:16, 8:16] = True
    plain = inpainter(image, mask, output_type="np")
    assert np.array_equal(inpainter(image, ~mask, invert_mask=True, output_type="np"), plain)
    alpha = np.full((24, 24, 4), 255, np.uint8)
    alpha[~mask, 3] = 0
    assert np.array_equal(inpainter(image, alpha, mask_channel="alpha", output_type="np"), plain)
    for option in ("mask_dilate", "feather"):
        for value in (-1, 1.5):
            with pytest.raises(ValueError, match=option):
                inpainter(image, mask, **{option: value})


def test_mask_of_another_size_names_both(inpainter: Inpainter) -> None:
    with pytest.raises(ValueError, match=r"8x9 .* 9x8"):
        inpainter(picture(8, 9), np.zeros((9, 8), bool))


def test_feather_starts_at_the_known_pixels() -> None:
    """From a black rim to a white result in equal steps, inside the hole."""
    image, mask = np.zeros((9, 20, 3), np.float32), np.zeros((9, 20), bool)
    mask[:, 10:] = True
    method = Inpainter(Stub(lambda i, m: torch.ones_like(i)), "cpu")
    row = method(image, mask, feather=3, output_type="np")[4, :, 0]
    assert np.allclose(row, [0] * 10 + [0.25, 0.5, 0.75] + [1] * 7)
    assert np.allclose(method(image, mask, output_type="np")[4, :, 0], [0] * 10 + [1] * 10)


def specks_far_apart(rng: np.random.Generator) -> np.ndarray:
    hole = np.zeros((211, 307), bool)
    for y, x in ((0, 0), (5, 40), (100, 150), (103, 158), (210, 306), (90, 290)):
        hole[y : y + rng.integers(1, 30), x : x + rng.integers(1, 30)] = True
    return hole


@pytest.mark.parametrize("radius", [1, 7, 40])
def test_holes_far_apart_grow_and_fade_as_if_worked_on_together(radius: int) -> None:
    rng = np.random.default_rng(radius)
    hole = specks_far_apart(rng)
    assert np.array_equal(regions.dilate(hole, radius), ndimage.distance_transform_edt(~hole) <= radius)
    distance = ndimage.distance_transform_edt(hole)
    weight = np.where(hole & (distance <= radius), distance / (radius + 1), 1)[..., None]
    filled = rng.random((*hole.shape, 3)).astype(np.float32)
    found = regions.feather(filled, np.full_like(filled, 0.3), hole, radius)
    assert np.allclose(found, weight * filled + (1 - weight) * 0.3, atol=1e-6)
    assert np.array_equal(found[~hole], filled[~hole])


def test_growing_holes_far_apart_works_around_each() -> None:
    hole = np.zeros((3000, 3000), bool)
    hole[:6, :6], hole[-6:, -6:] = True, True
    tracemalloc.start()
    try:
        grown = regions.dilate(hole, 4)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert grown.sum() > hole.sum()
    assert peak < 40e6  # 9 MB for a mask; a distance for each pixel of the picture would be 72 MB


def test_orientation_of_picture_and_mask(inpainter: Inpainter, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    image, mask = picture(12, 20), np.zeros((12, 20), np.uint8)
    mask[2:5, 3:9] = 255
    Image.fromarray(image).save(tmp_path / "a.png", exif=exif)
    Image.fromarray(np.rot90(mask, -1)).save(tmp_path / "upright.png")
    Image.fromarray(mask).save(tmp_path / "stored.png", exif=exif)
    results = [inpainter(tmp_path / "a.png", tmp_path / name) for name in ("upright.png", "stored.png")]
    assert np.array_equal(*map(np.asarray, results))
    known = np.rot90(mask, -1) == 0
    assert np.array_equal(np.asarray(results[0])[known], np.rot90(image, -1)[known])
    assert results[0].getexif().get(ExifTags.Base.Orientation, 1) == 1


# Large pictures


def test_large_picture_is_filled_in_windows() -> None:
    image, mask = picture(1500, 2001), np.zeros((1500, 2001), bool)
    mask[0:40, 0:30] = True
    mask[700:760, 900:1100] = True
    mask[705:708, 1150:1160] = True  # near the one before: one window for both
    mask[1499, 2000] = True
    method = Stub(mean_of_known, SizeRule(4))
    start = time.perf_counter()
    result = Inpainter(method, "cpu")(image, mask, output_type="np")
    log.info("1500x2001 without a network: %.2f s", time.perf_counter() - start)
    assert method.sizes == [(512, 512), (512, 524), (512, 516)]
    assert np.array_equal(result[~mask], image[~mask])
    assert np.abs(result[mask].astype(int) - 127).max() < 10  # filled, from near


@pytest.mark.parametrize("shape", [(2048, 2048), (1000, 3000), (641, 641)])
def test_windows_cover_the_hole_once(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(5)
    for kind in ("specks", "blocks", "line", "frame"):
        hole = np.zeros(shape, bool)
        if kind == "specks":
            hole.flat[rng.integers(0, hole.size, 300)] = True
        elif kind == "blocks":
            for _ in range(12):
                y, x = rng.integers(0, shape[0]), rng.integers(0, shape[1])
                hole[y : y + rng.integers(1, 300), x : x + rng.integers(1, 300)] = True
        elif kind == "line":
            for i in range(min(shape)):
                hole[i, max(i - 3, 0) : i + 3] = True
        else:
            hole[:9], hole[-9:], hole[:, :9], hole[:, -9:] = True, True, True, True
        count = np.zeros(shape, int)
        for window in regions.windows(hole):
            top, left, bottom, right = window.box
            assert (top % 4, left % 4) == (0, 0)
            assert window.hole.shape == (bottom - top, right - left)
            assert window.hole.any()
            count[top:bottom, left:right] += window.hole
            if kind in ("specks", "line", "frame"):  # never shrunk
                assert max(window.hole.shape) <= regions.LIMIT + 4
        assert np.array_equal(count, hole.astype(int)), kind


@pytest.mark.parametrize("radius", [51, 70, 160])
def test_a_blob_on_a_long_line_does_not_make_the_line_coarse(radius: int) -> None:
    hole = np.zeros((1500, 4000), bool)
    hole[700:705, 200:3800] = True
    line = hole.copy()
    rows, columns = np.ogrid[:1500, :4000]
    hole |= (rows - 700) ** 2 + (columns - 2000) ** 2 < radius**2
    count = np.zeros(hole.shape, int)
    for part in plan.divide(hole, FillOptions()):
        top, left, bottom, right = part.box
        count[top:bottom, left:right] += part.hole
        if radius == 51:
            assert part.factor == 1
        if part.factor > 1:  # by the thickness of the blob
            assert part.factor == math.ceil(2 * radius / plan.SHRUNK)
            reached = np.flatnonzero((part.hole & line[top:bottom, left:right]).any(0)) + left
            assert np.abs(reached - 2000).max() < radius + 100
    assert np.array_equal(count, hole)


def test_small_pictures_of_any_aspect_are_filled_at_their_size() -> None:
    method = Stub(grey)
    for height, width in ((400, 1000), (270, 1500), (600, 640)):
        mask = np.zeros((height, width), bool)
        mask[100:120, 300:320] = True
        Inpainter(method, "cpu")(picture(height, width), mask)
        assert method.sizes[-1] == (height, width)


@pytest.mark.parametrize("length", range(500, 520))
def test_scratches_are_filled_at_full_size(length: int) -> None:
    hole = np.zeros((2000, 1000), bool)
    hole[701 : 701 + length, 500:510] = True
    assert [part.factor for part in plan.divide(hole, FillOptions()) if part.factor > 1] == []


@pytest.mark.parametrize("shape", [(300, 400), (61, 7), (1, 1)])
def test_boxes_hold_the_hole_and_join_what_is_near(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    for share in (0.0, 0.001, 0.3):
        hole = rng.random(shape) < share
        left = hole.copy()
        for top, first, bottom, last in regions.hole_boxes(hole, 40):
            assert 0 <= top < bottom <= shape[0]
            assert 0 <= first < last <= shape[1]
            left[top:bottom, first:last] = False
        assert not left.any()


def test_boxes_are_joined_where_that_is_less_work() -> None:
    hole = np.zeros((1000, 1000), bool)
    hole[10:20, 10:20] = hole[60:70, 50:60] = hole[900:940, 900:901] = True
    boxes = regions.hole_boxes(hole, 100)
    assert sorted(boxes) == [(8, 8, 72, 64), (896, 896, 944, 904)]
    assert len(regions.hole_boxes(hole, 0)) == 3


def test_windows_have_context() -> None:
    hole = np.zeros((2000, 2000), bool)
    hole[900:1300, 900:1000] = True
    (window,) = regions.windows(hole)
    top, left, bottom, right = window.box
    assert top <= 900 - 128
    assert bottom >= 1300 + 128
    assert right - left in range(512, 520)


def test_many_specks_are_fast() -> None:
    hole = np.random.default_rng(0).random((3000, 3000)) < 1e-3
    start = time.perf_counter()
    found = regions.windows(hole)
    assert time.perf_counter() - start < 5
    assert len(found) < 150


def mean_of_near(image: Tensor, mask: Tensor) -> Tensor:
    """The mean of known pixels up to 8 away, which all windows hold; grey where there are none."""
    known = 1 - mask
    total, number = (torch.nn.functional.avg_pool2d(x, 17, 1, 8) for x in (image * known, known))
    return torch.where(number > 0, total / number.clamp(min=1e-4), 0.5)


def test_windows_give_what_the_whole_picture_gives_where_they_hold_all_that_counts() -> None:
    image = np.random.default_rng(0).random((700, 1200, 3), np.float32)
    mask = np.zeros((700, 1200), bool)
    for top, left in ((0, 0), (300, 40), (310, 80), (670, 1170), (350, 900)):
        mask[top : top + 30, left : left + 25] = True
    method = Stub(mean_of_near, SizeRule(4))
    whole, parts = (Inpainter(method, "cpu")(image, mask, strategy=s, output_type="np") for s in ("full", "crop"))
    assert len(method.sizes) > 2
    assert np.abs(whole - parts).max() < 1e-5
    assert np.abs(whole[mask] - 0.5).max() > 0.01


def test_a_hole_over_several_windows_has_no_seams() -> None:
    y, x = np.mgrid[:300, :2400].astype(np.float32)
    image = np.stack([x / 2400, y / 3000, np.full_like(x, 0.3)], 2)
    mask = np.zeros((300, 2400), bool)
    mask[140:156, 30:2370] = True
    method = Stub(mean_of_near, SizeRule(4))
    whole, parts = (Inpainter(method, "cpu")(image, mask, strategy=s, output_type="np") for s in ("full", "crop"))
    assert len(method.sizes) > 3
    assert np.abs(whole - parts).max() < 0.01
    assert np.abs(np.diff(parts[140:156, 30:2370], axis=1)).max() < 0.01


def test_huge_hole_is_filled_small_and_enlarged() -> None:
    height, width = 1200, 1600
    y, x = np.mgrid[:height, :width].astype(np.float32)
    image = np.stack([y / height, x / width, np.full_like(x, 0.5)], 2)
    mask = np.zeros((height, width), bool)
    mask[100:1100, 100:1500] = True
    method = Stub(lambda i, m: torch.nn.functional.interpolate(smooth(i), i.shape[2:], mode="bilinear"), SizeRule(4))

    def smooth(i: Tensor) -> Tensor:
        return torch.linspace(0, 1, 8).view(1, 1, 8, 1).expand(1, 3, 8, 8)

    result = Inpainter(method, "cpu")(image, mask, output_type="np")
    assert len(method.sizes) == 1
    # A circle 1000 pixels across is shrunk 11 times, to at most SHRUNK, and sides to whole cells.
    assert method.sizes == [(112, 148)]
    assert np.array_equal(result[~mask], image[~mask])
    assert np.all(np.diff(result[110:1090, 700, 0]) >= -1e-4)  # smooth, without steps


class Copier:
    """Copies texture that repeats, at any size, and says from where."""

    name = "copier"
    size_rule = SizeRule(4)

    def __init__(self, away: int) -> None:
        self.abilities = Abilities(sources=self.sources)
        self.away = away  # pixels to the right at full size

    def __call__(self, image: Tensor, mask: Tensor, *_: Any, **__: Any) -> Tensor:
        self.width = image.shape[3]
        return torch.roll(image, -self.away * self.width // WIDE, 3)

    def sources(self, image: Tensor, mask: Tensor, *_: Any, top: int = 4, **__: Any) -> CellSources:
        small = torch.nn.functional.max_pool2d(mask, 4)
        cells = small.flatten().nonzero().squeeze(1)
        sources = (cells + self.away * self.width // WIDE // 4).clamp(max=small.numel() - 1)
        wrong = torch.zeros_like(sources)  # the warmer head, which must not be taken
        sources = torch.stack([wrong, sources])[..., None].expand(2, -1, top)
        return CellSources(cells, torch.ones(sources.shape), sources, torch.tensor([1.0, 0.1]), 4, 3)


WIDE = 1536


def test_multiscale_carries_detail_from_where_the_attention_points() -> None:
    """Texture finer than the small picture can show comes back exactly, for it repeats."""
    tile = picture(48, 48)
    image = np.tile(tile, (20, WIDE // 48, 1))
    mask = np.zeros(image.shape[:2], bool)
    mask[200:720, 100:620] = True
    damaged = np.where(mask[..., None], 0, image).astype(np.uint8)
    options: dict[str, Any] = {"output_type": "np", "strategy": "multiscale"}
    result = Inpainter(Copier(48 * 12), "cpu")(damaged, mask, **options)
    error = np.abs(result.astype(int) - image)
    assert np.array_equal(result[~mask], image[~mask])
    assert error[240:680, 140:580].max() <= 1
    plain = Inpainter(Stub(Copier(48 * 12).__call__), "cpu")(damaged, mask, **options)
    assert np.abs(plain.astype(int) - image)[240:680, 140:580].mean() > 10  # without, it is lost


class Painter:
    """Paints its calls, one after another, in lighter greys over what it is to refine, which it remembers."""

    name = "painter"
    size_rule = SizeRule(4)
    abilities = Abilities(start=True)

    def __init__(self, most: int = 10**9) -> None:
        self.most = most  # pixels of the largest picture there is memory for
        self.sizes: list[tuple[int, ...]] = []
        self.begun: list[Tensor | None] = []

    def __call__(self, image: Tensor, mask: Tensor, *_: Any, start: Tensor | None = None, **__: Any) -> Tensor:
        if image.shape[2] * image.shape[3] > self.most:
            raise MemoryError
        self.sizes.append(tuple(image.shape[2:]))
        self.begun.append(None if start is None else torch.where(mask > 0.5, start, torch.nan))
        return torch.full_like(image, 0.1 * len(self.sizes))


def test_a_thick_hole_is_filled_small_and_refined_at_every_size_up_to_its_own() -> None:
    image, mask = picture(900, 1000), np.zeros((900, 1000), bool)
    mask[300:640, 400:740] = True  # 340 pixels across: shrunk four times
    method, done = Painter(), list[tuple[int, int]]()

    def note(number: int, total: int) -> None:
        done.append((number, total))

    filled = Inpainter(method, "cpu")(image, mask, texture="network", output_type="np", on_progress=note)
    # The whole picture is seen at the small size, and 128 pixels around the hole at the others.
    assert method.sizes == [(228, 252), (300, 300), (600, 600)]
    # Each again and again, for the caller to end the work.
    assert list(dict.fromkeys(done)) == [(i, 3) for i in range(4)]
    assert np.array_equal(filled[~mask], image[~mask])
    assert np.unique(filled[mask]).tolist() == [round(0.3 * 255)]
    for number, begun in enumerate(method.begun[1:], 1):
        assert begun is not None
        values = begun[begun.isfinite()]
        middle = begun[0, 0, begun.shape[2] // 2, begun.shape[3] // 2]
        assert middle == pytest.approx(0.1 * number, abs=1e-3)  # what the size before gave
        assert len(values) > 0.2 * begun.numel()


def test_what_is_too_large_to_be_refined_is_refined_smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    image, mask = picture(900, 1000), np.zeros((900, 1000), bool)
    mask[300:640, 400:740] = True
    for limits, sizes in (
        ({"REFINED": 599 * 600}, [(228, 252), (300, 300)]),
        ({"MATCHED": 10_000_000}, [(228, 252), (300, 300)]),
        ({"REFINED": 100}, [(228, 252)]),
    ):
        method = Painter()
        with monkeypatch.context() as patch:
            for name, value in limits.items():
                patch.setattr(plan, name, value)
            filled = Inpainter(method, "cpu")(image, mask, texture="network", output_type="np")
        assert method.sizes == sizes, limits
        middle = filled[340:600, 440:700]
        assert np.unique(middle).tolist() == [round(0.1 * len(sizes) * 255)]


def test_memory_running_out_ends_the_refinement_at_a_smaller_size() -> None:
    image, mask = picture(900, 1000), np.zeros((900, 1000), bool)
    mask[300:640, 400:740] = True
    done: list[tuple[int, int]] = []

    def note(number: int, total: int) -> None:
        done.append((number, total))

    for most, sizes in ((500 * 500, [(228, 252), (300, 300)] * 2), (280 * 280, [(228, 252)] * 3)):
        method = Painter(most)
        done.clear()
        filled = Inpainter(method, "cpu")(image, mask, texture="network", output_type="np", on_progress=note)
        assert method.sizes == sizes
        assert np.array_equal(filled[~mask], image[~mask])
        assert done == sorted(done)  # the bar never goes back
        assert done[-1] == (3, 3)


@pytest.mark.parametrize("strategy", ["auto", "full", "crop", "multiscale"])
@pytest.mark.parametrize("context", ["auto", "full"])
def test_every_strategy_fills(inpainter: Inpainter, strategy: Any, context: Any) -> None:
    image, mask = picture(700, 650), np.zeros((700, 650), bool)
    mask[300:341, 200:217] = mask[5:9, 600:650] = True
    done: list[tuple[int, int]] = []

    def note(number: int, total: int) -> None:
        done.append((number, total))

    result = inpainter(image, mask, strategy=strategy, context=context, on_progress=note, output_type="np")
    assert np.array_equal(result[~mask], image[~mask])
    assert not np.array_equal(result[mask], image[mask])
    windows = 1 if strategy == "full" or context == "full" else 2
    calls = windows * (2 if strategy == "multiscale" else 1)  # shrunk twice, a window is filled and then refined
    assert list(dict.fromkeys(done)) == [(i, calls) for i in range(calls + 1)]


def test_full_context_sees_what_windows_do_not(inpainter: Inpainter) -> None:
    image, mask = picture(1000, 700), np.zeros((1000, 700), bool)
    mask[100:130, 100:130] = True
    other = image.copy()
    other[900:] = 255 - other[900:]
    near, far = ([inpainter(i, mask, context=c, output_type="np") for i in (image, other)] for c in ("auto", "full"))
    assert np.array_equal(near[0][mask], near[1][mask])
    assert not np.array_equal(far[0][mask], far[1][mask])


def test_what_the_caller_of_progress_raises_ends_the_work() -> None:
    class Enough(Exception):
        pass

    def stop(done: int, total: int) -> None:
        if done == 1:
            raise Enough

    method = Stub(grey)
    image, mask = picture(100, 3000), np.zeros((100, 3000), bool)
    mask[40:60, [100, 1500, 2900]] = True
    with pytest.raises(Enough):
        Inpainter(method, "cpu")(image, mask, on_progress=stop)
    assert len(method.sizes) == 1


def test_temperature_scales_the_learned_one(inpainter: Inpainter) -> None:
    image, mask = picture(40, 40), np.zeros((40, 40), bool)
    mask[10:20, 10:20] = True
    plain, same, warm = (inpainter(image, mask, temperature=t, output_type="pt") for t in (1.0, 1.0, 10.0))
    assert torch.equal(plain, same)
    assert not torch.equal(plain, warm)
    with pytest.raises(ValueError, match="has no temperatures"):
        Inpainter(Stub(grey), "cpu")(image, mask, temperature=2.0)


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ({"temperature": 0.0}, "0.1 to 10"),
        ({"temperature": float("nan")}, "0.1 to 10"),
        ({"strategy": "fast"}, "auto, full, crop, multiscale"),
        ({"context": "some"}, "auto, full"),
    ],
)
def test_options_out_of_range_are_refused(inpainter: Inpainter, option: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        inpainter(picture(20, 20), np.eye(20) > 0, **option)


def test_sources_lie_in_the_known_part_and_weigh_at_most_one(inpainter: Inpainter) -> None:
    source = images.open_picture(picture(300, 2000))
    hole = np.zeros((300, 2000), bool)
    hole[100:140, 1500:1530] = True
    origin = inpainter.sources(source, hole, 120, 1510, top=5)
    heads = origin.heads
    assert origin.copy is None  # the hole is too thin for texture
    assert len(heads) == 2
    for head in heads:
        assert head.temperature > 0
        weights = [match.weight for match in head.matches]
        assert weights == sorted(weights, reverse=True)
        assert 0 < sum(weights) <= 1 + 1e-5
        for match in head.matches:
            top, left, bottom, right = match.box
            assert (bottom - top, right - left) == (12, 12)
            assert not hole[top:bottom, left:right].any()
    warm = inpainter.sources(source, hole, 120, 1510, None, FillOptions(temperature=10.0)).heads
    assert [h.temperature for h in warm] == pytest.approx([10 * h.temperature for h in heads])
    with pytest.raises(ValueError, match="not in the hole"):
        inpainter.sources(source, hole, 10, 10)
    grown = inpainter.sources(source, hole, 98, 1510, None, FillOptions(mask_dilate=3))
    assert grown == inpainter.sources(source, regions.dilate(hole, 3), 98, 1510)
    with pytest.raises(ValueError, match="not in the hole"):
        inpainter.sources(source, hole, 98, 1510, None, FillOptions(mask_dilate=1))
    with pytest.raises(ValueError, match="cannot tell"):
        Inpainter(Stub(grey), "cpu").sources(source, hole, 120, 1510)


@pytest.mark.parametrize("shape", [(65, 67), (41, 90), (9, 7)])
def test_sources_of_pictures_of_any_size(inpainter: Inpainter, shape: tuple[int, int]) -> None:
    hole = np.zeros(shape, bool)
    hole[2:5, -4:] = True
    for head in inpainter.sources(images.open_picture(picture(*shape)), hole, 3, shape[1] - 1, top=3).heads:
        for match in head.matches:
            top, left, bottom, right = match.box
            assert 0 <= top < bottom <= shape[0]
            assert 0 <= left < right <= shape[1]


def test_shrinking_leaks_nothing_of_the_hole() -> None:
    image, mask = picture(1100, 1101), np.zeros((1100, 1101), bool)
    mask[51:1003, 37:1011] = True
    other = np.where(mask[..., None], 255 - image, image)
    echo = Inpainter(Stub(lambda i, m: torch.roll(i, 40, 2)), "cpu")
    assert np.array_equal(echo(image, mask, output_type="np"), echo(other, mask, output_type="np"))


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory"), MemoryError(), RuntimeError("not enough memory: you tried")]
)
def test_memory_running_out_shrinks_the_window(error: BaseException) -> None:
    def hungry(image: Tensor, mask: Tensor) -> Tensor:
        if max(image.shape[2:]) > 200:
            raise error
        return grey(image, mask)

    method = Stub(hungry)
    image, mask = picture(500, 400), np.zeros((500, 400), bool)
    mask[100:300, 100:220] = True
    result = Inpainter(method, "cpu")(image, mask, output_type="np")
    assert (result[120:280, 120:200] == 64).all()  # the rim is interpolated
    assert np.array_equal(result[~mask], image[~mask])
    assert [max(size) for size in method.sizes] == [500, 252, 128]


def test_memory_running_out_first_matches_fewer_patches_at_once(tiny: Generator) -> None:
    image, mask = picture(300, 300), np.zeros((300, 300), bool)
    mask[60:260, 100:220] = True
    expected = Inpainter(Ours(tiny), "cpu", "fp32")(image, mask, output_type="np")
    method = Ours(deepcopy(tiny))
    attention = method.generator.refinement.attention_branch.attention
    original, lengths = attention.attention, []

    def hungry(queries: Tensor, *others: Tensor) -> Tensor:
        lengths.append(queries.shape[2])
        if queries.shape[2] > 1200:
            raise RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate")
        return original(queries, *others)

    attention.attention = hungry
    for strategy in ("auto", "full"):
        got = Inpainter(method, "cpu", "fp32")(image, mask, output_type="np", strategy=strategy)
        assert np.abs(got.astype(int) - expected).max() <= 1  # the same but for rounding
    assert attention.max_queries == 1024
    assert lengths[0] > 1200
    attention.attention = lambda *_: (_ for _ in ()).throw(MemoryError())
    with pytest.raises(ValueError, match=r"not enough memory.*use strategy auto"):
        Inpainter(method, "cpu", "fp32")(image, mask, strategy="full")


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads its size from /proc")
@pytest.mark.slow
def test_too_little_memory_in_earnest_is_told_and_the_process_stays_usable(tmp_path: Path) -> None:
    """A limit on the process lets less in than one layer of the network holds of the whole picture."""
    save_generator(tmp_path / "wide.safetensors", Generator(GeneratorConfig(width=64, head_dim=4)))
    script = """
import pathlib, resource, sys
import numpy as np, torch
from temperfill.inpainter import Inpainter
torch.set_num_threads(1)
inpainter = Inpainter.from_pretrained(sys.argv[1], "cpu", "fp32")
rng = np.random.default_rng(0)
large, small = (rng.integers(0, 256, (side, side, 3), np.uint8) for side in (1024, 32))
hole, spot = np.zeros((1024, 1024), bool), np.zeros((32, 32), bool)
hole[20:1000, 20:1000], spot[10:20, 10:20] = True, True
expected = inpainter(small, spot, output_type="np")
used = int(pathlib.Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 2**27, resource.getrlimit(resource.RLIMIT_AS)[1]))
try:
    inpainter(large, hole, strategy="full")
except ValueError as error:
    print(error)
assert np.array_equal(inpainter(small, spot, output_type="np"), expected)
"""
    command = [sys.executable, "-c", script, str(tmp_path / "wide.safetensors")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "not enough memory on cpu for a part of 1024x1024 pixels; use strategy auto" in done.stdout


@pytest.mark.parametrize(
    "text", ["could not create a primitive", "DefaultCPUAllocator: can't allocate memory: you tried"]
)
def test_words_for_too_little_memory_are_known(text: str) -> None:
    """As torch and oneDNN, which computes its convolutions, say it."""
    calls: list[int] = []

    def once(image: Tensor, mask: Tensor) -> Tensor:
        calls.append(max(image.shape[2:]))
        if len(calls) == 1:
            raise RuntimeError(text)
        return grey(image, mask)

    mask = np.zeros((300, 300), bool)
    mask[100:200, 100:200] = True
    Inpainter(Stub(once), "cpu")(picture(300, 300), mask)
    assert len(calls) == 2
    assert calls[1] < calls[0]


def test_memory_running_out_for_good_gives_advice() -> None:
    def hungry(image: Tensor, mask: Tensor) -> Tensor:
        raise torch.OutOfMemoryError

    mask = np.ones((300, 300), bool)
    mask[:100] = False
    with pytest.raises(ValueError, match="not enough memory"):
        Inpainter(Stub(hungry), "cpu")(picture(300, 300), mask)


def test_other_errors_of_a_method_pass() -> None:
    def broken(image: Tensor, mask: Tensor) -> Tensor:
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        Inpainter(Stub(broken), "cpu")(picture(8, 8), np.eye(8, dtype=bool))


# Loading


def test_names_paths_and_what_is_neither(weights: Path, tmp_path: Path) -> None:
    assert load_method(weights, "cpu").name == load_method(str(weights), "cpu").name == "ours"
    with pytest.raises(ValueError, match=r"unknown model 'teleo', did you mean telea.*known are .*telea.*biharmonic"):
        load_method("teleo")
    with pytest.raises(FileNotFoundError, match=r"gone\.safetensors"):
        load_method(tmp_path / "gone.safetensors")
    assert set(methods.METHODS) >= {"ours", "telea", "navier-stokes", "biharmonic"}


@pytest.mark.parametrize("name", ["telea", "navier-stokes", "biharmonic"])
def test_methods_of_the_table_fill(name: str) -> None:
    if name != "biharmonic":
        pytest.importorskip("cv2")
    mask = np.zeros((20, 20), bool)
    mask[5:9, 5:9] = True
    image = np.full((20, 20, 3), 77, np.uint8)
    result = temperfill.inpaint(image, mask, model=name, device="cpu", output_type="np")
    assert np.abs(result.astype(int) - 77).max() <= 2


def test_damaged_weights_are_refused(weights: Path, tmp_path: Path) -> None:
    data = bytearray(weights.read_bytes())
    flipped = tmp_path / "flipped.safetensors"
    for name, content in (("half", bytes(data[: len(data) // 2])), ("empty", b""), ("text", b"hello world" * 9)):
        (tmp_path / f"{name}.safetensors").write_bytes(content)
        with pytest.raises(ValueError, match=name):
            Inpainter.from_pretrained(tmp_path / f"{name}.safetensors")
    data[-5] ^= 4
    flipped.write_bytes(data)
    with pytest.raises(ValueError, match="flipped"):
        Inpainter.from_pretrained(flipped)


def test_auto_takes_a_gpu_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == "cpu"
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert choose_device("auto") == "mps"
    assert choose_device("auto", needs_float64=True) == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("auto") == "cuda"


def test_devices() -> None:
    assert choose_device(torch.device("cpu")) == "cpu"
    for device in ("gpu", "cuda:99", "meta", ""):
        with pytest.raises(ValueError, match="cannot be used"):
            choose_device(device)


def test_precision(weights: Path) -> None:
    image, mask = picture(24, 24), np.zeros((24, 24), bool)
    mask[5:15, 5:15] = True
    full = Inpainter.from_pretrained(weights, "cpu", "fp32")(image, mask, output_type="np").astype(int)
    half = Inpainter.from_pretrained(weights, "cpu", "bf16")(image, mask, output_type="np").astype(int)
    assert np.array_equal(full[~mask], half[~mask])
    assert np.abs(full - half).max() <= 24
    with pytest.raises(ValueError, match="fp16 is for CUDA, and the device is cpu"):
        Inpainter.from_pretrained(weights, "cpu", "fp16")
    with pytest.raises(ValueError, match="precision must be one of auto, fp32, bf16, fp16"):
        Inpainter.from_pretrained(weights, "cpu", "half")  # type: ignore[arg-type]


@pytest.mark.parametrize(("units", "expected"), [({"amx_bf16": True}, "bf16"), ({"avx512_bf16": False}, "fp32")])
def test_precision_follows_the_hardware(
    units: dict[str, bool], expected: str, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: units, raising=False)
    assert Inpainter.from_pretrained(weights, "cpu").precision == expected
    monkeypatch.delattr(torch.cpu, "get_capabilities")  # older versions of torch
    assert Inpainter.from_pretrained(weights, "cpu").precision == "fp32"


def test_an_inpainter_moves_with_its_network(tiny: Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    """To the device meta, as there is no other everywhere."""
    network = deepcopy(tiny)
    inpainter = Inpainter(Ours(network), "cpu")
    monkeypatch.setattr(inpainter_module, "choose_device", str)
    assert inpainter.to(torch.device("meta")) is inpainter
    assert (next(network.parameters()).device.type, inpainter.device.type) == ("meta", "meta")
    assert inpainter.precision == "fp32"
    plain = Inpainter(grey, "cuda", "fp16")  # without a network, only its tensors move
    with pytest.raises(ValueError, match="fp16 is for CUDA"):
        plain.to("cpu")
    assert (plain.device.type, plain.precision) == ("cuda", "fp16")
    assert plain.to("cuda:1").device.index == 1


def test_package_offers_the_api(weights: Path) -> None:
    assert temperfill.Inpainter is Inpainter
    assert isinstance(temperfill.load(weights, "cpu"), Inpainter)
    assert set(temperfill.__all__) <= set(dir(temperfill))
    with pytest.raises(AttributeError, match="nothing_there"):
        temperfill.nothing_there  # noqa: B018
    mask = np.zeros((8, 8), bool)
    mask[2:4, 2:4] = True
    assert temperfill.inpaint(picture(8, 8), mask, model=weights, device="cpu").size == (8, 8)
