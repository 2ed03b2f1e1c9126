"""What is done with a request, in the thread of the jobs: decode, fill, encode."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from temperfill import images
from temperfill.errors import InputError, MemoryShortage
from temperfill.service.forms import Form
from temperfill.service.refusals import Refusal

if TYPE_CHECKING:  # torch is imported while the model is loaded, behind the first answers
    from temperfill.inpainter import Inpainter

OnProgress = Callable[[int, int], None]
Hole = NDArray[np.bool_]

KEPT = ("icc_profile", "transparency", "subsampling")
"""Metadata of all answers: what pixels mean. Places, times, names and texts are left out unless they are asked for."""


def fill(
    inpainter: "Inpainter", form: Form, max_pixels: int, on_progress: OnProgress, keep_metadata: bool = False
) -> bytes:
    """A filled picture as a file in the format that was asked for, or the image's.

    Args:
        inpainter: does the work.
        form: with the fields of ``INPAINT_FIELDS``.
        max_pixels: largest width times height.
        on_progress: as for ``Inpainter.complete``.
        keep_metadata: the file has all metadata that its format has a place for, as ``images.save_picture`` writes it;
            else those of ``KEPT`` alone.

    Raises:
        Refusal: the pictures are damaged or do not fit together (422), or too little memory (413).
        ValueError: a method that fails.
    """
    fields = form.fields
    suffix = fields["format"] or form.suffix
    with _refusals():
        picture, hole, sketch = _pictures(form, max_pixels)
        path = Path(f"the result{suffix}")
        with _invalid_input():
            images.storable(picture, path)  # before the work
        filled = inpainter.complete(picture, hole, sketch, form.options, on_progress)
        return images.encode_picture(filled if keep_metadata else _plain(filled), path, fields["quality"])


def preview(form: Form, max_pixels: int) -> bytes:
    """The image as a PNG that browsers show: upright, with its colour profile, in sRGB where PNG has not its mode.

    Args:
        form: with an image alone.
        max_pixels: largest width times height.

    Raises:
        Refusal: the image is damaged (422), or too little memory (413).
    """
    path = Path("the preview.png")
    with _refusals():
        with _invalid_input():
            picture = images.open_picture(form.image, max_pixels, "the image")
        if picture.mode in ("CMYK", "F"):
            picture = images.open_picture(images.to_rgb(picture))
        return images.encode_picture(_plain(picture), path, fast=True)


def sources(inpainter: "Inpainter", form: Form, max_pixels: int) -> dict[str, Any]:
    """Where a place of the hole is copied from, for each head.

    Args:
        inpainter: does the work.
        form: with the fields of ``SOURCES_FIELDS``.
        max_pixels: largest width times height.

    Raises:
        Refusal: as ``fill``, a place outside the hole, or a model that cannot tell (422).
    """
    row, column = form.fields["row"], form.fields["column"]
    with _refusals():
        picture, hole, sketch = _pictures(form, max_pixels)
        found = inpainter.sources(picture, hole, row, column, sketch, form.options)
    heads = [
        {
            "temperature": head.temperature,
            "matches": [{"box": list(match.box), "weight": match.weight} for match in head.matches],
        }
        for head in found
    ]
    return {"heads": heads}


def loader(model: str, device: str, precision: str) -> "Callable[[], Inpainter]":
    """A function that loads a model, and raises as ``Inpainter.from_pretrained``."""

    def load() -> "Inpainter":
        from temperfill.inpainter import Inpainter

        return Inpainter.from_pretrained(model, device, precision)  # type: ignore[arg-type]  # checked there

    return load


def warm(inpainter: "Inpainter") -> None:
    """Fills a small picture, so that the first request does not wait for what is done once."""
    pixels = np.full((128, 128, 3), 128, np.uint8)
    hole = np.zeros((128, 128), np.bool_)
    hole[48:80, 48:80] = True
    inpainter.complete(images.open_picture(pixels), hole)


def _plain(picture: images.Picture) -> images.Picture:
    """The picture with no metadata but ``KEPT``."""
    return replace(picture, info={key: picture.info[key] for key in KEPT if key in picture.info})


def _pictures(form: Form, max_pixels: int) -> tuple[images.Picture, Hole, Hole | None]:
    with _invalid_input():
        picture = images.open_picture(form.image, max_pixels, "the image")
        hole = images.to_mask(form.mask, picture.size, max_pixels=max_pixels)
        sketch = None
        if form.sketch is not None:
            sketch = images.to_mask(form.sketch, picture.size, max_pixels=max_pixels, name="the sketch")
    return picture, hole, sketch


@contextmanager
def _invalid_input() -> Iterator[None]:
    """Errors of the pictures that a client sent, as refusals."""
    try:
        yield
    except ValueError as error:
        raise _invalid(error) from None


@contextmanager
def _refusals() -> Iterator[None]:
    """Errors of what does not fit together, and of too little memory, as refusals."""
    try:
        yield
    except InputError as error:
        raise _invalid(error) from None
    except (MemoryError, MemoryShortage):
        text = "the service has too little memory for this picture; send a smaller one, or a smaller hole"
        raise Refusal(413, "out_of_memory", text) from None


def _invalid(error: ValueError) -> Refusal:
    return Refusal(422, "invalid", str(error))
