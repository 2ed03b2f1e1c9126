"""Methods without training: the same bytes as the libraries give, and the contract of every method."""

import builtins
import importlib
import sys
from collections.abc import Callable

import numpy as np
import pytest
from skimage.restoration import inpaint_biharmonic

from temperfill.arrays import composite
from temperfill.geometry import SizeRule
from temperfill.methods import biharmonic, opencv
from temperfill.methods.contract import PlainArrayMethod

cv2 = pytest.importorskip("cv2")
Load = Callable[..., PlainArrayMethod]
LOADERS: list[Load] = [opencv.load_telea, opencv.load_navier_stokes, biharmonic.load]
NAMES = ["telea", "navier-stokes", "biharmonic"]


def direct(name: str, picture: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """What the library itself gives for bytes, pasted."""
    if name == "biharmonic":
        filled = np.round(inpaint_biharmonic(picture / 255.0, hole, channel_axis=-1).clip(0, 1) * 255).astype(np.uint8)
    else:
        flag = cv2.INPAINT_TELEA if name == "telea" else cv2.INPAINT_NS
        filled = cv2.inpaint(picture, hole.astype(np.uint8) * 255, 3, flag)
    return np.where(hole[..., None], filled, picture)


def batch(
    height: int, width: int, seed: int = 0, margin: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Three pictures with three masks, as bytes and as planes; holes keep ``margin`` pixels from the border."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (3, height // 4 + 2, width // 4 + 2, 3)).repeat(4, 1).repeat(4, 2)
    pictures = (coarse[:, :height, :width] * 0.9 + rng.integers(0, 25, (3, height, width, 3))).astype(np.uint8)
    holes = rng.random((3, height, width)) < np.array([0.1, 0.4, 0.8])[:, None, None]
    if margin:
        keep = np.zeros_like(holes)
        keep[:, margin:-margin, margin:-margin] = True
        holes &= keep
    holes[:, height // 2, width // 2], holes[:, 0, 0] = True, False
    image = pictures.transpose(0, 3, 1, 2).astype(np.float32) / 255
    return pictures, holes, image, holes[:, None].astype(np.float32)


def as_bytes(image: np.ndarray) -> np.ndarray:
    return (image * 255).round().astype(np.uint8).transpose(0, 2, 3, 1)


@pytest.mark.parametrize("load", LOADERS, ids=NAMES)
@pytest.mark.parametrize(("height", "width"), [(1, 2), (3, 4), (5, 5), (7, 20), (37, 24)])
def test_composite_has_the_bytes_of_the_library(load: Load, height: int, width: int) -> None:
    pictures, holes, image, mask = batch(height, width)
    method = load()
    got = as_bytes(composite(method(image, mask), image, mask))
    for result, picture, hole in zip(got, pictures, holes, strict=True):
        np.testing.assert_array_equal(result, direct(method.name, picture, hole))


@pytest.mark.parametrize("load", LOADERS, ids=NAMES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
def test_dtype_shape_and_range(load: Load, dtype: type) -> None:
    _, _, image, mask = batch(12, 15)
    out = load("cpu")(image.astype(dtype), mask.astype(dtype))
    assert out.shape == image.shape
    assert out.dtype == dtype
    assert 0 <= out.min() <= out.max() <= 1


@pytest.mark.parametrize("load", LOADERS, ids=NAMES)
def test_pictures_of_a_batch_do_not_mix(load: Load) -> None:
    _, _, image, mask = batch(16, 13)
    method = load()
    order = [2, 0, 1]
    assert np.array_equal(method(image[order], mask[order]), method(image, mask)[order])
    alone = np.concatenate([method(image[i : i + 1], mask[i : i + 1]) for i in range(3)])
    assert np.array_equal(method(image, mask), alone)


@pytest.mark.parametrize("load", LOADERS, ids=NAMES)
def test_content_of_the_hole_does_not_matter(load: Load) -> None:
    """Everywhere for biharmonic; two pixels from the border on for OpenCV, whose code looks into holes nearer to it."""
    _, _, image, mask = batch(30, 26, margin=0 if load is biharmonic.load else 2)
    method = load()
    other = np.where(mask > 0, np.random.default_rng(1).random(image.shape, np.float32), image)
    assert np.array_equal(composite(method(image, mask), image, mask), composite(method(other, mask), image, mask))


@pytest.mark.parametrize("load", LOADERS, ids=NAMES)
@pytest.mark.parametrize("size", [2, 5, 20])
def test_empty_and_full_holes(load: Load, size: int) -> None:
    image = np.random.default_rng(0).random((3, 3, size, size), np.float32)
    mask = np.zeros((3, 1, size, size), np.float32)
    mask[1] = 1
    mask[2, :, 1] = 1
    before = image.copy(), mask.copy()
    out = load()(image, mask)
    assert np.array_equal(out[0], image[0])
    assert np.array_equal(out[1], np.full_like(out[1], 0.5))
    assert np.isfinite(out).all()
    assert np.array_equal(image, before[0])
    assert np.array_equal(mask, before[1])


@pytest.mark.parametrize("load", LOADERS, ids=NAMES)
def test_one_known_pixel_fills_the_picture(load: Load) -> None:
    image, mask = np.zeros((1, 3, 9, 9), np.float32), np.ones((1, 1, 9, 9), np.float32)
    image[..., 4, 4], mask[..., 4, 4] = 0.4, 0
    out = load()(image, mask)
    assert np.isfinite(out).all()
    assert 0 <= out.min() <= out.max() <= 1


@pytest.mark.parametrize(("load", "name"), list(zip(LOADERS, NAMES, strict=True)), ids=NAMES)
def test_name_and_size_rule(load: Load, name: str) -> None:
    method = load()
    assert method.name == name
    assert method.size_rule == SizeRule()


@pytest.mark.parametrize("name", ["load_telea", "load_navier_stokes"])
def test_missing_opencv_names_the_extra(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(module: str, *arguments: object, **options: object) -> object:
        if module == "cv2":
            raise ImportError(module)
        return real(module, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.delitem(sys.modules, "cv2", raising=False)
    monkeypatch.setattr(builtins, "__import__", without)
    module = importlib.reload(opencv)  # importing needs no OpenCV
    with pytest.raises(ValueError, match=r"pip install 'temperfill\[baselines\]'"):
        getattr(module, name)()


@pytest.mark.parametrize(("multiple", "minimum"), [(0, 1), (1, 0), (-4, 4)])
def test_size_rule_refuses_nonsense(multiple: int, minimum: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        SizeRule(multiple, minimum)


def test_size_rule_is_data() -> None:
    assert SizeRule() == SizeRule(multiple=1, minimum=1)
    with pytest.raises(AttributeError):
        SizeRule().multiple = 2  # type: ignore[misc]
