"""Results say in their XMP that a trained model filled a part of them, as the IPTC has it for composites.

The property is ``DigitalSourceType`` of the IPTC Photo Metadata Standard, its value one of the IPTC's NewsCodes.
"""

import re
from dataclasses import replace

from temperfill.images.picture import Picture

COMPOSITE = b"http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
_ANY_SOURCE = re.compile(rb"http://cv\.iptc\.org/newscodes/digitalsourcetype/\w+")
_DESCRIPTION = (
    b'<rdf:Description xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" rdf:about="" '
    b'xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
    b'Iptc4xmpExt:DigitalSourceType="' + COMPOSITE + b'"/>'
)
PACKET = (
    b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    + _DESCRIPTION
    + b'</rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
)
"""XMP that says this and nothing else."""
_END = re.compile(rb"</[\w.-]+:RDF\s*>")
_LONGEST = 65_000  # bytes; JPEG has room for 65,504


def mark(picture: Picture) -> Picture:
    """The picture with the property; all else that its XMP says stays.

    XMP that cannot be added to, as it is damaged, of another encoding than UTF-8 or too long, stays as it is.
    """
    old: bytes = picture.info.get("xmp", b"")
    if not old:
        new = PACKET
    elif _ANY_SOURCE.search(old):
        new = _ANY_SOURCE.sub(COMPOSITE, old)
    else:
        ends = list(_END.finditer(old))
        at = ends[-1].start() if ends else len(old)
        new = old[:at] + _DESCRIPTION + old[at:] if ends else old
    return replace(picture, info=picture.info | {"xmp": new if len(new) <= _LONGEST else old})


def is_marked(picture: Picture) -> bool:
    """Whether the picture has the property with this value."""
    return COMPOSITE in picture.info.get("xmp", b"")
