"""TIFF files with more than 8 bits for each colour, which Pillow cuts down or does not read.

Pillow reads the tags here, and libtiff, through Pillow, unpacks what is compressed; how values lie in strips, tiles and
planes is said in TIFF 6.0, predictors in it (section 14) and in Adobe's technical note 3.
"""

import io
import struct
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray
from PIL import TiffImagePlugin

Array = NDArray[Any]

NONE, LZW, DEFLATE = 1, 5, 8
"""Kinds of compression that are written."""
_DEFLATE_KINDS = (8, 32946)
_BY_LIBTIFF = (5, 32773, 34925, 50000)  # LZW, PackBits, LZMA, Zstandard
_KINDS = {1: "u", 2: "i", 3: "f"}  # of values, by SampleFormat
_GREY_INVERTED, _GREY, _RGB, _CMYK = 0, 1, 2, 5  # PhotometricInterpretation
_COLOURS = {_GREY_INVERTED: 1, _GREY: 1, _RGB: 3, _CMYK: 4}
_UNSPECIFIED, _MULTIPLIED = 0, 1  # ExtraSamples
_TYPES = ("u2", "i2", "u4", "i4", "f2", "f4", "f8")


class DeepTiff(TiffImagePlugin.TiffImageFile):
    """A TIFF as an image of Pillow's, with its tags, whose pixels are read by ``samples``."""

    layout: "Layout"

    def _setup(self) -> None:
        """Takes the header as Pillow does, but for the modes it has not."""
        tags = self.tag_v2
        self._mode = "RGB" if tags.get(262) == _RGB else "L"
        self._size = int(tags[256]), int(tags[257])
        self._planar_configuration = tags.get(284, 1)
        if 34675 in tags:
            self.info["icc_profile"] = tags[34675]
        across, down, unit = tags.get(282), tags.get(283), tags.get(296, 2)
        if across and down and unit in (2, 3):
            scale = 1 if unit == 2 else 2.54
            self.info["dpi"] = (float(across) * scale, float(down) * scale)
        self.info["compression"] = tags.get(259, 1)
        if 700 in tags:
            xmp = tags[700]
            self.info["xmp"] = xmp[0] if isinstance(xmp, tuple) else xmp  # by its type: undefined, or bytes
        self.layout = _layout(tags)

    @property
    def has_alpha(self) -> bool:
        """Whether one of its channels is opacity."""
        extra = self.tag_v2.get(338, ())
        more = self.layout.samples - _COLOURS[self.tag_v2[262]]
        # Without the tag a fourth channel of RGB is opacity, as for Pillow.
        return more > 0 and (extra[0] != _UNSPECIFIED if extra else self.tag_v2[262] == _RGB)

    @property
    def used(self) -> int:
        """How many of its channels are colours and opacity."""
        return _COLOURS[self.tag_v2[262]] + int(self.has_alpha)

    def load(self) -> Any:
        """Raises OSError: there are no pixels here."""
        raise OSError("the pixels of this image are read by samples()")


class Layout(NamedTuple):
    """How values lie in the file.

    Attributes:
        kind: type of the values in the order of the file.
        samples: values of each pixel.
        planes: whether each sample lies by itself.
        compression: its number.
        predictor: its number.
        height: of a strip or tile, pixels.
        width: likewise.
        places: start and length of each, bytes.
    """

    kind: np.dtype[Any]
    samples: int
    planes: bool
    compression: int
    predictor: int
    height: int
    width: int
    places: list[tuple[int, int]]


def deep_tiff(file: BinaryIO) -> DeepTiff | None:
    """A TIFF whose values have more than 8 bits and lie in a way that is read here; None for anything else."""
    file.seek(0)
    try:
        return DeepTiff(file)
    except (SyntaxError, ValueError, LookupError, TypeError, OSError, struct.error, RuntimeError):
        file.seek(0)
        return None  # Pillow says what is wrong


def samples(image: DeepTiff, file: BinaryIO) -> Array:
    """The values of a picture's colours and opacity as stored, (H, W, C), in the order of this machine.

    Raises:
        ValueError: damaged.
    """
    layout, (width, height) = image.layout, image.size
    result = np.empty((height, width, image.used), layout.kind.newbyteorder("="))
    number = 1 if layout.planes else layout.samples
    for at, (plane, top, left) in enumerate(_order(layout, width, height)):
        if plane >= image.used:
            break
        rows = layout.height if _is_tiled(image) else min(layout.height, height - top)
        part = _segment(layout, file, layout.places[at], rows, number)
        inside = part[: height - top, : width - left]
        chosen = np.s_[plane : plane + 1] if layout.planes else np.s_[:]
        result[top : top + rows, left : left + layout.width, chosen] = inside[..., : image.used]
    return result


def meaning(image: DeepTiff, values: Array) -> tuple[str, Array, list[str]]:
    """Mode of a picture, its colours and opacity, and what was lost.

    Args:
        image: its file.
        values: (H, W, C) as stored; may be changed.

    Returns:
        L, LA, RGB, RGBA or CMYK, (H, W, C), and lines.
    """
    kind, extra, losses = image.tag_v2[262], image.tag_v2.get(338, ()), []
    colours = _COLOURS[kind]
    if kind == _GREY_INVERTED and values.dtype.kind == "u":
        values[..., 0] = np.iinfo(values.dtype).max - values[..., 0]
    if image.layout.samples > image.used:
        losses.append("has channels besides colours and opacity; they are left out")
    if image.has_alpha and extra and extra[0] == _MULTIPLIED:
        values = _divided(values)
        losses.append("has colours that are multiplied by their opacity; they are divided by it")
    return {1: "L", 3: "RGB", 4: "CMYK"}[colours] + ("A" if image.has_alpha else ""), values, losses


def _divided(values: Array) -> Array:
    """Colours that were multiplied by their opacity, the last channel, without it."""
    most = 1.0 if values.dtype.kind == "f" else float(np.iinfo(values.dtype).max)
    alpha = values[..., -1:].astype(np.float64)
    colours = np.divide(values[..., :-1] * most, alpha, out=np.zeros(values[..., :-1].shape), where=alpha > 0)
    colours = colours if values.dtype.kind == "f" else np.rint(colours.clip(0, most))
    return np.concatenate((colours.astype(values.dtype), values[..., -1:]), -1)


def _layout(tags: Any) -> Layout:
    """Raises ValueError for what is not read here."""
    count = int(tags.get(277, 1))
    bits, formats = set(tags.get(258, (1,))), set(tags.get(339, (1,)))
    photometric, compression = tags.get(262), int(tags.get(259, 1))
    if len(bits) > 1 or len(formats) > 1 or photometric not in _COLOURS or tags.get(266, 1) != 1:
        raise ValueError("unusual")
    kind = _KINDS.get(formats.pop(), "?") + str(bits.pop() // 8)
    if kind not in _TYPES or not _COLOURS[photometric] <= count <= 16:
        raise ValueError("unusual")
    if compression not in (NONE, *_DEFLATE_KINDS, *_BY_LIBTIFF):
        raise ValueError("unusual")
    width, height = int(tags[256]), int(tags[257])
    if 324 in tags:
        wide, high, starts, lengths = tags[322], tags[323], tags[324], tags[325]
    else:
        wide, high, starts, lengths = width, min(tags.get(278, height), height), tags[273], tags[279]
    order = cast(Any, np.dtype(("<" if tags.prefix == b"II" else ">") + kind))
    layout = Layout(order, count, tags.get(284, 1) == 2, compression, int(tags.get(317, 1)), int(high), int(wide), [])
    number = sum(1 for _ in _order(layout, width, height))
    if len(starts) != number or len(lengths) != number:
        raise ValueError("strips or tiles are missing")
    return layout._replace(places=list(zip(map(int, starts), map(int, lengths), strict=True)))


def _is_tiled(image: DeepTiff) -> bool:
    return 324 in image.tag_v2


def _order(layout: Layout, width: int, height: int) -> Iterator[tuple[int, int, int]]:
    """Plane, top and left of each strip or tile."""
    if min(layout.height, layout.width, width, height) < 1:
        raise ValueError("a side of nothing")
    planes = layout.samples if layout.planes else 1
    for plane in range(planes):
        for top in range(0, height, layout.height):
            for left in range(0, width, layout.width):
                yield plane, top, left


def _segment(layout: Layout, file: BinaryIO, place: tuple[int, int], rows: int, number: int) -> Array:
    """The values of a strip or tile, (rows, width, number)."""
    start, length = place
    file.seek(start)
    row = layout.width * number * layout.kind.itemsize
    content = _unpacked(file.read(min(length, 2 * rows * row + 65536)), layout.compression, rows, row)
    if len(content) < rows * row:
        raise ValueError("a strip or tile is cut off")
    content = content[: rows * row]
    if layout.predictor == 3 and layout.kind.kind == "f":
        return _floats(content, layout, rows, number)
    values = np.frombuffer(content, layout.kind).reshape(rows, layout.width, number)
    values = values.astype(layout.kind.newbyteorder("="))
    if layout.predictor == 2:
        whole = values.view(f"u{values.itemsize}")
        np.cumsum(whole, 1, whole.dtype, whole)
    return values


def _floats(content: bytes, layout: Layout, rows: int, number: int) -> Array:
    """Floats whose bytes were sorted by their weight, and are differences."""
    size = layout.kind.itemsize
    steps = np.frombuffer(content, np.uint8).reshape(rows, size * layout.width, number)
    whole = np.cumsum(steps, 1, np.uint8).reshape(rows, size, layout.width * number)
    values = np.ascontiguousarray(whole.transpose(0, 2, 1)).view(f">f{size}")
    return values.reshape(rows, layout.width, number).astype(f"f{size}")


def _unpacked(data: bytes, compression: int, rows: int, row: int) -> bytes:
    if compression == NONE:
        return data
    if compression in _DEFLATE_KINDS:
        return zlib.decompressobj().decompress(data, rows * row)
    tags = {256: row, 257: rows, 258: 8, 259: compression, 262: 1, 273: 122, 277: 1, 278: rows, 279: len(data)}
    head = struct.pack("<2sHIH", b"II", 42, 8, len(tags))
    head += b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items()) + bytes(4)
    with TiffImagePlugin.TiffImageFile(io.BytesIO(head.ljust(122, b"\0") + data)) as image:
        return image.tobytes()
