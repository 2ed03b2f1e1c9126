"""XMP: what in it depicts or describes the pixels that a file had before.

An XMP packet is kept as it is, byte for byte, but for what is removed or rewritten here. Names are those of Adobe's XMP
specification (parts 1 and 2), of the guidelines of the Metadata Working Group (section 5.9), of Ultra HDR, and of
Google's and Apple's descriptions of motion photos, gain maps and depth.
"""

import contextlib
from collections.abc import Callable, Iterator
from xml.dom import minidom
from xml.parsers.expat import ExpatError

_XMP, _TIFF, _EXIF = (f"http://ns.adobe.com/{name}/1.0/" for name in ("xap", "tiff", "exif"))
_MWG = "http://www.metadataworkinggroup.com/schemas/regions/"
_AREA, _SIZES = "http://ns.adobe.com/xmp/sType/Area#", "http://ns.adobe.com/xap/1.0/sType/Dimensions#"
_AREAS = (_AREA, "http://ns.adobe.com/xap/1.0/sType/Area#")
_CAMERA = "http://ns.google.com/photos/1.0/camera/"
# Namespaces of which nothing is true any more.
_PARTS = {
    "http://ns.adobe.com/hdr-gain-map/1.0/": "the part for HDR screens",
    "http://ns.apple.com/HDRGainMap/1.0/": "the part for HDR screens",
    "http://ns.apple.com/pixeldatainfo/1.0/": "the part for HDR screens",
    "http://ns.google.com/photos/1.0/container/": "further pictures or a video",
    "http://ns.google.com/photos/1.0/container/item/": "further pictures or a video",
    "http://ns.google.com/photos/1.0/image/": "the original picture",
    "http://ns.google.com/photos/1.0/depthmap/": "a map of depths",
    "http://ns.google.com/photos/dd/1.0/device/": "a map of depths",
    "http://ns.google.com/photos/1.0/audio/": "sound",
    "http://ns.adobe.com/xmp/note/": "",  # of further XMP, in segments that are not read
    "http://ns.microsoft.com/photo/1.2/": "regions with people",
    "http://ns.acdsee.com/regions/": "regions with people",
}
_NAMES = {
    (_XMP, "Thumbnails"): "",
    (_TIFF, "Orientation"): "",
    ("http://iptc.org/std/Iptc4xmpExt/2008-02-29/", "ImageRegion"): "regions with people",
    ("http://purl.org/dc/terms/", "provenance"): "",
}
_TURNED = {(_EXIF, "SubjectArea"): "the area of the subject", (_EXIF, "SubjectLocation"): "the area of the subject"}
_WIDTHS = ((_TIFF, "ImageWidth"), (_EXIF, "PixelXDimension"))
_HEIGHTS = ((_TIFF, "ImageLength"), (_EXIF, "PixelYDimension"))
_COVERED = 0.25
_RDF, _XMLNS = "http://www.w3.org/1999/02/22-rdf-syntax-ns#", "http://www.w3.org/2000/xmlns/"
EMPTY = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    f'<rdf:RDF xmlns:rdf="{_RDF}"/></x:xmpmeta><?xpacket end="w"?>'
).encode()
"""A packet that says nothing."""
MOST_BYTES, MOST_PARTS = 10_000_000, 100_000
"""Bytes of a packet, and elements and properties, each of which becomes an object."""

Change = Callable[[minidom.Document], bool]
Covered = Callable[[float, float, float, float], float]
"""The share of a part that a hole covers: left, top, right and bottom in [0, 1]."""


def edit(xmp: bytes, change: Change) -> bytes:
    """The one way in which XMP is changed.

    Args:
        xmp: a packet.
        change: works on the document in place, and is False if it changed nothing.

    Returns:
        The packet, as it was if nothing was changed.

    Raises:
        ValueError: it is no XML, or has declarations of its own, as XMP never has.
    """
    if b"<!DOCTYPE" in xmp or b"<!ENTITY" in xmp:
        raise ValueError("it declares entities")
    if len(xmp) > MOST_BYTES or xmp.count(b"<") + xmp.count(b"=") > MOST_PARTS:
        raise ValueError("it is longer than XMP is")
    try:
        with minidom.parseString(xmp.strip(b"\0 \r\n\t")) as document:
            if not change(document):
                return xmp
            return "".join(node.toxml() for node in document.childNodes).encode()
    except (ExpatError, RecursionError, UnicodeError) as error:
        raise ValueError(" ".join(str(error).split())) from None


def current(xmp: bytes, size: tuple[int, int], orientation: int) -> tuple[bytes, list[str]]:
    """XMP for the pixels alone, upright: without previews and other parts of the old file, with the sizes as they are.

    Args:
        xmp: a packet.
        size: height and width, upright.
        orientation: by which the picture was turned, as EXIF has it; 1 if it was not.

    Returns:
        The packet, and what was left out that somebody may miss.

    Raises:
        ValueError: as ``edit``.
    """
    losses: list[str] = []
    return edit(xmp, lambda document: _make_current(document, size, orientation, losses)), list(dict.fromkeys(losses))


def orientation(xmp: bytes) -> int:
    """The orientation that a packet tells, 1 where it tells none or is damaged."""
    found: list[str] = []
    if b"Orientation" not in xmp:
        return 1

    def look(document: minidom.Document) -> bool:
        found.extend(_text(node) for _, node in _properties(document) if _name(node) == (_TIFF, "Orientation"))
        return False

    with contextlib.suppress(ValueError):
        edit(xmp, look)
        return int(found[0]) if found else 1
    return 1


def without_covered(xmp: bytes, covered: Covered) -> bytes:
    """XMP without the regions of people, as face detection writes them, of which a quarter or more was filled.

    Raises:
        ValueError: as ``edit``.
    """

    def change(document: minidom.Document) -> bool:
        found = [region for region, area in _regions(document) if _is_covered(area, covered)]
        for region in found:
            _remove(region)
        return bool(found)

    return edit(xmp, change)


def say(xmp: bytes, space: str, name: str, value: str) -> bytes:
    """A packet that gives a property of the picture this value, once, whatever it was before.

    Args:
        xmp: a packet; one without RDF stays as it is.
        space: address of the property's namespace.
        name: of the property, with the usual prefix.
        value: a text.

    Raises:
        ValueError: as ``edit``.
    """

    def change(document: minidom.Document) -> bool:
        roots = document.getElementsByTagNameNS(_RDF, "RDF")
        if not roots:
            return False
        descriptions = [node for node in roots[-1].childNodes if isinstance(node, minidom.Element)]
        wanted, owners = (space, name.rpartition(":")[2]), set(descriptions)  # what parts say of themselves stays
        found = [(owner, node) for owner, node in _properties(document) if owner in owners and _name(node) == wanted]
        if [_text(node) for _, node in found] == [value]:
            return False
        for owner, node in found:
            _take(owner, node)
        roots[-1].appendChild(_description(document, descriptions, space, name, value))
        return True

    return edit(xmp, change)


def trimmed(xmp: bytes) -> bytes:
    """A packet without the padding that leaves room for later edits, often several kilobytes (XMP, part 1, 7.3.2).

    Raises:
        ValueError: as ``edit``.
    """
    return edit(xmp, lambda document: True)  # of white space outside the root nothing is read


def _description(
    document: minidom.Document, others: list[minidom.Element], space: str, name: str, value: str
) -> minidom.Element:
    """A description of what the others describe, as all of a packet describe the same (XMP, part 1, section 7.4)."""
    about = others[0].getAttributeNS(_RDF, "about") if others else ""
    new = document.createElementNS(_RDF, "rdf:Description")
    new.setAttributeNS(_XMLNS, "xmlns:rdf", _RDF)
    new.setAttributeNS(_RDF, "rdf:about", about)
    new.setAttributeNS(_XMLNS, f"xmlns:{name.partition(':')[0]}", space)
    new.setAttributeNS(space, name, value)
    return new


def _make_current(document: minidom.Document, size: tuple[int, int], orientation: int, losses: list[str]) -> bool:
    changed, turned = False, orientation != 1
    for owner, node in list(_properties(document)):
        name = _name(node)
        reason = _NAMES.get(name, _PARTS.get(name[0]))
        if reason is None and name[0] == _CAMERA and name[1].startswith(("Motion", "MicroVideo")):
            reason = "a video"
        if reason is None and turned:
            reason = _TURNED.get(name)
        wanted = str(size[1]) if name in _WIDTHS else str(size[0]) if name in _HEIGHTS else None
        if reason is not None:
            losses += [reason] if reason else []
            _take(owner, node)
            changed = True
        elif wanted is not None and _text(node) != wanted:
            _set_text(document, node, wanted)
            changed = True
    if turned:
        for _, area in _regions(document):
            changed |= _turn(document, area, orientation)
    return _set_dimensions(document, size) or changed


def _properties(document: minidom.Document) -> Iterator[tuple[minidom.Element, minidom.Attr | minidom.Element]]:
    """All attributes and elements, each with the element that it stands in."""
    for element in document.getElementsByTagName("*"):
        for attribute in list((element.attributes or {}).values()):
            yield element, attribute
        if isinstance(element.parentNode, minidom.Element):
            yield element.parentNode, element


def _name(node: minidom.Attr | minidom.Element) -> tuple[str, str]:
    return node.namespaceURI or "", node.localName or ""


def _take(owner: minidom.Element, node: minidom.Attr | minidom.Element) -> None:
    if isinstance(node, minidom.Attr):
        owner.removeAttributeNode(node)
    elif node.parentNode is owner:
        owner.removeChild(node)


def _remove(node: minidom.Element) -> None:
    if node.parentNode is not None:
        node.parentNode.removeChild(node)


def _text(node: minidom.Attr | minidom.Element) -> str:
    if isinstance(node, minidom.Attr):
        return str(node.value)
    return "".join(child.data for child in node.childNodes if isinstance(child, minidom.Text)).strip()


def _set_text(document: minidom.Document, node: minidom.Attr | minidom.Element, text: str) -> None:
    if isinstance(node, minidom.Attr):
        node.value = text
        return
    for child in list(node.childNodes):
        node.removeChild(child)
    node.appendChild(document.createTextNode(text))


Area = dict[str, minidom.Attr | minidom.Element]


def _regions(document: minidom.Document) -> Iterator[tuple[minidom.Element, Area]]:
    """The regions of a list, each with the properties of its area by their names."""
    for items in list(document.getElementsByTagNameNS(_MWG, "RegionList")):
        for region in list(items.getElementsByTagNameNS("*", "li")):
            yield region, {str(n.localName): n for _, n in _properties_in(region) if n.namespaceURI in _AREAS}


def _properties_in(element: minidom.Element) -> Iterator[tuple[minidom.Element, minidom.Attr | minidom.Element]]:
    for inside in (element, *element.getElementsByTagName("*")):
        for attribute in list((inside.attributes or {}).values()):
            yield inside, attribute
        yield element, inside


def _numbers(area: Area) -> list[float] | None:
    """The middle, width and height of an area, in [0, 1]; those of a point or circle are its own."""
    try:
        x, y = float(_text(area["x"])), float(_text(area["y"]))
        width = float(_text(area["w"])) if "w" in area else float(_text(area["d"])) if "d" in area else 0.0
        height = float(_text(area["h"])) if "h" in area else width
    except (KeyError, ValueError):
        return None
    return [x, y, width, height]


def _is_covered(area: Area, covered: Covered) -> bool:
    numbers = _numbers(area)
    if numbers is None:
        return True  # of which nothing is known
    x, y, width, height = numbers
    return covered(x - width / 2, y - height / 2, x + width / 2, y + height / 2) >= _COVERED


def _turn(document: minidom.Document, area: Area, orientation: int) -> bool:
    numbers = _numbers(area)
    if numbers is None:
        return False
    x, y, width, height = numbers
    x, y = turned(x, y, orientation)
    if orientation >= 5:
        width, height = height, width
    for name, value in (("x", x), ("y", y), ("w", width), ("h", height)):
        if name in area:
            _set_text(document, area[name], f"{value:.6g}")
    return True


def turned(x: float, y: float, orientation: int) -> tuple[float, float]:
    """Where a point of a stored picture, in [0, 1], lies in the upright one."""
    if orientation >= 5:
        x, y = y, x  # mirrored at the diagonal
    if orientation in (2, 3, 6, 7):
        x = 1 - x
    if orientation in (3, 4, 7, 8):
        y = 1 - y
    return x, y


def _set_dimensions(document: minidom.Document, size: tuple[int, int]) -> bool:
    """Writes the size to which regions belong."""
    changed = False
    for element in document.getElementsByTagNameNS(_MWG, "AppliedToDimensions"):
        for _, node in list(_properties_in(element)):
            wanted = {"w": str(size[1]), "h": str(size[0])}.get(str(node.localName))
            if node.namespaceURI == _SIZES and wanted is not None and _text(node) != wanted:
                _set_text(document, node, wanted)
                changed = True
    return changed
