"""Methods on tensors of torch, at a door for arrays."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from functools import cache, partial

import numpy as np
import torch
from torch import Tensor

from temperfill.arrays import Array
from temperfill.geometry import CellSources
from temperfill.methods.contract import Abilities, Arithmetic, ArrayMethod, FindSources, Method
from temperfill.tensors import Watched

_HALF = {"bf16": torch.bfloat16, "fp16": torch.float16}


class OnTensors(ArrayMethod):
    """A method on tensors as one on arrays.

    Args:
        method: does the work.
        device: of the tensors that it gets.
    """

    def __init__(self, method: Method, device: torch.device | str) -> None:
        self.name, self.size_rule = method.name, method.size_rule
        self._method, self._device = method, torch.device(device)
        self.device = self._device
        own = method.abilities
        on_arrays = {
            "sources": None if own.sources is None else self._finder(own.sources),
            "avoid": None if own.avoid is None else self._looker(own.avoid),
        }
        self.abilities: Abilities[Array] = Abilities(**(vars(own) | on_arrays))  # all else as it is

    def __call__(
        self,
        image: Array,
        mask: Array,
        sketch: Array | None = None,
        *,
        temperature: float = 1.0,
        start: Array | None = None,
        avoid: Array | None = None,
    ) -> Array:
        """Fills the holes of a batch, as :class:`temperfill.methods.contract.Method`."""
        given, hole = self._tensor(image), self._tensor(mask)
        lines, begun, shunned = (None if plane is None else self._tensor(plane) for plane in (sketch, start, avoid))
        with torch.inference_mode():
            return array(self._method(given, hole, lines, temperature=temperature, start=begun, avoid=shunned))

    @contextlib.contextmanager
    def computing(self, precision: Arithmetic, on_step: Callable[[], None] | None = None) -> Iterator[None]:
        """Inference in a precision; ``on_step`` is called before every operation of torch."""
        _survive_forks()
        torch.set_flush_denormal(True)  # denormals slow CPUs down by an order of magnitude
        nothing = contextlib.nullcontext()
        cast = nothing if precision == "fp32" else torch.autocast(self._device.type, _HALF[precision])
        try:
            with torch.inference_mode(), cast, nothing if on_step is None else Watched(on_step):
                yield
        except torch.OutOfMemoryError as error:
            raise MemoryError(str(error)) from None

    def _tensor(self, plane: Array) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(plane)).to(self._device)

    def _finder(self, find: FindSources[Tensor]) -> FindSources[Array]:
        def found(
            image: Array,
            mask: Array,
            sketch: Array | None = None,
            *,
            temperature: float = 1.0,
            cells: Array | None = None,
            top: int = 4,
            start: Array | None = None,
            avoid: Array | None = None,
        ) -> CellSources[Array]:
            given = (self._tensor(image), self._tensor(mask))
            lines, asked, begun, shunned = (
                None if plane is None else self._tensor(plane) for plane in (sketch, cells, start, avoid)
            )
            told = find(*given, lines, temperature=temperature, cells=asked, top=top, start=begun, avoid=shunned)
            cells, weights, sources, temperatures = map(array, told[:4])
            return CellSources(cells, weights, sources, temperatures, told.stride, told.patch_size)

        return found

    def _looker(self, is_left: Callable[[Tensor, Tensor], bool]) -> Callable[[Array, Array], bool]:
        return lambda mask, avoid: is_left(self._tensor(mask), self._tensor(avoid))


def array(values: Tensor) -> Array:
    """A tensor on any device as an array; bfloat16, which numpy has not, as float32."""
    values = values.detach().cpu()
    found: Array = (values.float() if values.dtype == torch.bfloat16 else values).numpy()
    return found


def like(values: Array, tensor: Tensor) -> Tensor:
    """An array as a tensor of the type of another, and on its device."""
    return torch.from_numpy(np.ascontiguousarray(values)).to(tensor.device, tensor.dtype)


@cache
def _survive_forks() -> None:
    """Lets children of this process compute: on one thread, as those of OpenMP stay behind, and are waited for."""
    if sys.platform != "win32":
        os.register_at_fork(after_in_child=partial(torch.set_num_threads, 1))
