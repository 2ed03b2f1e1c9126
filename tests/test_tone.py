"""The tone of what was filled: differences at the rim, how far they reach, and what they leave alone."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from temperfill.geometry import SizeRule
from temperfill.inpainter import Inpainter, tone
from temperfill.inpainter.tone import match_tone
from temperfill.methods.contract import Abilities

LEVEL = 1 / 255


def plain(height: int, width: int) -> Any:
    """A background that changes slowly."""
    y, x = np.mgrid[:height, :width]
    return np.stack([0.3 + y * 0.0006, 0.5 - x * 0.0005, np.full((height, width), 0.6)], 2).astype(np.float32)


def box(height: int, width: int, top: int, left: int, bottom: int, right: int) -> Any:
    hole = np.zeros((height, width), bool)
    hole[top:bottom, left:right] = True
    return hole


@pytest.mark.parametrize("shape", [(64, 80), (63, 41), (700, 610)])
def test_an_offset_on_a_plain_background_is_taken_away(shape: tuple[int, int]) -> None:
    height, width = shape
    truth = plain(height, width)
    hole = box(height, width, height // 4, width // 3, height * 3 // 4 + 1, width * 2 // 3)
    offset = np.array([0.03, -0.04, 0.02], np.float32)
    filled = np.where(hole[..., None], truth + offset, truth)
    before = filled.copy()
    match_tone(filled, hole, ~hole)
    assert np.abs(filled - truth).max() < LEVEL
    assert np.array_equal(filled[~hole], before[~hole])


def test_an_offset_that_changes_along_the_rim_is_followed() -> None:
    truth, hole = plain(96, 128), box(96, 128, 30, 20, 66, 108)
    slope = np.linspace(-0.05, 0.05, 128, dtype=np.float32)[None, :, None]
    filled = np.where(hole[..., None], truth + slope, truth)
    match_tone(filled, hole, ~hole)
    assert np.abs(filled - truth)[hole].mean() < 0.3 * np.abs(slope).mean()


def test_what_is_far_off_is_an_edge_and_no_other_tone() -> None:
    truth, hole = plain(60, 60), box(60, 60, 20, 20, 40, 40)
    filled = np.where(hole[..., None], truth - 0.3, truth).astype(np.float32)
    before = filled.copy()
    match_tone(filled, hole, ~hole)
    assert np.abs(filled - before).max() < LEVEL


def test_what_a_tight_mask_leaves_of_an_object_does_not_spread() -> None:
    """The soft outline of a dark disc stays around a hole that was filled right."""
    truth = plain(120, 120)
    y, x = np.mgrid[:120, :120]
    opacity = np.clip(20.5 - np.hypot(y - 60, x - 60), 0, 1)[..., None].astype(np.float32)
    hole = opacity[..., 0] > 0.5
    filled = np.where(hole[..., None], truth, truth * (1 - opacity) + 0.1 * opacity).astype(np.float32)
    match_tone(filled, hole, ~hole)
    middle = np.hypot(y - 60, x - 60) < 12
    assert np.abs(filled - truth)[middle].max() < 6 * LEVEL


def test_holes_do_not_count_for_each_other() -> None:
    """A right one among noise stays as it is, whatever a plain place nearby says."""
    truth = plain(60, 140)
    truth[:, :70] += np.random.default_rng(0).normal(0, 0.15, (60, 70, 3)).astype(np.float32)
    left, right = box(60, 140, 20, 20, 40, 50), box(60, 140, 20, 80, 40, 120)
    filled = np.where(right[..., None], truth + 0.04, truth).astype(np.float32)
    alone = truth.copy()
    match_tone(alone, left, ~left)
    match_tone(filled, left | right, ~(left | right))
    assert np.array_equal(filled[left], alone[left])
    assert np.abs(filled - truth)[right].max() < LEVEL


@pytest.mark.parametrize("side", [1, 4, 16])
def test_a_small_rim_far_away_is_enough_and_gives_no_noise(side: int) -> None:
    truth = np.full((700, 700, 3), 0.5, np.float32)
    hole = ~box(700, 700, 0, 0, side, side)
    filled = np.where(hole[..., None], truth + 0.03, truth).astype(np.float32)
    match_tone(filled, hole, ~hole)
    assert np.abs(filled - truth).max() < 1e-3


def test_plain_places_count_and_edges_do_not() -> None:
    """Left of the hole stand fine stripes, which the filling does not continue; the rest of the rim is plain."""
    truth, hole = plain(80, 80), box(80, 80, 24, 30, 56, 70)
    filled = np.where(hole[..., None], truth + 0.03, truth).astype(np.float32)
    filled[:, :30][np.arange(80) % 2 == 0] = 0.95
    match_tone(filled, hole, ~hole)
    inside = box(80, 80, 28, 38, 52, 66)  # at the stripes themselves there is nothing else to go by
    assert np.abs(filled - truth)[inside].max() < 2 * LEVEL
    # Counted alike, the stripes would say that all is too dark.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tone, "SMOOTH", 1e3)
        alike = np.where(hole[..., None], truth + 0.03, filled).astype(np.float32)
        match_tone(alike, hole, ~hole)
    assert np.abs(alike - truth)[inside].max() > 5 * LEVEL


def test_only_known_places_are_compared_with() -> None:
    truth, hole = plain(60, 80), box(60, 80, 20, 20, 40, 40)
    later = box(60, 80, 20, 40, 40, 60)  # another part of the hole, not filled yet
    filled = np.where(hole[..., None], truth + 0.04, truth).astype(np.float32)
    filled[later] = 0
    match_tone(filled, hole, ~hole & ~later)
    assert np.abs(filled - truth)[hole].max() < LEVEL


def test_without_a_rim_nothing_changes() -> None:
    filled = plain(20, 20)
    for hole, known in (
        (np.ones((20, 20), bool), np.zeros((20, 20), bool)),
        (np.zeros((20, 20), bool), np.ones((20, 20), bool)),
        (box(20, 20, 0, 0, 4, 4), box(20, 20, 16, 16, 20, 20)),
    ):
        before = filled.copy()
        match_tone(filled, hole, known)
        assert np.array_equal(filled, before)


def test_weighted_means_are_those_of_the_formula() -> None:
    """Against loops over pixels: means of both sides, trust by variance, one over cubed distance."""
    rng = np.random.default_rng(0)
    filled, hole = rng.uniform(0.4, 0.6, (24, 28, 3)).astype(np.float32), box(24, 28, 8, 10, 17, 19)
    known = ~hole
    rim = []
    for i, j in np.ndindex(hole.shape):
        block = np.s_[max(i - 1, 0) : i + 2, max(j - 1, 0) : j + 2]
        outside, inside = (filled[block][side[block]] for side in (known, hole))
        if len(outside) and len(inside):
            difference = outside.mean(0) - inside.mean(0)
            believed = max(1 - (np.abs(difference).max() / tone.MOST) ** 4, 0) ** 2
            trust = 1 / (outside.var(0).sum() + inside.var(0).sum() + 0.05**2)
            rim.append((i, j, difference * believed, trust))
    changed = filled.copy()
    match_tone(changed, hole, known)
    for i, j in zip(*hole.nonzero(), strict=True):
        weights = [trust * ((i - y) ** 2 + (j - x) ** 2 + 0.25) ** -1.5 for y, x, _, trust in rim]
        expected = filled[i, j] + np.average([difference for _, _, difference, _ in rim], 0, weights)
        assert changed[i, j] == pytest.approx(expected, abs=1e-5)


def test_large_holes_are_changed_as_on_a_fine_grid(monkeypatch: pytest.MonkeyPatch) -> None:
    truth, hole = plain(400, 500), box(400, 500, 60, 80, 340, 420)
    slope = np.linspace(-0.05, 0.05, 500, dtype=np.float32)[None, :, None]
    coarse, fine = (np.where(hole[..., None], truth + slope, truth) for _ in range(2))
    monkeypatch.setattr(tone, "GRID", 1000)
    match_tone(fine, hole, ~hole)
    monkeypatch.setattr(tone, "GRID", 40)
    match_tone(coarse, hole, ~hole)
    assert np.abs(coarse - fine).max() < 1.5 * LEVEL


class Dark:
    """Knows the picture, but makes it a little darker, as networks do."""

    name = "dark"
    size_rule = SizeRule()

    def __init__(self, truth: Any, drifts: bool) -> None:
        self.truth = torch.from_numpy(truth).permute(2, 0, 1)[None]
        self.abilities = Abilities(tone_drifts=drifts)

    def __call__(self, image: Tensor, mask: Tensor, *_: Any, **__: Any) -> Tensor:
        return self.truth - 0.04


def test_the_inpainter_matches_the_tone_of_networks_alone() -> None:
    truth, hole = plain(90, 120), box(90, 120, 30, 40, 60, 80)
    shown = np.where(hole[..., None], 0, truth).astype(np.float32)
    matched, raw = (Inpainter(Dark(truth, drifts), "cpu")(shown, hole, output_type="np") for drifts in (True, False))
    assert np.abs(matched - truth)[hole].max() < LEVEL
    assert np.abs(raw - truth)[hole].min() > 0.03
    assert np.array_equal(matched[~hole], shown[~hole])
