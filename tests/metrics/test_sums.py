"""Sums without rounding error: any split among ranks, merged in any order, gives the same bits."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from temperfill.metrics import ExactSum, Moments
from temperfill.metrics.sums import STEP


def summed(values: list[float]) -> ExactSum:
    total = ExactSum()
    total.add(values)
    return total


# Of very different sizes, and none whose rounding errors a processor that flushes denormals would lose.
NUMBERS = st.builds(math.ldexp, st.integers(-(2**53), 2**53), st.integers(-300, 300))


@given(st.lists(NUMBERS, min_size=1, max_size=30), st.data())
def test_sum_is_the_rounded_sum_of_real_numbers(values: list[float], data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(values)), min_size=2, max_size=2)))
    parts = [values[: cuts[0]], values[cuts[0] : cuts[1]], values[cuts[1] :]]
    for order in itertools.permutations(parts):
        merged = ExactSum()
        for part in order:
            merged.merge(summed(part))
        assert merged.count == len(values)
        assert merged.sum() == summed(values).sum() == float(sum(map(Fraction, values)))


def test_partials_stay_few() -> None:
    total = summed(np.random.default_rng(0).normal(size=20_000).tolist())
    assert len(total.partials) < 10


def test_what_is_not_finite_shows() -> None:
    assert math.isnan(summed([1.0, math.nan]).mean())
    assert summed([1.0, math.inf]).mean() == math.inf
    with pytest.raises(ValueError, match="no values"):
        ExactSum().mean()


def features(count: int, dimension: int = 7, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, dimension, generator=generator).relu() * 3


def moments(parts: list[torch.Tensor], dimension: int = 7) -> Moments:
    found = Moments(dimension)
    for part in parts:
        found.add(part)
    return found


def test_one_rank_equals_three_merged_in_any_order_bit_for_bit() -> None:
    given_features = features(301)
    mean, covariance = moments([given_features]).mean_covariance()
    # Ranks see every third picture, in batches of their own.
    ranks = [list(given_features[rank::3].split(5 + rank)) for rank in range(3)]
    for order in itertools.permutations(ranks):
        merged = Moments(7)
        for batches in order:
            merged.merge(moments(batches))
        assert merged.count == 301
        got_mean, got_covariance = merged.mean_covariance()
        assert torch.equal(got_mean, mean)
        assert torch.equal(got_covariance, covariance)


def test_moments_are_those_of_numpy() -> None:
    given_features = features(150)
    mean, covariance = moments(list(given_features.split(40))).mean_covariance()
    wide = given_features.double().numpy()
    np.testing.assert_allclose(mean, wide.mean(0), atol=STEP)
    np.testing.assert_allclose(covariance, np.cov(wide, rowvar=False), atol=20 * STEP)


def test_large_features_are_summed_in_parts_that_are_exact() -> None:
    given_features = features(200) * 60  # squares of which only a few fit into 53 bits
    assert (given_features.max() / STEP) ** 2 > 2**53 / 64
    integers = [[round(x / STEP) for x in row] for row in given_features.double().tolist()]
    expected = sum(row[0] * row[1] for row in integers)
    found = moments([given_features])
    found.mean_covariance()
    assert found.products[0, 1].item() == expected


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (torch.zeros(2, 3), r"shape \(B, 7\)"),
        (torch.full((2, 7), float("nan")), "not finite"),
        (torch.full((2, 7), 1e6), "too many or too large"),
    ],
)
def test_refusals(bad: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Moments(7).add(bad)


def test_covariance_needs_two_and_dimensions_agree() -> None:
    with pytest.raises(ValueError, match="at least two"):
        moments([features(1)]).mean_covariance()
    with pytest.raises(ValueError, match="cannot be merged"):
        Moments(7).merge(Moments(8))
