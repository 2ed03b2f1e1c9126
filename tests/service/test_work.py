"""Answers of the service: formats and metadata of what is saved, and what is shown before a fill is finished."""

import asyncio
import io
from typing import Any

import numpy as np
import pytest
import tifffile  # comes with scikit-image
from PIL import ExifTags, Image

from service.clients import Held, code, decode, encode, form, pixels, running, tiny
from temperfill import images
from temperfill.service.settings import ServiceLimits


def ask(path: str, keep: bool = False, load: Any = Held, **parts: Any) -> Any:
    async def main() -> Any:
        async with running(load, ServiceLimits(keep_metadata=keep)) as (client, _):
            files = {name: (name, value) for name, value in parts.items() if isinstance(value, bytes)}
            data = {name: value for name, value in parts.items() if isinstance(value, str)}
            return await client.post(path, files=files, data=data)

    return asyncio.run(main())


def photograph(kind: str = "JPEG", **options: Any) -> bytes:
    exif = Image.Exif()
    exif[ExifTags.Base.Model] = "camera"
    return encode(pixels(), kind, exif=exif, **options)


def test_a_saved_file_has_the_pixels_of_the_result_and_the_metadata_of_the_photograph() -> None:
    result = encode(pixels(seed=1))
    for keep, model in ((True, "camera"), (False, None)):
        answer = ask("/v1/convert", keep, image=result, original=photograph(subsampling=0, quality=90))
        assert answer.headers["content-type"] == "image/jpeg"
        assert decode(answer.content).getexif().get(ExifTags.Base.Model) == model
        png = ask("/v1/convert", keep, image=result, original=photograph(), format="png")
        assert np.array_equal(np.asarray(decode(png.content)), pixels(seed=1))
        assert decode(png.content).getexif().get(ExifTags.Base.Model) == model
    sizes = [len(ask("/v1/convert", image=result, format="jpeg", quality=q).content) for q in ("30", "95")]
    assert sizes[0] < sizes[1]


def test_an_original_that_is_larger_or_a_format_without_alpha_is_refused() -> None:
    other = ask("/v1/convert", image=encode(pixels()), original=encode(pixels(41, 56)))
    assert (other.status_code, code(other)) == (422, "invalid")
    transparent = encode(np.dstack([pixels(), pixels()[..., :1]]))
    jpeg = ask("/v1/convert", image=transparent, format="jpeg")
    assert (jpeg.status_code, code(jpeg)) == (422, "invalid")


@pytest.mark.parametrize(
    ("mode", "kind"), [("RGB", "PNG"), ("LA", "PNG"), ("P", "PNG"), ("CMYK", "TIFF"), ("F", "TIFF")]
)
def test_a_lossless_answer_is_png_or_where_that_does_not_hold_it_tiff(mode: str, kind: str) -> None:
    image = Image.fromarray(pixels()[..., 0] / np.float32(255)) if mode == "F" else Image.fromarray(pixels())
    sent = encode(image if mode == "F" else image.convert(mode), "PNG" if kind == "PNG" else "TIFF")
    answer = ask("/v1/inpaint", load=tiny, image=sent, mask=form()["mask"][1], format="lossless")
    found, known = decode(answer.content), np.asarray(decode(form()["mask"][1])) == 0
    assert (found.format, found.mode) == (kind, mode)
    assert np.array_equal(np.asarray(found)[known], np.asarray(decode(sent))[known])


def test_a_thick_hole_is_shown_before_it_is_finished() -> None:
    """While the work goes on, and at no other time."""
    size, drafts = (400, 420), []
    mask = np.zeros(size, np.uint8)
    mask[100:300, 100:300] = 255
    name = {"X-Job": "job-12345"}

    async def main() -> None:
        async with running() as (client, _):
            files = form(encode(pixels(*size)), encode(mask))
            fill = asyncio.ensure_future(
                client.post("/v1/inpaint", files=files, data={"texture": "network"}, headers=name)
            )
            while not fill.done():
                await asyncio.sleep(0.005)
                answer = await client.get("/v1/jobs/job-12345/draft")
                if answer.status_code == 200:
                    drafts.append(answer)
            assert (await fill).status_code == 200
            assert (await client.get("/v1/jobs/job-12345")).json()["drafts"] >= 1
            after = await client.get("/v1/jobs/job-12345/draft")
            assert (after.status_code, code(after)) == (404, "no_draft")

    asyncio.run(main())
    assert drafts
    assert drafts[0].headers["x-box"] == "100,100,300,300"
    shown = Image.open(io.BytesIO(drafts[0].content))
    assert (shown.format, shown.size) == ("WEBP", (200, 200))


def test_sixteen_bits_are_kept_until_a_format_with_fewer_is_asked_for() -> None:
    deep = pixels().astype(np.uint16) * 257 + 3
    file = io.BytesIO()
    tifffile.imwrite(file, deep, photometric="rgb")
    answer = ask("/v1/inpaint", load=tiny, image=file.getvalue(), mask=form()["mask"][1], format="lossless")
    result = images.open_picture(io.BytesIO(answer.content))
    known = np.asarray(decode(form()["mask"][1])) == 0
    assert result.pixels.dtype == np.uint16
    assert np.array_equal(result.pixels[known], deep[known])
    saved = ask("/v1/convert", image=answer.content, original=file.getvalue())
    assert saved.headers["content-type"] == "image/tiff"
    assert np.array_equal(images.open_picture(io.BytesIO(saved.content)).pixels, result.pixels)
    jpeg = ask("/v1/convert", image=answer.content, original=file.getvalue(), format="jpeg")
    assert decode(jpeg.content).mode == "RGB"
