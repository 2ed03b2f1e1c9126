"""How a JPEG was compressed, so that one that comes from it can be compressed alike."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import JpegImagePlugin

_SIDE = 8  # of a block
_TURNED = (5, 6, 7, 8)  # orientations that exchange rows and columns
_FULL, _HALF_ACROSS = 0, 1  # subsampling, as Pillow counts it
_SAMPLINGS = {(1, 1): _FULL, (2, 1): _HALF_ACROSS, (2, 2): 2}  # by the blocks of the first channel to one of the others
_MOST = 255  # what a table of baseline JPEG holds


@dataclass(frozen=True)
class JpegForm:
    """How a JPEG is compressed.

    Attributes:
        tables: quantisation of each channel, 64 numbers row by row; empty where a quality says it.
        subsampling: of colour: 0 for none, 1 across, 2 across and down.
        is_progressive: drawn in several passes.
    """

    tables: tuple[tuple[int, ...], ...] = ()
    subsampling: int = _FULL
    is_progressive: bool = False

    def options(self, channels: int, quality: int | None, otherwise: int) -> dict[str, Any]:
        """For Pillow's writer.

        Args:
            channels: of the picture.
            quality: that was asked for; None takes the tables.
            otherwise: quality where there are none.
        """
        options: dict[str, Any] = {"subsampling": self.subsampling, "progressive": self.is_progressive}
        if quality is None and len(self.tables) == channels:
            # One for all, or one for brightness and one for colours, as is usual, or each its own.
            number = next(n for n in range(1, 5) if set(self.tables[n - 1 :]) == {self.tables[n - 1]})
            return options | {"qtables": [list(table) for table in self.tables[:number]]}
        return options | {"quality": otherwise if quality is None else quality}


def read_form(image: JpegImagePlugin.JpegImageFile, orientation: int) -> JpegForm:
    """Of a decoded JPEG, for the picture that is turned upright as its orientation says."""
    found = image.quantization
    # Of each channel: name, blocks across and down, table.
    tables = [tuple(found.get(layer[3], ())) for layer in image.layer]
    usable = all(len(table) == _SIDE**2 and min(table) > 0 and max(table) <= _MOST for table in tables)
    first, *others = ((layer[1], layer[2]) for layer in image.layer)
    sampling = _SAMPLINGS.get(first, _FULL) if set(others) == {(1, 1)} else _FULL  # where Pillow writes no such thing
    if orientation in _TURNED:
        tables = [tuple(np.reshape(table, (_SIDE, _SIDE)).T.ravel().tolist()) for table in tables if usable]
        sampling = _FULL if sampling == _HALF_ACROSS else sampling
    is_progressive = bool(image.info.get("progressive") or image.info.get("progression"))
    return JpegForm(tuple(tables) if usable else (), sampling, is_progressive)
