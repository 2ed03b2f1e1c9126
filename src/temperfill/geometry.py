"""Boxes in pictures, the sizes that methods take, and what stands where in answers about cells."""

from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

P = TypeVar("P")
"""Arrays of numpy, or tensors of torch."""

Box = tuple[int, int, int, int]
"""Top, left, bottom, right of a part of a picture or map; the last two lie outside."""


@dataclass(frozen=True)
class SizeRule:
    """The picture sizes that a method accepts; whoever calls the method pads to them.

    Attributes:
        multiple: height and width must be multiples of it, in pixels.
        minimum: smallest height and width, in pixels.
    """

    multiple: int = 1
    minimum: int = 1

    def __post_init__(self) -> None:
        """Raises ValueError for a value below 1."""
        if self.multiple < 1 or self.minimum < 1:
            raise ValueError(f"multiple and minimum must be at least 1, got {self.multiple} and {self.minimum}")


class CellSources(NamedTuple, Generic[P]):
    """Where cells of one picture are copied from; cells are numbered row by row.

    Attributes:
        cells: (N,) that were asked for.
        weights: (heads, N, top) of the softmax over all keys, largest first.
        sources: (heads, N, top) centre cells of the keys.
        temperatures: (heads,) that were used.
        stride: side of a cell, pixels.
        patch_size: side of a patch, cells.
    """

    cells: P
    weights: P
    sources: P
    temperatures: P
    stride: int
    patch_size: int
