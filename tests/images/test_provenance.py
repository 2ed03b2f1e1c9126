"""Results say that a trained model filled a part of them: read back by Pillow, with all else that XMP said before."""

import io
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from temperfill import images
from temperfill.config import GeneratorConfig
from temperfill.inpainter import Inpainter
from temperfill.methods.ours import Ours
from temperfill.nets.generator import Generator

RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
NAME = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType"
VALUE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
HEAD = '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
TAIL = "</rdf:RDF></x:xmpmeta>"
RATED = f'{HEAD}<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="5"/>{TAIL}'
CAPTURED = RATED.replace("/></rdf:RDF>", ">{}</rdf:Description></rdf:RDF>").format(
    '<i:DigitalSourceType xmlns:i="http://iptc.org/std/Iptc4xmpExt/2008-02-29/">'
    "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture</i:DigitalSourceType>"
)


@pytest.fixture(scope="module")
def inpainter() -> Inpainter:
    torch.manual_seed(0)
    return Inpainter(Ours(Generator(GeneratorConfig(width=4, head_dim=4)).eval()), "cpu", "fp32")


def photo(xmp: str = "", dtype: Any = np.uint8) -> images.Picture:
    pixels = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (24, 32, 3), dtype, endpoint=True)
    return images.Picture(pixels, "RGB", {"xmp": xmp.encode()} if xmp else {})


def hole() -> np.ndarray[Any, Any]:
    mask = np.zeros((24, 32), bool)
    mask[8:14, 9:20] = True
    return mask


def said(xmp: bytes) -> list[str]:
    """Values of the property, as attributes and as elements."""
    root = ET.fromstring(xmp.strip().partition(b"?>")[2] if xmp.startswith(b"<?xpacket") else xmp)
    found = [node.attrib[NAME] for node in root.iter(f"{RDF}Description") if NAME in node.attrib]
    return found + [str(node.text) for node in root.iter(NAME)]


NAMED = RATED.replace('rdf:about=""', 'rdf:about="uuid:1"')
LINKED = CAPTURED.replace(">http", ' rdf:resource="http').replace(
    "digitalCapture</i:DigitalSourceType>", 'digitalCapture"/>'
)
OTHER = CAPTURED.replace("http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture", "a camera").replace(
    'xmp:Rating="5"', 'xmp:Rating="5" xmlns:j="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" j:DigitalSourceType="none"'
)


@pytest.mark.parametrize(
    ("suffix", "kind"),
    [
        (".png", np.uint8), (".jpg", np.uint8), (".webp", np.uint8), (".avif", np.uint8), (".tif", np.uint8),
        (".tif", np.uint16),
    ],
)  # fmt: skip
@pytest.mark.parametrize("before", ["", RATED, CAPTURED, LINKED, OTHER, NAMED])
def test_a_filled_file_says_so_and_keeps_what_it_said(
    inpainter: Inpainter, before: str, suffix: str, kind: Any, tmp_path: Path
) -> None:
    path = tmp_path / f"result{suffix}"
    picture = photo(before, kind)
    images.save_picture(path, inpainter.complete(picture, hole()))
    with Image.open(path) as file:
        file.load()
        xmp = file.info["xmp"] if "xmp" in file.info else file.info["XML:com.adobe.xmp"].encode()
    assert said(xmp) == [VALUE]
    assert (b'xmp:Rating="5"' in xmp) == bool(before)
    assert xmp.count(b'rdf:about="uuid:1"') == (2 if before == NAMED else 0)  # all of a packet describe the same
    again = images.open_picture(path)
    assert images.is_marked(again)
    assert images.mark(again).info["xmp"] == again.info["xmp"]  # once is enough


def test_nothing_is_said_where_nothing_was_made_or_the_caller_wants_it_so(inpainter: Inpainter) -> None:
    with pytest.warns(UserWarning, match="nothing to fill"):
        assert not images.is_marked(inpainter.complete(photo(RATED), ~hole() & False))
    for result in (
        inpainter(photo().pixels, hole(), unmarked=True),
        Inpainter(lambda image, mask: image, "cpu")(photo().pixels, hole()),
    ):
        assert "xmp" not in result.info
    assert images.is_marked(images.open_picture(inpainter(photo().pixels, hole())))


@pytest.mark.parametrize("xmp", [b"no XMP", b"<a/>", RATED.replace("5", "5" * 65_000).encode()])
def test_xmp_that_cannot_be_added_to_stays(xmp: bytes) -> None:
    picture = images.Picture(photo().pixels, "RGB", {"xmp": xmp})
    assert images.mark(picture).info["xmp"] == xmp


def test_what_a_part_of_the_picture_is_stays() -> None:
    part = CAPTURED.removeprefix(HEAD).removesuffix(TAIL)
    inside = (
        f'<m:Pantry xmlns:m="http://ns.adobe.com/xap/1.0/mm/"><rdf:Bag><rdf:li>{part}</rdf:li></rdf:Bag></m:Pantry>'
    )
    packet = f'{HEAD}<rdf:Description rdf:about="">{inside}</rdf:Description>{TAIL}'
    marked = images.mark(photo(packet)).info["xmp"]
    assert sorted(said(marked)) == [VALUE, VALUE.replace("compositeWithTrainedAlgorithmicMedia", "digitalCapture")]


def test_a_service_that_keeps_no_metadata_keeps_the_note() -> None:
    work = pytest.importorskip("temperfill.service.work")
    plain = work.plain(images.mark(photo(RATED)))
    assert said(plain.info["xmp"]) == [VALUE]
    assert b"Rating" not in plain.info["xmp"]
    assert "xmp" not in work.plain(photo(RATED)).info
    encoded = images.encode_picture(plain, Path("result.png"))
    assert images.is_marked(images.open_picture(io.BytesIO(encoded)))
