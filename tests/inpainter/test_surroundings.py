"""Rims, tiny pictures and bounds: what holes get from the colours around, where a network knows too little."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from temperfill.inpainter import Inpainter, surroundings
from temperfill.inpainter.surroundings import GREY, bound, continue_colours, rims
from temperfill.methods.contract import Abilities, Method, PlainMethod


def never(image: Tensor, mask: Tensor) -> Tensor:
    raise AssertionError("the network was asked")


def network(function: Callable[[Tensor, Tensor], Tensor] = never) -> Method:
    return PlainMethod(function, "network", tone_drifts=True, colours_stray=True)


def white(image: Tensor, mask: Tensor) -> Tensor:
    return torch.ones_like(image)


def frame(height: int, width: int, depth: int) -> np.ndarray:
    hole = np.ones((height, width), bool)
    hole[depth:-depth, depth:-depth] = False
    return hole


@pytest.mark.parametrize("depth", [1, 2, 4, 6])
def test_frames_are_rims_to_their_corners(depth: int) -> None:
    hole = frame(90, 130, depth)
    assert np.array_equal(rims(hole), hole)


def test_deep_strips_ends_of_lines_and_specks_are_no_rims() -> None:
    assert not rims(frame(90, 130, 7)).any()
    hole = np.zeros((90, 130), bool)
    hole[:, 40:43] = True
    hole[:4, 90:100] = True
    hole[30:50, 60:80] = True
    assert not rims(hole).any()
    hole[-3:] = True
    assert np.array_equal(np.argwhere(rims(hole)).min(0), [87, 0])


def test_a_wedge_is_a_rim_where_it_is_thin() -> None:
    hole = np.arange(20)[:, None] < np.linspace(0, 12, 200)
    assert np.array_equal(rims(hole), hole & (hole.sum(0) <= 6))


@pytest.mark.parametrize("depth", [1, 3, 6])
def test_rims_continue_the_photograph_and_the_network_is_not_asked(depth: int) -> None:
    across = np.linspace(20, 220, 130)
    image = np.broadcast_to(across[None, :, None], (90, 130, 3)).astype(np.uint8)
    hole = frame(90, 130, depth)
    shown = np.where(hole[..., None], np.uint8(255), image)
    filled = Inpainter(network(), "cpu")(shown, hole, output_type="np")
    assert np.array_equal(filled[~hole], image[~hole])
    assert np.abs(filled.astype(int) - image)[:, depth:-depth].max() <= 2  # the ramp goes on above and below
    assert np.abs(filled.astype(int) - image).max() <= 2 + depth * 200 / 130


def test_a_line_drawn_in_a_rim_is_left_to_the_network() -> None:
    hole, sketch = frame(90, 130, 3), np.zeros((90, 130), bool)
    sketch[1, 20:30] = True
    asked: list[int] = []

    def look(image: Tensor, mask: Tensor) -> Tensor:
        asked.append(int(mask.sum()))
        return image

    class Sketched(PlainMethod):
        def __call__(self, image: Tensor, mask: Tensor, *_: Any, **__: Any) -> Tensor:
            return look(image, mask)

    method = Sketched(look, "network")
    method.abilities = Abilities(sketch=True, tone_drifts=True, colours_stray=True)
    Inpainter(method, "cpu")(np.zeros((90, 130, 3), np.uint8), hole, sketch=sketch, output_type="np")
    assert asked == [10]


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (11, 11), (5, 300), (300, 8)])
def test_tiny_pictures_get_the_colours_around(size: tuple[int, int]) -> None:
    image, hole = np.zeros((*size, 3), np.uint8), np.zeros(size, bool)
    image[:] = (200, 30, 30)
    hole[size[0] // 3 : size[0] - size[0] // 3, size[1] // 8 : size[1] // 4 + 1] = True
    told: list[tuple[int, int]] = []
    inpainter = Inpainter(network(), "cpu")
    filled = inpainter(image, hole, output_type="np", on_progress=lambda *where: told.append(where))
    if not hole.all():
        assert np.abs(filled.astype(int) - image).max() <= 1
    assert told == [(1, 1)]


def test_pictures_of_twelve_pixels_are_the_networks() -> None:
    hole = np.zeros((12, 12), bool)
    hole[5:7, 5:7] = True
    image = np.random.default_rng(0).integers(0, 256, (12, 12, 3), np.uint8)
    filled = Inpainter(network(white), "cpu")(image, hole, output_type="np")
    assert (filled[hole] == image[~hole].max(0)).all()


def test_colours_come_from_near_and_never_from_the_hole() -> None:
    rgb = np.full((60, 60, 3), 0.5, np.float32)
    rgb[:, 30:] = 0.9
    hole = np.zeros((60, 60), bool)
    hole[5:55, 5:28] = True
    rgb[hole] = np.nan
    continue_colours(rgb, hole, hole)
    assert np.isfinite(rgb).all()
    assert np.allclose(rgb[:, :16], 0.5)
    assert 0.5 <= rgb[:, :28].min() <= rgb[:, :28].max() < 0.6  # a little of what is two pixels beyond the rim


def test_without_anything_known_all_is_grey() -> None:
    rgb, hole = np.zeros((3, 4, 3), np.float32), np.ones((3, 4), bool)
    continue_colours(rgb, hole, hole)
    assert (rgb == GREY).all()


def test_no_distances_are_measured_where_nothing_is_to_be_continued(monkeypatch: pytest.MonkeyPatch) -> None:
    """They took nine tenths of the time before the first progress of a large picture."""
    monkeypatch.setattr(surroundings, "nearest_known", None)
    rgb, hole = np.full((30, 40, 3), 0.5, np.float32), np.zeros((30, 40), bool)
    hole[10:20, 10:20] = True
    continue_colours(rgb, hole, np.zeros_like(hole))
    assert (rgb == 0.5).all()


def test_what_was_drawn_stays_within_the_colours_around_its_part() -> None:
    filled, hole = np.full((300, 300, 3), 0.4, np.float32), np.zeros((300, 300), bool)
    filled[:, :150] = 0.1
    filled[200, 280] = 1.0
    hole[20:40, 20:40] = hole[20:40, 250:270] = hole[190:210, 240:260] = True
    filled[hole] = (0.0, 0.2, 0.9)
    bound(filled, hole, ~hole)
    assert np.allclose(filled[20:40, 20:40], 0.1)
    assert np.allclose(filled[20:40, 250:270], 0.4)  # the light is too far away
    assert np.allclose(filled[190:210, 240:260], (0.4, 0.4, 0.9))


def test_networks_are_bounded_and_functions_of_callers_are_not() -> None:
    image, hole = np.full((40, 50, 3), 90, np.uint8), np.zeros((40, 50), bool)
    hole[10:20, 10:20] = True
    assert (Inpainter(network(white), "cpu")(image, hole, output_type="np") == 90).all()
    assert (Inpainter(white, "cpu")(image, hole, output_type="np")[hole] == 255).all()
