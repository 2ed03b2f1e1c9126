"""``Inpainter``: pictures of any size and kind in, the same kind out, with every known pixel kept."""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from temperfill import images, regions
from temperfill.images import MAX_PIXELS, MaskChannel, Picture, Source
from temperfill.inpainter.calling import Method, Precision, choose_device, choose_precision, load_method
from temperfill.inpainter.plan import Context, Strategy, Wishes
from temperfill.inpainter.strategies import Filler, Holed, OnProgress
from temperfill.tensors import Box

OutputType = Literal["pil", "np", "pt"]


@dataclass(frozen=True)
class Match:
    """A patch that was copied from.

    Attributes:
        box: top, left, bottom, right in pixels of the picture.
        weight: its share of what was copied, in [0, 1].
    """

    box: Box
    weight: float


@dataclass(frozen=True)
class Head:
    """What one head of the attention copied to a place.

    Attributes:
        temperature: that it used.
        matches: largest weight first.
    """

    temperature: float
    matches: list[Match]


class Inpainter:
    """Fills holes in pictures of any size, keeping mode, depth, alpha and every known pixel.

    How large pictures are taken apart is told in :mod:`temperfill.inpainter.strategies`.

    Args:
        method: does the work.
        device: of the tensors that it gets.
        precision: of the network's arithmetic; auto takes bf16 where the hardware computes in it, else fp32.
    """

    def __init__(self, method: Method, device: str = "auto", precision: Precision = "auto") -> None:
        self.method = method
        self.device = torch.device(choose_device(device))
        self.precision = choose_precision(precision, str(self.device))
        self._filler = Filler(method, self.device, self.precision)

    @classmethod
    def from_pretrained(
        cls,
        name_or_path: str | Path = "base",
        device: str = "auto",
        precision: Precision = "auto",
        cuda_graphs: bool = False,
    ) -> "Inpainter":
        """An inpainter for bundled weights, another method's name, or a .safetensors file.

        Args:
            name_or_path: of the method.
            device: auto, cpu or cuda:N.
            precision: as for the class.
            cuda_graphs: replay recorded CUDA graphs for pictures of at most 512x512 pixels whose size comes again; see
                :meth:`temperfill.methods.ours.Ours.use_graphs`.

        Raises:
            OSError: the file cannot be read.
            ValueError: unknown name, damaged file, no such device, or graphs for a device or method without them.
        """
        method = load_method(name_or_path, device)
        if cuda_graphs:
            if not hasattr(method, "use_graphs"):
                raise ValueError(f"method {method.name} has no CUDA graphs; leave cuda_graphs out")
            method.use_graphs()
        return cls(method, device, precision)

    def __call__(
        self,
        image: Source | Sequence[Source],
        mask: Source | Sequence[Source],
        *,
        sketch: Source | Sequence[Source] | None = None,
        invert_mask: bool = False,
        mask_channel: MaskChannel = "luminance",
        mask_dilate: int = 0,
        feather: int = 0,
        temperature: float = 1.0,
        strategy: Strategy = "auto",
        context: Context = "auto",
        on_progress: OnProgress | None = None,
        output_type: OutputType = "pil",
        max_pixels: int = MAX_PIXELS,
        batch_size: int | None = None,
    ) -> Any:
        """Fills one picture, or a list of them.

        Args:
            image: path, Pillow image or array (uint8, uint16 grey, or float in [0, 1]), or a list of these.
            mask: likewise, of the image's size; white (above half) or True = fill. A list, or one for all images.
            sketch: likewise; white = line, of any width. For models that take sketches.
            invert_mask: black = fill.
            mask_channel: alpha takes the mask from its opacity.
            mask_dilate: pixels by which the hole grows.
            feather: pixels inside the rim of the hole over which the nearest known pixel fades into the result.
            temperature: factor on the learned temperatures, 0.1 to 10: above 1 blends more, below 1 copies more.
            strategy: auto chooses by the size of picture and hole; full, crop and multiscale force one.
            context: auto lets large pictures be seen in windows around their holes; full lets all of them be seen.
            on_progress: called with the steps done and their number; what it raises ends the work.
            output_type: pil gives a Pillow image in the mode of the input, np an array in its mode and depth, pt a
                tensor (3, H, W) in [0, 1].
            max_pixels: largest width times height of a file.
            batch_size: of a list, how many pictures are held at once; those of one size go through the network
                together. None for 8 on a GPU and 1 on a CPU. The results are the same up to rounding.

        Returns:
            The filled picture, upright; a list for a list.

        Raises:
            OSError: a file cannot be read.
            ValueError: unreadable input, sizes that differ, or an option out of range.
        """
        if output_type not in ("pil", "np", "pt"):
            raise ValueError(f"output_type must be pil, np or pt, got {output_type!r}")
        wishes = Wishes(temperature, strategy, context)
        _check_pixels(mask_dilate=mask_dilate, feather=feather)
        if batch_size is not None and (batch_size < 1 or batch_size != int(batch_size)):
            raise ValueError(f"batch_size must be a whole number, 1 or more, got {batch_size!r}")
        several = isinstance(image, list | tuple)
        pictures = list(image) if several else [image]  # type: ignore[arg-type]
        masks, sketches = _one_each(mask, len(pictures), "mask"), _one_each(sketch, len(pictures), "sketch")
        read: dict[str, Any] = {"max_pixels": max_pixels}
        results = []
        for batch in _batches(zip(pictures, masks, sketches, strict=True), batch_size or self._usual_batch()):
            jobs = []
            for source, white, lines in batch:
                picture = images.open_picture(source, max_pixels)
                hole = images.to_mask(white, picture.size, invert=invert_mask, channel=mask_channel, **read)
                sketched = None if lines is None else images.to_mask(lines, picture.size, **read)
                jobs.append((picture, hole, sketched))
            filled = self._complete(jobs, mask_dilate, feather, wishes, on_progress)
            results += [_convert(picture, output_type) for picture in filled]
        return results if several else results[0]

    def complete(
        self,
        picture: Picture,
        hole: NDArray[np.bool_],
        sketch: NDArray[np.bool_] | None = None,
        mask_dilate: int = 0,
        feather: int = 0,
        *,
        temperature: float = 1.0,
        strategy: Strategy = "auto",
        context: Context = "auto",
        on_progress: OnProgress | None = None,
    ) -> Picture:
        """Fills an opened picture.

        Args:
            picture: from ``images.open_picture``.
            hole: (H, W), True = missing.
            sketch: (H, W), True = line, or None.
            mask_dilate: as for calls.
            feather: as for calls.
            temperature: as for calls.
            strategy: as for calls.
            context: as for calls.
            on_progress: as for calls.

        Raises:
            ValueError: an option out of range, too little memory, or a method that fails.
        """
        wishes = Wishes(temperature, strategy, context)
        _check_pixels(mask_dilate=mask_dilate, feather=feather)
        return self._complete([(picture, hole, sketch)], mask_dilate, feather, wishes, on_progress)[0]

    def _complete(
        self,
        jobs: Sequence[tuple[Picture, NDArray[np.bool_], NDArray[np.bool_] | None]],
        mask_dilate: int,
        feather: int,
        wishes: Wishes,
        on_progress: OnProgress | None,
    ) -> list[Picture]:
        """Fills opened pictures, each with its hole and sketch, in one batch."""
        to_do = {}
        for number, (picture, hole, sketch) in enumerate(jobs):
            grown = regions.dilate(hole, mask_dilate) if hole.any() else hole
            _warn_of(grown)
            if grown.any():
                to_do[number] = Holed(images.to_rgb(picture), grown, sketch)
        found = self._filler(list(to_do.values()), wishes, on_progress) if to_do else []
        results = [picture for picture, _, _ in jobs]
        for (number, (rgb, hole, _)), filled in zip(to_do.items(), found, strict=True):
            results[number] = images.paste(results[number], regions.feather(filled, rgb, hole, feather), hole)
        return results

    def _usual_batch(self) -> int:
        # On a CPU one picture keeps all cores busy, and pictures of a batch also compute what only others' holes need.
        return 1 if self.device.type == "cpu" else 8

    def sources(
        self,
        picture: Picture,
        hole: NDArray[np.bool_],
        row: int,
        column: int,
        sketch: NDArray[np.bool_] | None = None,
        mask_dilate: int = 0,
        *,
        temperature: float = 1.0,
        top: int = 8,
    ) -> list[Head]:
        """Where a filled place was copied from; in a thick hole, where its structure in the small picture was.

        Args:
            picture: from ``images.open_picture``.
            hole: (H, W), True = missing.
            row: of a pixel in the grown hole, from the top.
            column: from the left.
            sketch: (H, W), True = line, or None.
            mask_dilate: as for calls.
            temperature: as for calls.
            top: patches for each head.

        Raises:
            ValueError: the pixel is not in the hole, an option out of range, or the method has no attention that could
                tell.
        """
        _check_pixels(mask_dilate=mask_dilate)
        hole = regions.dilate(hole, mask_dilate)
        height, width = hole.shape
        if not (0 <= row < height and 0 <= column < width and hole[row, column]):
            raise ValueError(f"pixel at row {row}, column {column} is not in the hole")
        if not getattr(self.method, "has_matches", False):
            raise ValueError(f"method {self.method.name} cannot tell where it copies from")
        found = self._filler.sources(images.to_rgb(picture), hole, sketch, (row, column), Wishes(temperature), top)
        return [Head(heat, [Match(box, weight) for box, weight in matches]) for heat, matches in found]


def _warn_of(hole: NDArray[np.bool_]) -> None:
    share = float(hole.mean())
    if not share:
        text = "the mask is empty: nothing to fill (white marks what to fill)"
    elif share == 1:
        text = "the mask covers the whole picture: the result is invented"
    elif share > 0.95:
        text = f"{share:.1%} of the picture is to be filled: white marks what to fill; is the mask inverted?"
    else:
        return
    warnings.warn(text, UserWarning, stacklevel=4)  # where ``complete`` or the inpainter was called


def _check_pixels(**lengths: int) -> None:
    for name, value in lengths.items():
        if value < 0 or value != int(value):
            raise ValueError(f"{name} must be a whole number of pixels, 0 or more, got {value!r}")


def _batches(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch


def _one_each(value: Any, number: int, name: str) -> list[Any]:
    """A value for each image: the same for all, or those of a list."""
    if not isinstance(value, list | tuple):
        return [value] * number
    if len(value) != number:
        raise ValueError(f"{number} images need one {name} or {number}, got {len(value)}")
    return list(value)


def _convert(picture: Picture, output_type: OutputType) -> Any:
    if output_type == "pil":
        return picture.to_image()
    if output_type == "np":
        return picture.pixels
    return torch.from_numpy(images.to_rgb(picture).transpose(2, 0, 1).copy())
