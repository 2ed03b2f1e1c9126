"""Distances and parts, compared with scipy's."""

import numpy as np
import pytest
from scipy import ndimage

from temperfill import distances
from temperfill.distances import boxes_of, deepest, depth, grown, label, nearest_known


def holes() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    found = [rng.random(rng.integers(1, 40, 2)) < share for share in (0.2, 0.5, 0.9, 0.98) for _ in range(15)]
    for hole in found:
        hole[tuple(rng.integers(0, hole.shape))] = False
    return found


def test_distances_and_nearest_pixels_are_exact_for_ties_too() -> None:
    for hole in holes():
        expected, (rows, columns) = ndimage.distance_transform_edt(hole, return_indices=True)
        distance, *nearest = nearest_known(hole)
        assert np.array_equal(distance, expected)
        assert np.array_equal(nearest, [rows, columns])
        assert np.array_equal(depth(hole), expected)
        assert deepest(hole) == expected.max()


def test_parts_are_numbered_in_order_and_touch_at_corners() -> None:
    for hole in holes():
        expected, count = ndimage.label(hole, np.ones((3, 3)))
        labels, found = label(hole)
        assert found == count
        assert np.array_equal(labels, expected)
        boxes = [(y.start, x.start, y.stop, x.stop) for y, x in ndimage.find_objects(expected)]
        assert boxes_of(labels, found) == boxes


def test_a_winding_line_is_one() -> None:
    line = np.zeros((41, 41), bool)
    line[::4, 1:] = line[2::4, :-1] = True
    line[1::4, 40] = line[3::4, 0] = True
    assert label(line)[1] == 1


@pytest.mark.parametrize("corners", [True, False])
def test_growing_adds_neighbours(corners: bool) -> None:
    structure = np.ones((3, 3)) if corners else None
    for hole in holes():
        assert np.array_equal(grown(hole, corners), ndimage.binary_dilation(hole, structure))


def test_lines_taken_together_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    hole = np.random.default_rng(4).random((40, 30)) < 0.9
    before = distances.nearest_known(hole)
    monkeypatch.setattr(distances, "_PART", 70)
    for one, other in zip(before, distances.nearest_known(hole), strict=True):
        assert np.array_equal(one, other)


def test_the_caller_can_end_it_after_few_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distances, "_PART", 100)
    hole = np.ones((60, 50), bool)
    hole[0, 0] = False
    beats: list[None] = []
    nearest_known(hole, lambda: beats.append(None))
    assert len(beats) >= 2 * hole.size / 100  # along columns, then along rows
    beats.clear()
    deepest(hole, lambda: beats.append(None))
    assert len(beats) >= 2 * hole.size / 100
