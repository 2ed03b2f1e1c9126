"""PatchMatch: the library's bytes, the same for every call, and a message where it is missing."""

import builtins
import sys

import numpy as np
import pytest

from temperfill.methods import patchmatch as method_module

patchmatch = pytest.importorskip("patchmatch")


def picture() -> tuple[np.ndarray, np.ndarray]:
    """Vertical stripes with a hole."""
    pixels = np.zeros((40, 36, 3), np.uint8)
    pixels[:, ::4], pixels[:, 1::4] = (200, 30, 90), (20, 180, 60)
    hole = np.zeros((40, 36), bool)
    hole[12:24, 10:22] = True
    return pixels, hole


def planes(pixels: np.ndarray, hole: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return pixels.transpose(2, 0, 1)[None].astype(np.float32) / 255, hole[None, None].astype(np.float32)


def test_equals_the_library_with_patches_of_seven_pixels_whatever_was_called_before() -> None:
    pixels, hole = picture()
    patchmatch.set_random_seed(0)
    expected = patchmatch.inpaint(pixels, hole, patch_size=3)
    patchmatch.set_random_seed(7)
    method = method_module.load()
    assert method.name == "patchmatch"
    for _ in range(2):
        result = (method(*planes(pixels, hole))[0] * 255).round().astype(np.uint8).transpose(1, 2, 0)
        np.testing.assert_array_equal(result, expected)


def test_continues_a_texture() -> None:
    pixels, hole = picture()
    image, mask = planes(pixels, hole)
    broken = np.where(mask > 0, np.float32(0.5), image)
    error = (np.abs(method_module.load()(broken, mask) - image) * mask).sum() / mask.sum() / 3
    assert error < 0.25 * (np.abs(broken - image) * mask).sum() / mask.sum() / 3


def test_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(module: str, *arguments: object, **options: object) -> object:
        if module == "patchmatch":
            raise ImportError(module)
        return real(module, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.delitem(sys.modules, "patchmatch", raising=False)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ValueError, match=r"pip install 'temperfill\[baselines\]'"):
        method_module.load()


def test_library_that_cannot_be_loaded_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patchmatch, "patchmatch_available", False)
    with pytest.raises(ValueError, match="compiled library of PyPatchMatch cannot be loaded"):
        method_module.load()
