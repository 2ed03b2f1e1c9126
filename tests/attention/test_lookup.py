"""Looking up: sources are those of the weights, keys without weight and strips of queries change nothing."""

from typing import Any

import pytest
import torch
from torch import Tensor

from temperfill.attention import MHTMA, fused_attention


@pytest.mark.parametrize("patch_size", [1, 2, 3])
@pytest.mark.parametrize("key_stride", [1, 2])
@pytest.mark.parametrize("scaled", [False, True])
def test_sources_are_those_of_the_weights_of_the_attention(patch_size: int, key_stride: int, scaled: bool) -> None:
    """Averaging an extra map by all sources gives what the attention carries."""
    torch.manual_seed(0)
    attention = MHTMA(6, 2, 4, patch_size, key_stride, masked_score_scaled=scaled).double()
    features = torch.randn(2, 6, 7, 9, dtype=torch.float64)
    mask = torch.zeros(2, 1, 7, 9, dtype=torch.float64)
    mask[0, :, 2:4, 3:6] = mask[1, :, 5:, 1:2] = 1
    extra = torch.rand(2, 1, 7, 9, dtype=torch.float64)
    temperatures = torch.tensor([[0.1, 0.5], [1.0, 0.05]], dtype=torch.float64)
    memory = attention.memorise(features, mask, extra)
    _, carried = attention.look_up(memory, temperatures)
    assert carried is not None
    queries = torch.tensor([0, 24, 25, 62])
    keys = memory.keys.shape[2]
    weights, cells = attention.sources(memory, temperatures, queries, keys + 3, chunk=keys * 4 * 2)
    assert weights.shape == cells.shape == (2, 2, 4, keys)
    assert (weights.diff(dim=-1) <= 0).all()
    values = torch.stack([extra[i].flatten()[cells[i]] for i in range(2)])
    torch.testing.assert_close((weights * values).sum(-1), carried.flatten(3)[..., queries].squeeze(2))
    # No key that touches the hole has weight.
    touched = torch.nn.functional.max_pool2d(mask, patch_size, key_stride).flatten(1).sum(1)
    if not scaled:
        assert ((weights > 0).sum(-1).amax((1, 2)) <= keys - touched).all()


@pytest.mark.parametrize("changes", [{}, {"masked_score_scaled": True}, {"masked_score": -5.0}])
def test_keys_without_weight_can_be_left_out(changes: dict[str, Any]) -> None:
    torch.manual_seed(0)
    attention = MHTMA(6, 2, 4, **changes).double()
    features = torch.randn(2, 6, 7, 9, dtype=torch.float64)
    temperatures = torch.tensor([[0.1, 5.0], [1.0, 0.05]], dtype=torch.float64)
    for corner in (3, 9):  # a part of the keys is masked in both images, then all keys of one
        mask = torch.zeros(2, 1, 7, 9, dtype=torch.float64)
        mask[0, :, :4, :3] = mask[1, :, :corner, :corner] = 1
        extra = torch.rand(2, 3, 7, 9, dtype=torch.float64)
        memory = attention.memorise(features, mask, extra)
        fewer = attention.memorise(features, mask, extra, weighty_only=True)
        assert (fewer.keys.shape[2] < memory.keys.shape[2]) == (not changes and corner == 3)
        for whole, part in zip(
            attention.look_up(memory, temperatures), attention.look_up(fewer, temperatures), strict=True
        ):
            assert whole is not None
            assert part is not None
            torch.testing.assert_close(part, whole, rtol=0, atol=1e-12)


@pytest.mark.parametrize("patch_size", [1, 2, 3])
@pytest.mark.parametrize("max_queries", [1, 20, 25])
def test_fewer_queries_at_once_change_nothing(patch_size: int, max_queries: int) -> None:
    torch.manual_seed(0)
    attention = MHTMA(6, 2, 4, patch_size).double()
    features, mask = torch.randn(2, 6, 7, 9, dtype=torch.float64), torch.zeros(2, 1, 7, 9, dtype=torch.float64)
    mask[0, :, :4, :3] = 1
    temperatures = torch.tensor([[0.1, 5.0], [1.0, 0.05]], dtype=torch.float64)
    lengths: list[int] = []

    def remembering(queries: Tensor, *others: Any) -> Tensor:
        lengths.append(queries.shape[2])
        return fused_attention(queries, *others)

    attention.attention = remembering
    for box, needed in ((None, None), ((2, 1, 7, 8), None), (None, mask)):
        with torch.no_grad():
            memory = attention.memorise(features, mask, torch.rand(2, 3, 7, 9, dtype=torch.float64))
            attention.max_queries = None
            whole = attention.look_up(memory, temperatures, box, needed)
            together = lengths.pop()
            attention.max_queries = max_queries
            parts = attention.look_up(memory, temperatures, box, needed)
        assert len(lengths) > 1
        assert needed is not None or max(lengths) < together
        lengths.clear()
        inside = (slice(None), slice(None), slice(0, 4), slice(0, 3)) if needed is not None else (...,)
        torch.testing.assert_close(parts[0][inside], whole[0][inside], rtol=0, atol=1e-12)
        assert parts[1] is not None
        assert whole[1] is not None
        inside = (slice(None), *inside) if needed is not None else inside
        torch.testing.assert_close(parts[1][inside], whole[1][inside], rtol=0, atol=1e-12)


@pytest.mark.parametrize("weighty_only", [False, True])
def test_avoided_keys_are_no_sources(weighty_only: bool) -> None:
    torch.manual_seed(0)
    attention = MHTMA(6, 2, 4)
    features, mask, avoid = torch.randn(2, 6, 7, 9), torch.zeros(2, 1, 7, 9), torch.zeros(2, 1, 7, 9)
    mask[:, :, 2:4, 3:6] = 1
    avoid[0, :, :, 6:] = avoid[1, :, 4:, :2] = 1
    memory = attention.memorise(features, mask, avoid=avoid, weighty_only=weighty_only)
    plain = attention.memorise(features, mask)
    temperatures = torch.tensor([[0.05, 10.0], [0.01, 1.0]])
    if weighty_only:  # keys masked in both images are gone, and what is looked up stays the same
        assert memory.keys.shape[2] < plain.keys.shape[2]
        whole = attention.look_up(attention.memorise(features, mask, avoid=avoid), temperatures)[0]
        torch.testing.assert_close(attention.look_up(memory, temperatures)[0], whole, rtol=0, atol=1e-5)
        return
    weights, cells = attention.sources(memory, temperatures, torch.arange(63), 35)
    touching = torch.nn.functional.max_pool2d(torch.maximum(mask, avoid), 3, 1, 1).flatten(1)
    for image in range(2):
        assert not weights[image][touching[image][cells[image]] > 0].any()
    assert not torch.equal(attention.sources(plain, temperatures, torch.arange(63), 35)[0], weights)
