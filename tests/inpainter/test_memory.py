"""Which errors say that memory ran out, and what is tried next."""

import contextlib
from typing import Any

import numpy as np
import pytest
import torch

from temperfill.arrays import Array
from temperfill.errors import MemoryShortage
from temperfill.geometry import SizeRule
from temperfill.inpainter import memory
from temperfill.inpainter.memory import Scale
from temperfill.inpainter.plan import ScaledWindow
from temperfill.methods.contract import Abilities, ArrayMethod
from temperfill.options import FillOptions


class Filler(ArrayMethod):
    """A method with memory to give back so many times."""

    name = "filler"
    size_rule = SizeRule()

    def __init__(self, lighter: int = 0, refines: bool = False) -> None:
        self.lighter = lighter
        self.abilities = Abilities(start=refines, use_less_memory=self.use_less_memory)

    def __call__(self, image: Array, mask: Array, *_: Any, **__: Any) -> Array:
        return image

    def use_less_memory(self) -> bool:
        self.lighter -= 1
        return self.lighter >= 0


def window(side: int, factor: int) -> ScaledWindow:
    hole = np.zeros((side, side), bool)
    hole[side // 4 : -side // 4, side // 4 : -side // 4] = True
    return ScaledWindow((0, 0, side, side), hole, factor, side / 2)


def scales(method: Filler, side: int, factor: int, options: FillOptions) -> list[Scale]:
    """Those that are tried, one after another, until nothing is left."""
    tried = [Scale(factor)]
    with contextlib.suppress(MemoryShortage):
        while True:
            tried.append(memory.smaller(method, window(side, factor), tried[-1], options))
    return tried


def test_first_smaller_parts_then_a_coarser_refinement_then_a_smaller_window() -> None:
    found = scales(Filler(lighter=1, refines=True), 400, 2, FillOptions())
    assert found == [Scale(2), Scale(2), Scale(2, 2), Scale(4, 2), Scale(4, 4)]


def test_without_refinement_the_window_is_halved_while_it_is_large_enough() -> None:
    assert scales(Filler(), 900, 1, FillOptions()) == [Scale(1), Scale(2), Scale(4), Scale(8)]


@pytest.mark.parametrize("strategy", ["full", "crop"])
def test_a_size_that_was_asked_for_is_kept(strategy: str) -> None:
    assert scales(Filler(), 900, 1, FillOptions(strategy=strategy)) == [Scale(1)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("CUDA out of memory"), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes"), True),
        (RuntimeError("could not create a primitive"), True),
        (RuntimeError("a bug"), False),
        (ValueError("the word is out of memory"), False),
    ],
)
def test_errors_of_memory_are_known_by_type_or_by_the_words_of_torch(error: Exception, expected: bool) -> None:
    assert memory.is_shortage(error) == expected


def test_shortages_of_torch_get_a_type_of_their_own() -> None:
    with pytest.raises(MemoryShortage, match="CUDA out of memory"), memory.shortages():
        raise torch.OutOfMemoryError("CUDA out of memory\nTried to allocate 20 GiB")
    with pytest.raises(RuntimeError, match="a bug"), memory.shortages():
        raise RuntimeError("a bug")


def test_the_message_names_part_and_remedy() -> None:
    with pytest.raises(MemoryShortage, match="on cpu for a part of 300x300 pixels; use strategy auto, close other"):
        memory.smaller(Filler(), window(300, 1), Scale(1), FillOptions(strategy="full"))
    with pytest.raises(MemoryShortage, match=r"on cpu for a part of 100x100 pixels; close other programs$"):
        memory.smaller(Filler(), window(100, 1), Scale(1), FillOptions())
