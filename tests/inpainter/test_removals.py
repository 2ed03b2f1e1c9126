"""Removals from drawn pictures by the bundled model, with a number for each fault that photographers saw."""

from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from temperfill.inpainter import Inpainter

LUMA = (0.299, 0.587, 0.114)


@pytest.fixture(scope="module")
def inpainter() -> Inpainter:
    return Inpainter.from_pretrained(device="cpu")


def stroke(shape: tuple[int, ...], points: list[tuple[int, int]], width: int) -> Any:
    """(H, W) bool, a line with rounded bends."""
    canvas = Image.new("L", (shape[1], shape[0]))
    ImageDraw.Draw(canvas).line(points, 255, width, "curve")
    return np.asarray(canvas) > 127


def grainy(picture: Any, deviation: float) -> Any:
    noise = np.random.default_rng(0).normal(0, deviation, picture.shape)
    return (picture + noise).clip(0, 255).round().astype(np.uint8)


def filled(inpainter: Inpainter, image: Any, hole: Any) -> Any:
    result = inpainter(image, hole, output_type="np")
    assert np.array_equal(result[~hole], image[~hole])
    return result


def test_a_dark_corner_stays_dark(inpainter: Inpainter) -> None:
    """A zig-zag over rocks in dark water once came out as a glowing ball."""
    y, x = np.mgrid[:660, :680]
    water = np.stack([30 - y / 33 + 6 * np.sin(y / 7), 36 - y / 30 + 6 * np.sin(y / 7 + x / 40), 46 - y / 26], -1)
    water[np.hypot(x - 90, y - 610) < 70] *= 0.6
    image = grainy(water, 4)
    hole = stroke(image.shape, [(20, 580), (200, 550), (180, 620), (30, 645), (40, 605), (180, 585)], 57)
    luma = image @ LUMA
    assert (filled(inpainter, image, hole) @ LUMA)[hole].max() <= luma[~hole].max() + 5


def test_a_stroke_over_a_sky_leaves_no_band(inpainter: Inpainter) -> None:
    """A sky that bends in each channel; what bends within the hole, its rim does not tell."""
    y, x = np.mgrid[:660, :680]
    sky = np.stack([110 + y / 8, 95 + y / 10 + x / 60, 175 - ((y - 330) / 60) ** 2], -1)
    image = grainy(sky, 1)
    hole = stroke(image.shape, [(160, 330), (400, 330)], 57)
    off = filled(inpainter, image, hole) - sky
    assert np.abs(off[hole].mean(0)).max() < 1
    rows = [off[row][hole[row]].mean(0) for row in np.flatnonzero(hole.any(1))]
    assert np.abs(rows).max() < 2


def test_a_thin_line_across_a_roof_leaves_no_blots(inpainter: Inpainter) -> None:
    y, x = np.mgrid[:360, :420]
    roof = y > 200 + x * 0.15
    sky = np.stack([150 + y / 12, 170 + y / 12, 205 - y / 30], -1)
    image = grainy(np.where(roof[..., None], (92, 60, 52), sky), 2)
    hole = stroke(image.shape, [(180, 130), (330, 300)], 21)
    result = filled(inpainter, image, hole)
    near = hole & (np.abs(y - 200 - x * 0.15) < 25)
    is_roof = result.mean(-1) < 125
    assert (is_roof != roof)[near].mean() < 0.03
    assert (is_roof != roof)[hole & ~near].mean() < 0.001


@pytest.mark.slow
def test_a_removal_is_the_same_in_a_picture_three_times_as_large(inpainter: Inpainter) -> None:
    """A jetty between water and a line of trees once left a dark slab in the large one."""
    y, x = np.mgrid[:700, :720]
    water = np.stack([120 + y / 20 + 4 * np.sin(y / 3), 125 + y / 24 + 4 * np.sin(y / 3 + x / 30), 130 + y / 30], -1)
    trees = np.stack([40 + 9 * np.sin(x / 5), 46 + 9 * np.sin(x / 5 + y / 4), 38 + 0 * x], -1)
    small = Image.fromarray(grainy(np.where((y < 300)[..., None], trees, water), 4))
    points = [(300, 330), (420, 330), (330, 350), (330, 400)]
    results = []
    for factor in (1, 3):
        image = np.asarray(small.resize((720 * factor, 700 * factor), Image.Resampling.LANCZOS))
        hole = stroke(image.shape, [(factor * across, factor * down) for across, down in points], 57 * factor)
        result = Image.fromarray(filled(inpainter, image, hole))
        results.append(np.asarray(result.resize(small.size, Image.Resampling.BOX)).astype(float))
    hole = stroke((700, 720), points, 57)
    apart = np.abs(results[0] - results[1])[hole].mean()
    assert apart < 8
    in_water = hole & (y > 320)
    for result in results:
        assert np.percentile((result @ LUMA)[in_water], 1) > 100
