"""Recorded calls, with a recorder that computes again in the place of a CUDA graph (tests/test_gpu.py has that)."""

from typing import Any

import pytest
import torch
from torch import Tensor

from temperfill.config import GeneratorConfig
from temperfill.methods.ours import Ours
from temperfill.nets.generator import Generator
from temperfill.nets.replay import SEEN, Recording, Replayed


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
    plain: list[Tensor] = []

    def told(x: Tensor, y: Tensor | None, *, factor: float) -> Tensor:
        plain.append(x)
        return scaled(x, y, factor=factor)

    replayed = Replayed(scaled, told, recorder=recorder)
    inputs = [(torch.rand(2, 3), torch.rand(2, 3)) for _ in range(5)]
    results = [replayed(x, y, factor=2.0) for x, y in inputs]
    for (x, y), result in zip(inputs, results, strict=True):  # no result was overwritten by a later call
        assert torch.equal(result, 2 * (x + y))
    assert recorder.kinds == [(2, 3)]
    assert len(plain) == 1


def test_a_kind_that_comes_once_is_not_recorded_and_at_last_forgotten(recorder: Recorder) -> None:
    replayed = Replayed(scaled, scaled, recorder=recorder)
    for side in range(1, SEEN + 3):
        x = torch.rand(side, 2)
        assert torch.equal(replayed(x, None), x)
    assert recorder.kinds == []
    replayed(torch.rand(1, 2), None)  # came too long ago
    assert recorder.kinds == []
    replayed(torch.rand(SEEN, 2), None)
    assert recorder.kinds == [(SEEN, 2)]


def test_sizes_layouts_options_types_and_missing_tensors_are_kinds_of_their_own(recorder: Recorder) -> None:
    replayed, x = Replayed(scaled, scaled, most=10, recorder=recorder), torch.rand(3, 3)
    calls: list[tuple[Tensor, Tensor | None, float]] = [
        (x, None, 1.0),
        (x, x, 1.0),
        (x, None, 3.0),
        (x.double(), None, 1.0),
        (x[:1], None, 1.0),
        (x.T, None, 1.0),
    ]
    for _ in range(3):
        for a, b, factor in calls:
            assert torch.equal(replayed(a, b, factor=factor), scaled(a, b, factor=factor))
    assert len(recorder.kinds) == len(calls)


def test_recordings_that_are_not_used_make_room(recorder: Recorder) -> None:
    replayed = Replayed(scaled, scaled, most=2, recorder=recorder)
    for size in (1, 1, 2, 2, 1, 3, 3):  # 2 has to go
        replayed(torch.rand(size), None)
    assert recorder.kinds == [(1,), (2,), (3,)]
    replayed(torch.rand(1), None)
    assert recorder.kinds == [(1,), (2,), (3,)]
    replayed(torch.rand(2), None)
    assert recorder.kinds == [(1,), (2,), (3,), (2,)]
    assert replayed.forget()
    assert not replayed.forget()
    replayed(torch.rand(2), None)
    assert recorder.kinds == [(1,), (2,), (3,), (2,), (2,)]


def test_a_kind_that_is_too_large_to_be_recorded_stays_plain() -> None:
    tried: list[int] = []

    def fails(*_: Any) -> Recording:
        tried.append(1)
        raise torch.OutOfMemoryError("CUDA out of memory")

    replayed, x = Replayed(scaled, scaled, recorder=fails), torch.rand(2)
    for _ in range(4):
        assert torch.equal(replayed(x, None), x)
    assert not replayed.forget()
    assert torch.equal(replayed(x, None), x)
    assert len(tried) == 1


def test_a_call_that_cannot_be_recorded_for_another_reason_says_so() -> None:
    def fails(*_: Any) -> Recording:
        raise RuntimeError("operation not permitted when stream is capturing")

    replayed, x = Replayed(scaled, scaled, recorder=fails), torch.rand(2)
    replayed(x, None)
    for _ in range(2):  # the first failure holds no lock
        with pytest.raises(RuntimeError, match="not permitted"):
            replayed(x, None)


def test_memory_of_graphs_is_given_back_before_anything_else_is_made_smaller(recorder: Recorder) -> None:
    torch.manual_seed(0)
    method = Ours(Generator(GeneratorConfig(width=4, head_dim=4)).eval())
    plain = Ours(method.generator)
    method._replayed = Replayed(method._whole, method._holes, recorder=recorder)
    image, mask = torch.rand(1, 3, 32, 32), torch.zeros(1, 1, 32, 32)
    mask[:, :, 8:20, 8:20] = 1
    for _ in range(3):
        torch.testing.assert_close(method(image, mask) * mask, plain(image, mask) * mask, atol=1e-5, rtol=0)
    assert len(recorder.kinds) == 1
    attention = method.generator.refinement.attention_branch.attention  # type: ignore[union-attr]
    assert method.lighten()
    assert attention.max_queries is None  # type: ignore[union-attr]
    assert method.lighten()
    assert attention.max_queries is not None  # type: ignore[union-attr]


def test_large_pictures_are_not_recorded(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    method = Ours(Generator(GeneratorConfig(width=4, head_dim=4)).eval())
    method._replayed = Replayed(method._whole, method._holes, recorder=recorder)
    monkeypatch.setattr("temperfill.methods.ours.REPLAYED_PIXELS", 32 * 32)
    for size in (36, 32):
        mask = torch.zeros(1, 1, 32, size)
        mask[:, :, 8:20, 8:20] = 1
        for _ in range(3):
            method(torch.rand(1, 3, 32, size), mask)
    assert recorder.kinds == [(1, 3, 32, 32)]
