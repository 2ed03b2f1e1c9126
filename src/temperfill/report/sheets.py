"""Contact sheets: pictures side by side."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from temperfill.files import atomic_write

_GAP, _BACKGROUND, _INK = 4, (255, 255, 255), (0, 0, 0)  # pixels between cells; colours of a sheet
_LEAST_CELL = 128  # pixels; labels cannot be read above narrower cells
_LEAST_FONT = 12  # pixels


def contact_sheet(columns: dict[str, list[NDArray[np.uint8]]], path: Path, max_width: int = 2048) -> None:
    """Writes a PNG with pictures side by side: one row per picture, one labelled column per method.

    Args:
        columns: label to pictures (H, W, 3) RGB, as many in each column; sizes may differ.
        path: of the PNG.
        max_width: widest sheet, pixels. Pictures shrink to fit it; ones below 128 pixels are enlarged for the label's
            sake if there is room.

    Raises:
        OSError: cannot be written.
        ValueError: no column or no row, columns of different lengths, arrays of another form, or too many columns.
    """
    lengths = {label: len(pictures) for label, pictures in columns.items()}
    if not lengths or len(set(lengths.values())) != 1 or 0 in lengths.values():
        raise ValueError(f"a contact sheet needs columns with the same number of pictures, at least one; got {lengths}")
    for label, pictures in columns.items():
        for picture in pictures:
            if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or 0 in picture.shape:
                raise ValueError(f"{label}: pictures must be uint8 (H, W, 3), got {picture.dtype} {picture.shape}")
    room = (max_width + _GAP) // len(columns) - _GAP
    if room < 1:
        raise ValueError(f"{len(columns)} columns do not fit into {max_width} pixels; show fewer")
    cell = min(max(_LEAST_CELL, *(p.shape[1] for pictures in columns.values() for p in pictures)), room)
    rows = [[_fit(p, cell) for p in row] for row in zip(*columns.values(), strict=True)]
    font = ImageFont.load_default(max(_LEAST_FONT, cell // 14))
    top = sum(font.getmetrics()) + 2 * _GAP  # type: ignore[union-attr]
    heights = [max(p.height for p in row) for row in rows]
    size = (len(columns) * (cell + _GAP) - _GAP, top + sum(heights) + _GAP * (len(rows) - 1))
    sheet = Image.new("RGB", size, _BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    for i, label in enumerate(columns):
        text = _shorten(label, cell, draw, font)
        draw.text((i * (cell + _GAP) + (cell - draw.textlength(text, font)) / 2, _GAP), text, _INK, font)
    for row, height in zip(rows, heights, strict=True):
        for i, shown in enumerate(row):
            left = i * (cell + _GAP) + (cell - shown.width) // 2
            sheet.paste(shown, (left, top + (height - shown.height) // 2))
        top += height + _GAP
    atomic_write(path, lambda file: sheet.save(file, "PNG"))


def _fit(picture: NDArray[np.uint8], cell: int) -> Image.Image:
    """The picture at the width of a cell, and at most twice as high; its pixels untouched if it has that width."""
    image = Image.fromarray(picture)
    scale = min(cell / image.width, 2 * cell / image.height)
    if scale == 1:
        return image
    size = (max(round(image.width * scale), 1), max(round(image.height * scale), 1))
    return image.resize(size, Image.Resampling.LANCZOS if scale < 1 else Image.Resampling.NEAREST)


def _shorten(label: str, width: int, draw: ImageDraw.ImageDraw, font: Any) -> str:
    """The label, cut with an ellipsis where it is wider than its column."""
    if draw.textlength(label, font) <= width:
        return label
    while label and draw.textlength(label + "…", font) > width:
        label = label[:-1]
    return label + "…"
