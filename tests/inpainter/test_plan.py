"""No window is filled from nothing: what touches no known pixels waits for what lies between."""

from typing import Any

import numpy as np
import pytest
from torch import Tensor

from temperfill.inpainter import Inpainter, plan, progress
from temperfill.inpainter.planes import HoledPicture
from temperfill.options import FillOptions

SHAPES = [(64, 2000), (3000, 16), (650, 660)]


def ends(shape: tuple[int, int]) -> list[np.ndarray]:
    holes = [np.zeros(shape, bool) for _ in range(3)]
    holes[0][:, : shape[1] // 4] = True
    holes[0][: shape[0] // 4] = True
    holes[1][shape[0] // 10 :, shape[1] // 10 :] = True
    holes[2][...] = np.random.default_rng(0).random(shape) < 0.9
    return holes


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("strategy", ["auto", "crop", "multiscale"])
def test_every_window_touches_what_is_known_by_then(shape: tuple[int, int], strategy: Any) -> None:
    for hole in ends(shape):
        missing = hole.copy()
        for window in plan.divide(hole, FillOptions(strategy=strategy)):
            top, left, bottom, right = window.box
            own = np.pad(window.hole, 1)
            near = own[:-2, 1:-1] | own[2:, 1:-1] | own[1:-1, :-2] | own[1:-1, 2:]
            assert (near & ~missing[top:bottom, left:right]).any()
            missing[top:bottom, left:right][window.hole] = False
        assert not missing.any()


def test_windows_that_need_not_wait_keep_their_order() -> None:
    hole = np.zeros((1000, 3000), bool)
    hole[500:510, 20:2900] = hole[100:180, 30:90] = True
    boxes = [window.box for window in plan.divide(hole, FillOptions())]
    assert boxes == [window.box for window in plan.regions.windows(hole)]


def test_a_large_hole_can_be_ended_while_it_is_divided(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted, not timed: a look at the caller for every 32,768 pixels whose distances are measured."""
    hole = np.zeros((1200, 1300), bool)
    hole[100:1000, 150:1150] = True
    told: list[tuple[int, int]] = []
    before: list[int] = []

    def fill(image: Tensor, mask: Tensor) -> Tensor:
        before.append(len(told))
        return image

    monkeypatch.setattr(progress, "BEAT", 0.0)
    image = np.zeros((*hole.shape, 3), np.uint8)
    Inpainter(fill, "cpu")(image, hole, on_progress=lambda *where: told.append(where))
    measured = 2 * 2 * hole[100:1000, 150:1150].size  # by columns and by rows, of the hole and of its thick part
    assert before[0] >= measured / 32768
    assert set(told[: before[0]]) == {(0, 1)}
    with pytest.raises(InterruptedError):
        plan.divide(hole, FillOptions(), _interrupt)


def _interrupt() -> None:
    raise InterruptedError


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("strategy", ["auto", "full", "crop", "multiscale"])
def test_no_call_of_a_method_sees_nothing_at_any_size(shape: tuple[int, int], strategy: Any) -> None:
    """Nor where most pixels are missing, so that none of a shrunk picture would be known."""

    def mean(image: Tensor, mask: Tensor) -> Tensor:
        assert not mask.all()
        known = 1 - mask
        return ((image * known).sum((2, 3), keepdim=True) / known.sum((2, 3), keepdim=True)).expand_as(image)

    image = np.full((*shape, 3), 180, np.uint8)
    for hole in ends(shape):
        filled = Inpainter(mean, "cpu")(image, hole, strategy=strategy, output_type="np")
        assert np.abs(filled.astype(int) - 180).max() <= 1


def test_a_level_without_known_pixels_takes_the_colours_around() -> None:
    rgb, hole = np.full((40, 48, 3), 0.25, np.float32), np.ones((40, 48), bool)
    rgb[:, 24:] = 0.75
    hole[::5, ::5] = False
    rgb[hole] = 1  # of the hole nothing counts
    planes = HoledPicture(rgb, hole).planes((0, 0, 40, 48))
    assert planes.shrunk(4).mask.all()
    plain = planes.plain(4)
    assert plain.shape == planes.shrunk(4).image.shape
    assert np.allclose(plain[..., :4], 0.25, atol=0.05)
    assert np.allclose(plain[..., 8:], 0.75, atol=0.05)
