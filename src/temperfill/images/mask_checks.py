"""Masks that cannot be meant: photographs, and strokes too weak to mark anything."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from temperfill.errors import InputError

FORCE = "or take it as it is with force (--force)"
_SIDE = 512  # a grid of so many values is looked at
_MIDDLE = (0.1, 0.9)  # brightness that is neither black nor white
_REACH = 2  # steps of the grid around a value that must be of middle brightness, too: not the rim of a stroke
_LEAST_SIDE = 64  # values; below it soft rims are all of a mask
# A photograph has many colours, or much of middle brightness that is textured; soft rims and shades are smoother.
_MOST_COLOURS = 800  # of 5 bits for each primary
_GREY, _COLOURFUL = (0.45, 0.010, 0), (0.3, 0.006, 150)  # least share, mean second difference, and colours
_WHITE = 0.75  # a mask of nothing darker marks all of the picture, and of nothing more by accident


def check_meant(
    values: NDArray[np.floating], colours: NDArray[np.uint8] | None, name: str, *, invert: bool, alpha_varies: bool
) -> None:
    """Refuses a mask by which something else would be filled than what somebody marked.

    Args:
        values: (H, W) brightness in [0, 1]; above half marks what to fill.
        colours: (H, W, 3) of a mask that has any.
        name: of the mask.
        invert: whether darkness marks it.
        alpha_varies: whether the mask's opacity does.

    Raises:
        InputError: a photograph, or strokes that are too weak; names the remedy.
    """
    check_strength(values, name, "white", invert=invert)
    if _is_photograph(values, colours):
        remedy = "give black with white where to fill; are image and mask swapped?"
        if alpha_varies:
            remedy = "if its hole is transparent, use mask channel alpha and invert the mask"
        raise InputError(f"{name} looks like a photograph, of which half would be filled: {remedy}, {FORCE}")


def check_strength(values: NDArray[np.floating], name: str, full: str, *, invert: bool) -> None:
    """Refuses a mask whose strokes all lie on one side of half, so that they mark nothing or everything.

    Args:
        values: (H, W) in [0, 1]; above half marks what to fill.
        name: of the mask.
        full: what 1 is called.
        invert: whether what is below half marks it.

    Raises:
        InputError: such a mask.
    """
    least, most = float(values.min()), float(values.max())
    if 0 < most <= 0.5:
        what = f"nothing in it is more than half {full} (at most {most:.0%}); draw in {full}"
    elif invert and 0.5 < least < 1 and least < most:
        what = f"nothing in it is less than half {full} (at least {least:.0%}); draw in black"
    elif not invert and 0.5 < least < min(_WHITE, most):
        what = f"nothing in it is less than half {full} (at least {least:.0%}); draw on black"
    else:
        return
    raise InputError(f"{name} marks {'everything' if (most <= 0.5) == invert else 'nothing'}: {what}, {FORCE}")


def _is_photograph(values: NDArray[np.floating], colours: NDArray[np.uint8] | None) -> bool:
    step = max(1, -(-max(values.shape) // _SIDE))
    number = 0 if colours is None else _number_of_colours(colours[::step, ::step])
    share, texture = _middle(values[::step, ::step])
    found = (share, texture, number)
    return number > _MOST_COLOURS or any(
        all(value >= least for value, least in zip(found, enough, strict=True)) for enough in (_GREY, _COLOURFUL)
    )


def _number_of_colours(colours: NDArray[np.uint8]) -> int:
    """How many colours that are no greys there are, in 5 bits for each primary."""
    levels = (colours >> 3).reshape(-1, 3).astype(np.int32)
    is_grey = levels.max(1) - levels.min(1) <= 1
    return len(np.unique(levels[~is_grey] @ np.array([1024, 32, 1], np.int32)))


def _middle(grid: NDArray[np.floating]) -> tuple[float, float]:
    """Share of the values of middle brightness away from rims, and their mean second difference; 0 for even ones."""
    if min(grid.shape) < _LEAST_SIDE:
        return 0.0, 0.0
    inner = (grid > _MIDDLE[0]) & (grid < _MIDDLE[1])
    places = range(-_REACH, _REACH + 1)
    core = np.logical_and.reduce([_moved(inner, down, right) for down in places for right in places])
    if not core.any():
        return 0.0, 0.0
    middle = 2 * _moved(grid, 0, 0)
    across = np.abs(middle - _moved(grid, 0, 1) - _moved(grid, 0, -1))
    along = np.abs(middle - _moved(grid, 1, 0) - _moved(grid, -1, 0))
    bends = (across + along)[core] / 2
    is_flat = 2 * np.count_nonzero(bends) < bends.size  # a few even greys
    return float(core.mean()), 0.0 if is_flat else float(bends.mean())


def _moved(grid: NDArray[Any], down: int, right: int) -> NDArray[Any]:
    """The grid without its rim, seen from some steps away."""
    rows, columns = (size - 2 * _REACH for size in grid.shape)
    return grid[_REACH + down : _REACH + down + rows, _REACH + right : _REACH + right + columns]
