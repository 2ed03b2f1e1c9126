"""Image inpainting with masked self-attention whose temperature is learned.

``inpaint`` fills one picture, ``load`` gives an ``Inpainter`` for many. Importing the package imports nothing heavy.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from temperfill.inpainter import Inpainter

__all__ = ["Inpainter", "__version__", "inpaint", "load"]
__version__ = "0.1.0"


def load(name_or_path: str | Path = "base", device: str = "auto") -> "Inpainter":
    """An inpainter: ``load("base")(image, mask)``; the same as ``Inpainter.from_pretrained``.

    Raises:
        OSError: the file cannot be read.
        ValueError: unknown name, damaged file, or no such device.
    """
    from temperfill.inpainter import Inpainter

    return Inpainter.from_pretrained(name_or_path, device)


def inpaint(image: Any, mask: Any, *, model: str | Path = "base", device: str = "auto", **options: Any) -> Any:
    """Fills one picture, or a list of them; the model is loaded for this call.

    Args:
        image: path, Pillow image or array.
        mask: path, Pillow image or array of the image's size; white or True = fill.
        model: name or path, as for ``load``.
        device: auto, cpu or cuda:N.
        options: of :meth:`temperfill.inpainter.Inpainter.__call__`.

    Returns:
        A Pillow image, unless ``output_type`` says otherwise; known pixels are those of ``image``.

    Raises:
        OSError: a file cannot be read.
        ValueError: wrong input; the message says what and what to do.
    """
    return load(model, device)(image, mask, **options)


def __getattr__(name: str) -> Any:
    if name == "Inpainter":
        from temperfill.inpainter import Inpainter

        return Inpainter
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
