"""How a picture of any size is taken apart for a method that knows small ones.

=============  =======================================================================================================
strategy       what is done
=============  =======================================================================================================
``full``       the whole picture at its own size, so that everything known can be copied from
``crop``       windows around the holes, at their own size
``multiscale`` windows are made small enough for the method to know their structure; the result is enlarged, and detail
               of the full size is copied along the attention that was found at the small one
``auto``       small pictures whole, others in windows; a window with a thick hole in multiscale
=============  =======================================================================================================

What one window filled is known to the next. When memory runs out, the attention matches fewer patches at once, which
changes nothing but the time; when that does not help, the window is made smaller.
"""

import contextlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from temperfill import regions
from temperfill.attention.transfer import carry_detail
from temperfill.inpainter.calling import Method, fill, pad
from temperfill.tensors import Box, composite

Strategy = Literal["auto", "full", "crop", "multiscale"]
Context = Literal["auto", "full"]
OnProgress = Callable[[int, int], None]
"""Called with the parts that are done and their number."""

WHOLE_PIXELS = 640 * 640
"""Pictures up to this many pixels are filled whole, larger ones in windows around their holes."""
THICK = 128
"""Largest circle in a hole, pixels across, that is filled at full size; thicker ones lose their colour there."""
SHRUNK = 96
"""To how many pixels across a thicker one is shrunk, at most: about the largest in training."""
SMALLEST_SIDE = 96
"""Side, in pixels, below which a window is not shrunk further when memory runs out."""
TOP = 4
"""Patches from which detail is blended."""
OUT_OF_MEMORY = (
    *("out of memory", "not enough memory", "can't allocate memory", "Unable to allocate"),
    *("could not create a primitive", "could not create a memory", "could not execute a primitive"),  # oneDNN
)
_MULTIPLE = 4  # shrunk windows have sides of whole cells, so that cells at both sizes agree

Array = NDArray[np.float32]
Hole = NDArray[np.bool_]


@dataclass(frozen=True)
class Wishes:
    """What a caller may ask of the work; checked when built.

    Attributes:
        temperature: factor on the learned temperatures, 0.1 to 10.
        strategy: see the module.
        context: full lets everything known be copied from, whatever the size of the picture.
    """

    temperature: float = 1.0
    strategy: Strategy = "auto"
    context: Context = "auto"

    def __post_init__(self) -> None:
        """Raises ValueError for a value out of range."""
        if not 0.1 <= self.temperature <= 10:
            raise ValueError(f"temperature must lie in 0.1 to 10, got {self.temperature!r}; 1 is the learned one")
        for name, kinds in (("strategy", Strategy), ("context", Context)):
            value = getattr(self, name)
            if value not in get_args(kinds):
                raise ValueError(f"{name} must be one of {', '.join(get_args(kinds))}, got {value!r}")


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
            on_progress: called before every turn of the method and at the end.

        Returns:
            (H, W, 3) each, with the hole filled.

        Raises:
            ValueError: too little memory, or a method that fails.
        """
        works = [_Work(p.rgb.copy(), p.hole.copy(), p.sketch, _parts(p.hole, wishes)) for p in pictures]
        done, total = 0, sum(len(work.parts) for work in works)
        # The windows of one picture take turns, since the next is to know what one filled.
        for turn in range(max((len(work.parts) for work in works), default=0)):
            alike: dict[Any, list[_Work]] = {}
            for work in works:
                if turn < len(work.parts):
                    part = work.parts[turn]
                    alike.setdefault((part.hole.shape, part.factor, work.sketch is None), []).append(work)
            for group in alike.values():
                if on_progress is not None:
                    on_progress(done, total)
                self._take_turn(group, turn, wishes)
                done += len(group)
        if on_progress is not None:
            on_progress(total, total)
        return [work.result for work in works]

    def _take_turn(self, works: Sequence["_Work"], turn: int, wishes: Wishes) -> None:
        """Fills a window of each picture, all of one size."""
        parts = [work.parts[turn] for work in works]
        shown = [Holed(work.result, work.missing, work.sketch) for work in works]
        filled = self._fill_windows(self._planes(shown, [part.box for part in parts]), parts[0], wishes)
        for work, part, found in zip(works, parts, filled, strict=True):
            top, left, bottom, right = part.box
            inside = np.s_[top:bottom, left:right]
            work.result[inside][part.hole] = found.permute(1, 2, 0).cpu().numpy()[part.hole]
            work.missing[inside][part.hole] = False

    def sources(
        self, rgb: Array, hole: Hole, sketch: Hole | None, point: tuple[int, int], wishes: Wishes, top: int
    ) -> list[tuple[float, list[tuple[Box, float]]]]:
        """Temperature, and boxes in the picture with their weights, of every head at a pixel of the hole.

        Holes of other windows count as missing.
        """
        part = next(part for part in _parts(hole, wishes) if _holds(part, point))
        planes = self._planes([Holed(rgb, hole, sketch)], [part.box])
        factor = part.factor
        small = pad(_small(planes, factor), self.method.size_rule)
        with self._arithmetic():
            method: Any = self.method
            columns = small[0].shape[3] // _MULTIPLE
            cell = _MULTIPLE * factor
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

    def _fill_windows(self, planes: list[Tensor], part: "_Part", wishes: Wishes) -> Tensor:
        """Fills windows, shrunk as far as their holes ask for; if memory runs out, one by one and in smaller parts."""
        factor, (height, width) = part.factor, part.hole.shape
        while True:
            try:
                with self._arithmetic():
                    return self._fill_shrunk(planes, factor, wishes.temperature)
            except (RuntimeError, MemoryError) as error:
                # On the CPU torch raises a plain RuntimeError.
                known = isinstance(error, MemoryError | torch.OutOfMemoryError)
                if not known and not any(text in str(error) for text in OUT_OF_MEMORY):
                    raise
            if len(planes[0]) > 1:
                singles = zip(*(plane.split(1) for plane in planes), strict=True)
                return torch.cat([self._fill_windows(list(single), part, wishes) for single in singles])
            if getattr(self.method, "lighten", bool)():
                continue
            factor *= 2
            if wishes.strategy in ("full", "crop") or max(height, width) < SMALLEST_SIDE * factor:
                remedy = "use strategy auto, " if wishes.strategy in ("full", "crop") else ""
                raise ValueError(
                    f"not enough memory on {self.device} for a part of {width}x{height} pixels; "
                    f"{remedy}close other programs, or use device cpu"
                )

    def _fill_shrunk(self, planes: list[Tensor], factor: int, temperature: float) -> Tensor:
        small = _small(planes, factor)
        filled = self._call(small, temperature)
        if factor == 1:
            return filled
        image, mask = planes[:2]
        height, width = image.shape[2:]
        enlarged = F.interpolate(filled.float(), scale_factor=float(factor), mode="bicubic", align_corners=False)
        if getattr(self.method, "has_matches", False):
            method: Any = self.method
            for number, one in enumerate(enlarged.split(1)):  # views
                shown = [plane[number, None] for plane in small]
                found = method.matches(*shown, temperature=temperature, top=TOP)
                one += self._detail(found, [plane[number, None] for plane in planes], one, factor)
        return composite(enlarged[:, :, :height, :width].clamp(0, 1), image, mask)

    def _call(self, planes: list[Tensor], temperature: float) -> Tensor:
        image, mask, *sketch = planes
        return fill(self.method, image, mask, sketch[0] if sketch else None, temperature)

    def _detail(self, found: Any, planes: list[Tensor], enlarged: Tensor, factor: int) -> Tensor:
        """What the enlarged picture lacks, copied into the hole by the head that copies most sharply."""
        image, mask = (_pad(plane, factor) for plane in planes[:2])
        lacking = (image - enlarged) * (1 - mask)
        head = int(found.temperatures.argmin())
        return carry_detail(
            lacking, found.cells, found.weights[head].float(), found.sources[head], found.stride * factor
        )

    @contextlib.contextmanager
    def _arithmetic(self) -> Any:
        torch.set_flush_denormal(True)  # denormals slow CPUs down by an order of magnitude
        with contextlib.ExitStack() as stack:
            stack.enter_context(torch.inference_mode())
            if self.precision == "bf16":
                stack.enter_context(torch.autocast(self.device.type, torch.bfloat16))
            yield


@dataclass(frozen=True)
class _Part(regions.Window):
    """A window, and by how much it is shrunk."""

    factor: int


@dataclass
class _Work:
    """A picture that is being filled."""

    result: Array
    missing: Hole
    sketch: Hole | None
    parts: list[_Part]


def sees_all(size: tuple[int, int], wishes: Wishes) -> bool:
    """Whether all of a picture of this height and width can be copied from, and not windows around its holes alone."""
    small = size[0] * size[1] <= WHOLE_PIXELS and max(size) <= 2 * regions.LIMIT
    return small or wishes.strategy == "full" or wishes.context == "full"


def _parts(hole: Hole, wishes: Wishes) -> list[_Part]:
    height, width = hole.shape
    if sees_all((height, width), wishes):
        return [_Part((0, 0, height, width), hole, _factor(hole, wishes))]
    parts = []
    for window in regions.windows(hole):
        factor = _factor(window.hole, wishes)
        if wishes.strategy != "crop":  # a window that is itself too large for one call
            factor = max(factor, math.ceil(max(window.hole.shape) / (regions.LIMIT + _MULTIPLE)))
        if factor > 1:  # what is shrunk may as well see more
            window = regions.widen(window, hole.shape, regions.WINDOW * factor, _MULTIPLE)
        parts.append(_Part(window.box, window.hole, factor))
    return parts


def _holds(part: _Part, point: tuple[int, int]) -> bool:
    top, left, bottom, right = part.box
    row, column = point
    return top <= row < bottom and left <= column < right and bool(part.hole[row - top, column - left])


def _factor(hole: Hole, wishes: Wishes) -> int:
    """By how much a window is shrunk for the thickness of the hole that is to be filled in it."""
    if wishes.strategy in ("full", "crop"):
        return 1
    across = 2 * ndimage.distance_transform_edt(np.pad(hole, 1)).max()
    factor = math.ceil(across / SHRUNK) if across > THICK else 1
    return max(factor, 2) if wishes.strategy == "multiscale" else max(factor, 1)


def _small(planes: list[Tensor], factor: int) -> list[Tensor]:
    """Planes at the size that the method sees: lines are one pixel wide there, whatever the brush that drew them."""
    if factor > 1:
        planes = [_shrink(plane, factor, flat=number > 0) for number, plane in enumerate(planes)]
    return [*planes[:2], *map(_thin, planes[2:])]


def _thin(lines: Tensor) -> Tensor:
    from skimage.morphology import skeletonize

    thinned = np.stack([skeletonize(plane) for plane in lines[:, 0].cpu().numpy() > 0.5])
    return torch.from_numpy(thinned)[:, None].to(lines)


def _pad(plane: Tensor, factor: int) -> Tensor:
    """Repeats the edges up to whole cells of the shrunk plane."""
    height, width = plane.shape[2:]
    multiple = _MULTIPLE * factor
    return F.pad(plane, (0, -width % multiple, 0, -height % multiple), mode="replicate")


def _shrink(plane: Tensor, factor: int, flat: bool) -> Tensor:
    """An image by its mean; a mask or sketch (flat) by its maximum, so that known pixels hold nothing of the hole."""
    padded = _pad(plane, factor)
    return F.max_pool2d(padded, factor) if flat else F.avg_pool2d(padded, factor)


def _clip(box: Box, window: Box, shape: tuple[int, ...]) -> Box:
    """A box of a window in the picture's coordinates and limits."""
    top, left = window[:2]
    return (
        min(max(box[0] + top, 0), shape[0] - 1),
        min(max(box[1] + left, 0), shape[1] - 1),
        min(box[2] + top, shape[0]),
        min(box[3] + left, shape[1]),
    )
