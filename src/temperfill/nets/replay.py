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
        RuntimeError: too little memory, or a function that waits.
    """
    inputs = [None if x is None else x.clone() for x in tensors]
    first = next(x for x in inputs if x is not None)
    # Weights that autocast had converted and kept would be gone when the graph is replayed.
    autocast = torch.autocast(
        "cuda", torch.get_autocast_dtype("cuda"), torch.is_autocast_enabled("cuda"), cache_enabled=False
    )
    with torch.cuda.device(first.device), autocast:
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(3):  # libraries choose their kernels and take their workspaces in the first calls
                function(*inputs, **options)
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            output = function(*inputs, **options)
    return Recording(graph, inputs, output)


class Replayed:
    """A function of tensors, recorded and replayed when tensors of the same kind come again.

    The first call of a kind runs as it is, since most sizes come once; the second is recorded. Calls wait for each
    other.

    Args:
        function: as for ``record``.
        most: recordings that are kept, each with its memory; the one that has not been used for longest goes first.
        recorder: ``record``, or what takes its place.
    """

    def __init__(self, function: Function, most: int = 4, recorder: Callable[..., Recording] = record) -> None:
        self.function = function
        self.most = most
        self._recorder = recorder
        self._known: OrderedDict[Hashable, Recording | None] = OrderedDict()
        self._lock = Lock()

    def __call__(self, *tensors: Tensor | None, **options: Hashable) -> Tensor:
        """The function's result, in a tensor of its own.

        Raises:
            RuntimeError: as ``record``.
        """
        with self._lock:
            kind = self._kind(tensors, options)
            if kind not in self._known:
                self._keep(kind, None)
                return self.function(*tensors, **options)
            found = self._known[kind]
            if found is None:
                found = self._recorder(self.function, list(tensors), options)
            self._keep(kind, found)
            for place, tensor in zip(found.inputs, tensors, strict=True):
                if place is not None and tensor is not None:
                    place.copy_(tensor)
            found.graph.replay()
            return found.output.clone()

    def forget(self) -> None:
        """Gives all recordings and their memory back."""
        with self._lock:
            self._known.clear()

    def _kind(self, tensors: tuple[Tensor | None, ...], options: dict[str, Hashable]) -> Hashable:
        shapes = tuple(None if x is None else (x.device, x.dtype, x.shape, x.stride()) for x in tensors)
        precision = torch.get_autocast_dtype("cuda") if torch.is_autocast_enabled("cuda") else None
        return shapes, tuple(sorted(options.items())), precision

    def _keep(self, kind: Hashable, found: Recording | None) -> None:
        self._known[kind] = found
        self._known.move_to_end(kind)
        kept = [other for other, recording in self._known.items() if recording is not None]
        for oldest in kept[: -self.most]:
            del self._known[oldest]
        while len(self._known) > 16 * self.most:  # kinds that came once
            self._known.popitem(last=False)
