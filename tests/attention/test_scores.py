"""The score: plain and as a product of factors, its constant, and the keys with weight."""

import pytest
import torch

from temperfill.attention.scores import (
    COLDEST,
    attention_weights,
    bounded,
    masked_constant,
    normalise,
    score_factors,
    weighty_keys,
)


@pytest.mark.parametrize("scaled", [False, True])
def test_factors_and_constant_give_the_weights(scaled: bool) -> None:
    draw = torch.Generator().manual_seed(0)
    queries, keys = (torch.randn(2, 3, n, 5, generator=draw, dtype=torch.float64) for n in (4, 6))
    masked = (torch.rand(2, 6, generator=draw) > 0.5).double()
    temperatures = torch.tensor([[0.05, 0.5, 10.0], [0.1, 1.0, 2.0]], dtype=torch.float64)
    weights = attention_weights(queries, keys, masked, temperatures, -3.0, scaled)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 3, 4, dtype=torch.float64))
    query_factor, key_factor = score_factors(queries, keys, masked, temperatures)
    constant = masked_constant(masked, -3.0)[:, None, None, :]
    constant = constant / temperatures[:, :, None, None] if scaled else constant
    scores = (queries * query_factor) @ (keys * key_factor).transpose(-2, -1) + constant
    torch.testing.assert_close(torch.softmax(scores, -1), weights)


def test_the_constant_is_lambda_for_masked_keys_unless_all_are() -> None:
    constant = masked_constant(torch.tensor([[0.0, 1.0, 0.0], [1.0, 1.0, 1.0]]), -7.0)
    assert constant.tolist() == [[0, -7, 0], [0, 0, 0]]


def test_zero_stays_zero_and_other_patches_get_unit_length() -> None:
    patches = torch.tensor([[3.0, 4.0], [0.0, 0.0]])
    torch.testing.assert_close(normalise(patches), torch.tensor([[0.6, 0.8], [0.0, 0.0]]))


def test_keys_have_weight_where_any_image_knows_them_or_one_knows_none() -> None:
    masked = torch.tensor([[1.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    assert weighty_keys(masked, -10000.0, False).tolist() == [False, True, True]
    assert weighty_keys(masked, -10000.0, True).all()
    assert weighty_keys(masked, -5.0, False).all()
    masked[0] = 1
    assert weighty_keys(masked, -10000.0, False).all()


def test_temperatures_keep_their_bits_and_their_sign_but_for_those_near_zero() -> None:
    usual = torch.tensor([[0.01, 3.7], [-0.2, 2e-4]])
    assert torch.equal(bounded(usual), usual)
    assert torch.equal(bounded(torch.tensor([[1e-9, -1e-9, 0.0]])), torch.tensor([[COLDEST, -COLDEST, COLDEST]]))
