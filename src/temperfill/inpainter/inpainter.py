"""``Inpainter``: pictures of any size and kind in, the same kind out, with every known pixel kept."""

import warnings
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from temperfill import images, regions
from temperfill.errors import InputError
from temperfill.images import Picture
from temperfill.inpainter.calls import Calls
from temperfill.inpainter.filling import Precision, check_takes, choose_device, choose_precision, load_method
from temperfill.inpainter.memory import shortages
from temperfill.inpainter.plan import divide
from temperfill.inpainter.planes import HoledPicture
from temperfill.inpainter.progress import FillProgress, OnProgress
from temperfill.inpainter.sources import Head
from temperfill.inpainter.window_filler import WindowFiller
from temperfill.methods.contract import Method, Plain, plain
from temperfill.options import FillOptions


class Inpainter(Calls):
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
