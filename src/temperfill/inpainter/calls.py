"""Calls with pictures of any kind: what is given, as pictures and masks, and what comes back, in the kind asked for."""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, Unpack, overload

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from temperfill import images
from temperfill.extras import has_torch, how_to_add, is_tensor
from temperfill.images import MAX_PIXELS, Picture, Source
from temperfill.inpainter.progress import OnProgress
from temperfill.inpainter.sources import Copies
from temperfill.options import FillKeywords, FillOptions, MaskChannel

if TYPE_CHECKING:
    import torch
    from torch import Tensor

OutputType = Literal["auto", "pil", "np", "pt"]
Tensors: TypeAlias = "list[Tensor] | tuple[Tensor, ...]"
Several = list[Any] | tuple[Any, ...]
"""Sources or tensors (C, H, W), mixed as one likes."""
Planes: TypeAlias = "Source | Tensor | Several"
"""A mask or sketch, or one for each image."""
Hole = NDArray[np.bool_]


class TriesKeywords(FillKeywords, total=False):
    """What a call takes besides image, mask, seeds and the kind of its results."""

    sketch: "Planes | None"
    avoid: "Planes | None"
    invert_mask: bool
    mask_channel: MaskChannel
    force: bool
    on_progress: OnProgress | None
    max_pixels: int


class CallKeywords(TriesKeywords, total=False):
    """The same with one seed."""

    seed: int


class InpaintKeywords(CallKeywords, total=False):
    """What ``temperfill.inpaint`` takes besides."""

    model: str | Path
    device: "str | torch.device"


class Calls(ABC):
    """Takes pictures of any kind; whoever inherits fills an opened one."""

    @abstractmethod
    def tries(
        self,
        picture: Picture,
        hole: Hole,
        sketch: Hole | None = None,
        options: FillOptions = ...,
        on_progress: OnProgress | None = None,
        avoid: Hole | None = None,
    ) -> Iterator[tuple[Picture, Copies]]:
        """Fills an opened picture once for every seed, and tells what was copied."""

    @overload
    def __call__(
        self,
        image: "Tensor",
        mask: Planes,
        *,
        output_type: Literal["auto", "pt"] = ...,
        **options: Unpack[CallKeywords],
    ) -> "Tensor": ...
    @overload
    def __call__(
        self, image: "Tensor", mask: Planes, *, output_type: Literal["pil"], **options: Unpack[CallKeywords]
    ) -> Image.Image | list[Image.Image]: ...
    @overload
    def __call__(
        self, image: Source, mask: Planes, *, output_type: Literal["auto", "pil"] = ..., **options: Unpack[CallKeywords]
    ) -> Image.Image: ...
    @overload
    def __call__(
        self, image: Source, mask: Planes, *, output_type: Literal["pt"], **options: Unpack[CallKeywords]
    ) -> "Tensor": ...
    @overload
    def __call__(
        self, image: "Source | Tensor", mask: Planes, *, output_type: Literal["np"], **options: Unpack[CallKeywords]
    ) -> NDArray[Any]: ...
    @overload
    def __call__(
        self, image: Tensors, mask: Planes, *, output_type: Literal["auto", "pt"] = ..., **options: Unpack[CallKeywords]
    ) -> "list[Tensor]": ...
    @overload
    def __call__(
        self,
        image: Several,
        mask: Planes,
        *,
        output_type: Literal["auto", "pil"] = ...,
        **options: Unpack[CallKeywords],
    ) -> list[Image.Image]: ...
    @overload
    def __call__(
        self, image: Several, mask: Planes, *, output_type: Literal["np"], **options: Unpack[CallKeywords]
    ) -> list[NDArray[Any]]: ...
    @overload
    def __call__(
        self, image: Several, mask: Planes, *, output_type: Literal["pt"], **options: Unpack[CallKeywords]
    ) -> "list[Tensor]": ...
    @overload
    def __call__(
        self,
        image: "Tensor",
        mask: Planes,
        *,
        seed: Sequence[int],
        output_type: Literal["auto", "pt"] = ...,
        **options: Unpack[TriesKeywords],
    ) -> "list[Tensor]": ...
    @overload
    def __call__(
        self,
        image: Source,
        mask: Planes,
        *,
        seed: Sequence[int],
        output_type: Literal["auto", "pil"] = ...,
        **options: Unpack[TriesKeywords],
    ) -> list[Image.Image]: ...
    @overload
    def __call__(
        self,
        image: "Source | Tensor",
        mask: Planes,
        *,
        seed: Sequence[int],
        output_type: Literal["pil"],
        **options: Unpack[TriesKeywords],
    ) -> list[Image.Image]: ...
    @overload
    def __call__(
        self,
        image: "Source | Tensor",
        mask: Planes,
        *,
        seed: Sequence[int],
        output_type: Literal["np"],
        **options: Unpack[TriesKeywords],
    ) -> list[NDArray[Any]]: ...
    @overload
    def __call__(
        self,
        image: "Source | Tensor",
        mask: Planes,
        *,
        seed: Sequence[int],
        output_type: Literal["pt"],
        **options: Unpack[TriesKeywords],
    ) -> "list[Tensor]": ...
    def __call__(
        self,
        image: "Source | Tensor | Several",
        mask: Planes,
        *,
        seed: int | Sequence[int] = 0,
        sketch: "Planes | None" = None,
        avoid: "Planes | None" = None,
        invert_mask: bool = False,
        mask_channel: MaskChannel = "luminance",
        force: bool = False,
        on_progress: OnProgress | None = None,
        output_type: OutputType = "auto",
        max_pixels: int = MAX_PIXELS,
        **options: Unpack[FillKeywords],
    ) -> Any:
        """Fills one picture, or several.

        Args:
            image: path, Pillow image, array (uint8, uint16, or float in [0, 1]), tensor (C, H, W), or a list of
                these; or a batch, a tensor (B, C, H, W). Tensors are uint8 or floating point in [0, 1], on any device,
                and have no gradient.
            mask: likewise, of the image's size; white (above half), 1 or True = fill. Tensors may lack the axis of
                channels. A list, or a tensor (B, H, W) or (B, 1, H, W), has one for each image; any other is that of
                all.
            seed: another one gives another result where texture is copied. For one image it may be a sequence, of up to
                16, whose results share what the network draws: each is the one that its seed gives alone.
            sketch: likewise; white = line, of any width. For models that take sketches.
            avoid: likewise; white = known, but nothing is copied from here. For models whose attention can leave out
                parts.
            invert_mask: black = fill.
            mask_channel: alpha takes the mask from its opacity.
            force: take a mask that looks like a photograph, or whose strokes are too weak to mark anything, as it is.
            on_progress: called with the steps done and their number; what it raises ends the work.
            output_type: pil gives a Pillow image in the mode of the input, with 8 bits where Pillow has no more, np an
                array in its mode and depth. pt gives a tensor: for a tensor one of its shape and type, on its device,
                with every known value bit for bit; for other images RGB (3, H, W) in [0, 1] on the CPU. auto gives pt
                for tensors, pil for other images.
            max_pixels: largest width times height of a file.
            options: fields of :class:`temperfill.options.FillOptions`: mask_dilate, feather, temperature, texture,
                opaque, layer, unmarked, strategy and context.

        Returns:
            The filled picture, upright; a list for a list of images or a sequence of seeds. A batch gives a tensor
            (B, C, H, W), an array (B, H, W, C) or a list of Pillow images.

        Raises:
            OSError: a file cannot be read.
            ValueError: unreadable input, sizes that differ, an option out of range, or several seeds for several
                images.
        """
        if output_type not in ("auto", "pil", "np", "pt"):
            raise ValueError(f"output_type must be auto, pil, np or pt, got {output_type!r}")
        if output_type == "pt" and not has_torch():
            raise ValueError(f"output_type pt needs torch, which is not installed: {how_to_add('torch')}")
        has_seeds = isinstance(seed, Sequence | np.ndarray)
        asked = FillOptions(seed=tuple(seed) if isinstance(seed, Sequence | np.ndarray) else seed, **options)
        given = _each(image)
        if has_seeds and (isinstance(image, list | tuple) or _is_batch(image)):
            raise ValueError("several seeds are for one image; call once for each image, or give one seed")
        masks, sketches = _one_each(mask, len(given), "mask"), _one_each(sketch, len(given), "sketch")
        shunned = _one_each(avoid, len(given), "avoid")
        results: list[Any] = []
        for source, white, lines, shun in zip(given, masks, sketches, shunned, strict=True):
            picture = images.open_picture(_readable(source), max_pixels)
            if output_type == "pil" or (output_type == "auto" and not is_tensor(source)):
                _warn_of_bytes(picture)
            reading: Any = {"invert": invert_mask, "channel": mask_channel, "force": force}
            hole = images.to_mask(white, picture.size, max_pixels=max_pixels, **reading)
            sketched, avoided = (
                None
                if drawn is None
                else images.to_mask(drawn, picture.size, max_pixels=max_pixels, force=True, name=name)
                for drawn, name in ((lines, "the sketch"), (shun, "what to avoid"))
            )
            like = source if is_tensor(source) else None
            for filled, _ in self.tries(picture, hole, sketched, asked, on_progress, avoided):
                results.append(_convert(filled, output_type, like))
        if _is_batch(image):
            return _stack(results, output_type)
        return results if has_seeds or isinstance(image, list | tuple) else results[0]


def _is_batch(image: Any) -> bool:
    """Whether it is a tensor of several pictures."""
    return is_tensor(image) and image.ndim == 4


def _each(image: Any) -> list[Any]:
    """The images of a list or a batch; an image alone is one."""
    if isinstance(image, list | tuple):
        return list(image)
    return list(image.unbind()) if _is_batch(image) else [image]


def _readable(source: Any) -> Source:
    """A source as the reader of pictures takes it."""
    if is_tensor(source):
        from temperfill.inpainter.tensor_pictures import array_of

        source = array_of(source)
    found: Source = source
    return found


def _stack(results: list[Any], output_type: OutputType) -> Any:
    """What was filled of a batch."""
    if output_type == "pil":
        return results
    if output_type == "np":
        return np.stack(results)
    import torch

    return torch.stack(results)


def _one_each(value: Any, number: int, name: str) -> list[Any]:
    """A plane for each image: the same for all, or those of a list or a tensor."""
    if is_tensor(value):
        return _planes_in(value, number, name)
    if not isinstance(value, list | tuple):
        return [value] * number
    if len(value) != number:
        raise ValueError(f"{number} images need one {name} or {number}, got {len(value)}")
    return [_planes_in(plane, 1, name)[0] if is_tensor(plane) else plane for plane in value]


def _planes_in(tensor: Any, number: int, name: str) -> list[Any]:
    from temperfill.inpainter.tensor_pictures import planes_in

    return list(planes_in(tensor, number, name))


def _warn_of_bytes(picture: Picture) -> None:
    """Warns where Pillow would cut whole numbers; bytes of floats are what is usually wanted."""
    if picture.pixels.dtype.kind in "ui" and not picture.fits_pillow:
        text = f"the picture has {8 * picture.pixels.dtype.itemsize} bits per colour, of which Pillow holds 8"
        warnings.warn(f"{text}; output_type='np' gives all of them", UserWarning, stacklevel=3)


def _convert(picture: Picture, output_type: OutputType, like: Any) -> Any:
    if output_type == "pt" or (output_type == "auto" and like is not None):
        from temperfill.inpainter.tensor_pictures import tensor_of

        return tensor_of(picture, like)
    return picture.pixels if output_type == "np" else picture.to_image()
