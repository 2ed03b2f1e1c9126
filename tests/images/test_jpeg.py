"""JPEG that comes from JPEG is compressed alike."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from temperfill import cli, images
from temperfill.images import JpegForm

SAMPLE = Path(cli.__file__).parents[1] / "samples" / "photo.jpg"


def photo(**options: Any) -> bytes:
    """A part of the sample, compressed anew."""
    file = io.BytesIO()
    with Image.open(SAMPLE) as image:
        image.crop((64, 64, 224, 192)).convert(options.pop("mode", "RGB")).save(file, "JPEG", **options)
    return file.getvalue()


def pixels(content: bytes) -> Any:
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image).astype(int)


def written(content: bytes, quality: int | None = None, name: str = "a.jpg") -> bytes:
    return images.encode_picture(images.open_picture(content), Path(name), quality)


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("progressive", [False, True])
def test_tables_subsampling_and_passes_are_kept(mode: str, subsampling: int, progressive: bool) -> None:
    content = photo(mode=mode, quality=73, subsampling=subsampling, progressive=progressive)
    result = written(content)
    with Image.open(io.BytesIO(content)) as before, Image.open(io.BytesIO(result)) as after:
        assert after.quantization == before.quantization  # type: ignore[attr-defined]
        if mode != "L":
            assert after.layer == before.layer  # type: ignore[attr-defined]
        assert ("progressive" in after.info) == progressive
    assert abs(len(result) / len(content) - 1) < 0.05


@pytest.mark.parametrize(("quality", "subsampling", "most"), [(60, 2, 0.11), (75, 0, 0.06), (90, 2, 0.25)])
def test_known_pixels_change_less_than_by_another_compression(quality: int, subsampling: int, most: float) -> None:
    content = photo(quality=quality, subsampling=subsampling)
    alike, other = (np.abs(pixels(written(content, q)) - pixels(content)).mean() for q in (None, images.QUALITY))
    assert alike < most
    assert alike < other / 2


def test_a_quality_that_is_asked_for_counts() -> None:
    content = photo(quality=60, subsampling=0)
    assert len(written(content, 95)) > 1.5 * len(written(content))
    assert len(written(content, 20)) < len(written(content))
    for q in (20, None):
        assert images.open_picture(written(content, q)).info["jpeg"].subsampling == 0


def test_other_formats_take_the_default() -> None:
    content, png = photo(quality=60), io.BytesIO()
    Image.open(io.BytesIO(content)).save(png, "PNG")
    assert written(content, None, "a.webp") == written(content, images.QUALITY, "a.webp")
    assert written(png.getvalue()) == written(png.getvalue(), images.QUALITY)


def test_turned_pictures_have_turned_tables() -> None:
    table = list(range(1, 65))
    exif = Image.Exif()
    exif[274] = 6
    content = photo(qtables=[table], subsampling=1, exif=exif)
    form = images.open_picture(content).info["jpeg"]
    assert form.subsampling == 0  # halved down, which Pillow does not write
    assert form.tables[0] == tuple(np.reshape(table, (8, 8)).T.ravel())
    assert np.abs(pixels(written(content)) - np.rot90(pixels(content), -1)).mean() < 0.5


def test_channels_may_share_tables_or_not() -> None:
    first, second, third = ((n,) * 64 for n in (1, 2, 3))
    for tables, number in (((first,) * 3, 1), ((first, second, second), 2), ((first, second, third), 3)):
        assert len(JpegForm(tables).options(3, None, 95)["qtables"]) == number
    assert JpegForm((first,)).options(3, None, 95)["quality"] == 95  # grey that became colour
