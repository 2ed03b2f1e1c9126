"""Filling with pieces of the picture: right where one answer is, known pixels, seeds, threads, limits."""

import hashlib
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from synthesis.pictures import middle, noise, plain, smoothed, stripes
from temperfill.arrays import Array
from temperfill.synthesis import Synthesis, synthesise
from temperfill.synthesis.patches import Mask


def filled(picture: Array, hole: Mask, guide: Array | None = None, **options: Any) -> Synthesis:
    guide = plain(picture, hole) if guide is None else guide
    found = synthesise(np.where(hole, 0, picture), hole, guide, **options)
    assert found is not None
    return found


def test_stripes_go_on() -> None:
    picture = stripes(144, 168)
    hole = middle(picture)
    found = filled(picture, hole)
    assert np.abs(found.image - picture)[:, hole].mean() < 0.03
    assert np.array_equal(found.image[:, ~hole], picture[:, ~hole])


def test_noise_is_as_strong_in_the_hole_as_around_it() -> None:
    """A mean of patches would halve it."""
    picture = noise(144, 168)
    hole = middle(picture)
    strength = filled(picture, hole).image[:, hole].std() / picture.std()
    assert 0.85 < strength < 1.1


def test_colours_follow_the_guide() -> None:
    """Texture of the left and of the right, where the guide is dark and light."""
    picture = noise(144, 168)
    picture[:, :, :84] *= 0.5
    hole = middle(picture)
    guide = smoothed(picture, 8)
    found = filled(picture, hole, guide).image
    for side in (slice(60, 78), slice(90, 108)):
        inside = hole.copy()
        inside[:, : side.start] = inside[:, side.stop :] = False
        assert abs(float(found[:, inside].mean() - picture[:, inside].mean())) < 0.03


def test_hatching_is_no_reason_to_keep_the_guide() -> None:
    picture = noise(144, 168)
    hole = middle(picture)
    rows, columns = np.indices((144, 168))
    hatched = plain(picture, hole) + np.where((rows + columns) % 2 == 0, 0.1, -0.1).astype(np.float32)
    assert filled(picture, hole, hatched).share[hole].mean() > 0.9


def test_sources_are_known_and_never_to_be_avoided() -> None:
    picture = noise(144, 168)
    hole = middle(picture)
    avoid = np.zeros_like(hole)
    avoid[:, 120:] = True
    source = filled(picture, hole, avoid=avoid).sources
    assert not (hole | avoid)[source[hole][:, 0], source[hole][:, 1]].any()
    assert np.array_equal(source[~hole], np.argwhere(~hole))
    nothing = filled(picture, hole, avoid=np.zeros_like(hole)).image
    assert np.array_equal(nothing, filled(picture, hole).image)


THREADS = """
import hashlib
from synthesis.pictures import middle, noise, plain
from temperfill.synthesis import synthesise
picture = noise(144, 168)
hole = middle(picture)
found = synthesise(picture, hole, plain(picture, hole), seed=5)
print(hashlib.sha256(found.image.tobytes()).hexdigest())
"""


def test_a_seed_gives_its_result_for_any_number_of_threads() -> None:
    """BLAS looks for the number as it is loaded."""
    picture = noise(144, 168)
    hole = middle(picture)
    first, other = filled(picture, hole, seed=5).image, filled(picture, hole, seed=6).image
    assert not np.array_equal(first, other)
    for number in (1, 3):
        threads = {name: str(number) for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")}
        environment = os.environ | threads | {"PYTHONPATH": os.pathsep.join(sys.path)}
        run = subprocess.run(
            [sys.executable, "-c", THREADS], env=environment, capture_output=True, text=True, check=True
        )
        assert run.stdout.strip() == hashlib.sha256(first.tobytes()).hexdigest()


@pytest.mark.parametrize("size", [(7, 9), (1, 300), (300, 1), (20, 20)])
def test_too_little_to_copy_from(size: tuple[int, int]) -> None:
    picture = noise(*size)
    hole = np.zeros(size, bool)
    hole[: size[0] // 2 + 1] = True
    assert synthesise(picture, hole, picture) is None


@pytest.mark.parametrize("share", [1.0, 0.97])
def test_a_picture_that_is_nearly_all_hole(share: float) -> None:
    picture = noise(300, 300)
    hole = np.zeros((300, 300), bool)
    hole[:, : int(300 * share)] = True
    found = synthesise(picture, hole, picture)
    assert found is None or np.isfinite(found.image).all()


@pytest.mark.parametrize("rows", [slice(0, 44), slice(100, 144)])
def test_a_hole_at_the_border(rows: slice) -> None:
    picture = stripes(144, 168)
    hole = np.zeros((144, 168), bool)
    hole[rows, 112:] = True
    guide = smoothed(picture, 4)
    found = filled(picture, hole, guide)
    assert np.abs(found.image - picture)[:, hole].mean() < 0.05


def test_the_caller_can_end_it() -> None:
    picture = noise(144, 168)
    shares = []

    def on_step(share: float) -> None:
        shares.append(share)
        if share > 0.2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        filled(picture, middle(picture), on_step=on_step)
    assert shares == sorted(shares)
    assert len(shares) > 10
