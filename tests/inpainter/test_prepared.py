"""Several seeds of one picture: what they share, and that each gives what it gives alone."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from torch import Tensor

from temperfill import images
from temperfill.geometry import SizeRule
from temperfill.images import Picture
from temperfill.inpainter import Inpainter, prepared
from temperfill.inpainter.sources import Copies
from temperfill.methods.contract import Abilities
from temperfill.options import FillOptions

Holes = NDArray[np.bool_]


class Mean:
    """Fills holes with the mean of what is known, as a network does that drifts in tone, and counts its calls."""

    name = "mean"
    size_rule = SizeRule(4, 4)
    abilities = Abilities(start=True, tone_drifts=True)

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, image: Tensor, mask: Tensor, *_: Any, **__: Any) -> Tensor:
        self.calls += 1
        known = 1 - mask
        mean = (image * known).sum((2, 3), keepdim=True) / known.sum((2, 3), keepdim=True).clamp_min(1)
        return mean.expand_as(image).clone()


def picture(height: int = 96, width: int = 100) -> Picture:
    """Fine grain of little strength, which goes on in what is filled."""
    return images.open_picture(np.random.default_rng(0).normal(128, 6, (height, width, 3)).astype(np.uint8))


def holes(source: Picture, *boxes: tuple[int, int, int, int]) -> Holes:
    hole = np.zeros(source.size, bool)
    for top, left, bottom, right in boxes:
        hole[top:bottom, left:right] = True
    return hole


def far_apart() -> tuple[Picture, Holes]:
    """Two holes that do not see each other, of 256 and 288 pixels."""
    source = picture(100, 2200)
    return source, holes(source, (40, 40, 56, 56), (40, 2100, 56, 2118))


def alone(source: Picture, hole: Holes, seed: int, **options: Any) -> tuple[Any, Copies]:
    result, copies = next(Inpainter(Mean(), "cpu").tries(source, hole, None, FillOptions(seed=seed, **options)))
    return result.pixels, copies


@pytest.mark.parametrize(
    "options", [{"texture": "copy", "feather": 2, "mask_dilate": 1}, {"texture": "network", "layer": True}], ids=str
)
def test_each_result_is_the_one_of_its_seed_alone(options: dict[str, Any]) -> None:
    source = picture()
    hole = holes(source, (40, 40, 56, 60), (0, 30, 5, 99))  # the second is continued from the colours around
    found = list(Inpainter(Mean(), "cpu").tries(source, hole, None, FillOptions(seed=(3, 0), **options)))
    assert found[0][0].pixels.tobytes() != found[1][0].pixels.tobytes()
    for seed, (result, copies) in zip((3, 0), found, strict=True):
        expected, origins = alone(source, hole, seed, **options)
        assert np.array_equal(result.pixels, expected)
        assert copies.at(48, 50) == origins.at(48, 50)


@pytest.mark.parametrize("texture", ["copy", "network"])
def test_windows_that_do_not_see_each_other_are_drawn_once(texture: Any) -> None:
    source, hole = far_apart()
    method = Mean()
    inpainter, options = Inpainter(method, "cpu"), FillOptions(texture=texture, seed=(0, 1))
    found = [result.pixels for result, _ in inpainter.tries(source, hole, None, options)]
    assert method.calls == 2
    assert np.array_equal(found[1], alone(source, hole, 1, texture=texture)[0])
    inpainter.complete(source, hole, None, FillOptions(texture=texture, seed=5))
    assert method.calls == (2 if texture == "copy" else 4)  # a later call counts on no drawing that it shows bare


def test_a_window_that_sees_what_a_seed_gave_is_drawn_anew() -> None:
    source, method = picture(96, 1600), Mean()
    hole = holes(source, (40, 20, 52, 540))  # filled in three pieces, and the grain of one is around the next
    tries = Inpainter(method, "cpu").tries(source, hole, None, FillOptions(texture="network", seed=(0, 1)))
    found = [result.pixels for result, _ in tries]
    assert method.calls == 3 + 2  # the first piece alone was shared
    assert np.array_equal(found[1], alone(source, hole, 1, texture="network")[0])


def test_a_question_for_sources_uses_the_last_drawing_and_leaves_it() -> None:
    source, method = picture(), Mean()
    hole, options = holes(source, (40, 40, 56, 60)), FillOptions(texture="copy", seed=3)
    inpainter = Inpainter(method, "cpu")
    _, copies = next(inpainter.tries(source, hole, None, options))
    for _ in range(2):
        assert inpainter.sources(source, hole, 48, 50, None, options).copy == copies.at(48, 50)
    assert method.calls == 1


def test_drawings_that_would_take_much_memory_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepared, "MOST_DRAWN", 543)
    source, hole = far_apart()
    method = Mean()
    list(Inpainter(method, "cpu").tries(source, hole, None, FillOptions(texture="network", seed=(0, 1))))
    assert method.calls == 3
    method.calls = 0
    monkeypatch.setattr(prepared, "MOST_DRAWN", 0)  # one picture with one hole is always kept
    source = picture()
    hole = holes(source, (40, 40, 56, 60))
    list(Inpainter(method, "cpu").tries(source, hole, None, FillOptions(texture="network", seed=(0, 1))))
    assert method.calls == 1


def test_steps_are_those_of_all_results_and_never_fall() -> None:
    source = picture()
    hole, told = holes(source, (40, 40, 56, 60)), [(0, 1)]
    options = FillOptions(texture="copy", seed=(0, 1))
    tries = Inpainter(Mean(), "cpu").tries(source, hole, None, options, lambda *where: told.append(where))
    next(tries)
    done, total = told[-1]
    assert total == 2 * 9  # eight of copying, and the call
    assert 8 <= done <= 9
    next(tries)
    assert told[-1] == (total, total)
    steps = [done for done, _ in told]
    assert steps == sorted(steps)


def test_nothing_to_fill_gives_the_picture_for_every_seed() -> None:
    source = picture()
    with pytest.warns(UserWarning, match="empty"):
        found = list(Inpainter(Mean(), "cpu").tries(source, holes(source), None, FillOptions(seed=(0, 1))))
    assert [result is source for result, _ in found] == [True, True]
