"""Hostile and mistaken requests: each is refused with its status, and the service goes on."""

import asyncio
import errno
import time
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile, WebPImagePlugin
from starlette.requests import Request

from service.clients import HEIGHT, WIDTH, Files, Held, code, decode, encode, form, hole, pixels, running
from temperfill.errors import MemoryShortage
from temperfill.inpainter.sources import Copies
from temperfill.methods.contract import Abilities
from temperfill.service.settings import ServiceLimits

GOOD = encode(pixels())
MASK = encode(hole())


def bomb(width: int, height: int, real: bool) -> bytes:
    """A PNG of one bit per pixel; unless ``real``, with a header alone."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return len(content).to_bytes(4, "big") + name + content + zlib.crc32(name + content).to_bytes(4, "big")

    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([1, 0, 0, 0, 0])
    rows = zlib.compress(bytes((width // 8 + 1) * height), 9) if real else b""
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 0xFF]) + content[middle + 1 :]


def animation(kind: str) -> bytes:
    frames = [Image.fromarray(pixels(seed=seed)) for seed in range(3)]
    return encode(frames[0], kind, save_all=True, append_images=frames[1:])


BAD_FILES = {
    "PDF": (b"%PDF-1.7\n" + bytes(1000), 415, "unsupported_picture"),
    "empty": (b"", 415, "unsupported_picture"),
    "text": (b"hello, this is no picture", 415, "unsupported_picture"),
    "SVG": (b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>", 415, "unsupported_picture"),
    "EPS": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", 415, "unsupported_picture"),
    "head of a PNG": (GOOD[:20], 415, "unsupported_picture"),
    "truncated PNG": (GOOD[: len(GOOD) // 2], 422, "invalid"),
    "truncated JPEG": (encode(pixels(), "JPEG")[:900], 422, "invalid"),
    "flipped bit": (flipped(GOOD), 422, "invalid"),
    "bomb": (bomb(30_000, 30_000, real=True), 413, "too_large"),
    "header of a bomb": (bomb(60_000, 60_000, real=False), 413, "too_large"),
    "GIF with frames": (animation("GIF"), 422, "animated"),
    "WebP with frames": (animation("WEBP"), 422, "animated"),
    "PNG with frames": (animation("PNG"), 422, "animated"),
    "TIFF with pages": (animation("TIFF"), 422, "animated"),
    "other size": (encode(pixels(HEIGHT + 1, WIDTH)), 422, "invalid"),
}


def test_bad_files_are_refused_wherever_they_stand_and_the_service_goes_on() -> None:
    async def main() -> None:
        async with running() as (client, _):
            for name, (content, status, said) in BAD_FILES.items():
                for part in ("image", "mask"):
                    start = time.monotonic()
                    response = await client.post("/v1/inpaint", files=form(**{part: content}))
                    assert (response.status_code, code(response)) == (status, said), (name, part, response.text)
                    assert time.monotonic() - start < 5, name
            assert (await client.post("/v1/inpaint", files=form())).status_code == 200

    asyncio.run(main())


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "BMP", "GIF", "PPM"])
def test_size_is_refused_from_the_header_before_decoding(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    files = form(encode(np.zeros((600, 600), np.uint8), kind))
    loaded: list[Any] = []
    for plugin in (ImageFile.ImageFile, WebPImagePlugin.WebPImageFile):
        monkeypatch.setattr(plugin, "load", lambda self: loaded.append(self))

    async def main() -> None:
        async with running(Held, ServiceLimits(max_pixels=600 * 600 - 1)) as (client, _):
            response = await client.post("/v1/inpaint", files=files)
            assert (response.status_code, code(response)) == (413, "too_large")

    asyncio.run(main())
    assert not loaded


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("temperature", value) for value in ("nan", "inf", "-inf", "0.05", "11", "warm", "", "1e999", "0x1")),
        *(("feather", value) for value in ("-1", "1025", "1.5", "nan", "٣", "9" * 30, "1_0", "")),
        *(("mask_dilate", value) for value in ("-1", "1025", "NaN")),
        *(("quality", value) for value in ("0", "101", "best")),
        *(("format", value) for value in ("gif", "PNG", "../x", "")),
    ],
)
def test_options_out_of_range_are_refused(name: str, value: str) -> None:
    async def main() -> None:
        async with running(Held) as (client, _):
            response = await client.post("/v1/inpaint", files=form(), data={name: value})
            assert (response.status_code, code(response)) == (422, "out_of_range")
            assert response.json()["error"]["message"].startswith(name)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("path", "seeds", "status", "expected"),
    [
        ("/v1/inpaint", ["3", "3"], 422, "invalid"),
        ("/v1/inpaint", ["3", "a"], 422, "out_of_range"),
        ("/v1/extend", ["3", "3"], 422, "invalid"),
        ("/v1/sources", ["3", "4"], 400, "bad_form"),
    ],
)
def test_several_seeds_are_refused_where_they_mean_nothing(
    path: str, seeds: list[str], status: int, expected: str
) -> None:
    more = {"/v1/sources": {"row": "1", "column": "1"}, "/v1/extend": {"left": "4"}}.get(path, {})
    files = {"image": form()["image"]} if path == "/v1/extend" else form()

    async def main() -> None:
        async with running(Held) as (client, _):
            response = await client.post(path, files=files, data=more | {"seed": seeds})
            assert (response.status_code, code(response)) == (status, expected)
            assert "seed" in response.json()["error"]["message"]

    asyncio.run(main())


def multipart(*parts: bytes, boundary: bytes = b"XX") -> bytes:
    return b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts) + b"--" + boundary + b"--\r\n"


def field(name: str, content: bytes, more: str = "") -> bytes:
    return f'Content-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode() + content


IMAGE = field("image", GOOD, '; filename="a.png"')
MASK_PART = field("mask", MASK, '; filename="a.png"')
TYPE = "multipart/form-data; boundary=XX"
BAD_BODIES = {
    "no mask": (TYPE, multipart(IMAGE)),
    "no image": (TYPE, multipart(MASK_PART)),
    "nothing": (TYPE, b""),
    "no boundary": ("multipart/form-data", multipart(IMAGE, MASK_PART)),
    "another boundary": ("multipart/form-data; boundary=YY", multipart(IMAGE, MASK_PART)),
    "garbage": (TYPE, bytes(range(256)) * 40),
    "mask given twice": (TYPE, multipart(IMAGE, MASK_PART, MASK_PART)),
    "four files": (TYPE, multipart(IMAGE, MASK_PART, IMAGE, MASK_PART)),
    "unknown field": (TYPE, multipart(IMAGE, MASK_PART, field("colour", b"1"))),
    "five seeds": (TYPE, multipart(IMAGE, MASK_PART, *[field("seed", b"%d" % seed) for seed in range(5)])),
    "another field": (TYPE, multipart(IMAGE, MASK_PART, field("modell", b"telea"))),
    "unknown file": (TYPE, multipart(IMAGE, MASK_PART, field("depth", GOOD, '; filename="a.png"'))),
    "image as text": (TYPE, multipart(field("image", b"abc"), MASK_PART)),
    "option as file": (TYPE, multipart(IMAGE, MASK_PART, field("feather", b"1", '; filename="1"'))),
    "ten thousand parts": (TYPE, multipart(*[field("feather", b"1")] * 10_000)),
    "ten thousand files": (TYPE, multipart(*[field("image", b"1", '; filename="1"')] * 10_000)),
    "long value": (TYPE, multipart(IMAGE, MASK_PART, field("feather", b"1" * 5000))),
    "no name": (TYPE, multipart(b"Content-Disposition: form-data\r\n\r\nx")),
    "no headers": (TYPE, multipart(b"\r\nx")),
    "large header": (TYPE, multipart(b"X: " + b"y" * 100_000 + b"\r\n\r\nx")),
    "odd characters": (TYPE + "; charset=idna", multipart(field("\xff" * 70, b"\xff"))),
    "unknown characters": (TYPE + "; charset=zip", multipart(field("\xff", b"\xff"))),
    "JSON": ("application/json", b'{"image": ""}'),
    "URL-encoded": ("application/x-www-form-urlencoded", b"image=a&mask=b"),
    "no type": ("", b"image"),
}


def test_bad_forms_are_refused_and_the_service_goes_on() -> None:
    async def main() -> None:
        async with running() as (client, service):
            for name, (kind, body) in BAD_BODIES.items():
                response = await client.post("/v1/inpaint", content=body, headers={"Content-Type": kind})
                assert (response.status_code, code(response)) == (400, "bad_form"), (name, response.text)
            good = multipart(IMAGE, MASK_PART)
            response = await client.post("/v1/inpaint", content=good, headers={"Content-Type": TYPE})
            assert response.status_code == 200
            assert not service.jobs._places

    asyncio.run(main())


@given(data=st.data())
@settings(max_examples=40)
def test_bytes_that_are_changed_at_random_fail_no_worse_than_by_a_refusal(data: st.DataObject) -> None:
    body = bytearray(multipart(IMAGE, MASK_PART, field("feather", b"3")))
    for _ in range(data.draw(st.integers(1, 6))):
        where = data.draw(st.sampled_from([60, 300, len(body)])) - 1
        body[data.draw(st.integers(0, where))] = data.draw(st.integers(0, 255))
    del body[data.draw(st.integers(len(body) - 400, len(body))) :]

    async def main() -> int:
        held = Held()
        held.let_go.set()
        async with running(lambda: held) as (client, _):
            response = await client.post("/v1/inpaint", content=bytes(body), headers={"Content-Type": TYPE})
            return response.status_code

    assert asyncio.run(main()) < 500


def test_a_full_disk_for_uploads_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(*_: Any, **__: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Request, "_get_form", full)

    async def main() -> None:
        async with running() as (client, service):
            response = await client.post("/v1/inpaint", files=form())
            assert (response.status_code, code(response)) == (507, "no_room")
            assert not service.jobs._places

    asyncio.run(main())


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "..\\..\\x.png", "a%00b", "/etc/passwd", "CON", "x" * 3000, "", "\r\nX: y"]
)
def test_names_that_clients_give_their_files_do_not_matter(name: str) -> None:
    async def main() -> bytes:
        async with running() as (client, _):
            files = {part: (name or "blank", content) for part, (_, content) in form().items()}
            response = await client.post("/v1/inpaint", files=files)
            assert response.status_code == 200, response.text
            assert name not in str(response.headers) or not name
            return response.content

    assert decode(asyncio.run(main())).size == (WIDTH, HEIGHT)


def test_sketch_is_refused_by_a_model_that_takes_none() -> None:
    async def main() -> None:
        async with running() as (client, _):
            response = await client.post("/v1/inpaint", files=form(sketch=MASK))
            assert (response.status_code, code(response)) == (422, "invalid")

    asyncio.run(main())


def test_sketch_reaches_a_model_that_takes_one() -> None:
    seen: list[Any] = []

    class Drawing(Held):
        def tries(self, picture: Any, hole: Any, sketch: Any = None, *others: Any, **_: Any) -> Any:
            seen.append((hole, sketch))
            yield picture, Copies(WIDTH)

    drawing = Drawing()
    drawing.method = type("Method", (), {"abilities": Abilities(sketch=True)})
    lines = np.zeros((HEIGHT, WIDTH), np.uint8)
    lines[15] = 255

    async def main() -> None:
        async with running(lambda: drawing) as (client, _):
            response = await client.post("/v1/inpaint", files=form(sketch=encode(lines)))
            assert response.status_code == 200
            small: Files = form(sketch=encode(lines[:9]))
            response = await client.post("/v1/inpaint", files=small)
            assert (response.status_code, code(response)) == (422, "invalid")
            assert "sketch" in response.json()["error"]["message"]

    asyncio.run(main())
    mask, sketch = seen[-1]
    assert np.array_equal(mask, hole() > 0)
    assert np.array_equal(sketch, lines > 0)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        MemoryShortage("not enough memory on cpu for a part of 9x9 pixels; close other programs"),
    ],
    ids=lambda error: str(error)[:16] or "MemoryError",
)
def test_too_little_memory_is_told_and_the_service_goes_on(error: BaseException) -> None:
    held = Held(error=error)

    async def main() -> None:
        async with running(lambda: held) as (client, _):
            response = await client.post("/v1/inpaint", files=form())
            assert (response.status_code, code(response)) == (413, "out_of_memory")
            held.error = None
            held.let_go.set()
            assert (await client.post("/v1/inpaint", files=form())).status_code == 200

    asyncio.run(main())


@pytest.mark.parametrize("error", [RuntimeError("at /home/secret"), ValueError("secret weights"), KeyError("secret")])
def test_failures_of_the_service_are_told_without_details(error: BaseException) -> None:
    held = Held(error=error)

    async def main() -> None:
        async with running(lambda: held) as (client, _):
            response = await client.post("/v1/inpaint", files=form(), headers={"X-Job": "job-that-fails"})
            assert (response.status_code, code(response)) == (500, "internal")
            assert "secret" not in response.text
            assert response.headers["x-content-type-options"] == "nosniff"
            assert (await client.get("/v1/jobs/job-that-fails")).json()["state"] == "failed"
            held.error = None
            held.let_go.set()
            assert (await client.post("/v1/inpaint", files=form())).status_code == 200

    asyncio.run(main())


def test_masks_that_cannot_be_meant_are_refused() -> None:
    rng = np.random.default_rng(0)
    photo = np.kron(rng.integers(30, 220, (12, 12, 3), np.uint8), np.ones((8, 8, 1), np.uint8))
    photo = (photo + rng.integers(0, 30, photo.shape)).astype(np.uint8)
    weak = np.zeros(photo.shape[:2], np.uint8)
    weak[20:40, 20:50] = 120

    async def main() -> None:
        async with running() as (client, _):
            for mask, text in ((photo, "photograph"), (weak, "marks nothing")):
                files = {"image": ("a", encode(photo)), "mask": ("m", encode(mask))}
                response = await client.post("/v1/inpaint", files=files)
                assert (response.status_code, code(response)) == (422, "invalid")
                assert text in response.text

    asyncio.run(main())
