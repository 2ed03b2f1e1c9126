"""The route for a larger canvas gives what the package gives, keeps every pixel, and refuses what cannot be."""

import asyncio
import io
import zipfile
from typing import Any

import numpy as np
from PIL import Image

from service.clients import HEIGHT, WIDTH, code, decode, encode, pixels, running, tiny
from temperfill import images
from temperfill.options import FillOptions
from temperfill.service.forms import EXTEND_FIELDS, IMAGE_ALONE
from temperfill.service.openapi import EXTEND
from temperfill.service.settings import ServiceLimits


def ask(data: dict[str, Any], image: bytes | None = None, settings: ServiceLimits | None = None) -> Any:
    async def main() -> Any:
        async with running(settings=settings) as (client, _):
            files = {"image": ("photo.png", image or encode(pixels()))}
            return await client.post("/v1/extend", files=files, data=data)

    return asyncio.run(main())


def test_a_larger_canvas_is_filled_as_the_package_does() -> None:
    answer = ask({"left": 9, "bottom": 4, "temperature": 2})
    assert answer.status_code == 200, answer.text
    found = np.asarray(decode(answer.content))
    canvas = images.extend(images.open_picture(pixels()), left=9, bottom=4)
    assert np.array_equal(found, tiny().fill_canvas(canvas, FillOptions(temperature=2)).pixels)
    assert np.array_equal(found[:HEIGHT, 9:], pixels())


def test_several_seeds_give_several_canvases() -> None:
    answer = ask({"left": 40, "texture": "copy", "seed": ["0", "6"]})
    assert answer.headers["content-type"] == "application/zip"
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert archive.namelist() == ["filled-0.png", "filled-6.png"]
    assert archive.read("filled-6.png") == ask({"left": 40, "texture": "copy", "seed": "6"}).content
    assert archive.read("filled-0.png") != archive.read("filled-6.png")


def test_metadata_of_the_photograph_go_with_the_larger_picture() -> None:
    """By way of the route that writes files, which takes an original that is smaller."""
    exif = Image.Exif()
    exif[0x010F] = "Camera"
    photograph = encode(pixels(), "JPEG", exif=exif)
    larger = ask({"right": 8}, photograph).content

    async def main() -> Any:
        async with running(settings=ServiceLimits(keep_metadata=True)) as (client, _):
            files = {"image": ("r.png", larger), "original": ("photo.jpg", photograph)}
            saved = await client.post("/v1/convert", files=files)
            files = {"image": ("r.png", photograph), "original": ("photo.jpg", larger)}
            return saved, await client.post("/v1/convert", files=files)

    saved, refused = asyncio.run(main())
    picture = Image.open(io.BytesIO(saved.content))
    assert (picture.format, picture.size, picture.getexif()[0x010F]) == ("JPEG", (WIDTH + 8, HEIGHT), "Camera")
    assert (refused.status_code, code(refused)) == (422, "invalid")


def test_what_cannot_be_is_refused() -> None:
    for data, expected in (({}, (422, "invalid")), ({"top": -1}, (422, "out_of_range"))):
        answer = ask(data)
        assert (answer.status_code, code(answer)) == expected
    answer = ask({"top": HEIGHT}, settings=ServiceLimits(max_pixels=HEIGHT * WIDTH * 3 // 2))
    assert (answer.status_code, code(answer)) == (413, "too_large")
    schema = EXTEND["openapi_extra"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert set(schema["properties"]) == {*IMAGE_ALONE, *EXTEND_FIELDS}
