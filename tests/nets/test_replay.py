"""Recorded calls, with a recorder that computes again in the place of a CUDA graph (tests/test_gpu.py has that)."""

from typing import Any

import pytest
import torch
from torch import Tensor

from temperfill.nets.replay import Recording, Replayed


class Again:
    """Stands for a graph: reads and writes the same tensors at every replay."""

    def __init__(self, function: Any, inputs: list[Tensor | None], options: dict[str, Any], output: Tensor) -> None:
        self.call = lambda: output.copy_(function(*inputs, **options))

    def replay(self) -> None:
        self.call()


class Recorder:
    def __init__(self) -> None:
        self.kinds: list[tuple[int, ...]] = []

    def __call__(self, function: Any, tensors: list[Tensor | None], options: dict[str, Any]) -> Recording:
        inputs = [None if x is None else x.clone() for x in tensors]
        assert tensors[0] is not None
        self.kinds.append(tuple(tensors[0].shape))
        output = torch.full_like(tensors[0], torch.nan)  # a graph computes nothing while it is recorded
        return Recording(Again(function, inputs, options, output), inputs, output)


def scaled(x: Tensor, y: Tensor | None, *, factor: float = 1.0) -> Tensor:
    return factor * (x if y is None else x + y)


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


def test_calls_of_one_kind_are_recorded_once_and_right_each_time(recorder: Recorder) -> None:
    replayed = Replayed(scaled, recorder=recorder)
    inputs = [(torch.rand(2, 3), torch.rand(2, 3)) for _ in range(5)]
    results = [replayed(x, y, factor=2.0) for x, y in inputs]
    for (x, y), result in zip(inputs, results, strict=True):  # no result was overwritten by a later call
        assert torch.equal(result, 2 * (x + y))
    assert recorder.kinds == [(2, 3)]


def test_a_kind_that_comes_once_is_not_recorded(recorder: Recorder) -> None:
    replayed = Replayed(scaled, recorder=recorder)
    for side in range(1, 200):
        x = torch.rand(side, 2)
        assert torch.equal(replayed(x, None), x)
    assert recorder.kinds == []


def test_sizes_options_types_and_missing_tensors_are_kinds_of_their_own(recorder: Recorder) -> None:
    replayed, x = Replayed(scaled, most=10, recorder=recorder), torch.rand(2, 3)
    calls: list[tuple[Tensor, Tensor | None, float]] = [
        (x, None, 1.0),
        (x, x, 1.0),
        (x, None, 3.0),
        (x.double(), None, 1.0),
        (x[:1], None, 1.0),
    ]
    for _ in range(3):
        for a, b, factor in calls:
            assert torch.equal(replayed(a, b, factor=factor), scaled(a, b, factor=factor))
    assert len(recorder.kinds) == len(calls)


def test_recordings_that_are_not_used_make_room(recorder: Recorder) -> None:
    replayed = Replayed(scaled, most=2, recorder=recorder)
    for size in (1, 1, 2, 2, 1, 3, 3):  # 2 has to go
        replayed(torch.rand(size), None)
    assert recorder.kinds == [(1,), (2,), (3,)]
    replayed(torch.rand(1), None)
    assert recorder.kinds == [(1,), (2,), (3,)]
    for _ in range(2):
        replayed(torch.rand(2), None)
    assert recorder.kinds == [(1,), (2,), (3,), (2,)]
    replayed.forget()
    for _ in range(2):
        replayed(torch.rand(2), None)
    assert recorder.kinds == [(1,), (2,), (3,), (2,), (2,)]


def test_a_call_that_cannot_be_recorded_says_so_and_later_ones_work(recorder: Recorder) -> None:
    def fails(*_: Any) -> Recording:
        raise RuntimeError("out of memory")

    replayed, x = Replayed(scaled, recorder=fails), torch.rand(2)
    replayed(x, None)
    with pytest.raises(RuntimeError, match="out of memory"):
        replayed(x, None)
    replayed.forget()
    assert torch.equal(replayed(x, None), x)
