"""Filling with pieces of the picture: right where one answer is, known pixels, seeds, threads, limits."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F

from synthesis.pictures import middle, noise, plain, stripes
from temperfill.synthesis import Synthesis, synthesise


def filled(picture: torch.Tensor, hole: torch.Tensor, guide: torch.Tensor | None = None, **options: Any) -> Synthesis:
    guide = plain(picture, hole) if guide is None else guide
    found = synthesise(torch.where(hole, 0, picture), hole, guide, **options)
    assert found is not None
    return found


def test_stripes_go_on() -> None:
    picture = stripes(144, 168)
    hole = middle(picture)
    found = filled(picture, hole)
    assert (found.image - picture)[:, hole].abs().mean() < 0.03
    assert torch.equal(found.image[:, ~hole], picture[:, ~hole])


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
    guide = F.avg_pool2d(F.pad(picture[None], (8,) * 4, mode="replicate"), 17, 1)[0]
    found = filled(picture, hole, guide).image
    for side in (slice(60, 78), slice(90, 108)):
        inside = hole.clone()
        inside[:, : side.start] = inside[:, side.stop :] = False
        assert abs(float(found[:, inside].mean() - picture[:, inside].mean())) < 0.03


def test_hatching_is_no_reason_to_keep_the_guide() -> None:
    picture = noise(144, 168)
    hole = middle(picture)
    rows, columns = torch.meshgrid(torch.arange(144), torch.arange(168), indexing="ij")
    hatched = plain(picture, hole) + 0.1 * torch.where((rows + columns) % 2 == 0, 1, -1)
    assert filled(picture, hole, hatched).share[hole].mean() > 0.9


def test_sources_are_known_and_never_to_be_avoided() -> None:
    picture = noise(144, 168)
    hole = middle(picture)
    avoid = torch.zeros_like(hole)
    avoid[:, 120:] = True
    source = filled(picture, hole, avoid=avoid).sources
    assert not (hole | avoid)[source[hole][:, 0], source[hole][:, 1]].any()
    assert torch.equal(source[~hole], (~hole).nonzero())
    nothing = filled(picture, hole, avoid=torch.zeros_like(hole)).image
    assert torch.equal(nothing, filled(picture, hole).image)


def test_a_seed_gives_its_result_for_any_number_of_threads() -> None:
    picture = noise(96, 112)
    hole = middle(picture)
    threads = torch.get_num_threads()
    results = []
    try:
        for number in (1, 2):
            torch.set_num_threads(number)
            results.append(filled(picture, hole, seed=5).image)
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(*results)
    assert not torch.equal(results[0], filled(picture, hole, seed=6).image)


@pytest.mark.parametrize("size", [(7, 9), (1, 300), (300, 1), (20, 20)])
def test_too_little_to_copy_from(size: tuple[int, int]) -> None:
    picture = noise(*size)
    hole = torch.zeros(size, dtype=torch.bool)
    hole[: size[0] // 2 + 1] = True
    assert synthesise(picture, hole, picture) is None


@pytest.mark.parametrize("share", [1.0, 0.97])
def test_a_picture_that_is_nearly_all_hole(share: float) -> None:
    picture = noise(300, 300)
    hole = torch.zeros(300, 300, dtype=torch.bool)
    hole[:, : int(300 * share)] = True
    found = synthesise(picture, hole, picture)
    assert found is None or found.image.isfinite().all()


@pytest.mark.parametrize("rows", [slice(0, 44), slice(100, 144)])
def test_a_hole_at_the_border(rows: slice) -> None:
    picture = stripes(144, 168)
    hole = torch.zeros(144, 168, dtype=torch.bool)
    hole[rows, 112:] = True
    guide = F.avg_pool2d(F.pad(picture[None], (4,) * 4, mode="replicate"), 9, 1)[0]
    found = filled(picture, hole, guide)
    assert (found.image - picture)[:, hole].abs().mean() < 0.05


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
