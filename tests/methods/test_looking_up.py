"""The attention by numpy gives what the paper's formulas give."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from temperfill.attention import lookup, scores
from temperfill.attention.mhtma import reference_attention
from temperfill.attention.scores import attention_weights
from temperfill.methods import looking_up
from temperfill.methods.looking_up import look_up, memory_of, spread, weigh

HEIGHT, WIDTH, SIDE = 19, 23, 3


def scene() -> dict[str, np.ndarray]:
    """Maps whose values are alike in many places, and a hole in two parts, one at the border."""
    random = np.random.default_rng(0)
    taken = np.zeros((HEIGHT, WIDTH), bool)
    taken[6:10, 7:12], taken[:3, 20:], taken[15, 3] = True, True, True
    embedded = random.standard_normal((2, 5, HEIGHT, WIDTH)).astype(np.float32)
    embedded[:, :, 3:9, 2:16] = embedded[:, :, 10:16, 2:16] + embedded[:, :, 3:9, 2:16] / 4
    detail = random.standard_normal((4, HEIGHT, WIDTH)).astype(np.float32)
    return {"embedded": embedded, "detail": detail, "taken": taken, "heat": np.array([0.3, 0.01], np.float32)}


def by_torch(given: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    embedded, detail, heat = (torch.from_numpy(given[name])[None] for name in ("embedded", "detail", "heat"))
    mask = torch.from_numpy(given["taken"]).float()[None, None]
    memory = lookup.memorise(embedded.flatten(1, 2), [mask], detail, 2, SIDE, 1)

    def attend(queries: Tensor, keys: Tensor, values: Tensor, masked: Tensor) -> Tensor:
        return reference_attention(queries, keys, values, masked, heat)

    rolled, carried = lookup.look_up(memory, attend, None, None)
    assert carried is not None
    return rolled[0].numpy(), carried[0].numpy()


def holes(given: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    return spread(given["taken"], 2), spread(given["taken"], 1)


def nothing_left(given: dict[str, np.ndarray]) -> None:
    given["taken"][:, ::3] = True


def hot(given: dict[str, np.ndarray]) -> None:
    given["heat"][:] = 30, 2e-5


def as_given(given: dict[str, np.ndarray]) -> None:
    pass


@pytest.mark.parametrize("change", [as_given, nothing_left, hot])
@pytest.mark.parametrize("widest", [64, 3])
def test_it_is_the_attention_of_the_paper(
    change: Callable[[dict[str, np.ndarray]], None], widest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking_up, "WIDEST", widest)
    monkeypatch.setattr(looking_up, "SMALL", min(widest, looking_up.SMALL))
    given = scene()
    change(given)
    cells, middles = holes(given)
    memory = memory_of(given["embedded"], given["detail"], given["taken"], SIDE)
    means, detail = look_up(memory, given["heat"], cells, middles)
    expected_means, expected_detail = by_torch(given)
    assert np.abs(means - expected_means)[:, cells].max() < 2e-5
    assert np.abs(detail - expected_detail)[..., middles].max() < 2e-5


def test_the_coldest_temperature_is_that_of_the_score() -> None:
    assert looking_up.COLDEST == scores.COLDEST


def test_threads_change_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    given = scene()
    memory = memory_of(given["embedded"], given["detail"], given["taken"], SIDE)
    found = []
    for threads in (1, 3):
        monkeypatch.setattr(looking_up, "cores", lambda threads=threads: threads)
        found.append(look_up(memory, given["heat"], *holes(given)))
    for one, several in zip(*found, strict=True):
        assert np.array_equal(one, several)


def test_whoever_listens_ends_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    given, told = scene(), []

    def listen() -> None:
        told.append(1)
        if len(told) == 2:
            raise KeyboardInterrupt

    memory = memory_of(given["embedded"], given["detail"], given["taken"], SIDE)
    monkeypatch.setattr(looking_up, "cores", lambda: 2)
    with pytest.raises(KeyboardInterrupt):
        look_up(memory, given["heat"], *holes(given), listen)
    assert len(told) == 2


def test_nothing_is_looked_up_where_nothing_is_wanted() -> None:
    given = scene()
    nothing = np.zeros_like(given["taken"])
    memory = memory_of(given["embedded"], given["detail"], given["taken"], SIDE)
    means, detail = look_up(memory, given["heat"], nothing, nothing)
    assert not means.any()
    assert not detail.any()


def test_weights_are_those_of_the_paper() -> None:
    given = scene()
    memory = memory_of(given["embedded"], given["detail"], given["taken"], SIDE)
    asked = np.array([0, 7 * WIDTH + 9, HEIGHT * WIDTH - 1])
    weights = weigh(memory, given["heat"], asked).reshape(2, 3, HEIGHT, WIDTH)
    queries = lookup.unroll_queries(torch.from_numpy(given["embedded"]), SIDE)[:, asked]
    keys = lookup.unroll_keys(torch.from_numpy(given["embedded"]), SIDE, 1)
    masked = torch.from_numpy(~memory.usable[1:-1, 1:-1]).float().reshape(1, -1)
    expected = attention_weights(queries[None], keys[None], masked, torch.from_numpy(given["heat"])[None])[0]
    assert np.abs(weights[..., 1:-1, 1:-1].reshape(2, 3, -1) - expected.numpy()).max() < 1e-5
    assert not weights[..., ~memory.usable].any()
