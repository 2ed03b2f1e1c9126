"""What a file says besides its pixels, and what of it is kept for the filled picture.

Kept is what gives the pixels their meaning or names their author. What shows or describes the pixels as they were,
previews, layers, parts for HDR screens and videos, is left out; sizes and areas are rewritten for the upright picture.
"""

import contextlib
import math
import struct
import warnings
from dataclasses import replace
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, JpegImagePlugin, PngImagePlugin, TiffImagePlugin

from temperfill.images import xmp
from temperfill.images.bounds.png import colour_chunks
from temperfill.images.exif import (
    HEIGHT,
    LONG,
    MAKER_NOTE,
    ORIENTATION,
    RESOLUTION_UNIT,
    SHORT,
    SUBJECT_AREA,
    SUBJECT_LOCATION,
    WIDTH,
    Exif,
    read,
)
from temperfill.images.formats import DECODER_ERRORS

XMP_TEXT = "XML:com.adobe.xmp"
"""Keyword of the text of PNG in which XMP stands."""
IPTC, XMP_TAG, _RESOURCES, _LAYERS = 33723, 700, 34377, 37724
IPTC_RESOURCE = 0x0404
# Tags of TIFF that say how pixels lie in the old file, those with a place of their own, and what shows old pixels.
_STRUCTURAL_TAGS = frozenset(
    tag
    for first, last in (
        *((254, 259), (262, 266), (273, 274), (277, 284), (290, 293), (296, 296), (301, 301), (317, 325), (330, 332)),
        *((338, 343), (347, 347), (512, 521), (529, 532), (700, 700), (33421, 33422), (IPTC, IPTC)),
        *((_RESOURCES, _RESOURCES), (34665, 34665), (34675, 34675), (34853, 34853), (_LAYERS, _LAYERS)),
        *((50706, 53000), (59932, 59933)),  # of raw pixels, and of programs that pad
    )
    for tag in range(first, last + 1)
)
_SENSIBLE_DPI = (0.01, 65_000.0)
_PREVIEW = b"\xff\xd8\xff"  # how JPEG begins


def exif_of(image: Image.Image, file: BinaryIO | None, name: str) -> Exif:
    """The EXIF data of an image, of which nothing is decoded that is not asked for.

    Args:
        image: its header.
        file: that it comes from; None for an image from elsewhere.
        name: for warnings.
    """
    if isinstance(image, TiffImagePlugin.TiffImageFile) and file is not None:
        return read(file)
    raw = image.info.get("exif")
    if isinstance(raw, bytes) and file is not None:
        return read(raw)
    try:  # what a caller set, or as ImageMagick writes it into texts of PNG
        return read(image.getexif().tobytes())
    except (OSError, *DECODER_ERRORS) as error:
        if isinstance(raw, bytes):
            return read(raw)
        warnings.warn(f"the EXIF data of {name} is damaged and left out ({error})", UserWarning, stacklevel=5)
        return Exif()


def orientation_of(image: Image.Image, exif: Exif) -> int:
    """How rows and columns are stored, 1 to 8: what the tag says, or XMP where there is no tag."""
    if image.format == "HEIF":  # its decoder turns; what EXIF says of it beside has no effect (ISO/IEC 23000-22)
        return 1
    numbers = exif.numbers(exif.main, ORIENTATION)
    if not numbers:
        packet = image.info.get("xmp")
        numbers = (xmp.orientation(packet),) if isinstance(packet, bytes) else (1,)
    return numbers[0] if 1 <= numbers[0] <= 8 else 1


def collect(
    image: Image.Image, file: BinaryIO | None, exif: Exif, orientation: int, size: tuple[int, int], name: str
) -> dict[str, Any]:
    """What is kept of the metadata of an image, as ``Picture.info`` has it.

    Args:
        image: as it was stored.
        file: that it comes from, or None.
        exif: from ``exif_of``.
        orientation: by which it was turned.
        size: height and width, upright.
        name: for warnings.
    """
    losses: list[str] = []
    iptc, packet = _iptc(image, exif), _packet(image, exif)
    kept = {key: image.info[key] for key in ("icc_profile", "comment") if isinstance(image.info.get(key), bytes)}
    if dpi := _dpi(image, orientation):
        kept |= {"dpi": dpi} | ({"per_cm": True} if _is_per_cm(image, exif) else {})
    if _LAYERS in exif.main:
        losses.append("layers of Photoshop")
    if "mp" in image.info:
        losses.append("further pictures, such as the part for HDR screens")
    if encoded := _current_exif(exif, orientation, size, losses).encoded():
        kept["exif"] = encoded
    if packet:
        try:
            kept["xmp"], found = xmp.current(packet, size, orientation)
            losses += found
        except ValueError as error:
            warnings.warn(f"the XMP data of {name} is damaged and left out ({error})", UserWarning, stacklevel=5)
    kept |= {"iptc": iptc} if iptc else {}
    if isinstance(image, PngImagePlugin.PngImageFile):
        kept |= {"texts": texts} if (texts := _texts(image)) else {}
        kept |= {"chunks": chunks} if file is not None and (chunks := colour_chunks(file)) else {}
    if losses:
        what = ", ".join(dict.fromkeys(losses))
        text = f"left out of the metadata of {name}, as it belongs to the old pixels: {what}"
        warnings.warn(text, UserWarning, stacklevel=5)
    return kept


def _texts(image: PngImagePlugin.PngImageFile) -> dict[str, str]:
    """Texts by their keywords, but for EXIF, IPTC and XMP, which have places of their own."""
    # Those of an animation can only be read together with all of its frames.
    texts = {} if getattr(image, "is_animated", False) else image.text
    return {key: text for key, text in texts.items() if not key.startswith(("Raw profile type", XMP_TEXT))}


def _dpi(image: Image.Image, orientation: int) -> tuple[float, float] | None:
    dpi = image.info.get("dpi")
    try:
        across, down = (float(each) for each in dpi or ())
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    low, high = _SENSIBLE_DPI
    if not all(math.isfinite(each) and low <= each <= high for each in (across, down)):
        return None
    return (down, across) if orientation >= 5 else (across, down)


def _is_per_cm(image: Image.Image, exif: Exif) -> bool:
    """Whether a file gives its resolution per centimetre; JFIF has precedence, as for Pillow."""
    unit = image.info.get("jfif_unit")
    return unit == 2 if unit in (1, 2) else exif.numbers(exif.main, RESOLUTION_UNIT) == (3,)


def _packet(image: Image.Image, exif: Exif) -> bytes:
    """The XMP of an image; of TIFF it stands in a tag."""
    found = image.info.get("xmp")
    if isinstance(found, bytes):
        return found
    value = exif.main.get(XMP_TAG)
    return value.content if value is not None and isinstance(image, TiffImagePlugin.TiffImageFile) else b""


def _iptc(image: Image.Image, exif: Exif) -> bytes:
    """Captions and authors as news agencies write them, in the bytes of IPTC's own form (IIM 4.2)."""
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        resources = image.info.get("photoshop")
        content = resources.get(IPTC_RESOURCE) if isinstance(resources, dict) else None
    elif isinstance(image, TiffImagePlugin.TiffImageFile) and IPTC in exif.main:
        content = exif.main[IPTC].content
        if exif.main[IPTC].kind == LONG and content[:1] != b"\x1c":  # some programs swap bytes of what is no number
            content = b"".join(content[at : at + 4][::-1] for at in range(0, len(content), 4))
        content = content.rstrip(b"\0")
    else:
        content = _resource(exif.main[_RESOURCES].content) if _RESOURCES in exif.main else None
    return content if isinstance(content, bytes) and content[:1] == b"\x1c" else b""


def _resource(resources: bytes) -> bytes:
    """The IPTC data among image resources of Photoshop; empty without any."""
    at = resources.find(b"8BIM" + struct.pack(">H", IPTC_RESOURCE))
    if at < 0 or len(resources) < at + 12:
        return b""
    start = at + 6 + (resources[at + 6] + 2) // 2 * 2
    return resources[start + 4 : start + 4 + int.from_bytes(resources[start : start + 4], "big")]


def _current_exif(exif: Exif, orientation: int, size: tuple[int, int], losses: list[str]) -> Exif:
    """EXIF data that is true of the upright pixels."""
    main = {tag: value for tag, value in exif.main.items() if tag not in _STRUCTURAL_TAGS}
    taken = dict(exif.exif)
    for tag, side in ((WIDTH, size[1]), (HEIGHT, size[0])):
        if tag in taken:
            taken[tag] = exif.number(LONG, side)
    if MAKER_NOTE in taken and _PREVIEW in taken[MAKER_NOTE].content:
        del taken[MAKER_NOTE]
        losses.append("a preview in notes of the camera")
    if orientation != 1:
        for tag in (SUBJECT_AREA, SUBJECT_LOCATION):
            if tag in taken:
                area = _turned_area(exif.numbers(taken, tag), orientation, size)
                del taken[tag]
                taken |= {tag: exif.number(SHORT, *area)} if area else {}
    return replace(exif, main=main, exif=taken)


def _turned_area(area: tuple[int, ...], orientation: int, size: tuple[int, int]) -> tuple[int, ...]:
    """A point, circle or rectangle about its middle, in pixels of the upright picture; nothing where it is none."""
    height, width = size
    stored = (height, width) if orientation >= 5 else (width, height)
    if len(area) not in (2, 3, 4) or 0 in stored:
        return ()
    x, y = xmp.turned(area[0] / stored[0], area[1] / stored[1], orientation)
    rest = area[:1:-1] if orientation >= 5 else area[2:]
    return tuple(min(max(round(each), 0), 65535) for each in (x * width, y * height, *rest))


def without_covered(info: dict[str, Any], hole: NDArray[np.bool_]) -> dict[str, Any]:
    """Metadata without the regions of people in XMP of which much was filled.

    Args:
        info: of a picture.
        hole: (H, W), True = filled.
    """
    if b"Regions" not in info.get("xmp", b""):
        return info
    height, width = hole.shape

    def share(left: float, top: float, right: float, bottom: float) -> float:
        rows = slice(max(int(top * height), 0), max(math.ceil(bottom * height), int(top * height) + 1, 1))
        columns = slice(max(int(left * width), 0), max(math.ceil(right * width), int(left * width) + 1, 1))
        part = hole[rows, columns]
        return float(part.mean()) if part.size else 0.0

    with contextlib.suppress(ValueError):
        return info | {"xmp": xmp.without_covered(info["xmp"], share)}
    return info
