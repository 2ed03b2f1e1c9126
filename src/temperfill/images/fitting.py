"""Metadata in the formats that are written: what each has a place for, and how it stands there."""

import struct
from contextlib import suppress
from dataclasses import replace
from typing import Any

from PIL import PngImagePlugin

from temperfill.images import xmp
from temperfill.images.exif import UNDEFINED, Exif, Value, read
from temperfill.images.metadata import IPTC, IPTC_RESOURCE, XMP_TEXT

_ABOVE = 32768  # tags of single programs and standards; EXIF has these among them
_EXIF_TAGS = frozenset((33432, 18246, 18249, 40091, 40092, 40093, 40094, 40095, 50341))
_PLACES = {
    "icc_profile": ("PNG", "JPEG", "WEBP", "AVIF", "TIFF"),
    "exif": ("PNG", "JPEG", "WEBP", "AVIF", "TIFF"),
    "xmp": ("PNG", "JPEG", "WEBP", "AVIF", "TIFF"),
    "iptc": ("JPEG", "TIFF"),
    "dpi": ("PNG", "JPEG", "TIFF", "BMP"),
    "per_cm": ("TIFF",),
    "comment": ("JPEG", "GIF"),
    "texts": ("PNG",),
    "chunks": ("PNG",),
}
"""Formats that have a place for each kind of metadata."""
_CALLED = {
    "icc_profile": "the colour profile",
    "exif": "EXIF data",
    "xmp": "XMP data",
    "iptc": "IPTC data",
    "comment": "the comment",
    "texts": "texts",
    "chunks": "how its colours are meant (gAMA, cHRM, cICP)",
}
_SEGMENT = 65_533
"""Bytes of a segment of JPEG, at most."""
_MOST = {"exif": _SEGMENT, "xmp": _SEGMENT - 29, "iptc": _SEGMENT - 26, "icc_profile": 255 * (_SEGMENT - 14)}
_SRGB_GAMMA = b"\0\0\xb1\x8f"


def fitting(info: dict[str, Any], kind: str) -> tuple[dict[str, Any], list[str]]:
    """What a format has a place for, of what a picture says besides its pixels.

    Args:
        info: of a picture.
        kind: a format that is written.

    Returns:
        The part of ``info`` that the format holds, and what is lost, in words.
    """
    fitted, losses = dict(info), []
    for key, kinds in _PLACES.items():
        if info.get(key) and kind not in kinds:
            del fitted[key]
            if key in _CALLED and not (key == "chunks" and _is_srgb(info[key])):
                losses.append(f"{_CALLED[key]}, for which {kind} has no place")
    if "exif" in fitted and kind != "TIFF":
        exif = read(fitted["exif"])
        others = [tag for tag in exif.main if tag >= _ABOVE and tag not in _EXIF_TAGS]
        if others:
            losses.append(f"the tags {', '.join(map(str, others))}, which only TIFF has")
            main = {tag: value for tag, value in exif.main.items() if tag not in others}
            fitted["exif"] = replace(exif, main=main).encoded()
    if kind == "JPEG":
        losses += _fit_segments(fitted)
    return {key: value for key, value in fitted.items() if value is not None}, losses


def _is_srgb(chunks: tuple[tuple[bytes, bytes], ...]) -> bool:
    """Whether chunks of PNG say no more than that colours are as usual."""
    names = dict(chunks)
    return b"cICP" not in names and (b"sRGB" in names or names.get(b"gAMA", _SRGB_GAMMA) == _SRGB_GAMMA)


def _fit_segments(fitted: dict[str, Any]) -> list[str]:
    """Leaves out, in place, what is longer than JPEG allows; what that was, in words."""
    losses = []
    if len(fitted.get("exif", b"")) > _SEGMENT:
        fitted["exif"], tags = _shortened(read(fitted["exif"]), _SEGMENT)
        losses.append(f"the longest EXIF tags ({', '.join(map(str, tags))})")
    if len(fitted.get("xmp", b"")) > _MOST["xmp"]:
        with suppress(ValueError):
            fitted["xmp"] = xmp.trimmed(fitted["xmp"])
    for key, most in _MOST.items():
        if len(fitted.get(key, b"")) > most:
            del fitted[key]
            losses.append(f"{_CALLED[key]}, longer than JPEG allows")
    if "comment" in fitted:
        fitted["comment"] = fitted["comment"][:_SEGMENT]
    return losses


def _shortened(exif: Exif, most: int) -> tuple[bytes, list[int]]:
    """EXIF data without its longest values, as many as need be, and their tags."""
    removed: list[int] = []
    while len(encoded := exif.encoded()) > most:
        sizes = {
            (name, tag): len(value.content)
            for name in ("main", "exif", "gps", "interoperability")
            for tag, value in getattr(exif, name).items()
        }
        name, tag = max(sizes, key=lambda place: sizes[place])
        exif = exif.without(name, tag)
        removed.append(tag)
    return encoded, removed


def tiff_tags(info: dict[str, Any]) -> Exif:
    """What stands in tags of a TIFF, besides XMP, resolution and colour profile."""
    exif = read(info["exif"]) if "exif" in info else Exif()
    main = dict(exif.main)
    if "iptc" in info:
        main[IPTC] = Value(UNDEFINED, info["iptc"])
    return replace(exif, main=main)


def iptc_segment(iptc: bytes) -> bytes:
    """The segment of JPEG in which Photoshop, and everybody since, writes IPTC data."""
    content = b"Photoshop 3.0\0" + b"8BIM" + struct.pack(">HHI", IPTC_RESOURCE, 0, len(iptc)) + iptc
    content += bytes(len(iptc) % 2)
    return b"\xff\xed" + struct.pack(">H", len(content) + 2) + content


def png_info(info: dict[str, Any]) -> PngImagePlugin.PngInfo:
    """Texts of a PNG, among which its XMP has its place, and how its colours are meant."""
    result = PngImagePlugin.PngInfo()
    for key, text in info.get("texts", {}).items():
        result.add_text(key, text)
    if info.get("xmp"):
        result.add_itxt(XMP_TEXT, info["xmp"].decode(errors="replace"))
    for name, content in info.get("chunks", ()):
        result.add(name, content)
    return result
