"""What a method of inpainting is: a call on batches, and what it declares that it can do besides."""

from collections.abc import Callable
from dataclasses import dataclass
from types import FunctionType
from typing import Protocol, runtime_checkable

from torch import Tensor

from temperfill.geometry import SizeRule
from temperfill.nets.generator import CellSources
from temperfill.nets.network import Network

Plain = Callable[[Tensor, Tensor], Tensor]
"""A function of image (B, 3, H, W) in [0, 1] and mask (B, 1, H, W), 1 = missing, that gives (B, 3, H, W)."""


ANY_SIZE = SizeRule()
"""Of methods that take every size."""


class FindSources(Protocol):
    """Tells where a method's attention copies from."""

    def __call__(
        self,
        image: Tensor,
        mask: Tensor,
        sketch: Tensor | None = None,
        *,
        temperature: float = 1.0,
        cells: Tensor | None = None,
        top: int = 4,
        start: Tensor | None = None,
        avoid: Tensor | None = None,
    ) -> CellSources:
        """Where the cells of a hole of one picture are copied from.

        Args:
            image: (1, 3, H, W) in [0, 1].
            mask: (1, 1, H, W), 1 = missing.
            sketch: (1, 1, H, W), 1 = line, or None.
            temperature: factor on the learned temperatures.
            cells: (N,) cells asked for, numbered row by row; None for those of the hole.
            top: sources of each.
            start: (1, 3, H, W) in [0, 1], the picture from which the method was to begin, or None.
            avoid: (1, 1, H, W), 1 = known, but nothing is copied from here; None for nowhere.
        """


@dataclass(frozen=True)
class Abilities:
    """What a method can do besides filling holes.

    Attributes:
        sketch: follows a sketch of lines in the hole.
        temperature: has learned temperatures, which can be scaled.
        start: can begin from a given picture and refine it.
        tone_drifts: what it fills may be a little lighter or darker than its surroundings.
        colours_stray: what it fills may have colours that are nowhere around.
        sources: tells where its attention copies from; None if it cannot.
        avoid: copies nothing from what is to be avoided. The function takes mask and avoid, each (B, 1, H, W), and
            tells whether anything is left to copy from; None for a method that cannot avoid.
        use_less_memory: takes less memory from now on, and is False if nothing is left to do; None if it never can.
        network: that computes it, in evaluation mode; it can be moved and saved. None for a method without.
    """

    sketch: bool = False
    temperature: bool = False
    start: bool = False
    tone_drifts: bool = False
    colours_stray: bool = False
    sources: FindSources | None = None
    avoid: Callable[[Tensor, Tensor], bool] | None = None
    use_less_memory: Callable[[], bool] | None = None
    network: Network | None = None


@runtime_checkable
class Method(Protocol):
    """A method of inpainting."""

    @property
    def name(self) -> str:
        """Short name."""

    @property
    def size_rule(self) -> SizeRule:
        """Sizes that calls must have."""

    @property
    def abilities(self) -> Abilities:
        """What it can do; a call is given only what is declared here."""

    def __call__(
        self,
        image: Tensor,
        mask: Tensor,
        sketch: Tensor | None = None,
        *,
        temperature: float = 1.0,
        start: Tensor | None = None,
        avoid: Tensor | None = None,
    ) -> Tensor:
        """Fills the holes of a batch.

        Args:
            image: (B, 3, H, W) in [0, 1]; content of the hole does not matter.
            mask: (B, 1, H, W), 1 = missing; each picture has its own.
            sketch: (B, 1, H, W), 1 = line, or None.
            temperature: factor on the learned temperatures.
            start: (B, 3, H, W) in [0, 1], the picture from which to begin, or None.
            avoid: (B, 1, H, W), 1 = known, but nothing is copied from here; None for nowhere.

        Returns:
            (B, 3, H, W) in [0, 1], not pasted, in dtype and on the device of ``image``.
        """


class PlainMethod:
    """A function of image and mask as a method.

    Args:
        function: does the work.
        name: of the method.
        size_rule: sizes that the function takes.
        tone_drifts: as in its abilities.
        colours_stray: likewise.
        network: that the function calls, if it calls one.

    Attributes:
        name: of the method.
        size_rule: sizes it takes.
        abilities: none that comes with a call.
    """

    def __init__(
        self,
        function: Plain,
        name: str,
        size_rule: SizeRule = ANY_SIZE,
        tone_drifts: bool = False,
        colours_stray: bool = False,
        network: Network | None = None,
    ) -> None:
        self.name = name
        self.size_rule = size_rule
        self.abilities = Abilities(tone_drifts=tone_drifts, colours_stray=colours_stray, network=network)
        self._function = function

    def __call__(
        self,
        image: Tensor,
        mask: Tensor,
        sketch: Tensor | None = None,
        *,
        temperature: float = 1.0,
        start: Tensor | None = None,
        avoid: Tensor | None = None,
    ) -> Tensor:
        """Fills the holes of a batch, as :class:`Method`.

        Raises:
            ValueError: a sketch, a temperature, a start picture or something to avoid, of which the function knows
                nothing.
        """
        if sketch is not None or temperature != 1 or start is not None or avoid is not None:
            raise ValueError(f"method {self.name} takes an image and a mask alone")
        return self._function(image, mask)


def plain(method: Method | Plain) -> Method:
    """A method as it is; a plain function of image and mask as a method for any size, called by its name."""
    if isinstance(method, Method):
        return method
    return PlainMethod(method, method.__name__ if isinstance(method, FunctionType) else type(method).__name__)
