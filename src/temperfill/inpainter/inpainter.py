"""``Inpainter``: pictures of any size and kind in, the same kind out, with every known pixel kept."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from temperfill import images, regions
from temperfill.images import MAX_PIXELS, MaskChannel, Picture, Source
from temperfill.inpainter.calling import Method, Precision, choose_device, choose_precision, load_method
from temperfill.inpainter.strategies import Context, Filler, OnProgress, Strategy, Wishes
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
        cls, name_or_path: str | Path = "base", device: str = "auto", precision: Precision = "auto"
    ) -> "Inpainter":
        """An inpainter for bundled weights, another method's name, or a .safetensors file.

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
        mask_dilate: int = 0,
        feather: int = 0,
        temperature: float = 1.0,
        strategy: Strategy = "auto",
        context: Context = "auto",
        on_progress: OnProgress | None = None,
        output_type: OutputType = "pil",
        max_pixels: int = MAX_PIXELS,
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
            on_progress: called with the parts done and their number; what it raises ends the work.
            output_type: pil gives a Pillow image in the mode of the input, np an array in its mode and depth, pt a
                tensor (3, H, W) in [0, 1].
            max_pixels: largest width times height of a file.

        Returns:
            The filled picture, upright; a list for a list.

        Raises:
            OSError: a file cannot be read.
            ValueError: unreadable input, sizes that differ, or an option out of range.
        """
        if output_type not in ("pil", "np", "pt"):
            raise ValueError(f"output_type must be pil, np or pt, got {output_type!r}")
        if isinstance(image, list | tuple):
            masks, sketches = _one_each(mask, len(image), "mask"), _one_each(sketch, len(image), "sketch")
            options: dict[str, Any] = {"invert_mask": invert_mask, "mask_channel": mask_channel, "feather": feather}
            options |= {"mask_dilate": mask_dilate, "output_type": output_type, "max_pixels": max_pixels}
            options |= {"temperature": temperature, "strategy": strategy, "context": context}
            options |= {"on_progress": on_progress}
            return [self(i, m, sketch=s, **options) for i, m, s in zip(image, masks, sketches, strict=True)]
        picture = images.open_picture(image, max_pixels)  # type: ignore[arg-type]
        read: dict[str, Any] = {"max_pixels": max_pixels}
        hole = images.to_mask(mask, picture.size, invert=invert_mask, channel=mask_channel, **read)  # type: ignore[arg-type]
        lines = None if sketch is None else images.to_mask(sketch, picture.size, **read)  # type: ignore[arg-type]
        wishes: dict[str, Any] = {"temperature": temperature, "strategy": strategy, "context": context}
        filled = self.complete(picture, hole, lines, mask_dilate, feather, on_progress=on_progress, **wishes)
        return _convert(filled, output_type)

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
        if not hole.any():
            warnings.warn("the mask is empty: nothing to fill (white marks what to fill)", UserWarning, stacklevel=3)
            return picture
        hole = regions.dilate(hole, mask_dilate)
        share = float(hole.mean())
        if share == 1:
            warnings.warn("the mask covers the whole picture: the result is invented", UserWarning, stacklevel=3)
        elif share > 0.95:
            text = f"{share:.1%} of the picture is to be filled: white marks what to fill; is the mask inverted?"
            warnings.warn(text, UserWarning, stacklevel=3)
        rgb = images.to_rgb(picture)
        filled = regions.feather(self._filler(rgb, hole, sketch, wishes, on_progress), rgb, hole, feather)
        return images.paste(picture, filled, hole)

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
        """Where a filled place was copied from.

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


def _check_pixels(**lengths: int) -> None:
    for name, value in lengths.items():
        if value < 0 or value != int(value):
            raise ValueError(f"{name} must be a whole number of pixels, 0 or more, got {value!r}")


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
