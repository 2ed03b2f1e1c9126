"""Results say in their XMP that a trained model filled a part of them, as the IPTC has it for composites.

The property is ``DigitalSourceType`` of the IPTC Photo Metadata Standard, its value one of the IPTC's NewsCodes.
"""

import contextlib
from dataclasses import replace

from temperfill.images import xmp
from temperfill.images.picture import Picture

COMPOSITE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
_SPACE, _NAME = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/", "Iptc4xmpExt:DigitalSourceType"
PACKET = xmp.say(xmp.EMPTY, _SPACE, _NAME, COMPOSITE)
"""XMP that says this and nothing else."""
_LONGEST = 65_000  # bytes; JPEG has room for 65,504


def mark(picture: Picture) -> Picture:
    """The picture with the property; all else that its XMP says stays.

    XMP that cannot be added to, as it is damaged or too long, stays as it is.
    """
    new = old = picture.info.get("xmp") or xmp.EMPTY
    with contextlib.suppress(ValueError):
        new = xmp.say(old, _SPACE, _NAME, COMPOSITE)
    return replace(picture, info=picture.info | {"xmp": new if len(new) <= _LONGEST else old})


def is_marked(picture: Picture) -> bool:
    """Whether the picture has the property with this value."""
    return COMPOSITE.encode() in picture.info.get("xmp", b"")
