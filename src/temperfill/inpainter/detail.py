"""Detail of the full size for a window that was filled small, copied along the attention of the small picture."""

from temperfill.arrays import Array
from temperfill.inpainter.planes import Planes, enlarge, pad_cells
from temperfill.inpainter.transfer import carry_detail
from temperfill.methods.contract import ArrayMethod

TOP = 4
"""Patches from which detail is blended."""


def enlarge_with_detail(
    method: ArrayMethod,
    planes: Planes,
    small: Planes,
    filled: Array,
    factor: int,
    temperature: float,
    start: Array | None = None,
) -> Array:
    """A filled small picture at full size, with detail that the head which copies most sharply brings into the hole.

    Args:
        method: that filled it; without attention that can be looked at, nothing is added.
        planes: at full size.
        small: the same, shrunk.
        filled: (1, 3, h, w), the result for ``small``.
        factor: by which it is shrunk.
        temperature: factor on the learned temperatures.
        start: that the refinement of ``small`` began with, if it was given one.

    Returns:
        (1, 3, H, W) of whole cells, not pasted.
    """
    enlarged = enlarge(filled, factor)
    find = method.abilities.sources
    if find is None:
        return enlarged
    looked = (small.image, small.mask, small.sketch)
    found = find(*looked, temperature=temperature, top=TOP, start=start, avoid=small.avoid)
    lacking = (pad_cells(planes.image, factor) - enlarged) * (1 - pad_cells(planes.mask, factor))
    head = int(found.temperatures.argmin())
    copied = found.weights[head], found.sources[head]
    return enlarged + carry_detail(lacking, found.cells, *copied, found.stride * factor)
