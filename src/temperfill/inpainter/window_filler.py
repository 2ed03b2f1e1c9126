"""How one window of a picture is filled: by a method, small where the hole is thick, and refined up to its own size."""

import hashlib
from collections import deque
from typing import NamedTuple

import numpy as np

from temperfill import regions
from temperfill.arrays import Array
from temperfill.inpainter import memory, texture
from temperfill.inpainter.detail import enlarge_with_detail
from temperfill.inpainter.filling import can_copy, fill_arrays, pad
from temperfill.inpainter.memory import Scale
from temperfill.inpainter.plan import ScaledWindow, copies
from temperfill.inpainter.planes import Hole, HoledPicture, Planes, enlarge, shrink_image
from temperfill.inpainter.progress import FillProgress
from temperfill.inpainter.sources import Head, heads_at
from temperfill.inpainter.surroundings import bound
from temperfill.inpainter.tone import match_tone
from temperfill.methods.contract import Arithmetic, ArrayMethod, FindSources
from temperfill.options import FillOptions


class Drawing(NamedTuple):
    """What was drawn into a window before texture was copied over it.

    Attributes:
        key: of all that decides it.
        values: (1, 3, n), of the missing pixels of the window.
        scale: at which it was drawn.
        is_covered: texture is copied over it, which is where another seed may give another result.
    """

    key: bytes
    values: Array
    scale: Scale
    is_covered: bool

    def over(self, planes: Planes) -> Array:
        """(1, 3, h, w), the window with what was drawn."""
        filled = planes.image.copy()
        filled[:, :, planes.mask[0, 0] > 0.5] = self.values
        return filled


Drawings = deque[Drawing | None]
"""What was drawn into each window of a picture, in order; None where that is not known."""


class Filled(NamedTuple):
    """A window that was filled.

    Attributes:
        pixels: (h, w, 3), to be pasted into its hole.
        copied: into it.
        drawing: below that, where it was to be kept.
    """

    pixels: Array
    copied: texture.Copied | None
    drawing: Drawing | None


class WindowFiller:
    """Fills windows with a method.

    A window is made small enough for the method to know the structure of its hole; the result is enlarged to about
    twice the size and refined there, and so on up to full size. Where that is too large, detail of the full size is
    copied along the attention that was found last. Into thick holes texture is copied instead
    (:mod:`temperfill.inpainter.texture`). What a network filled is brought to the tone of its surroundings
    (:mod:`temperfill.inpainter.tone`).

    Args:
        method: does the work.
        precision: arithmetic of its network.
    """

    def __init__(self, method: ArrayMethod, precision: Arithmetic) -> None:
        self.method = method
        self.precision = precision

    def steps(self, window: ScaledWindow, size: tuple[int, ...], options: FillOptions) -> int:
        """Calls of the method for a window of a picture of this size, if memory suffices, and steps of copying."""
        copied = self.copies(window, size, options)
        return 1 + len(self._sizes(window, _begin(window, copied))) + (texture.STEPS if copied else 0)

    def fill(
        self,
        picture: HoledPicture,
        window: ScaledWindow,
        options: FillOptions,
        seed: int,
        progress: FillProgress,
        drawings: Drawings,
        keep: bool,
    ) -> Filled:
        """Fills a window of a picture.

        Args:
            picture: as it is now; not changed.
            window: to fill; other holes in it stay hidden from the method.
            options: what the caller asks for.
            seed: of what is copied.
            progress: of the picture; is told of every call of the method but the last.
            drawings: the first of which is taken away, and used if all that decides it is as it was.
            keep: the drawing, also where no texture is copied over it.

        Raises:
            MemoryShortage: nothing helped.
            ValueError: a method that fails.
        """
        copied = self.copies(window, picture.hole.shape, options)
        planes = picture.planes(window.box)
        progress.beat()
        key = self._key(planes, window, copied, options.temperature) if copied or keep else b""
        drawing = drawings.popleft() if drawings else None
        if drawing is not None and drawing.key != key:
            drawing = None  # its memory may be needed
        scale = _begin(window, copied) if drawing is None else drawing.scale
        filled = None if drawing is None else drawing.over(planes)
        while filled is None:
            try:
                with self.method.computing(self.precision, progress.beat):
                    filled = self._fill(planes, window, scale, copied, options.temperature, progress)
            except (RuntimeError, MemoryError) as error:
                if not memory.is_shortage(error):
                    raise
            if filled is None:  # here the error is gone, with all tensors that it held
                scale = memory.smaller(self.method, window, scale, options)
        if drawing is None and key:
            drawing = Drawing(key, filled[:, :, planes.mask[0, 0] > 0.5], scale, copied)
        result, copies = self._finish(planes, filled, window, scale if copied else None, seed, progress)
        return Filled(result, copies, drawing)

    def _finish(
        self,
        planes: Planes,
        filled: Array,
        window: ScaledWindow,
        copied: Scale | None,
        seed: int,
        progress: FillProgress,
    ) -> tuple[Array, texture.Copied | None]:
        """Tone, texture and noise of what was drawn, where texture is copied at some scale."""
        result: Array = np.array(filled[0].transpose(1, 2, 0))
        unusable = _unusable(planes)
        if self.method.abilities.tone_drifts:
            progress.beat()
            match_tone(result, window.hole, ~unusable)
        if self.method.abilities.colours_stray:
            progress.beat()
            bound(result, window.hole, ~unusable)
        copies = None
        if copied is not None:
            _show(window, filled, progress)
            try:
                result, copies = texture.copy_texture(result, window.hole, unusable, window.across, seed, progress)
            except (RuntimeError, MemoryError) as error:
                if not memory.is_shortage(error):
                    raise
        progress.beat()
        if copied is not None or self.method.abilities.tone_drifts:
            texture.continue_noise(result, window.hole, ~unusable, seed)
        return result, copies

    def _key(self, planes: Planes, window: ScaledWindow, copied: bool, temperature: float) -> bytes:
        """Of all that decides what is drawn into a window."""
        deciding = (window.box, window.factor, copied, temperature, self.precision)
        digest = hashlib.sha256(repr(deciding).encode())
        digest.update(np.packbits(window.hole).tobytes())
        for plane in (planes.image, planes.mask, planes.sketch, planes.avoid):
            digest.update(b"-" if plane is None else plane.tobytes())
        return digest.digest()

    def sources(
        self,
        find: FindSources[Array],
        picture: HoledPicture,
        window: ScaledWindow,
        point: tuple[int, int],
        options: FillOptions,
        top: int,
    ) -> list[Head]:
        """Where the filler would copy a pixel of a window's hole from; see :func:`temperfill.inpainter.sources`."""
        rule = self.method.size_rule
        planes = picture.planes(window.box).shrunk(window.factor)
        with self.method.computing(self.precision):
            return heads_at(find, rule, planes, window, point, picture.hole.shape, options.temperature, top)

    def _can_copy(self, planes: Planes) -> bool:
        if planes.avoid is None:
            return True
        rule = self.method.size_rule
        return can_copy(self.method, pad(planes.mask, rule), pad(planes.avoid, rule))

    def copies(self, window: ScaledWindow, size: tuple[int, ...], options: FillOptions) -> bool:
        """Whether texture is copied: by itself only over what a method drew that can refine."""
        if options.texture == "auto" and not self.method.abilities.start:
            return False
        return copies(window, size, options)

    def _sizes(self, window: ScaledWindow, scale: Scale) -> list[int]:
        """By how much a window is shrunk at each size of its refinement."""
        if scale.factor == 1 or not self.method.abilities.start:
            return []
        return window.sizes(scale.factor, scale.finest)

    def _fill(
        self,
        planes: Planes,
        window: ScaledWindow,
        scale: Scale,
        copied: bool,
        temperature: float,
        progress: FillProgress,
    ) -> Array:
        """(1, 3, h, w): filled at one scale and refined from there; without detail where that will be copied."""
        factor, sizes = scale.factor, self._sizes(window, scale)
        progress.beat()
        small = planes.shrunk(factor)
        progress.beat()
        is_blind = _is_blind(small, planes)
        if is_blind:
            filled = planes.plain(factor)
        else:
            filled = fill_arrays(self.method, small.image, small.mask, small.sketch, temperature, avoid=small.avoid)
        if factor == 1:
            return filled
        progress.advance()
        if not sizes and not copied and not is_blind:
            return planes.paste(enlarge_with_detail(self.method, planes, small, filled, factor, temperature))
        completed = planes.paste(enlarge(filled, factor))
        _show(window, completed, progress)
        top, left, bottom, right = window.refined.box
        near, begun = planes.cut(window.refined.box), completed[:, :, top:bottom, left:right]
        for size in sizes:
            small = near.shrunk(size)
            if _is_blind(small, near) or not self._can_copy(small):  # what was filled before, from farther away, stays
                progress.advance()
                continue
            start = shrink_image(begun, size) if size > 1 else begun
            filled = fill_arrays(self.method, small.image, small.mask, small.sketch, temperature, start, small.avoid)
            if size > 1 and size == sizes[-1] and not copied:
                filled = near.paste(enlarge_with_detail(self.method, near, small, filled, size, temperature, start))
            elif size > 1:
                filled = near.paste(enlarge(filled, size))
            begun[:] = filled  # a view of the completed picture
            progress.advance()
        return completed


def _show(window: ScaledWindow, filled: Array, progress: FillProgress) -> None:
    """Shows the hole of a window as it looks so far."""
    if progress.on_draft is None:
        return
    first_row, first_column = window.box[:2]
    top, left, bottom, right = regions.bounds(window.hole)
    shown = filled[0, :, top:bottom, left:right].transpose(1, 2, 0)
    box = (first_row + top, first_column + left, first_row + bottom, first_column + right)
    progress.on_draft(box, window.hole[top:bottom, left:right], shown)


def _is_blind(small: Planes, planes: Planes) -> bool:
    """Whether all that a method would see is missing, as shrinking hid what is known."""
    return bool(small.mask.all()) and not bool(planes.mask.all())


def _unusable(planes: Planes) -> Hole:
    """(h, w): missing, or to be avoided."""
    unusable = planes.mask[0, 0] > 0
    return unusable if planes.avoid is None else unusable | (planes.avoid[0, 0] > 0)


def _begin(window: ScaledWindow, copied: bool) -> Scale:
    """The scale at which a window is tried first; what guides copies is not refined up to its own size."""
    return Scale(window.factor, window.guiding if copied else 1)
