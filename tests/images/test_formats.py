"""What headers say."""

import io

import pytest
from PIL import Image

from temperfill import images
from temperfill.images import formats


@pytest.mark.parametrize(("flags", "bits"), [(0, 8), (0x40, 10), (0x60, 12)])
def test_depth_of_avif_is_told(flags: int, bits: int) -> None:
    """Pillow writes 8 bits; the flags in the header are set by hand, at which its decoder stops."""
    file = io.BytesIO()
    Image.new("RGB", (16, 16)).save(file, "AVIF")
    content = bytearray(file.getvalue())
    content[content.index(b"av1C") + 6] |= flags
    assert formats.avif_depth(io.BytesIO(content)) == bits
    header = images.read_header(file)
    assert (header.kind, header.depth, header.is_cut) == ("AVIF", 8, False)
