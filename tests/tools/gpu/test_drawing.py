"""Samples are functions of seed and step, and the device cuts what the workers drew."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from temperfill.config import DataConfig
from tools.gpu.drawing import Draw, Draws, cut, draws_ahead, to_batch

pytestmark = pytest.mark.slow

DATA = DataConfig(resize=32, crop_size=32, sketch_share=1.0, sketch_parts=0.0)
LINES = np.zeros((5, 48, 48), bool)
LINES[:, ::4], LINES[:, :, 5] = True, True


def draws(data: DataConfig = DATA, lines: bool = True, size: int = 4) -> Draws:
    bits = np.packbits(LINES if lines else LINES[:0], -1)
    return Draws(5, 48, bits, data, size, 1)


def same(one: Draw, two: Draw) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, two, strict=True))


@pytest.mark.parametrize("workers", [0, 2])
def test_workers_draw_the_steps_in_order(workers: int) -> None:
    ahead = draws_ahead(draws(), 3, workers, pinned=False)
    for step in (3, 4, 5):
        assert same(next(ahead), draws()[step])


def test_every_picture_comes_once_an_epoch() -> None:
    drawn = [int(i) for step in range(5) for i in draws()[step].index]
    for first in range(0, 20, 5):
        assert sorted(drawn[first : first + 5]) == [0, 1, 2, 3, 4]


def test_holes_lines_and_windows_fit() -> None:
    sides = []
    for step in range(8):
        draw = draws()[step]
        rows = torch.arange(4)
        assert draw.mask[rows, 0, draw.centre[:, 0], draw.centre[:, 1]].all()
        assert draw.sketch.any()
        assert not (draw.sketch & ~draw.mask).any()
        top, left, side = draw.window.unbind(1)
        assert ((top >= 0) & (left >= 0) & (top + side <= 48) & (left + side <= 48)).all()
        sides += side.tolist()
    assert 32.0 in sides
    assert min(sides) in range(28, 32)


def test_strokes_have_the_direction_of_the_configuration() -> None:
    upright, turned = (draws(replace(DATA, mask_strokes=strokes))[0] for strokes in ("deepfillv2", "turned"))
    assert torch.equal(upright.window, turned.window)
    assert not torch.equal(upright.mask, turned.mask)


def test_without_sketches_there_are_no_lines() -> None:
    assert draws(lines=False)[0].sketch.shape == (4, 0, 32, 32)
    assert not draws(replace(DATA, sketch_share=0.0))[0].sketch.any()


def cut_one(picture: torch.Tensor, window: list[float], flip: bool, size: int) -> torch.Tensor:
    draw = draws(size=1)[0]._replace(index=torch.tensor([0]), window=torch.tensor([window]), flip=torch.tensor([flip]))
    return cut(picture, draw, size)


@pytest.mark.parametrize("flip", [False, True])
def test_a_window_of_the_size_of_the_sample_is_cut_exactly(flip: bool) -> None:
    picture = torch.randint(0, 256, (1, 3, 48, 48), dtype=torch.uint8)
    expected = picture[:, :, 5:37, 7:39].float() / 255
    found = cut_one(picture, [5, 7, 32], flip, 32)
    assert torch.allclose(found, expected.flip(3) if flip else expected, atol=1e-4)


def test_a_smaller_window_is_enlarged() -> None:
    ramp = torch.arange(48, dtype=torch.uint8).expand(1, 3, 48, 48).contiguous() * 5
    found = cut_one(ramp, [4, 10, 16], False, 32) * 255
    expected = (10 + (torch.arange(32) + 0.5) / 2 - 0.5) * 5
    assert torch.allclose(found[0, 0, 0], expected, atol=0.3)


def test_a_batch_is_what_the_step_takes() -> None:
    picture = torch.randint(0, 256, (5, 3, 48, 48), dtype=torch.uint8)
    draw = draws()[0]
    batch = to_batch(draw, picture, 8)
    assert batch.image.shape == (4, 3, 32, 32)
    assert batch.image.is_contiguous(memory_format=torch.channels_last)
    assert set(batch.mask.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(batch.mask.bool(), draw.mask)
    assert batch.number.tolist() == [8, 9, 10, 11]
    assert len(batch.given) == 3


def test_lines_follow_the_picture() -> None:
    """Where the pictures are their own sketches, what is drawn in the hole is what the picture shows there."""
    pictures = torch.from_numpy(LINES).to(torch.uint8)[:, None].expand(-1, 3, -1, -1).contiguous() * 255
    for step in range(6):
        draw = draws()[step]
        exact = draw.window[:, 2] == 32
        shown = cut(pictures, draw, 32)[:, :1] > 0.5
        assert torch.equal(shown[exact] & draw.mask[exact], draw.sketch[exact])
