"""Offsets of cells: of what repeats, by its period; never to what must not be copied."""

import pytest
import torch

from synthesis.pictures import middle, noise, plain, quiet, stripes
from temperfill.synthesis.labelling import label


def offsets(picture: torch.Tensor, hole: torch.Tensor, usable: torch.Tensor, seed: int = 0) -> torch.Tensor:
    shown = torch.where(hole, plain(picture, hole), picture)[None]
    return label(shown, hole, usable, torch.Generator().manual_seed(seed), quiet)


def test_stripes_are_copied_along_their_period() -> None:
    picture = stripes(48, 56)
    hole = middle(picture)
    found = offsets(picture, hole, ~hole)
    assert (found[hole][:, 1] % 8 == 0).all()
    assert (found[~hole] == 0).all()


@pytest.mark.parametrize("seed", range(3))
def test_nothing_is_copied_from_what_is_not_usable(seed: int) -> None:
    picture = noise(48, 56)
    hole = middle(picture)
    usable = ~hole
    usable[:, :20] = False
    found = offsets(picture, hole, usable, seed)
    source = hole.nonzero() + found[hole]
    assert usable[source[:, 0], source[:, 1]].all()


def test_what_is_raised_in_a_step_ends_the_work() -> None:
    picture = noise(48, 56)
    hole = middle(picture)

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        label(picture[None], hole, ~hole, torch.Generator(), stop)
