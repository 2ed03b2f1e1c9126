"""Image inpainting with masked self-attention whose temperature is learned.

``inpaint`` fills one picture, ``load`` gives an ``Inpainter`` for many, ``network`` the plain module. Importing the
package imports nothing heavy.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Unpack, overload

from temperfill.options import DEFAULT_MODEL

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray
    from PIL import Image
    from torch import Tensor

    from temperfill.images import Source
    from temperfill.inpainter import Inpainter
    from temperfill.inpainter.calls import InpaintKeywords, OutputType, Planes, Several, Tensors, TriesKeywords
    from temperfill.nets.network import Network

__all__ = ["Inpainter", "__version__", "inpaint", "load", "network"]
__version__ = "0.1.0"


def load(name_or_path: str | Path = DEFAULT_MODEL, device: "str | torch.device" = "auto") -> "Inpainter":
    """An inpainter: ``load("base")(image, mask)``; the same as ``Inpainter.from_pretrained``.

    Raises:
        OSError: the file cannot be read.
        ValueError: unknown name, damaged file, or no such device.
    """
    from temperfill.inpainter import Inpainter

    return Inpainter.from_pretrained(name_or_path, device)


def network(name_or_path: str | Path = DEFAULT_MODEL, device: "str | torch.device" = "auto") -> "Network":
    """The network of a model as a plain ``torch.nn.Module``, in evaluation mode and without gradients.

    It takes an image (B, 3, H, W) in [0, 1] and a mask (B, 1, H, W), 1 = missing, with sides as its ``SIZE_RULE`` says,
    and gives a :class:`temperfill.nets.network.GeneratorOutput`, whose ``refined`` is not pasted into the image.

    Args:
        name_or_path: as for ``load``, but not a method without weights.
        device: auto, cpu, cuda:N or mps.

    Raises:
        OSError: the file cannot be read.
        ValueError: unknown name, damaged file, or no such device.
    """
    from temperfill.inpainter import choose_device
    from temperfill.methods.finding import find_weights
    from temperfill.weights_files import load_generator

    module: Network = load_generator(find_weights(name_or_path), choose_device(device))
    return module


@overload
def inpaint(
    image: "Tensor", mask: "Planes", *, output_type: Literal["auto", "pt"] = ..., **options: Unpack["InpaintKeywords"]
) -> "Tensor": ...
@overload
def inpaint(
    image: "Tensor", mask: "Planes", *, output_type: Literal["pil"], **options: Unpack["InpaintKeywords"]
) -> "Image.Image | list[Image.Image]": ...
@overload
def inpaint(
    image: "Source", mask: "Planes", *, output_type: Literal["auto", "pil"] = ..., **options: Unpack["InpaintKeywords"]
) -> "Image.Image": ...
@overload
def inpaint(
    image: "Source", mask: "Planes", *, output_type: Literal["pt"], **options: Unpack["InpaintKeywords"]
) -> "Tensor": ...
@overload
def inpaint(
    image: "Source | Tensor", mask: "Planes", *, output_type: Literal["np"], **options: Unpack["InpaintKeywords"]
) -> "NDArray[Any]": ...
@overload
def inpaint(
    image: "Tensors", mask: "Planes", *, output_type: Literal["auto", "pt"] = ..., **options: Unpack["InpaintKeywords"]
) -> "list[Tensor]": ...
@overload
def inpaint(
    image: "Several", mask: "Planes", *, output_type: Literal["auto", "pil"] = ..., **options: Unpack["InpaintKeywords"]
) -> "list[Image.Image]": ...
@overload
def inpaint(
    image: "Several", mask: "Planes", *, output_type: Literal["np"], **options: Unpack["InpaintKeywords"]
) -> "list[NDArray[Any]]": ...
@overload
def inpaint(
    image: "Several", mask: "Planes", *, output_type: Literal["pt"], **options: Unpack["InpaintKeywords"]
) -> "list[Tensor]": ...
@overload
def inpaint(
    image: "Tensor",
    mask: "Planes",
    *,
    seed: Sequence[int],
    model: str | Path = ...,
    device: "str | torch.device" = ...,
    output_type: Literal["auto", "pt"] = ...,
    **options: Unpack["TriesKeywords"],
) -> "list[Tensor]": ...
@overload
def inpaint(
    image: "Source",
    mask: "Planes",
    *,
    seed: Sequence[int],
    model: str | Path = ...,
    device: "str | torch.device" = ...,
    output_type: Literal["auto", "pil"] = ...,
    **options: Unpack["TriesKeywords"],
) -> "list[Image.Image]": ...
@overload
def inpaint(
    image: "Source | Tensor",
    mask: "Planes",
    *,
    seed: Sequence[int],
    model: str | Path = ...,
    device: "str | torch.device" = ...,
    output_type: Literal["pil"],
    **options: Unpack["TriesKeywords"],
) -> "list[Image.Image]": ...
@overload
def inpaint(
    image: "Source | Tensor",
    mask: "Planes",
    *,
    seed: Sequence[int],
    model: str | Path = ...,
    device: "str | torch.device" = ...,
    output_type: Literal["np"],
    **options: Unpack["TriesKeywords"],
) -> "list[NDArray[Any]]": ...
@overload
def inpaint(
    image: "Source | Tensor",
    mask: "Planes",
    *,
    seed: Sequence[int],
    model: str | Path = ...,
    device: "str | torch.device" = ...,
    output_type: Literal["pt"],
    **options: Unpack["TriesKeywords"],
) -> "list[Tensor]": ...
def inpaint(
    image: "Source | Tensor | Several",
    mask: "Planes",
    *,
    model: str | Path = DEFAULT_MODEL,
    device: "str | torch.device" = "auto",
    output_type: "OutputType" = "auto",
    seed: int | Sequence[int] = 0,
    **options: Unpack["TriesKeywords"],
) -> Any:
    """Fills one picture, or several; the model is loaded for this call.

    Args:
        image: path, Pillow image, array or tensor (C, H, W), or a list of these; or a tensor (B, C, H, W).
        mask: likewise, of the image's size; white or True = fill.
        model: name or path, as for ``load``.
        device: auto, cpu, cuda:N or mps.
        output_type: auto, pil, np or pt.
        seed: another one gives another result where texture is copied; for one image several give one each.
        options: as those and the types before of :meth:`temperfill.inpainter.Inpainter.__call__`.

    Returns:
        A Pillow image, for tensors a tensor, unless ``output_type`` says otherwise, and a list of them for several
        images or seeds; known pixels are those of ``image``.

    Raises:
        OSError: a file cannot be read.
        ValueError: wrong input; the message says what and what to do.
    """
    inpainter: Any = load(model, device)  # one call for all of the overloads
    return inpainter(image, mask, output_type=output_type, seed=seed, **options)


def __getattr__(name: str) -> Any:
    if name == "Inpainter":
        from temperfill.inpainter import Inpainter

        return Inpainter
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
