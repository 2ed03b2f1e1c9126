"""What is done when memory runs out while a window is filled.

First the method works in smaller parts, which changes nothing but the time; when that does not help, the refinement
ends at a smaller size, and then the window is made smaller.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

from temperfill.errors import MemoryShortage, tells_of_shortage
from temperfill.inpainter.plan import ScaledWindow
from temperfill.methods.contract import ArrayMethod
from temperfill.options import FillOptions

SMALLEST_SIDE = 96
"""Side, in pixels, below which a window is not shrunk further."""


@dataclass(frozen=True)
class Scale:
    """How small a window is made.

    Attributes:
        factor: by which it is shrunk when it is filled first.
        finest: by which it is shrunk at the last size of its refinement, at least.
    """

    factor: int
    finest: int = 1


def is_shortage(error: BaseException) -> bool:
    """Whether an error of Python or torch says that memory ran out."""
    return isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and tells_of_shortage(error))


@contextlib.contextmanager
def shortages() -> Iterator[None]:
    """Raises torch's errors of too little memory, wherever they come from, as MemoryShortage."""
    try:
        yield
    except RuntimeError as error:
        if not is_shortage(error):
            raise
        raise MemoryShortage(f"not enough memory ({str(error).splitlines()[0]})") from None


def smaller(method: ArrayMethod, window: ScaledWindow, scale: Scale, options: FillOptions) -> Scale:
    """The scale at which to try again after memory ran out; the method may have been told to take less of it.

    Args:
        method: that ran out of memory.
        window: that it was to fill.
        scale: at which it was.
        options: of the caller.

    Raises:
        MemoryShortage: nothing is left to try.
    """
    lighten = method.abilities.use_less_memory
    if lighten is not None and lighten():
        return scale
    if method.abilities.start and (sizes := window.sizes(scale.factor, scale.finest)):
        return replace(scale, finest=2 * sizes[-1])  # the refinement sees the largest picture
    factor, (height, width) = 2 * scale.factor, window.hole.shape
    fixed = options.strategy in ("full", "crop")
    if fixed or max(height, width) < SMALLEST_SIDE * factor:
        remedy = "use strategy auto, " if fixed else ""
        elsewhere = "" if method.device.type == "cpu" else ", or use device cpu"
        raise MemoryShortage(
            f"not enough memory on {method.device} for a part of {width}x{height} pixels; "
            f"{remedy}close other programs{elsewhere}"
        )
    return replace(scale, factor=factor)
