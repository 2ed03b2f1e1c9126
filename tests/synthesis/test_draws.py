"""Draws: those of torch, which the seeds of earlier versions were drawn by."""

import numpy as np
import pytest
import torch

from temperfill.synthesis.draws import Draws


@pytest.mark.parametrize(("number", "most"), [(1000, 1000), (1000, 30), (2, 5), (1, 1), (0, 4)])
@pytest.mark.parametrize("seed", [0, 2**32 + 7])
def test_shuffles_and_whole_numbers_are_those_of_torch(number: int, most: int, seed: int) -> None:
    draws, generator = Draws(seed), torch.Generator().manual_seed(seed)
    for _ in range(2):
        shuffled = torch.randperm(number, generator=generator)[:most].numpy() + 3
        assert np.array_equal(draws.some(np.arange(number) + 3, most), shuffled)
        assert np.array_equal(draws.numbers(-2, 3, (2, 9)), torch.randint(-2, 3, (2, 9), generator=generator).numpy())


def test_normal_numbers_have_their_mean_and_deviation() -> None:
    found = Draws(1).normal((100, 100))
    assert found.dtype == np.float32
    assert abs(found.mean()) < 0.04
    assert abs(found.std() - 1) < 0.03
