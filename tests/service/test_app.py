"""The routes: answers are what the inpainter gives, in the format and size of the question, without its metadata."""

import asyncio
import dataclasses
import io
import json
import re
import sys
import threading
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import numpy as np
import pytest
import tifffile  # comes with scikit-image
from PIL import ExifTags, Image, ImageCms, PngImagePlugin

import temperfill
from heic import make as heic
from service.clients import HEIGHT, TINY, WIDTH, Held, code, decode, encode, form, hole, pixels, running, single, tiny
from temperfill import images, regions
from temperfill.inpainter import Inpainter
from temperfill.inpainter.models import Models
from temperfill.inpainter.prepared import Prepared
from temperfill.inpainter.sources import Copies
from temperfill.methods.finding import Found, bundled
from temperfill.options import FillOptions
from temperfill.service import work
from temperfill.service.app import create_app
from temperfill.service.forms import (
    CONVERT_FIELDS,
    CONVERT_FILES,
    FILES,
    IMAGE_ALONE,
    INPAINT_FIELDS,
    SOURCES_FIELDS,
    SOURCES_OPTIONS,
)
from temperfill.service.pages import PAGE
from temperfill.service.settings import ServiceLimits

ROOT = Path(__file__).parents[2]
KNOWN = hole() == 0


def palette_image() -> Image.Image:
    return Image.fromarray(pixels()).quantize(16)


def with_alpha() -> Image.Image:
    return Image.fromarray(np.dstack([pixels(), pixels(seed=1)[..., :1]]))


LOSSLESS: list[tuple[str, Any]] = [
    ("PNG", pixels()),
    ("PNG", pixels()[..., 0]),
    ("PNG", pixels()[..., 0].astype(np.uint16) * 257),
    ("PNG", with_alpha()),
    ("PNG", palette_image()),
    ("TIFF", pixels()),
    ("BMP", pixels()),
    ("GIF", palette_image()),
    ("PPM", pixels()),
]


def test_lossless_answers_keep_format_size_mode_and_known_pixels() -> None:
    async def main() -> None:
        async with running() as (client, _):
            for kind, source in LOSSLESS:
                sent = encode(source, kind)
                response = await client.post("/v1/inpaint", files=form(sent))
                assert response.status_code == 200, (kind, response.text)
                before, after = decode(sent), decode(response.content)
                assert (after.format, after.size) == (kind, before.size)
                assert response.headers["content-type"] == Image.MIME[kind] or kind == "PPM"
                before, after = (i.convert("RGBA") if i.mode == "P" else i for i in (before, after))
                assert after.mode == before.mode
                assert np.array_equal(np.asarray(after)[KNOWN], np.asarray(before)[KNOWN])
                assert not np.array_equal(np.asarray(after), np.asarray(before))

    asyncio.run(main())


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "AVIF"])
def test_lossy_answers_keep_format_and_size(kind: str) -> None:
    smooth = np.linspace(0, 255, HEIGHT * WIDTH * 3).reshape(HEIGHT, WIDTH, 3).astype(np.uint8)

    async def main() -> None:
        async with running() as (client, _):
            response = await client.post("/v1/inpaint", files=form(encode(smooth, kind)))
            assert response.headers["content-type"] == Image.MIME[kind]
            after = decode(response.content)
            assert (after.format, after.size) == (kind, (WIDTH, HEIGHT))
            far = np.asarray(after)[30:].astype(int) - smooth[30:]
            assert np.abs(far).mean() < 8

    asyncio.run(main())


def test_answer_is_what_the_inpainter_gives() -> None:
    options: dict[str, Any] = {"mask_dilate": 2, "feather": 3, "temperature": 2.5}

    async def main() -> bytes:
        async with running() as (client, _):
            response = await client.post("/v1/inpaint", files=form(), data=options)
            assert float(response.headers["x-seconds"]) >= 0
            return response.content

    expected = tiny().complete(images.open_picture(pixels()), hole() > 0, None, FillOptions(**options))
    assert np.array_equal(np.asarray(decode(asyncio.run(main()))), expected.pixels)


def test_several_seeds_give_a_zip_file_of_what_each_gives() -> None:
    source, mask = np.tile(pixels(), (2, 2, 1)), np.tile(hole(), (2, 2))
    files = form(encode(source), encode(mask))
    options = {"texture": "copy", "format": "png"}

    async def main() -> tuple[Any, list[Any], dict[str, Any]]:
        async with running() as (client, service):
            both, job = options | {"seed": ["7", "0"]}, {"X-Job": "several-1"}
            first = await client.post("/v1/inpaint", files=files, data=both, headers=job)
            told = service.jobs.describe(service.jobs.find("several-1"))
            others = [await client.post("/v1/inpaint", files=files, data=options | {"seed": s}) for s in "70"]
            return first, others, told

    several, alone, told = asyncio.run(main())
    assert (several.status_code, several.headers["content-type"]) == (200, "application/zip")
    assert float(several.headers["x-seconds"]) >= 0
    archive = zipfile.ZipFile(io.BytesIO(several.content))
    assert archive.namelist() == ["filled-7.png", "filled-0.png"]
    for name, answer in zip(archive.namelist(), alone, strict=True):
        assert answer.headers["content-type"] == "image/png"
        assert archive.read(name) == answer.content
    assert alone[0].content != alone[1].content
    assert {entry.external_attr >> 16 for entry in archive.infolist()} == {0o644}  # else unzip locks them
    assert (told["state"], told["done"]) == ("done", told["total"])


@pytest.mark.parametrize(("wanted", "kind"), [("png", "PNG"), ("jpeg", "JPEG"), ("webp", "WEBP"), ("tiff", "TIFF")])
def test_format_can_be_chosen(wanted: str, kind: str) -> None:
    async def main() -> None:
        async with running() as (client, _):
            response = await client.post("/v1/inpaint", files=form(), data={"format": wanted, "quality": "100"})
            assert response.headers["content-type"] == Image.MIME[kind]
            after = decode(response.content)
            assert after.format == kind
            if kind != "JPEG":  # WebP is lossless at 100
                assert np.array_equal(np.asarray(after)[KNOWN], pixels()[KNOWN])

    asyncio.run(main())


def test_format_that_cannot_hold_the_picture_is_refused_before_the_work() -> None:
    held = Held()

    async def main() -> None:
        async with running(lambda: held) as (client, _):
            response = await client.post("/v1/inpaint", files=form(encode(with_alpha())), data={"format": "jpeg"})
            assert (response.status_code, code(response)) == (422, "invalid")

    asyncio.run(main())
    assert not held.started.is_set()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_metadata_is_stripped_and_the_colour_profile_kept(kind: str) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = "a name of a person"
    exif[ExifTags.Base.Orientation] = 6
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitude] = (52.0, 31.0, 12.0)
    options: dict[str, Any] = {"exif": exif, "icc_profile": profile, "dpi": (300, 300)}
    if kind == "PNG":
        options["pnginfo"] = PngImagePlugin.PngInfo()
        options["pnginfo"].add_text("Comment", "a name of a person")
    turned = encode(np.rot90(pixels()), kind, **options)  # upright it is as high and wide as the mask

    async def main() -> bytes:
        async with running() as (client, _):
            response = await client.post("/v1/inpaint", files=form(turned))
            assert response.status_code == 200, response.text
            return response.content

    content = asyncio.run(main())
    after = decode(content)
    assert after.size == (WIDTH, HEIGHT)
    assert after.info["icc_profile"] == profile
    assert b"a name of a person" not in content
    found = after.getexif()
    assert not found.get_ifd(ExifTags.IFD.GPSInfo)
    assert ExifTags.Base.Orientation not in found or found[ExifTags.Base.Orientation] == 1
    assert ExifTags.Base.Artist not in found
    assert not set(after.info) & {"exif", "Comment", "comment"}
    assert after.info.get("xmp") in (None, images.PACKET)  # that a model filled a part


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_metadata_is_kept_where_the_settings_say_so_and_the_picture_is_upright(kind: str) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Artist], exif[ExifTags.Base.Orientation] = "a name of a person", 6
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitude] = (52.0, 31.0, 12.0)
    turned = encode(np.rot90(pixels()), kind, exif=exif, dpi=(300, 300))

    async def main() -> bytes:
        async with running(settings=ServiceLimits(keep_metadata=True)) as (client, _):
            return (await client.post("/v1/inpaint", files=form(turned))).content

    after = decode(asyncio.run(main()))
    found = after.getexif()
    assert after.size == (WIDTH, HEIGHT)
    assert found.get(ExifTags.Base.Orientation, 1) == 1
    assert found[ExifTags.Base.Artist] == "a name of a person"
    assert found.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitude] == (52.0, 31.0, 12.0)
    assert after.info["dpi"] == pytest.approx((300, 300), abs=0.1)
    if kind == "PNG":
        assert np.array_equal(np.asarray(after)[KNOWN], pixels()[KNOWN])


async def preview(client: httpx.AsyncClient, content: bytes) -> httpx.Response:
    return await client.post("/v1/preview", files={"image": ("a", content)})


def test_answers_tell_their_warnings() -> None:
    empty = encode(np.zeros_like(hole()))
    alpha = encode(with_alpha(), "PNG")
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = "someone"
    photo = encode(pixels(), "PNG", exif=exif)

    async def main() -> None:
        async with running() as (client, _):
            told = (await client.post("/v1/inpaint", files=form(alpha, empty))).headers
            assert json.loads(told["X-Warnings"])[0].startswith("the mask is empty")
            assert told["X-Warnings"].isascii()
            quiet = await client.post("/v1/inpaint", files=form(photo), data={"format": "jpeg"})
            assert quiet.status_code == 200
            assert "X-Warnings" not in quiet.headers
        async with running(settings=ServiceLimits(keep_metadata=True)) as (client, _):
            comment = encode(pixels(), "JPEG", comment=b"a remark")
            told = (await client.post("/v1/inpaint", files=form(comment), data={"format": "png"})).headers
            assert json.loads(told["X-Warnings"]) == [
                "the result.png will not have the comment, for which PNG has no place"
            ]

    asyncio.run(main())


def test_previews_are_what_the_package_reads_upright_without_metadata() -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation], exif[ExifTags.Base.Artist] = 6, "a name of a person"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    turned = encode(np.rot90(pixels()), "TIFF", exif=exif, icc_profile=profile)
    deep = io.BytesIO()
    tifffile.imwrite(deep, pixels().astype(np.uint16) * 257, photometric="rgb")
    inks = encode(Image.fromarray(pixels()).convert("CMYK"), "TIFF")
    light = encode(Image.fromarray(np.linspace(0, 1, HEIGHT * WIDTH, dtype=np.float32).reshape(HEIGHT, WIDTH)), "TIFF")
    alpha = encode(with_alpha(), "TIFF")

    async def main() -> None:
        async with running() as (client, service):
            seconds = service.jobs._mean_seconds
            for content, depth in ((turned, 8), (deep.getvalue(), 8), (inks, 8), (light, 8), (alpha, 8)):
                response = await preview(client, content)
                assert response.status_code == 200, response.text
                assert response.headers["content-type"] == "image/png"
                assert response.headers["x-depth"] == str(depth)
                read, shown = images.open_picture(io.BytesIO(content)), decode(response.content)
                has_bytes = read.mode in ("RGB", "RGBA") and not read.is_deep
                expected = read.pixels if has_bytes else np.rint(images.to_rgb(read) * 255)
                assert np.array_equal(np.asarray(shown), expected)
                assert shown.info.get("icc_profile") == read.info.get("icc_profile")
                assert not shown.getexif()
            assert service.jobs._mean_seconds == seconds  # which tells how long fills take

    asyncio.run(main())


def test_previews_have_the_limits_of_fills() -> None:
    held, many = Held(), encode(pixels(), "TIFF", save_all=True, append_images=[Image.fromarray(pixels())])
    whole = encode(pixels(), "TIFF")

    async def main() -> None:
        async with running(lambda: held, ServiceLimits(queue=0, max_pixels=HEIGHT * WIDTH, max_bytes=20_000)) as (
            client,
            _,
        ):
            large = encode(np.zeros((HEIGHT, WIDTH + 1), np.uint8), "TIFF")
            bad = {"unsupported_picture": b"II*\0" + bytes(64), "invalid": whole[: len(whole) // 2], "animated": many}
            for said, content in (bad | {"too_large": large}).items():
                assert code(await preview(client, content)) == said
            response = await client.post("/v1/preview", files=form())
            assert code(response) == "bad_form"  # a mask has no place in it
            assert code(await preview(client, bytes(30_000))) == "too_large"
            filling = asyncio.ensure_future(client.post("/v1/inpaint", files=form()))
            while not held.started.is_set():
                await asyncio.sleep(0.01)
            assert code(await preview(client, whole)) == "busy"
            held.let_go.set()
            assert (await filling).status_code == 200
            assert (await preview(client, whole)).status_code == 200

    asyncio.run(main())


@pytest.mark.parametrize(
    ("name", "wanted", "kind"), [("phone", {}, "JPEG"), ("phone", {"format": "png"}, "PNG"), ("alpha", {}, "PNG")]
)
def test_heic_is_filled_into_a_format_that_can_be_written(name: str, wanted: dict[str, str], kind: str) -> None:
    pytest.importorskip("pi_heif", reason="needs the extra heif")
    content = (heic.FOLDER / f"{name}.heic").read_bytes()

    async def main() -> None:
        async with running() as (client, _):
            response = await client.post("/v1/inpaint", files=form(content), data=wanted)
            assert response.headers["content-type"] == Image.MIME[kind]
            after, before = decode(response.content), images.open_picture(io.BytesIO(content))
            assert (after.format, after.size) == (kind, (WIDTH, HEIGHT))
            assert after.info.get("icc_profile") == before.info.get("icc_profile")
            assert not after.getexif()
            far = np.asarray(after)[30:].astype(int) - before.pixels[30:]
            assert np.abs(far).max() <= (0 if kind == "PNG" else 12)

    asyncio.run(main())


def test_heic_without_the_extra_is_refused_with_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pi_heif", None)  # makes its import fail

    async def main() -> None:
        async with running() as (client, _):
            response = await preview(client, (heic.FOLDER / "phone.heic").read_bytes())
            assert (response.status_code, code(response)) == (415, "unsupported_picture")
            assert "temperfill[heif]" in response.text

    asyncio.run(main())


def test_empty_mask_gives_the_picture_itself() -> None:
    async def main() -> None:
        async with running() as (client, _):
            response = await client.post("/v1/inpaint", files=form(mask=encode(np.zeros((HEIGHT, WIDTH), np.uint8))))
            assert np.array_equal(np.asarray(decode(response.content)), pixels())

    with pytest.warns(UserWarning, match="nothing to fill"):
        asyncio.run(main())


def test_sources_are_those_of_the_inpainter() -> None:
    wide = (regions.dilate(hole() > 0, 2) * 255).astype(np.uint8)

    async def main() -> Any:
        async with running() as (client, _):
            data = {"row": "12", "column": "15", "temperature": "0.5"}
            response = await client.post("/v1/sources", files=form(), data=data)
            assert response.status_code == 200, response.text
            rim = {"row": "8", "column": "15", "mask_dilate": "2", "temperature": "0.5"}
            grown = await client.post("/v1/sources", files=form(), data=rim)
            painted = await client.post(
                "/v1/sources", files=form(encode(pixels()), encode(wide)), data=rim | {"mask_dilate": "0"}
            )
            assert grown.status_code == 200, grown.text
            assert grown.json() == painted.json()
            outside = await client.post("/v1/sources", files=form(), data={"row": "0", "column": "0"})
            beyond = await client.post("/v1/sources", files=form(), data={"row": "12", "column": "5000"})
            missing = await client.post("/v1/sources", files=form(), data={"row": "12"})
            assert [(r.status_code, code(r)) for r in (outside, beyond, missing)] == [
                (422, "invalid"),
                (422, "invalid"),
                (400, "bad_form"),
            ]
            assert response.json()["copy"] is None
            return response.json()["heads"]

    heads = asyncio.run(main())
    found = tiny().sources(images.open_picture(pixels()), hole() > 0, 12, 15, None, FillOptions(temperature=0.5))
    expected = found.heads
    assert [head["temperature"] for head in heads] == pytest.approx([head.temperature for head in expected])
    for head, wanted in zip(heads, expected, strict=True):
        assert [match["box"] for match in head["matches"]] == [list(match.box) for match in wanted.matches]
        assert [m["weight"] for m in head["matches"]] == pytest.approx([m.weight for m in wanted.matches])


def test_what_is_avoided_and_a_copied_pixel_are_those_of_the_inpainter(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pixel is told from the fill before; without one, or with another seed, the picture is filled again."""
    size, fills = (90, 100), []
    fill = Prepared.fill
    monkeypatch.setattr(Prepared, "fill", lambda *given, **more: fills.append(1) or fill(*given, **more))
    mask, avoid = np.zeros((2, *size), np.uint8)
    mask[30:54, 40:66] = 255
    avoid[:, 70:] = 255
    options = {"texture": "copy", "seed": "4"}
    place = {"row": "42", "column": "50"}

    async def main() -> tuple[bytes, list[Any]]:
        files = form(encode(pixels(*size)), encode(mask), avoid=encode(avoid))
        async with running() as (client, _):
            models = (await client.get("/v1/models")).json()["models"]
            assert models[0]["takes_avoid"]
            fills.clear()
            filled = await client.post("/v1/inpaint", files=files, data=options | {"format": "png"})
            told, other = [
                (await client.post("/v1/sources", files=files, data=place | options | {"seed": seed})).json()["copy"]
                for seed in ("4", "5")
            ]
            assert len(fills) == 2
            small = await client.post("/v1/inpaint", files=form(avoid=encode(avoid[:9])))
            assert (small.status_code, code(small)) == (422, "invalid")
            assert "what to avoid is 100x9 but the image is" in small.json()["error"]["message"]
            return filled.content, [told, other]

    content, (told, other) = asyncio.run(main())
    picture, asked = images.open_picture(pixels(*size)), FillOptions(texture="copy", seed=4)
    expected, copies = next(tiny().tries(picture, mask > 0, None, asked, avoid=avoid > 0))
    assert np.array_equal(np.asarray(decode(content)), expected.pixels)
    assert told == dataclasses.asdict(copies.at(42, 50))  # type: ignore[arg-type]
    assert told["column"] < 70
    assert other != told


def test_traces_of_the_last_fills_are_kept() -> None:
    def asked(seed: int) -> Any:
        fields = dict.fromkeys(SOURCES_OPTIONS, 0) | {"seed": seed, "model": "tiny"}
        return SimpleNamespace(fields=fields, files={"image": io.BytesIO(b"a"), "mask": io.BytesIO(b"b")})

    traces = work.Traces()
    for seed in range(work.MOST_FILLS + 1):
        traces.keep(asked(seed), Copies(7))
    assert traces.find(asked(0)) is None
    assert all(traces.find(asked(seed)) for seed in (1, work.MOST_FILLS))


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (Found("base", bundled()["base"], is_bundled=True), ("base", True)),
        (Found("base", bundled()["base"]), ("base", False)),
    ],
)
def test_a_run_folder_with_the_name_of_a_bundled_model_is_not_bundled(model: Found, expected: tuple[str, bool]) -> None:
    async def main() -> None:
        async with running(model=model) as (client, _):
            answer = (await client.get("/v1/models")).json()
            assert [(entry["name"], entry["bundled"]) for entry in answer["models"]] == [expected]

    asyncio.run(main())


def test_models_health_and_start_tell_what_is_served(tmp_path: Path) -> None:
    photo = tmp_path / "holidays in Ünterwössen.jpg"
    photo.write_bytes(encode(pixels(), "PNG"))  # the suffix is not what counts

    async def main() -> None:
        async with running(start_image=photo) as (client, service):
            models = (await client.get("/v1/models")).json()
            assert models["current"] == "tiny"
            assert [(m["name"], m["takes_sketch"], m["bundled"]) for m in models["models"]] == [("tiny", False, False)]
            health = await client.get("/healthz")
            assert (health.status_code, health.json()) == (200, {"status": "ok", "model": "tiny", "device": "cpu"})
            start = (await client.get("/start")).json()
            assert start == {
                "image": {"name": photo.name},
                "max_pixels": service.settings.max_pixels,
                "max_bytes": service.settings.max_bytes,
                "keeps_metadata": False,
                "saves": False,
                "version": temperfill.__version__,
            }
            picture = await client.get("/start/image")
            assert picture.headers["content-type"] == "image/png"
            assert picture.content == photo.read_bytes()
        async with running() as (client, _):
            assert (await client.get("/start")).json()["image"] is None
            assert (await client.get("/start/image")).status_code == 404

    asyncio.run(main())


def test_health_is_loading_until_the_model_is_warm_and_requests_wait() -> None:
    loaded = threading.Event()

    def load() -> Any:
        assert loaded.wait(60)
        return tiny()

    async def main() -> None:
        app = create_app(single(load))
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://localhost", timeout=60) as client,
        ):
            health = await client.get("/healthz")
            assert (health.status_code, health.json()["status"]) == (503, "loading")
            assert (await client.get("/")).status_code == 200
            waiting = asyncio.ensure_future(client.post("/v1/inpaint", files=form()))
            await asyncio.sleep(0.05)
            assert not waiting.done()
            loaded.set()
            assert (await waiting).status_code == 200
            assert (await client.get("/healthz")).json()["status"] == "ok"

    asyncio.run(main())


def test_model_that_cannot_be_loaded_is_told_without_details() -> None:
    def load() -> Any:
        raise ValueError("secret/path is damaged")

    async def main() -> None:
        async with running(load) as (client, service):
            health = await client.get("/healthz")
            assert (health.status_code, health.json()["status"]) == (503, "failed")
            response = await client.post("/v1/inpaint", files=form())
            assert (response.status_code, code(response)) == (503, "loading")
            assert str(service.failure) == "secret/path is damaged"

    asyncio.run(main())


def test_openapi_describes_forms_and_errors() -> None:
    async def main() -> Any:
        async with running() as (client, _):
            return json.load(io.BytesIO((await client.get("/openapi.json")).content))

    paths = asyncio.run(main())["paths"]
    jobs = {"/v1/jobs/{name}", "/v1/jobs/{name}/draft"}
    single = {"/v1/extend", "/v1/preview", "/v1/convert", "/v1/dust", "/v1/models", "/healthz"}
    assert set(paths) == {"/v1/inpaint", "/v1/sources"} | single | jobs
    shown = paths["/v1/preview"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert set(shown["properties"]) == set(shown["required"]) == set(IMAGE_ALONE)
    written = paths["/v1/convert"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert set(written["properties"]) == {*CONVERT_FILES, *CONVERT_FIELDS}
    for path, fields in (("/v1/inpaint", INPAINT_FIELDS), ("/v1/sources", SOURCES_FIELDS)):
        schema = paths[path]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
        assert set(schema["properties"]) == {*FILES, *fields}
        required = {"image", "mask"} | {name for name, (_, default) in fields.items() if default is None}
        assert set(schema["required"]) == required
        for name, (parse, _) in fields.items():
            for bound in ("minimum", "maximum"):
                if bound in schema["properties"][name]:
                    parse(name, str(schema["properties"][name][bound]))


def test_page_of_the_documentation_names_every_code_part_and_option() -> None:
    page = (ROOT / "docs" / "use" / "service.md").read_text(encoding="utf-8")
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "src/temperfill/service").glob("*.py"))
    codes = set(re.findall(r'Refusal\(\s*\d+, "(\w+)"', source)) - {"gone", "failed"}  # told to nobody
    assert len(codes) > 10
    names = codes | set(FILES) | set(INPAINT_FIELDS) | set(SOURCES_FIELDS)
    options = {f"--{field.name.replace('_', '-')}" for field in dataclasses.fields(ServiceLimits)} - {
        "--hosts",
        "--origins",
        "--keep-metadata",
    }
    assert {name for name in names | options if name not in page} == set()
    assert "/#token=TOKEN" in page
    assert "/#token=TOKEN" in (PAGE / "engine.js").read_text(encoding="utf-8")


def test_a_model_is_chosen_by_its_name_and_loaded_when_it_is_asked_for() -> None:
    """Answers are those of the chosen model, with what it says of its training; an unknown one is told at once."""
    loaded: list[str] = []

    def load(found: Found) -> Any:
        loaded.append(found.label)
        return tiny() if found.label == "tiny" else Inpainter.from_pretrained("telea")

    models = Models([TINY, Found("quick", None, "telea")], load)

    async def main() -> None:
        async with running(models=models) as (client, _):
            told = (await client.get("/v1/models")).json()
            assert told["current"] == "tiny"
            can = [(m["name"], m["terms"], m["has_sources"], m["is_learned"]) for m in told["models"]]
            assert can == [("tiny", "", True, True), ("quick", "OpenCV: Apache-2.0", False, False)]
            assert loaded == ["tiny"]
            for path in ("/v1/inpaint", "/v1/convert", "/v1/extend", "/v1/sources"):
                files = form() if path in ("/v1/inpaint", "/v1/sources") else {"image": form()["image"]}
                place = {"row": "12", "column": "14"} if path == "/v1/sources" else {}
                refused = await client.post(path, files=files, data={"model": "other"} | place)
                assert (refused.status_code, code(refused)) == (422, "unknown_model"), path
                assert "known are tiny, quick" in refused.json()["error"]["message"]
            answers = {}
            for name in ("", "tiny", "quick"):
                answer = await client.post("/v1/inpaint", files=form(), data={"model": name} if name else {})
                answers[name] = decode(answer.content)
            assert loaded == ["tiny", "quick"]
            assert answers[""].tobytes() == answers["tiny"].tobytes() != answers["quick"].tobytes()
            assert [images.is_marked(images.open_picture(answers[name])) for name in ("tiny", "quick")] == [True, False]
            place = {"row": "12", "column": "14", "model": "quick"}
            assert (await client.post("/v1/sources", files=form(), data=place)).status_code == 422
            longer = await client.post(
                "/v1/extend", files={"image": form()["image"]}, data={"left": 8, "model": "quick"}
            )
            assert decode(longer.content).size == (WIDTH + 8, HEIGHT)
            other = encode(pixels(seed=3))
            pair = {"image": ("a.png", other), "original": ("b.png", encode(pixels()))}
            for name, mark in (("tiny", True), ("quick", False)):
                saved = await client.post("/v1/convert", files=pair, data={"model": name})
                assert images.is_marked(images.open_picture(io.BytesIO(saved.content))) == mark

    asyncio.run(main())


def test_a_chosen_model_that_cannot_be_loaded_leaves_the_others_at_work() -> None:
    def load(found: Found) -> Any:
        if found.label == "tiny":
            return tiny()
        raise OSError("secret/path is gone")

    gone = Found("gone", Path("secret/path.safetensors"))

    async def main() -> None:
        async with running(models=Models([TINY, gone], load)) as (client, _):
            assert [model["name"] for model in (await client.get("/v1/models")).json()["models"]] == ["tiny"]
            refused = await client.post("/v1/inpaint", files=form(), data={"model": "gone"})
            assert (refused.status_code, code(refused)) == (503, "not_loaded")
            assert "secret" not in refused.text
            assert (await client.post("/v1/inpaint", files=form())).status_code == 200
            assert (await client.get("/healthz")).json()["status"] == "ok"

    asyncio.run(main())
