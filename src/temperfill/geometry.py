"""Boxes in pictures, and the sizes that methods take."""

from dataclasses import dataclass

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
