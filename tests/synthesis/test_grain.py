"""Grain: as strong in the hole as around it, in every band; nothing for a clean picture."""

import numpy as np
import pytest

from synthesis.pictures import middle, noise, smoothed
from temperfill.arrays import Array
from temperfill.synthesis.grain import SIDE, continue_grain, measure


def shaded(height: int = 160, width: int = 176) -> Array:
    """(3, H, W) without noise or edges."""
    rows, columns = np.linspace(0, 1, height)[:, None], np.linspace(0, 1, width)
    planes = (0.3 + 0.2 * rows + 0 * columns, 0.4 + 0.2 * rows * columns, 0.5 - 0.1 * columns + 0 * rows)
    return np.stack(planes).astype(np.float32)


def grain(soft: bool, grey: bool, deviation: float = 0.03, seed: int = 1) -> Array:
    found = np.random.RandomState(seed).standard_normal((1 if grey else 3, 160, 176)).astype(np.float32)
    if soft:
        found = smoothed(found, 1) * 2
    return np.float32(deviation) * np.broadcast_to(found, (3, 160, 176))


def bands(image: Array, box: tuple[slice, slice]) -> Array:
    """Power of the noise in four rings of frequencies, by one transform of a whole box."""
    part = image[:, *box] - shaded()[:, *box]
    power = np.fft.fft2(part * np.hanning(part.shape[1])[:, None] * np.hanning(part.shape[2]))
    row, column = (np.fft.fftfreq(size) for size in part.shape[1:])
    ring = np.minimum(np.hypot(row[:, None], column) * 8, 3).astype(int)
    return np.stack([np.square(np.abs(power)).mean(0)[ring == number].mean() for number in range(4)])


@pytest.mark.parametrize("grey", [False, True])
@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("left", [0.0, 0.6, 1.0])
def test_every_band_is_as_strong_as_around_the_hole(soft: bool, grey: bool, left: float) -> None:
    """Whether the fill has no grain or some of its own."""
    grains = grain(soft, grey)
    image = shaded() + grains
    hole = np.zeros((160, 176), bool)
    hole[40:120, 50:130] = True
    box = (slice(44, 116), slice(54, 126))
    shown = np.where(hole, shaded() + np.float32(left) * grains, image)
    several = [continue_grain(shown, hole, ~hole, seed) for seed in range(3)]
    usual = np.mean([bands(shaded() + grain(soft, grey, seed=seed), box) for seed in range(2, 8)], 0)
    apart = 10 * np.log10(np.mean([bands(filled, box) for filled in several], 0) / usual)
    filled = several[0]
    assert np.abs(apart[1:]).max() < 1  # of a single picture, chance would be a part of it
    assert abs(apart[0]) < 3  # here noise and shading cannot be told apart
    assert np.array_equal(filled[:, ~hole], image[:, ~hole])
    alike = np.corrcoef((filled - shaded())[:, hole])[0, 1]
    assert (alike > 0.9) if grey else (alike < 0.2)


def test_soft_shapes_around_the_hole_are_no_grain() -> None:
    """They would come as clouds over a plain fill."""
    rows, columns = np.arange(160)[:, None], np.arange(176)
    shapes = np.float32(0.1) * (np.sin(rows / 4) + np.sin(columns / 4)).astype(np.float32)[None]
    shapes[:, :, :48] = 0  # somewhere it is plain
    image = shaded() + shapes + grain(True, True, 0.015)
    hole = np.zeros((160, 176), bool)
    hole[40:120, 60:140] = True
    box = (slice(44, 116), slice(64, 136))
    several = [continue_grain(np.where(hole, shaded(), image), hole, ~hole, seed) for seed in range(3)]
    usual = np.mean([bands(shaded() + grain(True, True, 0.015, seed), box) for seed in range(2, 8)], 0)
    apart = 10 * np.log10(np.mean([bands(filled, box) for filled in several], 0) / usual)
    assert np.abs(apart).max() < 3


def test_grain_goes_on_beside_edges() -> None:
    image = shaded() + grain(True, True)
    hole = np.zeros((160, 176), bool)
    hole[40:120, 50:130] = True
    drawn = shaded()
    drawn[:, :, 88:91] = 0.9  # a line across the hole
    filled = continue_grain(np.where(hole, drawn, image), hole, ~hole)
    added = (filled - drawn)[:, 48:112, 64:116]
    assert abs(10 * np.log10(added.var() / grain(True, True).var())) < 2


def test_a_channel_without_noise_gets_none() -> None:
    """As in a picture that is red alone."""
    image = shaded() + grain(False, False)
    image[1:] = 0
    hole = middle(image)
    filled = continue_grain(np.where(hole, image.mean((1, 2), keepdims=True), image), hole, ~hole)
    assert filled[0, hole].std() > 0.02
    assert np.abs(filled[1:]).max() < 1e-6


def test_a_seed_gives_its_grain() -> None:
    image = shaded() + grain(False, False)
    hole = middle(image)
    first, again, other = (continue_grain(np.where(hole, shaded(), image), hole, ~hole, seed) for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("kind", ["smooth", "rounded", "texture", "sand", "black"])
def test_clean_pictures_stay_as_they_are(kind: str) -> None:
    image = {"smooth": shaded(), "rounded": np.round(shaded() * 255) / 255, "black": 0 * shaded() + grain(True, False)}
    image["texture"] = (shaded() * (1 + noise(160, 176) * np.linspace(0, 1, 176, dtype=np.float32))).clip(0, 1)
    image["sand"] = noise(160, 176)
    shown = image[kind].clip(0, 1)
    hole = middle(shown)
    filled = np.where(hole, shaded(), shown)
    assert continue_grain(filled, hole, ~hole) is filled


@pytest.mark.parametrize("size", [(1, 40), (40, 1), (SIDE, SIDE), (17, 90)])
@pytest.mark.parametrize("share", [0.4, 1.0])
def test_any_size_and_share(size: tuple[int, int], share: float) -> None:
    image = noise(*size)
    hole = np.zeros(size, bool)
    hole[:, : int(size[1] * share)] = True
    filled = continue_grain(image, hole, ~hole)
    assert np.array_equal(filled[:, ~hole], image[:, ~hole])
    assert np.isfinite(filled).all()


def test_noise_is_measured_where_something_else_is_too() -> None:
    """Edges over half of the picture do not count as noise."""
    image = shaded() + grain(True, False)
    image[:, :, ::10] = 0.9
    image[:, :, 90:] = (shaded() + grain(True, False))[:, :, 90:]
    found = measure(image, np.ones(image.shape[1:], bool))
    assert found is not None
    wanted = grain(True, False).var()
    assert abs(float(found.power.mean() / wanted) - 1) < 0.15
