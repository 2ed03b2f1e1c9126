"""``fill``, the one guarded call of every method, and ``Inpainter``, for pictures of any size and kind."""

import contextlib
import math
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from temperfill import images, regions
from temperfill.images import MAX_PIXELS, MaskChannel, Picture, Source
from temperfill.methods import load
from temperfill.tensors import SizeRule, check_image_mask, composite

WHOLE_PIXELS = 640 * 640
"""Pictures up to this many pixels are filled whole, larger ones in windows around their holes."""
SMALLEST_LIMIT = 96
"""Side, in pixels, below which a window is not shrunk further when memory runs out."""
OUT_OF_MEMORY = ("out of memory", "not enough memory", "can't allocate memory", "Unable to allocate")

OutputType = Literal["pil", "np", "pt"]
Precision = Literal["fp32", "bf16"]


class Method(Protocol):
    """A method of inpainting; see :mod:`temperfill.methods`."""

    @property
    def name(self) -> str:
        """Short name."""

    @property
    def size_rule(self) -> SizeRule:
        """Sizes that calls must have."""

    def __call__(self, image: Tensor, mask: Tensor) -> Tensor:
        """(B, 3, H, W) in [0, 1] and (B, 1, H, W), 1 = missing, to (B, 3, H, W)."""


def load_method(name_or_path: str | Path, device: str = "auto") -> Method:
    """Loads a method by name or path; raises as :func:`temperfill.methods.load` and :func:`choose_device`."""
    method: Method = load(name_or_path, choose_device(device))
    return method


def choose_device(device: str = "auto") -> str:
    """A device that is there; auto takes CUDA if it can.

    Raises:
        ValueError: no such device.
    """
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        chosen = torch.device(device)
        if chosen.type not in ("cpu", "cuda", "mps"):
            raise RuntimeError(f"{chosen.type} is not supported")
        torch.empty(1, device=chosen)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"device {device!r} cannot be used ({reason}); take auto, cpu or cuda:N") from None
    return str(chosen)


@torch.inference_mode()
def fill(method: Method, image: Tensor, mask: Tensor, sketch: Tensor | None = None) -> Tensor:
    """Calls a method on what it accepts, and returns known pixels bit for bit.

    Args:
        method: sees the picture with a grey hole, padded by edge replication to its size rule.
        image: (B, 3, H, W) in [0, 1].
        mask: (B, 1, H, W), 1 = missing.
        sketch: (B, 1, H, W), 1 = line, for methods with ``takes_sketch``.

    Returns:
        The composite, (B, 3, H, W) in [0, 1].

    Raises:
        ValueError: arguments as ``check_image_mask`` says, a sketch for a method that takes none, or a result that is
            not finite or has another shape.
    """
    check_image_mask(image, mask, sketch)
    if sketch is not None and not getattr(method, "takes_sketch", False):
        raise ValueError(f"method {method.name} takes no sketch; leave it out, or use a model trained with sketches")
    height, width = image.shape[2:]
    hidden = torch.where(mask > 0.5, 0.5, image)
    planes = [hidden, mask] if sketch is None else [hidden, mask, sketch * mask]
    padding = (0, _padding(width, method.size_rule), 0, _padding(height, method.size_rule))
    if any(padding):
        planes = [F.pad(plane, padding, mode="replicate") for plane in planes]
    result = method(*planes)
    if result.shape != planes[0].shape:
        raise ValueError(f"method {method.name} gave shape {tuple(result.shape)} for {tuple(planes[0].shape)}")
    result = result[:, :, :height, :width]
    if not result.isfinite().all():
        raise ValueError(f"method {method.name} gave values that are not finite; its weights may be damaged")
    return composite(result.clamp(0, 1), image, mask)


def _padding(size: int, rule: SizeRule) -> int:
    """Pixels to add to a side."""
    return max(math.ceil(size / rule.multiple), math.ceil(rule.minimum / rule.multiple)) * rule.multiple - size


class Inpainter:
    """Fills holes in pictures of any size, keeping mode, depth, alpha and every known pixel.

    Pictures above WHOLE_PIXELS are filled in windows around their holes; a window that is still too large is shrunk,
    filled and enlarged, and so is one that does not fit into memory.

    Args:
        method: does the work.
        device: of the tensors that it gets.
        precision: bf16 halves the work of the network's arithmetic where the hardware knows it.
    """

    def __init__(self, method: Method, device: str = "auto", precision: Precision = "fp32") -> None:
        if precision not in ("fp32", "bf16"):
            raise ValueError(f"precision must be fp32 or bf16, got {precision!r}")
        self.method = method
        self.device = torch.device(choose_device(device))
        self.precision = precision

    @classmethod
    def from_pretrained(
        cls, name_or_path: str | Path = "base", device: str = "auto", precision: Precision = "fp32"
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
        output_type: OutputType = "pil",
        max_pixels: int = MAX_PIXELS,
    ) -> Any:
        """Fills one picture, or a list of them.

        Args:
            image: path, Pillow image or array (uint8, uint16 grey, or float in [0, 1]), or a list of these.
            mask: likewise, of the image's size; white (above half) or True = fill. A list, or one for all images.
            sketch: likewise; white = line. For models that take sketches.
            invert_mask: black = fill.
            mask_channel: alpha takes the mask from its opacity.
            mask_dilate: pixels by which the hole grows.
            feather: pixels inside the rim of the hole over which the nearest known pixel fades into the result.
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
            return [self(i, m, sketch=s, **options) for i, m, s in zip(image, masks, sketches, strict=True)]
        picture = images.open_picture(image, max_pixels)  # type: ignore[arg-type]
        read: dict[str, Any] = {"max_pixels": max_pixels}
        hole = images.to_mask(mask, picture.size, invert=invert_mask, channel=mask_channel, **read)  # type: ignore[arg-type]
        lines = None if sketch is None else images.to_mask(sketch, picture.size, **read)  # type: ignore[arg-type]
        return _convert(self.complete(picture, hole, lines, mask_dilate, feather), output_type)

    def complete(
        self,
        picture: Picture,
        hole: NDArray[np.bool_],
        sketch: NDArray[np.bool_] | None = None,
        mask_dilate: int = 0,
        feather: int = 0,
    ) -> Picture:
        """Fills an opened picture.

        Args:
            picture: from ``images.open_picture``.
            hole: (H, W), True = missing.
            sketch: (H, W), True = line, or None.
            mask_dilate: as for calls.
            feather: as for calls.

        Raises:
            ValueError: an option out of range, too little memory, or a method that fails.
        """
        for name, value in (("mask_dilate", mask_dilate), ("feather", feather)):
            if value < 0 or value != int(value):
                raise ValueError(f"{name} must be a whole number of pixels, 0 or more, got {value!r}")
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
        filled = regions.feather(self._fill_array(rgb, hole, sketch), rgb, hole, feather)
        return images.paste(picture, filled, hole)

    def _fill_array(
        self, rgb: NDArray[np.float32], hole: NDArray[np.bool_], sketch: NDArray[np.bool_] | None
    ) -> NDArray[np.float32]:
        """(H, W, 3) with the hole filled, window by window; what one window filled is known to the next."""
        height, width = hole.shape
        if height * width <= WHOLE_PIXELS and max(height, width) <= 2 * regions.LIMIT:
            parts = [regions.Window((0, 0, height, width), hole)]
        else:
            parts = regions.windows(hole)
        result, missing = rgb.copy(), hole.copy()
        for part in parts:
            top, left, bottom, right = part.box
            inside = np.s_[top:bottom, left:right]
            planes = [result[inside].transpose(2, 0, 1), missing[inside][None].astype(np.float32)]
            if sketch is not None:
                planes.append((sketch & hole)[inside][None].astype(np.float32))
            tensors = [torch.from_numpy(np.ascontiguousarray(plane))[None].to(self.device) for plane in planes]
            filled = self._fill_window(*tensors)[0].permute(1, 2, 0).cpu().numpy()
            result[inside][part.hole] = filled[part.hole]
            missing[inside][part.hole] = False
        return result

    def _fill_window(self, image: Tensor, mask: Tensor, sketch: Tensor | None = None) -> Tensor:
        """Fills a window, shrunk to LIMIT, and further if memory runs out."""
        longest = max(image.shape[2:])
        limit = longest if image.shape[2] * image.shape[3] <= WHOLE_PIXELS else min(longest, regions.LIMIT)
        while True:
            try:
                return self._fill_shrunk(image, mask, sketch, limit)
            except (RuntimeError, MemoryError) as error:
                # On the CPU torch raises a plain RuntimeError.
                known = isinstance(error, MemoryError | torch.OutOfMemoryError)
                if not known and not any(text in str(error) for text in OUT_OF_MEMORY):
                    raise
            limit //= 2
            if limit < SMALLEST_LIMIT:
                raise ValueError(
                    f"not enough memory on {self.device} for a part of {image.shape[3]}x{image.shape[2]} pixels; "
                    "close other programs, or use device cpu"
                )

    def _fill_shrunk(self, image: Tensor, mask: Tensor, sketch: Tensor | None, limit: int) -> Tensor:
        scale = limit / max(image.shape[2:])
        autocast = (
            torch.autocast(self.device.type, torch.bfloat16) if self.precision == "bf16" else contextlib.nullcontext()
        )
        torch.set_flush_denormal(True)  # denormals slow CPUs down by an order of magnitude
        with autocast:
            if scale >= 1:
                return fill(self.method, image, mask, sketch)
            size = [max(round(side * scale), 1) for side in image.shape[2:]]
            # A shrunk pixel is missing if any of its pixels is, so that known ones hold nothing of the hole.
            small_mask = F.adaptive_max_pool2d(mask, size)
            small_image = F.interpolate(image, size, mode="area")
            small_sketch = None if sketch is None else F.adaptive_max_pool2d(sketch, size)
            filled = fill(self.method, small_image, small_mask, small_sketch)
        enlarged = F.interpolate(filled, image.shape[2:], mode="bicubic", align_corners=False)
        return composite(enlarged.clamp(0, 1), image, mask)


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
