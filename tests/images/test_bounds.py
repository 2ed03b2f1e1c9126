"""Files that ask for very much are refused before a decoder sees them; those that programs write are not."""

import contextlib
import io
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, JpegImagePlugin

from images import bombs
from temperfill import images
from temperfill.images import bounds, formats, picture

READ = (bombs.gif_frames, bombs.tiff_pages)
"""Files of which no more than the first picture is looked at."""


@pytest.mark.parametrize("bomb", bombs.BOMBS)
def test_files_that_ask_for_too_much_are_refused_at_once(bomb: Callable[[int], bytes]) -> None:
    content = bomb(5_000_000)
    start = time.thread_time()
    if bomb in READ:
        assert images.read_header(io.BytesIO(content)).animated
        with pytest.warns(UserWarning, match="several (frames|pages)"):
            images.open_picture(io.BytesIO(content))
    else:
        with pytest.raises(bounds.TooMuch, match=r"^it\.x is refused: .*; save it anew"):
            images.read_header(io.BytesIO(content), "it.x")
        with pytest.raises(bounds.TooMuch):
            images.open_picture(io.BytesIO(content))
    assert time.thread_time() - start < 2


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("bomb", bombs.BOMBS)
def test_what_lies_below_the_limits_is_read_in_time(bomb: Callable[[int], bytes]) -> None:
    content = bomb(40_000)
    start = time.thread_time()
    with contextlib.suppress(ValueError):  # some are no whole pictures
        images.open_picture(io.BytesIO(content))
    assert time.thread_time() - start < 2


def test_no_header_waits_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    began, end = threading.Event(), threading.Event()

    def slow(file: object, name: str = "") -> Image.Image:
        began.set()
        end.wait(10)
        raise SyntaxError

    monkeypatch.setitem(formats._READERS, "GIF", slow)
    gif, png = bombs.encoded("GIF", mode="P"), bombs.encoded("PNG")

    def read() -> None:
        with pytest.raises(ValueError, match="GIF"):
            images.read_header(io.BytesIO(gif))

    thread = threading.Thread(target=read)
    thread.start()
    assert began.wait(10)
    assert images.read_header(io.BytesIO(png)).kind == "PNG"
    end.set()
    thread.join()


def test_the_limit_of_the_process_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    for kind in ("PNG", "JPEG", "BMP", "PPM"):
        assert images.open_picture(io.BytesIO(bombs.encoded(kind))).size == (16, 16)
    assert Image.MAX_IMAGE_PIXELS == 100
    for kind in ("WEBP", "TIFF"):  # whose readers look at the limit themselves
        with pytest.raises(ValueError, match="exceeds limit"):
            images.open_picture(io.BytesIO(bombs.encoded(kind)))


def drawn(side: int = 300) -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
    return Image.fromarray(pixels)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("JPEG", {"progressive": True}),
        ("JPEG", {"icc_profile": bytes(3_000_000)}),
        ("JPEG", {"comment": bytes(60_000)}),
        ("PNG", {}),
        ("TIFF", {"strip_size": 1}),
        ("TIFF", {"strip_size": 1, "compression": "tiff_lzw"}),
        ("TIFF", {"compression": "jpeg"}),
        ("TIFF", {"big_tiff": True}),
        ("WEBP", {}),
        ("AVIF", {"speed": 10}),
        ("GIF", {}),
    ],
)
def test_files_that_programs_write_are_read(kind: str, options: dict[str, object]) -> None:
    exif = Image.Exif()
    exif[0x010F] = "maker"
    exif.get_ifd(0x8769)[37500] = bytes(30_000)  # a note of the maker
    exif.get_ifd(0x8825)[2] = (1.0, 2.0, 3.0)
    stream = io.BytesIO()
    image = drawn().quantize() if kind == "GIF" else drawn()
    image.save(stream, kind, **options, **({} if kind == "GIF" else {"exif": exif}))  # type: ignore[arg-type]
    assert images.open_picture(stream).size == (300, 300)


def test_many_small_tiles_and_rows_are_read(tmp_path: Path) -> None:
    tags = [*bombs.grey(1600, 1600), (322, 4, 1, 16), (323, 4, 1, 16), (324, 4, 10_000, 134), (325, 4, 10_000, 40_134)]
    lists = np.full(10_000, 80_134, np.uint32).tobytes() + np.full(10_000, 256, np.uint32).tobytes()
    path = tmp_path / "tiles.tif"
    path.write_bytes(bombs.tiff(tags, lists + bytes([90]) * 256))
    assert (images.open_picture(path).pixels == 90).all()


def test_preview_images_behind_a_photograph_do_not_matter() -> None:
    stream = io.BytesIO()
    drawn().save(stream, "MPO", save_all=True, append_images=[drawn(30)])
    assert isinstance(Image.open(stream), JpegImagePlugin.JpegImageFile)
    header = images.read_header(stream)
    assert (header.kind, header.size, header.animated) == ("JPEG", (300, 300), False)
    assert images.open_picture(stream).size == (300, 300)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "F"])
def test_large_pictures_are_copied_in_parts(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    base = drawn(37)
    image = (
        Image.fromarray(np.arange(37 * 37, dtype=np.uint16).reshape(37, 37)) if mode == "I;16" else base.convert(mode)
    )
    monkeypatch.setattr(picture, "_AT_ONCE", 100)
    copied = picture.pixels_of(image)
    assert copied.dtype == np.asarray(image).dtype
    assert (copied == np.asarray(image)).all()
    assert len(list(picture.bands(image))) == 19
