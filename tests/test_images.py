"""Pictures in and out: every mode keeps its known bytes, masks mean what they show, damaged files are named."""

import contextlib
import io
import json
import os
import struct
import subprocess
import sys
import time
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import EpsImagePlugin, ExifTags, Image, ImageCms, PngImagePlugin

from temperfill import images
from temperfill.images import Picture

RNG = np.random.default_rng(7)
ORIENTATION = ExifTags.Base.Orientation


def sample(mode: str, height: int = 9, width: int = 13, seed: int = 0) -> Image.Image:
    """A random picture of a mode."""
    rng = np.random.default_rng(seed)
    if mode == "1":
        return Image.fromarray(rng.random((height, width)) > 0.5)
    if mode == "I;16":
        return Image.fromarray(rng.integers(0, 65536, (height, width), np.uint16))
    if mode == "F":
        return Image.fromarray(rng.random((height, width), np.float32))
    if mode in ("P", "P+transparency"):
        image = Image.fromarray(rng.integers(0, 40, (height, width), np.uint8), "P")
        image.putpalette(rng.integers(0, 256, 40 * 3, np.uint8).tobytes())
        if mode != "P":
            image.info["transparency"] = bytes([0, 128, 255] + [255] * 36 + [0])
        return image
    channels = len(Image.new(mode, (1, 1)).getbands())
    shape = (height, width, channels) if channels > 1 else (height, width)
    return Image.fromarray(rng.integers(0, 256, shape, np.uint8), mode)


def native(image: Image.Image) -> Any:
    """Pixels to compare: the colours for palettes, the values otherwise."""
    return np.asarray(image.convert("RGBA") if image.mode == "P" else image)


LOSSLESS = [
    *((mode, ".png") for mode in ("1", "L", "LA", "P", "P+transparency", "RGB", "RGBA", "I;16")),
    *((mode, ".tif") for mode in ("1", "L", "LA", "P", "P+transparency", "RGB", "RGBA", "CMYK", "I;16", "F")),
    *((mode, ".bmp") for mode in ("1", "L", "P", "RGB")),
    *((mode, ".gif") for mode in ("L", "P")),
    *((mode, ".ppm") for mode in ("1", "L", "RGB", "I;16")),
]


@pytest.mark.parametrize(("mode", "suffix"), LOSSLESS)
def test_known_pixels_survive_every_lossless_format(tmp_path: Path, mode: str, suffix: str) -> None:
    image = sample(mode)
    image.save(tmp_path / f"in{suffix if mode != 'P+transparency' else '.png'}")
    path = next(tmp_path.glob("in*"))
    picture = images.open_picture(path)
    hole = np.zeros(picture.size, bool)
    hole[2:6, 3:9] = True
    result = images.paste(picture, RNG.random((*picture.size, 3), np.float32), hole)
    images.save_picture(tmp_path / f"out{suffix}", result)
    with Image.open(path) as before, Image.open(tmp_path / f"out{suffix}") as after:
        if mode not in ("P", "P+transparency") and suffix != ".gif":
            assert after.mode == before.mode
        if mode == "P+transparency" and after.mode == "RGB":
            pytest.fail("alpha was lost")
        old, new = native(before), native(after)
        if old.ndim != new.ndim or old.shape != new.shape:  # TIFF holds palettes as colours
            old, new = np.asarray(before.convert("RGBA")), np.asarray(after.convert("RGBA"))
    assert np.array_equal(old[~hole], new[~hole])
    if new.ndim == 3 and new.shape[2] in (2, 4) and mode != "CMYK":
        assert np.array_equal(old[..., -1], new[..., -1])  # alpha, in the hole too
    assert not np.array_equal(old[hole], new[hole])


@given(
    mode=st.sampled_from(["1", "L", "LA", "P", "P+transparency", "RGB", "RGBA", "CMYK", "I;16", "F"]),
    height=st.integers(1, 12),
    width=st.integers(1, 12),
    data=st.data(),
)
def test_paste_changes_the_hole_alone(mode: str, height: int, width: int, data: st.DataObject) -> None:
    seed = data.draw(st.integers(0, 2**16))
    rng = np.random.default_rng(seed)
    picture = images.open_picture(sample(mode, height, width, seed))
    hole = rng.random((height, width)) < data.draw(st.sampled_from([0, 0.3, 1]))
    rgb = images.to_rgb(picture)
    assert rgb.shape == (height, width, 3)
    assert rgb.dtype == np.float32
    assert 0 <= rgb.min() <= rgb.max() <= 1
    before = picture.pixels.copy()
    result = images.paste(picture, rng.random((height, width, 3), np.float32), hole)
    assert np.array_equal(picture.pixels, before)  # the argument is left alone
    assert result.pixels.dtype == before.dtype
    assert np.array_equal(result.pixels[~hole], before[~hole])
    again = images.open_picture(result.to_image())
    assert np.array_equal(again.pixels, result.pixels)
    assert again.mode == picture.mode
    if picture.alpha is not None:
        assert np.array_equal(result.alpha, picture.alpha)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16", "F"])
def test_view_and_way_back_are_inverse(mode: str) -> None:
    picture = images.open_picture(sample(mode))
    back = images.paste(picture, images.to_rgb(picture), np.ones(picture.size, bool))
    expected, found = native(picture.to_image()), native(back.to_image())
    assert np.allclose(found.astype(float), expected.astype(float), atol=1e-6 if mode == "F" else 0)


def test_sixteen_bits_are_scaled_and_kept(tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, 64 * 32).astype(np.uint16).reshape(32, 64)
    Image.fromarray(ramp).save(tmp_path / "ramp.png")
    picture = images.open_picture(tmp_path / "ramp.png")
    rgb = images.to_rgb(picture)
    assert np.allclose(rgb[..., 1], ramp / 65535, atol=1e-6)
    hole = np.zeros(ramp.shape, bool)
    hole[:, 20:40] = True
    filled = np.full((32, 64, 3), 12345 / 65535, np.float32)
    result = images.paste(picture, filled, hole)
    images.save_picture(tmp_path / "out.png", result)
    with Image.open(tmp_path / "out.png") as image:
        found = np.asarray(image)
    assert found.dtype == np.uint16
    assert np.array_equal(found[~hole], ramp[~hole])
    assert set(found[hole]) == {12345}  # not a multiple of 257


def png(chunks: list[tuple[bytes, bytes]]) -> bytes:
    parts = [struct.pack(">I", len(c)) + n + c + struct.pack(">I", zlib.crc32(n + c)) for n, c in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize("size", [(30000, 30000), (60000, 60000)])
def test_bomb_is_refused_from_its_header(tmp_path: Path, size: tuple[int, int]) -> None:
    header = struct.pack(">IIBBBBB", *size, 1, 0, 0, 0, 0)
    (tmp_path / "bomb.png").write_bytes(png([(b"IHDR", header), (b"IDAT", zlib.compress(bytes(9999))), (b"IEND", b"")]))
    start = time.perf_counter()
    with pytest.raises(ValueError, match=rf"bomb\.png has {size[0]}x{size[1]} pixels.*max_pixels"):
        images.open_picture(tmp_path / "bomb.png")
    assert time.perf_counter() - start < 0.1
    assert Image.MAX_IMAGE_PIXELS == 89478485  # Pillow's own limit is as before


def black(width: int, height: int) -> bytes:
    """A PNG of zeros, one bit for each pixel, made without compressing all of its rows."""
    packed, rows = zlib.compressobj(9, wbits=-15), 100
    block = packed.compress(bytes((1 + -(-width // 8)) * rows)) + packed.flush(zlib.Z_FULL_FLUSH)
    length = (1 + -(-width // 8)) * height
    content = b"\x78\xda" + block * (height // rows) + b"\x03\0" + struct.pack(">HH", length % 65521, 1)
    return png([(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)), (b"IDAT", content), (b"IEND", b"")])


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system does not tell the largest memory used")
def test_bomb_takes_no_memory(tmp_path: Path) -> None:
    """The largest memory of a process counts, so it needs its own; a picture that is let in shows the measure."""
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    files = {"small": black(80, 100), "bomb": black(30_000, 30_000), "large": black(10_000, 6_000)}
    files["header"] = png([(b"IHDR", header), (b"IDAT", b""), (b"IEND", b"")])
    for name, content in files.items():
        (tmp_path / f"{name}.png").write_bytes(content)
    assert len(files["bomb"]) < 120_000
    script = """
import json, pathlib, re, time
from temperfill import images
def largest():
    return int(re.search(r"VmHWM:\\s+(\\d+)", pathlib.Path("/proc/self/status").read_text())[1])
def opened(name):
    before, start = largest(), time.perf_counter()
    try:
        images.open_picture(name)
        said = ""
    except ValueError as error:
        said = str(error)
    return said, largest() - before, time.perf_counter() - start
opened("small.png")  # imports the readers of all formats
print(json.dumps([opened(name) for name in ("bomb.png", "header.png", "large.png")]))
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    *refused, (said, grown, _) = json.loads(done.stdout)
    for reason, kilobytes, seconds in refused:
        assert "above the limit of 256 million" in reason
        assert kilobytes < 50_000
        assert seconds < 0.1
    assert not said
    assert grown > 50_000


def test_limit_is_configurable(tmp_path: Path) -> None:
    sample("L", 10, 10).save(tmp_path / "a.png")
    images.open_picture(tmp_path / "a.png", max_pixels=100)
    with pytest.raises(ValueError, match="above the limit"):
        images.open_picture(tmp_path / "a.png", max_pixels=99)


def encoded(kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    sample("RGB", 40, 50).save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "AVIF"])
def test_truncated_files_are_named(tmp_path: Path, kind: str) -> None:
    data = encoded(kind)
    path = tmp_path / f"half.{kind.lower()}"
    for length in (len(data) * 2 // 3, 30, 4, 0):
        path.write_bytes(data[:length])
        with pytest.raises((ValueError, OSError), match="half"):
            images.open_picture(path)


def test_bad_checksum_is_noticed(tmp_path: Path) -> None:
    data = bytearray(encoded("PNG"))
    data[-14] ^= 1  # checksum of the pixel data
    (tmp_path / "flip.png").write_bytes(data)
    with pytest.raises(ValueError, match=r"flip\.png"):
        images.open_picture(tmp_path / "flip.png")


@pytest.mark.parametrize(
    "content",
    [b"", b"hello", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"],
)
def test_other_content_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "fake.png").write_bytes(content)
    with pytest.raises(ValueError, match=r"fake\.png is not a supported picture"):
        images.open_picture(tmp_path / "fake.png")


@pytest.mark.skipif(os.name == "nt", reason="the programs that stand for Ghostscript are shell scripts")
def test_no_program_is_started_for_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n%%EOF\n"
    (tmp_path / "fake.png").write_bytes(content)
    (tmp_path / "gs").write_text(f"#!/bin/sh\ntouch '{tmp_path}/started'\n")
    (tmp_path / "gs").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(EpsImagePlugin, "gs_binary", None)
    with pytest.raises(ValueError, match="not a supported picture"):
        images.open_picture(tmp_path / "fake.png")
    assert not (tmp_path / "started").exists()
    with contextlib.suppress(OSError), Image.open(tmp_path / "fake.png") as image:
        image.load()
    assert (tmp_path / "started").exists()  # Pillow would have started it


def test_unlisted_format_is_refused(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.tga")
    with pytest.raises(ValueError, match="not a supported picture"):
        images.open_picture(tmp_path / "a.tga")


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        images.open_picture(tmp_path / "nowhere.png")
    with pytest.raises(OSError, match=str(tmp_path.name)):
        images.open_picture(tmp_path)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "GIF", "WEBP", "BMP"])
@given(data=st.data())
def test_mutated_files_raise_only_what_is_promised(
    tmp_path_factory: pytest.TempPathFactory, kind: str, data: st.DataObject
) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.ExposureTime] = 0.5
    content = bytearray(encoded(kind, **({"exif": exif} if kind in ("JPEG", "PNG", "TIFF") else {})))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    for _ in range(25):
        mutated = bytearray(content)
        front = rng.random() < 0.5
        for _ in range(int(rng.integers(1, 8))):
            mutated[rng.integers(0, min(400, len(mutated)) if front else len(mutated))] = rng.integers(0, 256)
        path = tmp_path_factory.getbasetemp() / "mutated"
        path.write_bytes(mutated)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                picture = images.open_picture(path, max_pixels=1_000_000)
                images.to_rgb(picture)
                if rng.random() < 0.1:  # slow: it waits for the disk
                    images.save_picture(path.with_suffix(".tif"), picture)
            except (ValueError, OSError) as error:
                named = "mutated" in str(error)
                assert named


QUALITY_FOR: dict[str, Any] = {".jpg": {"quality": 100, "subsampling": 0}}
# orientation: what turns the stored picture upright
TURNS: dict[int, Any] = {
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
    8: lambda a: np.rot90(a),
}


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif"])
def test_orientation_is_applied_and_reset(tmp_path: Path, orientation: int, suffix: str) -> None:
    stored = np.asarray(sample("RGB", 16, 24))
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    exif[ExifTags.Base.Artist] = "someone"
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.LensModel] = "glass"
    exif.get_ifd(ExifTags.IFD.GPSInfo)[1] = "N"
    Image.fromarray(stored).save(tmp_path / f"in{suffix}", exif=exif.tobytes(), **QUALITY_FOR.get(suffix, {}))
    picture = images.open_picture(tmp_path / f"in{suffix}")
    difference = np.abs(picture.pixels.astype(int) - TURNS[orientation](stored))
    assert difference.max() <= (0 if suffix != ".jpg" else 6)
    images.save_picture(tmp_path / f"out{suffix}", picture)
    with Image.open(tmp_path / f"out{suffix}") as image:
        found = image.getexif()
        assert found.get(ORIENTATION, 1) == 1
        assert found[ExifTags.Base.Artist] == "someone"
        assert found.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.LensModel] == "glass"
        assert found.get_ifd(ExifTags.IFD.GPSInfo)[1] == "N"
        assert image.size == picture.size[::-1]


def test_orientation_of_masks_and_of_open_images(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    stored = np.asarray(sample("1", 16, 24))
    Image.fromarray(stored).save(tmp_path / "mask.png", exif=exif)
    expected = TURNS[6](stored)
    assert np.array_equal(images.to_mask(tmp_path / "mask.png", (24, 16)), expected)
    with Image.open(tmp_path / "mask.png") as image:
        assert np.array_equal(images.to_mask(image, (24, 16)), expected)


def test_tiff_metadata_moves_to_other_formats_without_its_layout(tmp_path: Path) -> None:
    sample("RGB").save(tmp_path / "in.tif", tiffinfo={315: "someone", 270: "a thing"}, compression="tiff_lzw")
    images.save_picture(tmp_path / "out.jpg", images.open_picture(tmp_path / "in.tif"))
    with Image.open(tmp_path / "out.jpg") as image:
        assert dict(image.getexif()) == {270: "a thing", 315: "someone"}


def wide_profile() -> bytes:
    """sRGB with the primaries permuted (red, green, blue to green, blue, red), to have colours that visibly move."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = struct.unpack_from(">I", data, 128)[0]
    entries = {bytes(data[132 + 12 * i : 136 + 12 * i]): 132 + 12 * i for i in range(count)}
    offsets = {name: bytes(data[entries[name] + 4 : entries[name] + 12]) for name in (b"rXYZ", b"gXYZ", b"bXYZ")}
    for name, source in ((b"rXYZ", b"gXYZ"), (b"gXYZ", b"bXYZ"), (b"bXYZ", b"rXYZ")):
        data[entries[name] + 4 : entries[name] + 12] = offsets[source]
    return bytes(data).replace("sRGB".encode("utf-16-be"), "cRGB".encode("utf-16-be"))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_profile_is_used_and_kept(tmp_path: Path, mode: str) -> None:
    profile = wide_profile()
    image = Image.new("RGB", (8, 8), (255, 0, 0)).convert(mode)
    image.save(tmp_path / "in.png", icc_profile=profile)
    picture = images.open_picture(tmp_path / "in.png")
    rgb = images.to_rgb(picture)
    assert np.allclose(rgb, [0, 1, 0], atol=0.03)  # stored red is shown green
    hole = np.zeros((8, 8), bool)
    hole[2:5, 2:5] = True
    result = images.paste(picture, rgb, hole)
    images.save_picture(tmp_path / "out.png", result)
    with Image.open(tmp_path / "out.png") as after:
        assert after.info["icc_profile"] == profile
        assert after.mode == mode
        found = np.asarray(after.convert("RGB")).astype(int)
    assert np.array_equal(found[~hole], np.broadcast_to([255, 0, 0], found[~hole].shape))
    assert np.abs(found[hole] - [255, 0, 0]).max() <= 8


def ink_profile() -> bytes:
    """A CMYK profile by which only black counts: lightness 100 at none, 0 at full, whatever the other three inks."""

    def table(inputs: int, outputs: int, cells: list[int]) -> bytes:
        ramp = bytes(range(256))
        unit = [int(row == column) << 16 for row in range(3) for column in range(3)]
        head = struct.pack(">4s4xBBBx9i", b"mft1", inputs, outputs, 2, *unit)
        return head + ramp * inputs + bytes(cells) + ramp * outputs

    to_lab = [value for _ in range(8) for black in (0, 1) for value in (255 * (1 - black), 128, 128)]
    from_lab = [value for light in (0, 1) for _ in range(4) for value in (0, 0, 0, 255 * (1 - light))]
    tags = {
        b"desc": b"desc" + struct.pack(">4xI", 4) + b"ink\0" + bytes(79),
        b"wtpt": b"XYZ " + struct.pack(">4x3i", 63190, 65536, 54061),  # D50
        **{b"A2B%d" % intent: table(4, 3, to_lab) for intent in range(2)},
        **{b"B2A%d" % intent: table(3, 4, from_lab) for intent in range(2)},
    }
    entries, content, start = b"", b"", 132 + 12 * len(tags)
    for name, data in tags.items():
        entries += struct.pack(">4sII", name, start + len(content), len(data))
        content += data + bytes(-len(data) % 4)
    head = struct.pack(
        ">I4sI4s4s4s12x4s28x", start + len(content), b"test", 0x02400000, b"prtr", b"CMYK", b"Lab ", b"acsp"
    )
    head += struct.pack(">3i", 63190, 65536, 54061)
    return head + bytes(128 - len(head)) + struct.pack(">I", len(tags)) + entries + content


@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
def test_profile_of_inks_is_used_and_kept(tmp_path: Path, suffix: str) -> None:
    profile = ink_profile()
    Image.new("CMYK", (32, 32), (255, 0, 0, 0)).save(tmp_path / f"in{suffix}", icc_profile=profile)
    picture = images.open_picture(tmp_path / f"in{suffix}")
    assert images.to_rgb(picture).min() > 0.97  # cyan without the profile, white by it
    hole = np.zeros((32, 32), bool)
    hole[8:24, 8:24] = True
    result = images.paste(picture, np.full((32, 32, 3), 0.466, np.float32), hole)  # lightness 50
    images.save_picture(tmp_path / f"out{suffix}", result, 100)
    with Image.open(tmp_path / f"out{suffix}") as after:
        assert after.mode == "CMYK"
        assert after.info["icc_profile"] == profile
        found = np.asarray(after).astype(int)
    assert np.abs(found[16, 16] - [0, 0, 0, 128]).max() <= 4
    assert np.abs(found[2, 2] - [255, 0, 0, 0]).max() <= (4 if suffix == ".jpg" else 0)


def test_profile_of_another_colour_space_is_ignored_aloud() -> None:
    image = sample("L")
    image.info["icc_profile"] = wide_profile()
    picture = images.open_picture(image)
    with pytest.warns(UserWarning, match="profile is ignored"):
        assert np.allclose(images.to_rgb(picture)[..., 0], picture.pixels / 255)
    image.info["icc_profile"] = b"junk"
    with pytest.warns(UserWarning, match="profile is ignored"):
        images.to_rgb(images.open_picture(image))


def test_cmyk_jpeg_keeps_its_mode(tmp_path: Path) -> None:
    image = Image.new("CMYK", (32, 32), (200, 30, 60, 10))
    image.save(tmp_path / "in.jpg", quality=100)
    picture = images.open_picture(tmp_path / "in.jpg")
    hole = np.zeros((32, 32), bool)
    hole[8:24, 8:24] = True
    images.save_picture(tmp_path / "out.jpg", images.paste(picture, images.to_rgb(picture), hole), 100)
    with Image.open(tmp_path / "out.jpg") as after:
        assert after.mode == "CMYK"
        difference = np.abs(np.asarray(after.convert("RGB"), int) - np.asarray(image.convert("RGB"), int))
    assert difference.max() <= 4


def test_palette_hole_takes_nearest_colours_and_keeps_transparency() -> None:
    image = Image.fromarray(np.array([[0, 1, 2, 3, 4]], np.uint8), "P")
    image.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0, 250, 0, 0, 0, 0, 255])
    image.info["transparency"] = bytes([0, 255, 255, 0, 255])
    filled = np.zeros((1, 5, 3), np.float32)
    filled[..., 0] = 1  # red everywhere
    result = images.paste(images.open_picture(image), filled, np.array([[True, True, True, True, False]]))
    assert result.pixels.tolist() == [[3, 1, 1, 3, 4]]


def test_colour_key_becomes_a_channel(tmp_path: Path) -> None:
    pixels = np.asarray(sample("RGB", 4, 4)).copy()
    pixels[0, 0] = (1, 2, 3)
    Image.fromarray(pixels).save(tmp_path / "key.png", transparency=(1, 2, 3))
    picture = images.open_picture(tmp_path / "key.png")
    hole = np.zeros((4, 4), bool)
    hole[2, 2] = True
    result = images.paste(picture, np.full((4, 4, 3), np.array([1, 2, 3]) / 255), hole)
    assert result.alpha is not None
    assert result.alpha[2, 2] == 255
    assert result.alpha[0, 0] == 0


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_animation_gives_the_first_frame_and_a_warning(tmp_path: Path, kind: str) -> None:
    frames = [Image.new("RGB", (6, 5), colour) for colour in ("red", "blue")]
    frames[0].save(
        tmp_path / "moving",
        kind,
        save_all=True,
        append_images=frames[1:],
        **({"lossless": True} if kind == "WEBP" else {}),
    )
    with pytest.warns(UserWarning, match="several frames"):
        picture = images.open_picture(tmp_path / "moving")
    assert np.allclose(images.to_rgb(picture), [1, 0, 0])


def test_arrays_of_every_kind() -> None:
    for array, mode in (
        (np.zeros((3, 4), bool), "1"),
        (np.zeros((3, 4), np.uint8), "L"),
        (np.zeros((3, 4, 1), np.uint8), "L"),
        (np.zeros((3, 4, 3), np.uint8), "RGB"),
        (np.zeros((3, 4, 4), np.uint8), "RGBA"),
        (np.zeros((3, 4), np.uint16), "I;16"),
        (np.zeros((3, 4, 3), np.uint16), "RGB"),
        (np.zeros((3, 4, 4), np.uint16), "RGBA"),
        (np.zeros((3, 4), np.float64), "L"),
        (np.zeros((3, 4, 1), np.float32), "L"),
        (np.zeros((3, 4, 3), np.float16), "RGB"),
        (np.zeros((3, 4, 4), np.float32), "RGBA"),
    ):
        picture = images.open_picture(array)
        assert picture.mode == mode
        assert images.to_rgb(picture).shape == (3, 4, 3)
        hole = np.zeros((3, 4), bool)
        hole[1, 1] = True
        result = images.paste(picture, np.ones((3, 4, 3), np.float32), hole)
        assert result.pixels.dtype == array.dtype
        assert (result.pixels != 0).any(axis=-1).sum() >= 1


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((3,), np.uint8), "expected an array"),
        (np.zeros((3, 4, 2), np.uint8), "expected an array"),
        (np.zeros((0, 4, 3), np.uint8), "expected an array"),
        (np.zeros((2, 3, 4, 3), np.uint8), "expected an array"),
        (np.full((3, 4, 3), 255.0), r"\[0, 1\]"),
        (np.full((3, 4, 3), np.nan), r"\[0, 1\]"),
        (np.zeros((3, 4, 3), np.int64), "int64"),
        ("x" * 5000, "File name too long"),
        (object(), "expected a path"),
    ],
)
def test_senseless_sources_are_refused(array: Any, message: str) -> None:
    with pytest.raises((ValueError, OSError), match=message):
        images.open_picture(array)


def test_floats_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="not finite"):
        images.open_picture(Image.new("F", (3, 3), float("nan")))


# Masks


def test_mask_threshold() -> None:
    grey = np.array([[0, 127, 128, 255]], np.uint8)
    assert images.to_mask(grey, (1, 4)).tolist() == [[False, False, True, True]]
    assert images.to_mask(Image.fromarray(grey), (1, 4)).tolist() == [[False, False, True, True]]
    assert images.to_mask(grey, (1, 4), invert=True).tolist() == [[True, True, False, False]]
    assert images.to_mask(np.array([[0.0, 0.5, 0.51, 1.0]]), (1, 4)).tolist() == [[False, False, True, True]]
    assert images.to_mask(np.array([[32767, 32768]], np.uint16), (1, 2)).tolist() == [[False, True]]
    bools = np.array([[True, False]])
    assert np.array_equal(images.to_mask(bools, (1, 2)), bools)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16", "CMYK"])
def test_mask_of_every_mode(tmp_path: Path, mode: str) -> None:
    hole = RNG.random((7, 11)) > 0.5
    image = Image.fromarray(hole.astype(np.uint16) * 65535) if mode == "I;16" else Image.fromarray(hole).convert(mode)
    image.save(tmp_path / "mask.tif")
    assert np.array_equal(images.to_mask(tmp_path / "mask.tif", (7, 11)), hole)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int64, np.int8, np.float32, bool])
@pytest.mark.parametrize("shape", [(3, 3), (1, 3, 3), (3, 3, 1)])
def test_arrays_of_zeros_and_ones_mean_what_they_say(kind: Any, shape: tuple[int, ...]) -> None:
    mask = np.eye(3).astype(kind).reshape(shape)
    assert np.array_equal(images.to_mask(mask, (3, 3)), np.eye(3))
    assert np.array_equal(images.to_mask(mask, (3, 3), invert=True), 1 - np.eye(3))


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "P", "I;16"])
def test_file_of_zeros_and_ones_is_taken_aloud(tmp_path: Path, mode: str) -> None:
    ones = np.eye(3, dtype=np.uint16 if mode == "I;16" else np.uint8)
    image = Image.fromarray(ones) if mode == "I;16" else Image.fromarray(ones).convert(mode)
    image.save(tmp_path / "mask.png")
    for invert in (False, True):
        if mode == "P":  # its 1 is the second colour, which is nearly black
            with pytest.raises(ValueError, match=r"mask.png is almost black \(nothing above 1 of 255\); write 255"):
                images.to_mask(tmp_path / "mask.png", (3, 3), invert=invert)
            continue
        with pytest.warns(UserWarning, match=r"mask.png holds only 0 and 1 .* as brightness; 1 is taken as white"):
            found = images.to_mask(tmp_path / "mask.png", (3, 3), invert=invert)
        assert np.array_equal(found, np.eye(3) != invert)


def test_opacity_of_zeros_and_ones_is_taken_aloud(tmp_path: Path) -> None:
    image = Image.new("LA", (3, 3))
    image.putalpha(Image.fromarray(np.eye(3, dtype=np.uint8)))
    image.save(tmp_path / "mask.png")
    with pytest.warns(UserWarning, match=r"mask.png holds only 0 and 1 .* as opacity"):
        assert np.array_equal(images.to_mask(tmp_path / "mask.png", (3, 3), channel="alpha"), np.eye(3))


def test_dark_masks_are_empty_only_if_they_are_black(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((3, 3), np.uint8)).save(tmp_path / "mask.png")
    assert not images.to_mask(tmp_path / "mask.png", (3, 3)).any()
    Image.fromarray(np.eye(3, dtype=np.uint8) * 2).save(tmp_path / "mask.png")
    assert not images.to_mask(tmp_path / "mask.png", (3, 3), force=True).any()
    with pytest.raises(ValueError, match="marks nothing"):
        images.to_mask(tmp_path / "mask.png", (3, 3))
    palette = Image.fromarray(np.eye(3, dtype=np.uint8), "P")
    palette.putpalette([0, 0, 0, 255, 255, 255])  # whose 1 is white
    palette.save(tmp_path / "mask.png")
    assert images.to_mask(tmp_path / "mask.png", (3, 3)).sum() == 3


def test_mask_of_another_size_names_both() -> None:
    with pytest.raises(ValueError, match=r"5x4 .* 4x5"):
        images.to_mask(np.zeros((4, 5), bool), (5, 4))


def test_mask_in_alpha_is_asked_for() -> None:
    pixels = np.full((2, 2, 4), 255, np.uint8)
    pixels[0, 0, 3] = 0
    with pytest.raises(ValueError, match="alpha"):
        images.to_mask(pixels, (2, 2))
    assert images.to_mask(pixels, (2, 2), channel="alpha").tolist() == [[False, True], [True, True]]
    with pytest.raises(ValueError, match="no alpha channel"):
        images.to_mask(pixels[..., :3], (2, 2), channel="alpha")
    with pytest.raises(ValueError, match="luminance or alpha"):
        images.to_mask(pixels, (2, 2), channel="red")  # type: ignore[arg-type]
    pixels[0, 0, :3] = 0  # with brightness too, that is what counts
    assert images.to_mask(pixels, (2, 2)).tolist() == [[False, True], [True, True]]


# Writing


def test_output_is_checked_without_writing(tmp_path: Path) -> None:
    (tmp_path / "folder.png").mkdir()
    for name, message in (
        ("a.xyz", "unknown suffix"),
        ("a", "unknown suffix"),
        ("no/a.png", "no folder"),
        ("folder.png", "folder"),
    ):
        with pytest.raises((ValueError, OSError), match=message):
            images.check_output(tmp_path / name)
    images.check_output(tmp_path / "fine.PNG")
    assert [p.name for p in tmp_path.iterdir()] == ["folder.png"]


LOSSES = {
    ".jpg": ("RGBA", "LA", "P+transparency"),
    ".png": ("CMYK", "LAB"),
    ".gif": ("RGB",),
    ".bmp": ("RGBA",),
    ".webp": ("CMYK",),
}


@pytest.mark.parametrize(("mode", "suffix"), [(mode, suffix) for suffix, modes in LOSSES.items() for mode in modes])
def test_losses_are_refused_with_advice(tmp_path: Path, mode: str, suffix: str) -> None:
    picture = images.open_picture(sample(mode))
    with pytest.raises(ValueError, match=r"does not hold mode .*use \."):
        images.check_output(tmp_path / f"a{suffix}", picture)
    with pytest.raises(ValueError, match="does not hold"):
        images.save_picture(tmp_path / f"a{suffix}", picture)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [".jpg", ".bmp", ".ppm"])
def test_full_opacity_is_no_loss(tmp_path: Path, suffix: str) -> None:
    pixels = np.asarray(sample("RGBA")).copy()
    pixels[..., 3] = 255
    images.save_picture(tmp_path / f"a{suffix}", images.open_picture(pixels))
    assert images.open_picture(tmp_path / f"a{suffix}").mode == "RGB"


def test_webp_at_100_is_lossless_and_keeps_hidden_colours(tmp_path: Path) -> None:
    picture = images.open_picture(sample("RGBA"))
    images.save_picture(tmp_path / "a.webp", picture, 100)
    assert np.array_equal(images.open_picture(tmp_path / "a.webp").pixels, picture.pixels)


def test_quality_and_subsampling_of_jpeg(tmp_path: Path) -> None:
    smooth = sample("RGB", 4, 4).resize((128, 128), Image.Resampling.BICUBIC)
    smooth.save(tmp_path / "in.jpg", subsampling=0)
    picture = images.open_picture(tmp_path / "in.jpg")
    sizes = []
    for quality in (20, 95):
        images.save_picture(tmp_path / "out.jpg", picture, quality)
        sizes.append((tmp_path / "out.jpg").stat().st_size)
    assert sizes[0] < sizes[1]
    assert images.open_picture(tmp_path / "out.jpg").info["jpeg"].subsampling == 0
    for quality in (0, 101):
        with pytest.raises(ValueError, match="quality"):
            images.save_picture(tmp_path / "out.jpg", picture, quality)


def test_grey_profile_does_not_follow_into_colour(tmp_path: Path) -> None:
    picture = images.open_picture(sample("L"))
    picture.info["icc_profile"] = b"grey"
    images.save_picture(tmp_path / "a.webp", picture, 100)
    assert "icc_profile" not in images.open_picture(tmp_path / "a.webp").info


def test_resolution_is_kept(tmp_path: Path) -> None:
    sample("RGB").save(tmp_path / "in.png", dpi=(300, 300))
    images.save_picture(tmp_path / "out.jpg", images.open_picture(tmp_path / "in.png"))
    with Image.open(tmp_path / "out.jpg") as image:
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)


XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6" tiff:Make="M"/>'
    b"</rdf:RDF></x:xmpmeta>"
)


@pytest.mark.parametrize(("suffix", "other"), [(".png", ".jpg"), (".jpg", ".webp"), (".webp", ".png")])
def test_xmp_is_kept_without_its_orientation(tmp_path: Path, suffix: str, other: str) -> None:
    options: dict[str, Any] = {"xmp": XMP}
    if suffix == ".png":
        options = {"pnginfo": PngImagePlugin.PngInfo()}
        options["pnginfo"].add_itxt("XML:com.adobe.xmp", XMP.decode())
    sample("RGB").save(tmp_path / f"in{suffix}", **options)
    picture = images.open_picture(tmp_path / f"in{suffix}")
    assert picture.size == (13, 9)  # turned
    for end in (suffix, other):
        images.save_picture(tmp_path / f"out{end}", picture)
        again = images.open_picture(tmp_path / f"out{end}")
        assert again.size == (13, 9)
        assert again.info["xmp"] == XMP.replace(b'tiff:Orientation="6" ', b"")
        assert "texts" not in again.info


def test_texts_and_comments_are_kept(tmp_path: Path) -> None:
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Author", "Zoë")
    texts.add_itxt("Title", "猫", "ja", "題")
    sample("RGB").save(tmp_path / "in.png", pnginfo=texts)
    images.save_picture(tmp_path / "out.png", images.open_picture(tmp_path / "in.png"))
    with Image.open(tmp_path / "out.png") as image:
        assert image.text == {"Author": "Zoë", "Title": "猫"}  # type: ignore[attr-defined]
        assert image.text["Title"].lang == "ja"  # type: ignore[attr-defined]
    sample("RGB").save(tmp_path / "in.jpg", comment="by hand")
    images.save_picture(tmp_path / "out.jpg", images.open_picture(tmp_path / "in.jpg"))
    sample("L").save(tmp_path / "in.gif", comment=b"x" * 70_000)  # longer than a comment of JPEG can be
    images.save_picture(tmp_path / "long.jpg", images.open_picture(tmp_path / "in.gif"))
    for name, comment in (("out", b"by hand"), ("long", b"x" * 65_533)):
        with Image.open(tmp_path / f"{name}.jpg") as image:
            assert image.info["comment"] == comment


@pytest.mark.skipif(os.name == "nt", reason="Windows has neither")
def test_results_follow_the_umask_and_links(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out.png").symlink_to(Path("elsewhere") / "target.png")
    before = os.umask(0o027)
    try:
        images.save_picture(tmp_path / "out.png", images.open_picture(sample("L")))
    finally:
        os.umask(before)
    assert (tmp_path / "out.png").is_symlink()
    assert (tmp_path / "elsewhere" / "target.png").stat().st_mode & 0o777 == 0o640
    assert len(list(tmp_path.rglob("*"))) == 3


# For training


def test_read_rgb(tmp_path: Path) -> None:
    image = sample("RGB", 12, 8)
    image.save(tmp_path / "a.png")
    assert np.array_equal(images.read_rgb(tmp_path / "a.png"), np.asarray(image))
    sample("I;16").save(tmp_path / "b.png")
    assert images.read_rgb(tmp_path / "b.png").dtype == np.uint8
    assert images.read_rgb(tmp_path / "b.png").shape == (9, 13, 3)


@given(height=st.integers(1, 70), width=st.integers(1, 70), size=st.integers(1, 40))
def test_resize_short_side(height: int, width: int, size: int) -> None:
    resized = images.resize_short_side(np.full((height, width, 3), 9, np.uint8), size)
    assert min(resized.shape[:2]) == size
    assert resized.shape[0] / resized.shape[1] == pytest.approx(height / width, rel=0.6 / size + 0.01)
    assert (resized == 9).all()


def test_a_divider_is_not_enlarged_to_gigabytes() -> None:
    thin = np.zeros((1, 20000, 3), np.uint8)
    with pytest.raises(ValueError, match=r"spacer\.png has 20000x1 pixels, too thin to be enlarged to 256"):
        images.resize_short_side(thin, 256, name="spacer.png")
    assert images.resize_short_side(thin, 256, squash=True).shape == (256, 256, 3)
    assert images.resize_short_side(np.zeros((300, 9000, 3), np.uint8), 256).shape == (256, 7680, 3)
    assert images.resize_short_side(np.zeros((4, 80, 3), np.uint8), 8).shape == (8, 160, 3)


def test_picture_of_float_array_becomes_bytes() -> None:
    image = Picture(np.array([[0.0, 0.5, 1.0]]), "L", {}).to_image()
    assert np.asarray(image).tolist() == [[0, 128, 255]]


# Open files and headers


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "AVIF"])
def test_open_files_are_read_as_paths_are(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.bin"
    sample("RGB").save(path, kind)
    file = io.BytesIO(path.read_bytes())
    header = images.read_header(file)
    assert (header.kind, header.size, header.animated) == (kind, (9, 13), False)
    assert np.array_equal(images.open_picture(file).pixels, images.open_picture(path).pixels)
    assert np.array_equal(images.to_mask(file, (9, 13)), images.to_mask(path, (9, 13)))


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "GIF"])
def test_headers_tell_of_several_frames(kind: str) -> None:
    file = io.BytesIO()
    sample("RGB").save(file, kind, save_all=True, append_images=[sample("RGB", seed=1)])
    assert images.read_header(file).animated


def test_errors_of_open_files_carry_the_name_that_was_given() -> None:
    for read in (images.read_header, lambda file, name: images.open_picture(file, name=name)):
        with pytest.raises(ValueError, match="the sketch is not a supported picture"):
            read(io.BytesIO(b"text"), "the sketch")
    file = io.BytesIO()
    sample("L").save(file, "PNG")
    with pytest.raises(ValueError, match="the sketch is 13x9 but the image is 5x5"):
        images.to_mask(file, (5, 5), name="the sketch")


def test_encoded_pictures_are_the_bytes_that_would_be_saved(tmp_path: Path) -> None:
    picture = images.open_picture(sample("RGB"))
    for name in ("a.png", "a.jpg", "a.webp", "a.tif"):
        images.save_picture(tmp_path / name, picture, 80)
        assert images.encode_picture(picture, Path(name), 80) == (tmp_path / name).read_bytes()
    with pytest.raises(ValueError, match="quality"):
        images.encode_picture(picture, Path("a.png"), 0)
