"""PNG with colour profiles above Pillow's limit: read, and written so that they can be read again."""

import io

import numpy as np
import pytest
from PIL import Image, ImageCms

from images.bombs import chunk
from temperfill import images

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.mark.parametrize("length", [0, 999_000, 1_500_000, 15_000_000])
@pytest.mark.parametrize("mode", ["RGB", "L", "P"])
def test_profiles_of_any_length_are_read(length: int, mode: str) -> None:
    profile = PROFILE + np.random.default_rng(0).integers(0, 9, length, np.uint8).tobytes()
    image = Image.fromarray(np.random.default_rng(1).integers(0, 256, (30, 40, 3), np.uint8)).convert(mode)
    stream = io.BytesIO()
    image.save(stream, "PNG", icc_profile=profile)
    picture = images.open_picture(stream)
    assert picture.info["icc_profile"] == profile
    assert (picture.pixels == np.asarray(image)).all()
    assert images.read_header(stream).size == (30, 40)


def test_profiles_that_are_too_large_are_refused_and_damaged_ones_passed_over() -> None:
    whole = io.BytesIO()
    Image.new("RGB", (8, 8)).save(whole, "PNG", icc_profile=bytes(40_000_000))
    with pytest.raises(ValueError, match=r"its colour profile .* has more than 16 MB"):
        images.open_picture(whole)
    plain = io.BytesIO()
    Image.new("RGB", (8, 8)).save(plain, "PNG")
    for content in (b"", b"name", b"name\0\0no zlib", b"name\0\1x"):
        png = plain.getvalue()[:33] + chunk(b"iCCP", content) + plain.getvalue()[33:]
        try:
            assert images.open_picture(io.BytesIO(png)).size == (8, 8)
        except ValueError as error:
            assert "is damaged" in str(error)  # noqa: PT017
