"""HEIC files are read upright and with what phones write beside the pixels; nothing is decoded above the limit.

The files of this folder were made by make.py beside them.
"""

import io
import re
import struct
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from heic.make import FOLDER, HEIGHT, MAKER, WIDTH, opacity, profile, upright
from temperfill import images
from temperfill.images import heif

NAMES = ("phone", "alpha", "grey", "two", "deep")


def content(name: str) -> bytes:
    return (FOLDER / f"{name}.heic").read_bytes()


def said_to_be(name: str, width: int, height: int) -> bytes:
    """A file with another size in its header."""
    return re.sub(rb"ispe.{12}", b"ispe" + struct.pack(">III", 0, width, height), content(name), flags=re.DOTALL)


def difference(found: object) -> float:
    return float(np.abs(np.asarray(found, int) - upright()).max())


class TestDecoding:
    @pytest.fixture(autouse=True)
    def _decoder(self) -> None:
        pytest.importorskip("pi_heif", reason="needs the extra heif")

    def test_photo_is_upright_once_and_keeps_its_metadata(self, tmp_path: Path) -> None:
        """The container turns the picture, and EXIF asks for the same turn once more."""
        assert b"irot" in content("phone")
        picture = images.open_picture(FOLDER / "phone.heic")
        assert picture.size == (HEIGHT, WIDTH)
        assert difference(picture.pixels) <= 4
        header = images.read_header(io.BytesIO(content("phone")))
        assert header == images.Header("HEIF", (64, 64), False)  # the encoder's blocks, which are cropped
        images.save_picture(tmp_path / "out.jpg", picture)
        with Image.open(tmp_path / "out.jpg") as after:
            exif = after.getexif()
            assert exif[ExifTags.Base.Make] == MAKER
            assert exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] == "N"
            assert exif.get(ExifTags.Base.Orientation, 1) == 1
            assert after.info["icc_profile"] == profile()
            assert after.size == (WIDTH, HEIGHT)

    def test_orientation_of_exif_alone_has_no_effect(self) -> None:
        at = content("phone").index(b"irot") + 4
        unturned = content("phone")[:at] + b"\0" + content("phone")[at + 1 :]
        picture = images.open_picture(io.BytesIO(unturned))
        assert picture.size == (WIDTH, HEIGHT)
        assert difference(np.rot90(picture.pixels, -1)) <= 4

    def test_alpha_and_grey_keep_their_modes(self) -> None:
        picture = images.open_picture(FOLDER / "alpha.heic")
        assert picture.mode == "RGBA"
        assert difference(picture.pixels[..., :3]) <= 4
        assert picture.alpha is not None
        assert np.abs(picture.alpha.astype(int) - opacity()).max() <= 4
        assert images.read_header(io.BytesIO(content("alpha"))).has_alpha
        assert images.open_picture(FOLDER / "grey.heic").mode == "L"

    def test_the_main_picture_is_used_and_losses_are_told(self) -> None:
        with pytest.warns(UserWarning, match="several pictures; only the main one"):
            assert difference(images.open_picture(FOLDER / "two.heic").pixels) <= 4
        assert not images.read_header(io.BytesIO(content("two"))).animated
        with pytest.warns(UserWarning, match="10 bits per colour"):
            assert difference(images.open_picture(FOLDER / "deep.heic").pixels) <= 4
        assert images.read_header(io.BytesIO(content("deep"))).depth == 10
        nclx = content("alpha").index(b"nclx") + 4
        other = content("alpha")[:nclx] + struct.pack(">H", 12) + content("alpha")[nclx + 2 :]  # Display P3
        with pytest.warns(UserWarning, match="primaries 12"):
            images.open_picture(io.BytesIO(other))

    def test_masks_may_be_heic(self) -> None:
        hole = images.to_mask(FOLDER / "grey.heic", (HEIGHT, WIDTH))
        assert 0 < hole.mean() < 1
        assert hole[-1, -1]

    def test_truncated_files_are_named(self, tmp_path: Path) -> None:
        path = tmp_path / "half.heic"
        for length in range(0, len(content("phone")), 97):
            path.write_bytes(content("phone")[:length])
            with pytest.raises(ValueError, match=r"half\.heic is") as raised:
                images.open_picture(path)
            assert "\n" not in str(raised.value)

    @pytest.mark.parametrize("crop", [b"clap", b"skip"])
    @pytest.mark.parametrize("size", [(60_000, 60_000), (8_000, 8_000)])
    def test_size_is_refused_from_the_header(
        self, size: tuple[int, int], crop: bytes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Of the whole, not of the crop that is shown of it."""
        import pi_heif

        monkeypatch.setattr(pi_heif.HeifImageFile, "load", lambda self: pytest.fail("it was decoded"))
        large = said_to_be("phone", *size).replace(b"clap", crop)
        with pytest.raises(ValueError, match=rf"has {size[0]}x{size[1]} pixels.*above the limit"):
            images.open_picture(io.BytesIO(large), 60_000_000)

    def test_boxes_with_long_sizes_are_looked_at(self) -> None:
        whole = content("phone")
        size = int.from_bytes(whole[whole.index(b"meta") - 4 :][:4], "big")
        long = whole.replace(size.to_bytes(4, "big") + b"meta", b"\0\0\0\x01meta" + (size + 8).to_bytes(8, "big"))
        assert len(long) == len(whole) + 8
        assert heif._sizes(long) == heif._sizes(whole) == [(64, 64)]

    @pytest.mark.parametrize("kind", [b"Exif", b"hvc1", b"urn:mpeg"])
    def test_names_of_items_that_crash_the_decoder_are_refused(self, kind: bytes) -> None:
        """pi-heif 1.4.0 ends the process at items of metadata whose kind is no UTF-8."""
        names = [name for name in NAMES if kind in content(name)]
        for name in names:
            damaged = content(name).replace(kind, b"\x80" + kind[1:], 1)
            with pytest.raises(ValueError, match="is damaged"):
                images.open_picture(io.BytesIO(damaged))
        assert names

    def test_endless_lists_of_boxes_are_cut_short(self) -> None:
        start = time.perf_counter()
        with pytest.raises(ValueError, match="more than 20,000 boxes"):
            images.open_picture(io.BytesIO(content("phone") + b"\0\0\0\x08free" * 2_000_000))
        assert time.perf_counter() - start < 5

    def test_a_header_that_says_too_little_is_found_out(self) -> None:
        """What is decoded is checked again, should it be larger than the header said."""
        with pytest.raises(ValueError, match="the file"):
            images.open_picture(io.BytesIO(said_to_be("grey", 8, 8)), 64)

    def test_open_images_need_no_registered_reader(self) -> None:
        assert "HEIF" not in Image.OPEN
        assert images.read_rgb(io.BytesIO(content("phone"))).shape == (HEIGHT, WIDTH, 3)
        assert "HEIF" not in Image.OPEN


@pytest.mark.parametrize("name", NAMES)
def test_without_the_extra_the_error_names_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pi_heif", None)  # makes its import fail
    for read in (images.open_picture, lambda file, name: images.read_header(file.open("rb"), name)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            with pytest.raises(ValueError, match=r"is a HEIC picture.*pip install 'temperfill\[heif\]'"):
                read(FOLDER / f"{name}.heic", name=name)


def test_avif_under_the_general_brand_needs_no_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    file = io.BytesIO()
    Image.fromarray(upright()).save(file, "AVIF")
    general = file.getvalue()[:8] + b"mif1" + file.getvalue()[12:]
    assert images.read_header(io.BytesIO(general)).kind == "AVIF"


@pytest.mark.parametrize("name", ["a.heic", "a.HEIF", "a.hif"])
def test_heic_is_not_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=r"HEIC .*can be read, but not written; write \.png"):
        images.check_output(tmp_path / name)
    assert list(tmp_path.iterdir()) == []
