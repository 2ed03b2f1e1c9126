"""The one function that edits XMP: byte for byte where nothing changes, and nothing of strangers is expanded."""

import pytest

from temperfill.images.xmp import current, edit, orientation, trimmed

HEAD = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
TAIL = b"</rdf:RDF></x:xmpmeta>"
TIFF = b'xmlns:tiff="http://ns.adobe.com/tiff/1.0/"'


def packet(inside: bytes) -> bytes:
    return HEAD + inside + TAIL


def test_what_needs_no_change_keeps_its_bytes() -> None:
    kept = b"<?xpacket begin='' id='W5M0MpCehiHzreSzNTczkc9d'?>\n" + packet(b"<!-- a\t remark -->") + b" " * 99
    assert current(kept, (3, 4), 1) == (kept, [])


def test_orientation_as_attribute_and_as_element() -> None:
    one = packet(b"<rdf:Description " + TIFF + b' tiff:Orientation="6"/>')
    other = packet(b"<rdf:Description " + TIFF + b"><tiff:Orientation>8</tiff:Orientation></rdf:Description>")
    assert (orientation(one), orientation(other), orientation(packet(b""))) == (6, 8, 1)
    assert b"Orientation" not in current(one, (3, 4), 1)[0] + current(other, (3, 4), 1)[0]


def test_padding_can_be_left_out() -> None:
    ends = b"<?xpacket begin='' id='W5M0MpCehiHzreSzNTczkc9d'?>", b"<?xpacket end='w'?>"
    inside = packet(b"<!-- a remark -->")
    assert trimmed((b" " * 99 + b"\n").join((ends[0], inside, ends[1]))) == ends[0] + inside + ends[1]


def test_other_prefixes_mean_the_same() -> None:
    odd = packet(b'<rdf:Description xmlns:a="http://ns.adobe.com/hdr-gain-map/1.0/" a:Version="1.0" a:GainMapMax="2"/>')
    found, losses = current(odd, (3, 4), 1)
    assert b"Version" not in found
    assert losses == ["the part for HDR screens"]


@pytest.mark.parametrize(
    "bad",
    [
        b"no XML",
        b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
        packet(b"<a>" * 5000 + b"</a>" * 5000),
        packet(b"<a/>" * 200_000),
        packet(b"\xff\xfe"),
    ],
)
def test_what_is_no_xmp_is_an_error(bad: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        edit(bad, lambda document: True)
    assert orientation(bad) == 1
