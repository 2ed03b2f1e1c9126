"""TIFF files of every depth, laid out as the file was that a picture came from; Pillow writes 8 bits for each colour.

A file begins with the EXIF data, which has the form of a TIFF itself, so that its directories stay as they are; a
directory of the picture at the end takes over its entries (TIFF 6.0, section 2).
"""

import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin

from temperfill.images.tiff import DEFLATE, LZW, NONE
from temperfill.images.tiff_pages import Pages, append_entry, append_pages

Array = NDArray[Any]

_AT_ONCE = 1 << 18  # bytes of a strip, before it is compressed
_BYTES, _SHORT, _LONG, _RATIONAL, _UNDEFINED = 1, 3, 4, 5, 7
_SIZES = {_SHORT: 2, _LONG: 4, _RATIONAL: 8, _BYTES: 1, _UNDEFINED: 1}
_FORMS = {"u": 1, "i": 2, "f": 3}
_COLOURS = {"RGB": 2, "RGBA": 2, "CMYK": 5, "LAB": 8}  # PhotometricInterpretation; that of grey is 1
_MOST_DPI = 400_000  # as a fraction of 10,000
_MOST_BYTES = (1 << 32) - (1 << 20)
_TOO_LARGE = "the file would have more than 4 GB; write a lower depth, or a smaller picture"


@dataclass(frozen=True)
class Form:
    """How a TIFF is laid out.

    Attributes:
        compression: NONE, LZW or DEFLATE.
        planes: every channel by itself.
        is_big_endian: the upper bytes first.
    """

    compression: int = DEFLATE
    planes: bool = False
    is_big_endian: bool = False


def read_form(image: TiffImagePlugin.TiffImageFile) -> Form:
    """Of a TIFF, as far as it is written here."""
    tags = image.tag_v2
    kind = int(tags.get(259, NONE))
    return Form(kind if kind in (NONE, LZW) else DEFLATE, tags.get(284, 1) == 2, tags.prefix == b"MM")


def encode_tiff(
    pixels: Array,
    mode: str,
    form: Form,
    exif: bytes = b"",
    icc_profile: bytes = b"",
    xmp: bytes = b"",
    dpi: tuple[float, float] | None = None,
    per_cm: bool = False,
    pages: Pages | None = None,
) -> bytes:
    """A TIFF in the depth of its pixels.

    Args:
        pixels: (H, W) or (H, W, C); bool for one bit.
        mode: of Pillow.
        form: its layout.
        exif: EXIF data, whose order of bytes the file takes over if there are any.
        icc_profile: colour profile.
        xmp: XMP data.
        dpi: resolution across and down, per inch.
        per_cm: whether it is written per centimetre.
        pages: that follow, if the order of their bytes is that of the file.

    Raises:
        ValueError: above 4 GB.
    """
    head = exif.removeprefix(b"Exif\0\0") or (b"MM\0*" if form.is_big_endian else b"II*\0") + bytes(4)
    order: Literal["<", ">"] = ">" if head[:2] == b"MM" else "<"
    file = bytearray(head)
    file += bytes(len(file) % 2)
    values = pixels.reshape(*pixels.shape[:2], -1)
    width, bits = values.shape[1], 1 if values.dtype == np.bool_ else values.dtype.itemsize * 8
    if bits == 1:
        values = np.packbits(values, 1)
    values = values.astype(values.dtype.newbyteorder(order), copy=False)
    count = values.shape[2]
    rows = max(1, _AT_ONCE // (values.shape[1] * (1 if form.planes else count) * values.dtype.itemsize))
    starts, lengths = [], []
    has_steps = form.compression != NONE and values.dtype.kind != "f" and bits > 1
    for strip in _strips(values, form, rows, has_steps):
        starts.append(len(file))
        lengths.append(len(strip))
        file += strip
        if len(file) > _MOST_BYTES:
            raise ValueError(_TOO_LARGE)
    tags: dict[int, tuple[int, Any]] = {
        256: (_LONG, [width]),
        257: (_LONG, [values.shape[0]]),
        258: (_SHORT, [bits] * count),
        259: (_SHORT, [form.compression]),
        262: (_SHORT, [_COLOURS.get(mode, 1)]),
        273: (_LONG, starts),
        277: (_SHORT, [count]),
        278: (_LONG, [rows]),
        279: (_LONG, lengths),
        284: (_SHORT, [1 + form.planes]),
        317: (_SHORT, [1 + has_steps]),
        339: (_SHORT, [_FORMS[values.dtype.kind]] * count),
    }
    if mode in ("LA", "RGBA"):
        tags[338] = (_SHORT, [2])
    if dpi is not None and all(0 < value < _MOST_DPI for value in dpi):  # as NaN is not
        across, down = (value / 2.54 if per_cm else value for value in dpi)
        tags |= {282: (_RATIONAL, [across]), 283: (_RATIONAL, [down]), 296: (_SHORT, [3 if per_cm else 2])}
    tags |= {34675: (_UNDEFINED, icc_profile)} if icc_profile else {}
    tags |= {700: (_BYTES, xmp)} if xmp else {}
    _append_directory(file, order, tags)
    if pages is not None and pages.order == order:
        append_pages(file, pages, len(file) - 4)
    if len(file) > _MOST_BYTES:
        raise ValueError(_TOO_LARGE)
    return bytes(file)


def _strips(values: Array, form: Form, rows: int, has_steps: bool) -> Iterator[bytes]:
    for plane in np.moveaxis(values, 2, 0)[..., None] if form.planes else [values]:
        for top in range(0, len(plane), rows):
            part = np.ascontiguousarray(plane[top : top + rows])
            yield _packed(part, form.compression, has_steps)


def _packed(part: Array, compression: int, has_steps: bool) -> bytes:
    if has_steps:  # differences of neighbours, which are small
        steps = part.astype(part.dtype.newbyteorder("="))
        steps[:, 1:] -= part[:, :-1]
        part = steps.astype(part.dtype)
    if compression == NONE:
        return part.tobytes()
    if compression == DEFLATE:
        return zlib.compress(part.tobytes(), 6)
    file, size = io.BytesIO(), (part[0].nbytes, len(part))
    Image.frombytes("L", size, part.tobytes()).save(file, "TIFF", compression="tiff_lzw", tiffinfo={278: len(part)})
    file.seek(0)
    with TiffImagePlugin.TiffImageFile(file) as image:
        ((start,), (length,)) = image.tag_v2[273], image.tag_v2[279]
    return file.getvalue()[start : start + length]


def _append_directory(file: bytearray, order: str, tags: dict[int, tuple[int, Any]]) -> None:
    """Writes the tags behind the pixels, with those of the directory at the file's start that are not among them."""
    entries = {tag: entry for tag, entry in _old_entries(file, order) if tag not in tags}
    for tag, (kind, values) in tags.items():
        content = values if kind in (_BYTES, _UNDEFINED) else b"".join(_number(order, kind, value) for value in values)
        entries[tag] = append_entry(file, order, tag, kind, len(content) // _SIZES[kind], content)
    file += bytes(len(file) % 2)
    start = len(file)
    file += struct.pack(order + "H", len(entries)) + b"".join(entries[tag] for tag in sorted(entries)) + bytes(4)
    file[4:8] = struct.pack(order + "I", start)


def _old_entries(file: bytearray, order: str) -> Iterator[tuple[int, bytes]]:
    (start,) = struct.unpack_from(order + "I", file, 4)
    if start:
        (count,) = struct.unpack_from(order + "H", file, start)
        for at in range(start + 2, start + 2 + 12 * count, 12):
            yield struct.unpack_from(order + "H", file, at)[0], bytes(file[at : at + 12])


def _number(order: str, kind: int, value: float) -> bytes:
    if kind == _RATIONAL:
        return struct.pack(order + "II", round(value * 10_000), 10_000)
    return struct.pack(order + ("H" if kind == _SHORT else "I"), value)
