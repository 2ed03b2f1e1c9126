"""Where a pixel was copied from: exactly, through several windows, with and without the fill before."""

from typing import Any

import numpy as np
import pytest
import torch

from temperfill import images
from temperfill.inpainter import Inpainter
from temperfill.inpainter.plan import ScaledWindow
from temperfill.inpainter.sources import Copies, Copy
from temperfill.inpainter.texture import Copied
from temperfill.methods.contract import PlainMethod
from temperfill.options import FillOptions
from temperfill.synthesis import Synthesis


def mean(image: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    known = 1 - mask
    return ((image * known).sum((2, 3), keepdim=True) / known.sum((2, 3), keepdim=True)).expand_as(image)


def test_a_copied_pixel_names_the_place_whose_colour_it_has() -> None:
    """Flat tiles of many colours: a copy has the colour of its source, up to the tone that the guide gives it."""
    rng = np.random.default_rng(0)
    image = rng.integers(60, 200, (30, 34, 3), np.uint8).repeat(3, 0).repeat(3, 1)
    mask = np.zeros(image.shape[:2], bool)
    mask[30:56, 40:70] = True
    inpainter, picture = Inpainter(PlainMethod(mean, "mean"), "cpu"), images.open_picture(image)
    options = FillOptions(texture="copy", seed=5)
    result, copies = next(inpainter.tries(picture, mask, None, options))
    rows, columns = np.nonzero(mask)
    found = [copies.at(row, column) for row, column in zip(rows, columns, strict=True)]
    assert all(copy is not None and 0 < copy.share <= 1 and not mask[copy.row, copy.column] for copy in found)
    sources = np.array([image[copy.row, copy.column] for copy in found if copy], float)
    shown = result.pixels[mask].astype(float)
    related = np.corrcoef(sources.ravel(), shown.ravel())[0, 1]
    assert related > 0.6
    assert np.corrcoef(np.roll(sources, 7, 0).ravel(), shown.ravel())[0, 1] < 0.3
    again = inpainter.sources(picture, mask, 42, 50, None, options)
    assert again.copy == copies.at(42, 50)
    assert again.heads == []
    assert inpainter.sources(picture, mask, 42, 50, None, options, copies=copies) == again
    other = inpainter.sources(picture, mask, 42, 50, None, FillOptions(texture="copy", seed=6))
    assert other.copy != again.copy
    with pytest.raises(ValueError, match="cannot tell where it copies from"):
        inpainter.sources(picture, mask, 42, 50, None, FillOptions(texture="network"))


def copied(box: tuple[int, int, int, int], sources: Any, share: Any) -> Copied:
    share = np.array(share, np.float32)
    return Copied(box, Synthesis(np.zeros((3, *share.shape), np.float32), np.array(sources), share))


def test_copies_of_copies_lead_to_the_first_place() -> None:
    copies = Copies(100)
    hole = np.array([[True, True]])
    first = ScaledWindow((10, 20, 11, 22), hole, 1, 1.0)
    copies.add(first, copied((0, 0, 1, 2), [[[5, 7], [0, 3]]], [[1.0, 0.0]]))
    # The second window lies 4 pixels to the right, and copies from both pixels of the first.
    second = ScaledWindow((10, 24, 11, 26), hole, 1, 1.0)
    copies.add(second, copied((0, 0, 1, 2), [[[0, -4], [0, -3]]], [[0.5, 1.0]]))
    assert copies.at(10, 20) == Copy(15, 27, 1.0)
    assert copies.at(10, 21) is None  # drawn, not copied
    assert copies.at(10, 24) == Copy(15, 27, 0.5)
    assert copies.at(10, 25) == Copy(10, 21, 1.0)  # a copy of what was drawn
    assert copies.at(0, 0) is None
    assert copies.size == 4
