"""A node for ComfyUI that fills the masked part of images with temperfill.

Copy this file into ``ComfyUI/custom_nodes`` and install temperfill into ComfyUI's Python; see docs/use/programs.md.
"""

from functools import cache
from typing import Any

import comfy.model_management
import comfy.utils
import torch

from temperfill import Inpainter
from temperfill.options import DEFAULT_MODEL, OPTIONS

_STEPS = 1000  # of the progress bar
_SHOWN = {
    option.name: option for option in OPTIONS if option.name in ("mask_dilate", "feather", "temperature", "texture")
}


@cache
def _load(model: str, device: str) -> Inpainter:
    return Inpainter.from_pretrained(model, device)


def _widget(name: str) -> tuple[Any, dict[str, Any]]:
    """The widget of an option."""
    option = _SHOWN[name]
    if option.choices:
        return list(option.choices), {"default": option.default, "tooltip": option.help}
    kind, step = ("INT", 1) if option.kind is int else ("FLOAT", 0.05)
    bounds = {"min": option.low, "max": option.most_served, "step": step}
    return kind, {"default": option.default, **bounds, "tooltip": option.help}


class TemperfillInpaint:
    """Fills what a mask marks, as the image might go on; every other pixel keeps its value."""

    CATEGORY = "image/inpaint"
    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "fill"
    DESCRIPTION = "Fills what a mask marks, as the image might go on; every other pixel keeps its value."

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, dict[str, Any]]:
        """Inputs and widgets."""
        model = {"default": DEFAULT_MODEL, "tooltip": "As in temperfill models, or a weights file."}
        seed = {"default": 0, "min": 0, "max": 999_999_999, "tooltip": "Another seed gives another texture."}
        required = {"image": ("IMAGE",), "mask": ("MASK",), "model": ("STRING", model), "seed": ("INT", seed)}
        avoid = {"tooltip": "Nothing is copied from here."}
        return {"required": required | {name: _widget(name) for name in _SHOWN}, "optional": {"avoid": ("MASK", avoid)}}

    def fill(
        self,
        image: torch.Tensor,
        mask: torch.Tensor,
        model: str,
        seed: int,
        avoid: torch.Tensor | None = None,
        **options: Any,
    ) -> tuple[torch.Tensor]:
        """Fills a batch.

        Args:
            image: (B, H, W, 3) in [0, 1].
            mask: (H, W), or (M, H, W) with one for each image or one for all; above half is filled. A single image is
                filled once for each of several masks.
            model: what fills.
            seed: of the texture.
            avoid: (H, W) or (M, H, W); above half is not copied from.
            options: of the other widgets.

        Returns:
            (B, H, W, 3), or (M, H, W, 3) for one image and several masks.
        """
        device = str(comfy.model_management.get_torch_device())
        inpainter = _load(model, device if device.startswith(("cuda", "mps")) else "cpu")
        pictures, holes = image.movedim(-1, 1).clamp(0, 1), _planes(mask, image)
        shunned = None if avoid is None else _planes(avoid, image)
        number = max(len(pictures), len(holes))
        bar, filled = comfy.utils.ProgressBar(_STEPS), []
        for at in range(number):

            def on_progress(done: int, total: int, at: int = at) -> None:
                comfy.model_management.throw_exception_if_processing_interrupted()
                bar.update_absolute(int((at + done / total) / number * _STEPS), _STEPS)

            avoided = None if shunned is None else shunned[at % len(shunned)]
            hole = holes[at % len(holes)]
            picture = pictures[at % len(pictures)]
            filled.append(
                inpainter(picture, hole, avoid=avoided, force=True, on_progress=on_progress, seed=seed, **options)
            )
        return (torch.stack(filled).movedim(1, -1).contiguous(),)


def _planes(mask: torch.Tensor, image: torch.Tensor) -> torch.Tensor:
    """Masks (M, H, W) as bool, of the size of the images; ComfyUI gives 64x64 zeros where a file has no mask."""
    planes = mask.reshape(-1, 1, *mask.shape[-2:]).float()
    if planes.shape[-2:] != image.shape[1:3]:
        planes = torch.nn.functional.interpolate(planes, tuple(image.shape[1:3]), mode="nearest-exact")
    return planes[:, 0] > 0.5


NODE_CLASS_MAPPINGS = {"TemperfillInpaint": TemperfillInpaint}
NODE_DISPLAY_NAME_MAPPINGS = {"TemperfillInpaint": "Inpaint (temperfill)"}
