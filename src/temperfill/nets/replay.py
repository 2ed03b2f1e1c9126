"""CUDA graphs: the kernels of a call are recorded once, and replayed for every further call of its kind.

On a small picture a GPU finishes a kernel sooner than the next one is launched, and a replayed graph needs no launches.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

Function = Callable[..., Tensor]
SEEN = 64
"""Kinds of calls that are remembered after they came once."""

_RECORDING = Lock()  # a process can record one graph at a time
_STREAMS: dict[torch.device, torch.cuda.Stream] = {}  # one for each device: libraries keep workspaces for every stream


class Graph(Protocol):
    """What has been recorded, such as a ``torch.cuda.CUDAGraph``."""

    def replay(self) -> None:
        """Computes once more, from the same tensors into the same tensor."""


class Recording(NamedTuple):
    """A call that can be replayed.

    Attributes:
        graph: its kernels.
        inputs: tensors that it reads; None where the call had none.
        output: tensor that it writes.
    """

    graph: Graph
    inputs: list[Tensor | None]
    output: Tensor


def record(function: Function, tensors: list[Tensor | None], options: dict[str, Any]) -> Recording:
    """Records one call on the device of its first tensor, as torch's notes on CUDA graphs prescribe.

    Args:
        function: launches the same kernels whatever the tensors hold, and never waits for the device.
        tensors: its arguments; copies of them become the recording's inputs.
        options: its keyword arguments, which stay as they are.

    Raises:
        torch.OutOfMemoryError: too little memory.
        RuntimeError: a function that waits.
    """
    inputs = [None if x is None else x.clone() for x in tensors]
    device = next(x.device for x in inputs if x is not None)
    # Weights that autocast had converted and kept would be gone when the graph is replayed.
    autocast = torch.autocast(
        "cuda", torch.get_autocast_dtype("cuda"), torch.is_autocast_enabled("cuda"), cache_enabled=False
    )
    with _RECORDING, torch.cuda.device(device), autocast:
        if device not in _STREAMS:
            _STREAMS[device] = torch.cuda.Stream(device)
        aside = _STREAMS[device]
        before = torch.cuda.current_stream()
        graph = torch.cuda.CUDAGraph()
        # The outer stream is put back even where a failed recording does not do so.
        with torch.cuda.stream(before):
            aside.wait_stream(before)
            with torch.cuda.stream(aside):
                for _ in range(3):  # libraries choose their kernels and take their workspaces in the first calls
                    function(*inputs, **options)
            before.wait_stream(aside)
            # What other threads do meanwhile, such as taking memory, does not end the recording.
            with torch.cuda.graph(graph, stream=aside, capture_error_mode="thread_local"):
                output = function(*inputs, **options)
    return Recording(graph, inputs, output)


class Replayed:
    """A function of tensors, recorded and replayed when tensors of the same kind come again.

    The first call of a kind is not recorded, since most sizes come once; nor is a kind for which memory was too small.
    Recorded calls wait for each other; all must be made on one stream of the device, as torch does unless told
    otherwise.

    Args:
        function: as for ``record``.
        plain: gives the same result for calls that are not replayed.
        most: recordings that are kept, each with its memory; the one that has not been used for longest goes first.
        recorder: ``record``, or what takes its place.
    """

    def __init__(
        self, function: Function, plain: Function, most: int = 4, recorder: Callable[..., Recording] = record
    ) -> None:
        self.function = function
        self.plain = plain
        self.most = most
        self._recorder = recorder
        self._recordings: OrderedDict[Hashable, Recording] = OrderedDict()
        self._seen: OrderedDict[Hashable, bool] = OrderedDict()  # False: too large to be recorded
        self._lock = Lock()

    def __call__(self, *tensors: Tensor | None, **options: Hashable) -> Tensor:
        """The function's result, in a tensor of its own.

        Raises:
            RuntimeError: as ``record``.
        """
        kind = _kind(tensors, options)
        with self._lock:
            found = self._recordings.get(kind)
            if found is None and self._seen.get(kind, False):
                found = self._record(kind, list(tensors), options)
            if found is not None:
                self._recordings.move_to_end(kind)
                for place, tensor in zip(found.inputs, tensors, strict=True):
                    if place is not None and tensor is not None:
                        place.copy_(tensor)
                found.graph.replay()
                return found.output.clone()
            self._seen.setdefault(kind, True)
            self._seen.move_to_end(kind)
            while len(self._seen) > SEEN:
                self._seen.popitem(last=False)
        return self.plain(*tensors, **options)

    def forget(self) -> bool:
        """Gives all recordings and their memory back; whether there were any."""
        with self._lock:
            some = bool(self._recordings)
            self._recordings.clear()
        return some

    def _record(self, kind: Hashable, tensors: list[Tensor | None], options: dict[str, Any]) -> Recording | None:
        """A new recording in the place of the oldest, or None if memory is too small for it."""
        while len(self._recordings) >= self.most:
            self._recordings.popitem(last=False)
        try:
            self._recordings[kind] = self._recorder(self.function, tensors, options)
        except torch.OutOfMemoryError:
            self._seen[kind] = False
            return None
        return self._recordings[kind]


def _kind(tensors: tuple[Tensor | None, ...], options: dict[str, Hashable]) -> Hashable:
    shapes = tuple(None if x is None else (x.device, x.dtype, x.shape, x.stride()) for x in tensors)
    precision = torch.get_autocast_dtype("cuda") if torch.is_autocast_enabled("cuda") else None
    return shapes, tuple(sorted(options.items())), precision
