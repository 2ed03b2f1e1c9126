"""``Inpainter``: pictures of any size and kind in, the same kind out, with every known pixel kept."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Unpack

import numpy as np
import torch
from numpy.typing import NDArray

from temperfill import images, regions
from temperfill.errors import InputError
from temperfill.images import MAX_PIXELS, Picture, Source
from temperfill.inpainter.filling import Precision, check_takes, choose_device, choose_precision, load_method
from temperfill.inpainter.memory import shortages
from temperfill.inpainter.plan import divide
from temperfill.inpainter.planes import HoledPicture
from temperfill.inpainter.progress import FillProgress, OnProgress
from temperfill.inpainter.sources import Head
from temperfill.inpainter.window_filler import WindowFiller
from temperfill.methods.contract import Method, Plain, plain
from temperfill.options import FillKeywords, FillOptions, MaskChannel

OutputType = Literal["pil", "np", "pt"]


class Inpainter:
    """Fills holes in pictures of any size, keeping mode, depth, alpha and every known pixel.

    How large pictures are divided is said in :mod:`temperfill.inpainter.plan`.

    Args:
        method: does the work; a plain function of image and mask will do.
        device: of the tensors that it gets.
        precision: of the network's arithmetic; auto takes bf16 where the hardware computes in it, else fp32.
    """

    def __init__(self, method: Method | Plain, device: str = "auto", precision: Precision = "auto") -> None:
        self.method: Method = plain(method)
        self.device = torch.device(choose_device(device))
        self.precision = choose_precision(precision, str(self.device))
        self._filler = WindowFiller(self.method, self.device, self.precision)

    @classmethod
    def from_pretrained(
        cls,
        name_or_path: str | Path = "base",
        device: str = "auto",
        precision: Precision = "auto",
    ) -> "Inpainter":
        """An inpainter for a model or method.

        Args:
            name_or_path: name of a bundled model or of a method, a weights file, or the folder of a run.
            device: auto, cpu or cuda:N.
            precision: as for the class.

        Raises:
            OSError: the file cannot be read.
            ValueError: unknown name, damaged file, or no such device.
        """
        return cls(load_method(name_or_path, device), device, precision)

    def __call__(
        self,
        image: Source | Sequence[Source],
        mask: Source | Sequence[Source],
        *,
        sketch: Source | Sequence[Source] | None = None,
        invert_mask: bool = False,
        mask_channel: MaskChannel = "luminance",
        on_progress: OnProgress | None = None,
        output_type: OutputType = "pil",
        max_pixels: int = MAX_PIXELS,
        **options: Unpack[FillKeywords],
    ) -> Any:
        """Fills one picture, or a list of them.

        Args:
            image: path, Pillow image or array (uint8, uint16 grey, or float in [0, 1]), or a list of these.
            mask: likewise, of the image's size; white (above half) or True = fill. A list, or one for all images.
            sketch: likewise; white = line, of any width. For models that take sketches.
            invert_mask: black = fill.
            mask_channel: alpha takes the mask from its opacity.
            on_progress: called with the steps done and their number; what it raises ends the work.
            output_type: pil gives a Pillow image in the mode of the input, np an array in its mode and depth, pt a
                tensor (3, H, W) in [0, 1].
            max_pixels: largest width times height of a file.
            options: fields of :class:`temperfill.options.FillOptions`: mask_dilate, feather, temperature, texture,
                seed, strategy and context.

        Returns:
            The filled picture, upright; a list for a list.

        Raises:
            OSError: a file cannot be read.
            ValueError: unreadable input, sizes that differ, or an option out of range.
        """
        if output_type not in ("pil", "np", "pt"):
            raise ValueError(f"output_type must be pil, np or pt, got {output_type!r}")
        asked = FillOptions(**options)
        pictures: list[Any] = list(image) if isinstance(image, list | tuple) else [image]
        masks, sketches = _one_each(mask, len(pictures), "mask"), _one_each(sketch, len(pictures), "sketch")
        results = []
        for source, white, lines in zip(pictures, masks, sketches, strict=True):
            picture = images.open_picture(source, max_pixels)
            hole = images.to_mask(white, picture.size, invert=invert_mask, channel=mask_channel, max_pixels=max_pixels)
            sketched = None if lines is None else images.to_mask(lines, picture.size, max_pixels=max_pixels)
            filled = self._complete(picture, hole, sketched, asked, on_progress)
            results.append(_convert(filled, output_type))
        return results if isinstance(image, list | tuple) else results[0]

    def complete(
        self,
        picture: Picture,
        hole: NDArray[np.bool_],
        sketch: NDArray[np.bool_] | None = None,
        options: FillOptions = FillOptions(),  # noqa: B008 - frozen
        on_progress: OnProgress | None = None,
    ) -> Picture:
        """Fills an opened picture.

        Args:
            picture: from ``images.open_picture``.
            hole: (H, W), True = missing.
            sketch: (H, W), True = line, or None.
            options: how it is filled.
            on_progress: as for calls.

        Raises:
            InputError: a sketch or temperature for a method that takes none.
            MemoryShortage: too little memory.
            ValueError: a method that fails.
        """
        return self._complete(picture, hole, sketch, options, on_progress)

    def _complete(
        self,
        picture: Picture,
        hole: NDArray[np.bool_],
        sketch: NDArray[np.bool_] | None,
        options: FillOptions,
        on_progress: OnProgress | None,
    ) -> Picture:
        hole = regions.dilate(hole, options.mask_dilate)
        _warn_of(hole)
        if not hole.any():
            return picture
        check_takes(self.method, sketch is not None, options.temperature)
        rgb = images.to_rgb(picture)
        with shortages():
            canvas = HoledPicture(rgb.copy(), hole.copy(), sketch)
            windows = divide(hole, options)
            steps = [self._filler.steps(window, picture.size, options) for window in windows]
            progress = FillProgress(on_progress, sum(steps))
            for window, number in zip(windows, steps, strict=True):
                progress.begin(number)
                canvas.paste(window, self._filler.fill(canvas, window, options, progress))
            progress.end()
        return images.paste(picture, regions.feather(canvas.rgb, rgb, hole, options.feather), hole)

    def sources(
        self,
        picture: Picture,
        hole: NDArray[np.bool_],
        row: int,
        column: int,
        sketch: NDArray[np.bool_] | None = None,
        options: FillOptions = FillOptions(),  # noqa: B008 - frozen
        top: int = 8,
    ) -> list[Head]:
        """Where a filled place was copied from; in a thick hole, where its structure in the small picture was.

        Args:
            picture: from ``images.open_picture``.
            hole: (H, W), True = missing.
            row: of a pixel in the grown hole, from the top.
            column: from the left.
            sketch: (H, W), True = line, or None.
            options: how it is filled.
            top: patches for each head.

        Raises:
            InputError: the pixel is not in the hole, a sketch or temperature for a method that takes none, or the
                method has no attention that could tell.
            MemoryShortage: too little memory.
        """
        hole = regions.dilate(hole, options.mask_dilate)
        height, width = hole.shape
        if not (0 <= row < height and 0 <= column < width and hole[row, column]):
            raise InputError(f"pixel at row {row}, column {column} is not in the hole")
        find = self.method.abilities.sources
        if find is None:
            raise InputError(f"method {self.method.name} cannot tell where it copies from")
        check_takes(self.method, sketch is not None, options.temperature)
        window = next(window for window in divide(hole, options) if window.holds((row, column)))
        with shortages():
            shown = HoledPicture(images.to_rgb(picture), hole, sketch)
            return self._filler.sources(find, shown, window, (row, column), options, top)


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
