"""How a picture of any size is taken apart for a method that knows small ones.

=============  =======================================================================================================
strategy       what is done
=============  =======================================================================================================
``full``       the whole picture at its own size, so that everything known can be copied from
``crop``       windows around the holes, at their own size
``multiscale`` windows are made small enough for the method to know their structure; the result is enlarged to about
               twice the size and refined there, and so on up to full size; where that is too large, detail of the full
               size is copied along the attention that was found last
``auto``       small pictures whole, others in windows; a window with a thick hole in multiscale
=============  =======================================================================================================

What a network filled is brought to the tone of its surroundings (:mod:`temperfill.inpainter.tone`), and is known to the
next window. When memory runs out, the attention matches fewer patches at once, which
changes nothing but the time; when that does not help, the refinement ends at a smaller size, and then the window is
made smaller.
"""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from temperfill.attention.transfer import carry_detail
from temperfill.inpainter.calling import Method, fill, pad
from temperfill.inpainter.plan import CELL, Part, Wishes, divide
from temperfill.inpainter.scales import bicubic, enlarge, pad_cells, shrink, small_planes
from temperfill.inpainter.tone import match_tone
from temperfill.tensors import Box

OnProgress = Callable[[int, int], None]
"""Called with the steps that are done and their number."""

SMALLEST_SIDE = 96
"""Side, in pixels, below which a window is not shrunk further when memory runs out."""
TOP = 4
"""Patches from which detail is blended."""
OUT_OF_MEMORY = (
    *("out of memory", "not enough memory", "can't allocate memory", "Unable to allocate"),
    *("could not create a primitive", "could not create a memory", "could not execute a primitive"),  # oneDNN
)

Array = NDArray[np.float32]
Hole = NDArray[np.bool_]


class Holed(NamedTuple):
    """A picture to fill.

    Attributes:
        rgb: (H, W, 3) in [0, 1].
        hole: (H, W), True = missing.
        sketch: (H, W), True = line, or None; lines may be of any width.
    """

    rgb: Array
    hole: Hole
    sketch: Hole | None = None


class Filler:
    """Fills arrays with a method.

    Args:
        method: does the work.
        device: of the tensors that it gets.
        precision: arithmetic of its network.
    """

    def __init__(self, method: Method, device: torch.device, precision: Literal["fp32", "bf16"]) -> None:
        self.method = method
        self.device = device
        self.precision = precision

    def __call__(self, pictures: Sequence[Holed], wishes: Wishes, on_progress: OnProgress | None = None) -> list[Array]:
        """Fills pictures; windows of one size go through the method together.

        Args:
            pictures: all of them are held in memory.
            wishes: what the caller asks for.
            on_progress: called before every call of the method and at the end.

        Returns:
            (H, W, 3) each, with the hole filled.

        Raises:
            ValueError: too little memory, or a method that fails.
        """
        works = [_Work(p.rgb.copy(), p.hole.copy(), p.sketch, divide(p.hole, wishes)) for p in pictures]
        progress = _Progress(on_progress, sum(self._steps(part) for work in works for part in work.parts))
        # The windows of one picture take turns, since the next is to know what one filled.
        for turn in range(max((len(work.parts) for work in works), default=0)):
            alike: dict[Any, list[_Work]] = {}
            for work in works:
                if turn < len(work.parts):
                    part = work.parts[turn]
                    alike.setdefault((part.hole.shape, part.factor, work.sketch is None), []).append(work)
            for group in alike.values():
                progress.begin(sum(self._steps(work.parts[turn]) for work in group))
                self._take_turn(group, turn, wishes, progress)
        progress.end()
        return [work.result for work in works]

    def _steps(self, part: Part) -> int:
        """Calls of the method for a window."""
        return 1 + len(self._sizes(part, part.factor, 1))

    def _sizes(self, part: Part, factor: int, finest: int) -> list[int]:
        """By how much a window that was filled ``factor`` times shrunk is shrunk at each size of its refinement."""
        if factor == 1 or not getattr(self.method, "takes_coarse", False):
            return []
        return part.sizes(factor, finest)

    def _take_turn(self, works: Sequence["_Work"], turn: int, wishes: Wishes, progress: "_Progress") -> None:
        """Fills a window of each picture, all of one size."""
        parts = [work.parts[turn] for work in works]
        shown = [Holed(work.result, work.missing, work.sketch) for work in works]
        planes = self._planes(shown, [part.box for part in parts])
        filled = self._fill_windows(planes, parts, wishes, progress)
        for work, part, found in zip(works, parts, filled, strict=True):
            top, left, bottom, right = part.box
            inside = np.s_[top:bottom, left:right]
            work.result[inside][part.hole] = found.permute(1, 2, 0).cpu().numpy()[part.hole]
            if getattr(self.method, "tone_drifts", False):
                match_tone(work.result[inside], part.hole, ~work.missing[inside])
            work.missing[inside][part.hole] = False

    def sources(
        self, rgb: Array, hole: Hole, sketch: Hole | None, point: tuple[int, int], wishes: Wishes, top: int
    ) -> list[tuple[float, list[tuple[Box, float]]]]:
        """Temperature, and boxes in the picture with their weights, of every head at a pixel of the hole.

        Holes of other windows count as missing. A thick hole is looked at in the small picture, before any refinement.
        """
        part = next(part for part in divide(hole, wishes) if part.holds(point))
        planes = self._planes([Holed(rgb, hole, sketch)], [part.box])
        factor = part.factor
        small = pad(small_planes(planes, factor), self.method.size_rule)
        with self._arithmetic():
            method: Any = self.method
            columns = small[0].shape[3] // CELL
            cell = CELL * factor
            asked = (point[0] - part.box[0]) // cell * columns + (point[1] - part.box[1]) // cell
            cells = torch.tensor([asked], device=self.device)
            found = method.matches(*small, temperature=wishes.temperature, cells=cells, top=top)
        before, side = (found.patch_size - 1) // 2, found.patch_size * cell
        heads = []
        for heat, weights, sources in zip(found.temperatures, found.weights[:, 0], found.sources[:, 0], strict=True):
            corners = [((int(s) // columns - before) * cell, (int(s) % columns - before) * cell) for s in sources]
            boxes = [_clip((y, x, y + side, x + side), part.box, hole.shape) for y, x in corners]
            heads.append((float(heat), [(box, float(w)) for box, w in zip(boxes, weights, strict=True)]))
        return heads

    def _planes(self, pictures: Sequence[Holed], boxes: Sequence[Box]) -> list[Tensor]:
        """Images, masks and sketches, if there are any, of windows of one size: (B, C, h, w) each."""
        cut = []
        for picture, (top, left, bottom, right) in zip(pictures, boxes, strict=True):
            inside = np.s_[top:bottom, left:right]
            planes = [picture.rgb[inside].transpose(2, 0, 1), picture.hole[inside][None]]
            if picture.sketch is not None:
                planes.append(picture.sketch[inside][None])
            cut.append(planes)
        joined = [np.stack(planes).astype(np.float32, copy=False) for planes in zip(*cut, strict=True)]
        return [torch.from_numpy(planes).to(self.device) for planes in joined]

    def _fill_windows(
        self, planes: list[Tensor], parts: Sequence[Part], wishes: Wishes, progress: "_Progress"
    ) -> Tensor:
        """Fills windows, shrunk as far as their holes ask for; if memory runs out, one by one and in smaller parts."""
        factor, finest, (height, width) = parts[0].factor, 1, parts[0].hole.shape
        while True:
            try:
                with self._arithmetic():
                    return self._fill_shrunk(planes, parts, factor, finest, wishes.temperature, progress)
            except (RuntimeError, MemoryError) as error:
                # On the CPU torch raises a plain RuntimeError.
                known = isinstance(error, MemoryError | torch.OutOfMemoryError)
                if not known and not any(text in str(error) for text in OUT_OF_MEMORY):
                    raise
            if len(parts) > 1:
                singles = zip(*(plane.split(1) for plane in planes), strict=True)
                found = [
                    self._fill_windows(list(single), [part], wishes, progress)
                    for single, part in zip(singles, parts, strict=True)
                ]
                return torch.cat(found)
            if getattr(self.method, "lighten", bool)():
                continue
            if sizes := self._sizes(parts[0], factor, finest):  # the refinement sees the largest picture
                finest = 2 * sizes[-1]
                continue
            factor *= 2
            if wishes.strategy in ("full", "crop") or max(height, width) < SMALLEST_SIDE * factor:
                remedy = "use strategy auto, " if wishes.strategy in ("full", "crop") else ""
                raise ValueError(
                    f"not enough memory on {self.device} for a part of {width}x{height} pixels; "
                    f"{remedy}close other programs, or use device cpu"
                )

    def _fill_shrunk(
        self,
        planes: list[Tensor],
        parts: Sequence[Part],
        factor: int,
        finest: int,
        temperature: float,
        progress: "_Progress",
    ) -> Tensor:
        """Fills windows that are shrunk by ``factor``, and refines them shrunk by ``finest`` at least."""
        small = small_planes(planes, factor)
        filled = self._call(small, temperature)
        if factor == 1:
            return filled
        progress.advance(len(parts))
        results = []
        for number, part in enumerate(parts):
            one, small_one = ([plane[number, None] for plane in some] for some in (planes, small))
            sizes = self._sizes(part, factor, finest)
            if sizes:
                completed = enlarge(filled[number, None], one, factor)
                results.append(self._refine(one, completed, part.refined.box, sizes, temperature, progress))
            else:
                results.append(self._enlarge_with_detail(one, filled[number, None], small_one, factor, temperature))
        return torch.cat(results)

    def _refine(
        self,
        planes: list[Tensor],
        completed: Tensor,
        box: Box,
        factors: list[int],
        temperature: float,
        progress: "_Progress",
    ) -> Tensor:
        """Lets the method refine a completed picture in a box of it, shrunk by each of the factors in turn."""
        top, left, bottom, right = box
        *own, begun = (plane[:, :, top:bottom, left:right] for plane in (*planes, completed))
        for factor in factors:
            small = small_planes(own, factor)
            coarse = shrink(begun, factor, flat=False) if factor > 1 else begun
            refined = self._call(small, temperature, coarse)
            if factor > 1 and factor == factors[-1]:
                refined = self._enlarge_with_detail(own, refined, small, factor, temperature, coarse)
            elif factor > 1:
                refined = enlarge(refined, own, factor)
            begun.copy_(refined)  # a view of the completed picture
            progress.advance(1)
        return completed

    def _call(self, planes: list[Tensor], temperature: float, coarse: Tensor | None = None) -> Tensor:
        image, mask, *sketch = planes
        return fill(self.method, image, mask, sketch[0] if sketch else None, temperature, coarse)

    def _enlarge_with_detail(
        self,
        planes: list[Tensor],
        filled: Tensor,
        small: list[Tensor],
        factor: int,
        temperature: float,
        coarse: Tensor | None = None,
    ) -> Tensor:
        """A filled small picture at full size, with detail copied into the hole by the head that copies most sharply.

        The attention is that of the small picture, whose refinement began with ``coarse``.
        """
        if not getattr(self.method, "has_matches", False):
            return enlarge(filled, planes, factor)
        method: Any = self.method
        given = {} if coarse is None else {"coarse": coarse}
        found = method.matches(*small, temperature=temperature, top=TOP, **given)
        image, mask = (pad_cells(plane, factor) for plane in planes[:2])
        lacking = (image - bicubic(filled, factor)) * (1 - mask)
        head = int(found.temperatures.argmin())
        detail = carry_detail(
            lacking, found.cells, found.weights[head].float(), found.sources[head], found.stride * factor
        )
        return enlarge(filled, planes, factor, detail)

    @contextlib.contextmanager
    def _arithmetic(self) -> Any:
        torch.set_flush_denormal(True)  # denormals slow CPUs down by an order of magnitude
        with contextlib.ExitStack() as stack:
            stack.enter_context(torch.inference_mode())
            if self.precision == "bf16":
                stack.enter_context(torch.autocast(self.device.type, torch.bfloat16))
            yield


@dataclass
class _Work:
    """A picture that is being filled."""

    result: Array
    missing: Hole
    sketch: Hole | None
    parts: list[Part]


@dataclass
class _Progress:
    """Tells how many of all calls of the method are done; those of a turn that is taken again count up to its last."""

    tell: OnProgress | None
    total: int
    done: int = 0
    end_of_turn: int = 0

    def begin(self, calls: int) -> None:
        """A turn of so many calls."""
        self.done = self.end_of_turn
        self.end_of_turn += calls
        self._say()

    def advance(self, calls: int) -> None:
        """So many calls of the turn are over."""
        before, self.done = self.done, min(self.done + calls, self.end_of_turn - 1)
        if self.done > before:
            self._say()

    def end(self) -> None:
        """All is done."""
        self.done = self.total
        self._say()

    def _say(self) -> None:
        if self.tell is not None:
            self.tell(self.done, self.total)


def _clip(box: Box, window: Box, shape: tuple[int, ...]) -> Box:
    """A box of a window in the picture's coordinates and limits."""
    top, left = window[:2]
    return (
        min(max(box[0] + top, 0), shape[0] - 1),
        min(max(box[1] + left, 0), shape[1] - 1),
        min(box[2] + top, shape[0]),
        min(box[3] + left, shape[1]),
    )
