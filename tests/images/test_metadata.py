"""Metadata that is true of the picture in which it lies, in every format, and pixels that are always written."""

import base64
import io
import json
import shutil
import struct
import subprocess
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image, PngImagePlugin, TiffImagePlugin

from temperfill import images
from temperfill.images import fitting
from temperfill.images.exif import PREFIX, Exif, Value, read

SUFFIXES = (".png", ".jpg", ".webp", ".avif", ".tif", ".bmp", ".gif", ".ppm")
WITH_EXIF = (".png", ".jpg", ".webp", ".avif", ".tif")
IPTC = b"\x1c\x01\x5a\x00\x03\x1b%G\x1c\x02\x78\x00\x07Harbour\x1c\x02\x74\x00\x07Archive"
PIXELS = np.random.default_rng(0).integers(0, 256, (40, 56, 3), np.uint8)


def xmp(inside: str, attributes: str = "") -> bytes:
    names = {
        "xmp": "http://ns.adobe.com/xap/1.0/",
        "xmpGImg": "http://ns.adobe.com/xap/1.0/g/img/",
        "dc": "http://purl.org/dc/elements/1.1/",
        "tiff": "http://ns.adobe.com/tiff/1.0/",
        "exif": "http://ns.adobe.com/exif/1.0/",
        "hdrgm": "http://ns.adobe.com/hdr-gain-map/1.0/",
        "GCamera": "http://ns.google.com/photos/1.0/camera/",
        "mwg-rs": "http://www.metadataworkinggroup.com/schemas/regions/",
        "stArea": "http://ns.adobe.com/xmp/sType/Area#",
        "stDim": "http://ns.adobe.com/xap/1.0/sType/Dimensions#",
    }
    spaces = " ".join(f'xmlns:{name}="{space}"' for name, space in names.items())
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
        'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description rdf:about="" {spaces} {attributes}>{inside}</rdf:Description></rdf:RDF></x:xmpmeta>'
        '<?xpacket end="w"?>'
    ).encode()


CREATOR = "<dc:creator><rdf:Seq><rdf:li>Zoë</rdf:li></rdf:Seq></dc:creator>"


def open_quietly(content: bytes) -> images.Picture:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return images.open_picture(io.BytesIO(content))


def jpeg(**options: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, "JPEG", **options)
    return file.getvalue()


def full_exif(orientation: int = 1, order: str = "<") -> Exif:
    """EXIF data as a camera writes it, with a preview behind it."""
    exif = Exif(order)
    main = {
        274: exif.number(3, orientation),
        271: Value(2, b"Maker\0"),
        315: Value(2, b"someone\0"),
        33432: Value(2, b"Archive\0"),
        282: Value(5, struct.pack(order + "II", 300, 1)),
    }
    taken = {
        40962: exif.number(4, 56),
        40963: exif.number(4, 40),
        37396: exif.number(3, 14, 10, 8, 4),
        33434: Value(5, struct.pack(order + "II", 1, 250)),
        37500: Value(7, b"notes of the maker"),
    }
    return Exif(order, main, taken, {1: Value(2, b"N\0")}, {1: Value(2, b"R98\0")})


def everything(orientation: int = 1) -> bytes:
    """A JPEG with metadata of each kind."""
    thumbnail = base64.b64encode(jpeg()).decode()
    inside = (
        f"{CREATOR}<xmp:Thumbnails><rdf:Alt><rdf:li rdf:parseType='Resource'><xmpGImg:image>{thumbnail}</xmpGImg:image>"
        "</rdf:li></rdf:Alt></xmp:Thumbnails><tiff:ImageWidth>56</tiff:ImageWidth>"
    )
    packet = xmp(inside, f'hdrgm:Version="1.0" GCamera:MotionPhoto="1" tiff:Orientation="{orientation}"')
    exif, extra = full_exif(orientation).encoded(), fitting.iptc_segment(IPTC)
    icc = Image.new("RGB", (1, 1)).info.get("icc_profile") or srgb()
    return jpeg(exif=exif, xmp=packet, extra=extra, icc_profile=icc, dpi=(300, 300), comment=b"a remark")


def srgb() -> bytes:
    from PIL import ImageCms

    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_is_kept_is_kept_and_what_is_not_is_said(suffix: str, orientation: int) -> None:
    """The cells of the table in docs/use/reliability.md, as this package and Pillow read them."""
    picture = open_quietly(everything(orientation))
    if suffix == ".gif":  # which has no colours of this kind
        picture = images.Picture(picture.pixels[..., 0].copy(), "L", picture.info)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        images.check_storable(picture, Path(f"a{suffix}"))
    said = " ".join(str(each.message) for each in told)
    again = open_quietly(images.encode_picture(picture, Path(f"a{suffix}")))
    for key, name in (("exif", "EXIF"), ("xmp", "XMP"), ("iptc", "IPTC"), ("icc_profile", "profile")):
        kept = suffix in (WITH_EXIF if key != "iptc" else (".jpg", ".tif"))
        assert (key in again.info) == kept, key
        assert ("will not have" in said and name in said) == (not kept), key
    assert ("comment" in again.info) == (suffix in (".jpg", ".gif"))
    if suffix in WITH_EXIF:
        exif = read(again.info["exif"])
        height, width = again.size
        assert exif.main[315].content == b"someone\0"
        assert exif.main[33432].content == b"Archive\0"
        assert 274 not in exif.main
        assert (exif.numbers(exif.exif, 40962), exif.numbers(exif.exif, 40963)) == ((width,), (height,))
        area = (14, 10, 8, 4) if orientation == 1 else (30, 14, 4, 8)
        assert exif.numbers(exif.exif, 37396) == area
        assert (exif.exif[37500].kind, exif.gps[1].content, exif.interoperability[1].content) == (7, b"N\0", b"R98\0")
        packet = again.info["xmp"]
        assert "Zoë".encode() in packet
        assert f"<tiff:ImageWidth>{width}<".encode() in packet
        for gone in (b"Thumbnails", b"hdrgm:Version", b"MotionPhoto", b"Orientation"):
            assert gone not in packet
    if suffix in (".jpg", ".tif"):
        assert again.info["iptc"] == IPTC


def test_exiftool_reads_the_same(tmp_path: Path) -> None:
    tool = shutil.which("exiftool")
    if tool is None:
        pytest.skip("exiftool is not installed")
    picture = open_quietly(everything(6))
    for suffix in WITH_EXIF:
        images.save_picture(tmp_path / f"a{suffix}", picture)
    paths = [str(tmp_path / f"a{suffix}") for suffix in WITH_EXIF]
    output = subprocess.run([tool, "-j", "-a", "-G1", "-s", "-n", *paths], capture_output=True, check=True).stdout
    for found in json.loads(output):
        suffix = Path(found["SourceFile"]).suffix
        assert not [key for key in found if key.endswith((":Warning", ":Error", "ThumbnailImage", ":Orientation"))]
        assert (found["IFD0:Artist"], found["IFD0:Copyright"]) == ("someone", "Archive")
        assert (found["ExifIFD:ExifImageWidth"], found["ExifIFD:ExifImageHeight"]) == (40, 56)
        assert (found["ExifIFD:ExposureTime"], found["GPS:GPSLatitudeRef"]) == (0.004, "N")
        assert (found["XMP-dc:Creator"], found["XMP-tiff:ImageWidth"]) == ("Zoë", 40)
        assert ("IPTC:CopyrightNotice" in found) == (suffix in (".jpg", ".tif"))
        assert "ICC-header:ColorSpaceData" in found


def test_regions_turn_with_the_picture_and_go_with_the_person() -> None:
    area = (
        '<rdf:li rdf:parseType="Resource"><mwg-rs:Name>{}</mwg-rs:Name>'
        '<mwg-rs:Area stArea:x="{}" stArea:y="{}" stArea:w="0.2" stArea:h="0.1"/></rdf:li>'
    )
    regions = area.format("Ann", 0.25, 0.25) + area.format("Ben", 0.75, 0.75)
    inside = (
        '<mwg-rs:Regions rdf:parseType="Resource">'
        '<mwg-rs:AppliedToDimensions stDim:w="56" stDim:h="40" stDim:unit="pixel"/>'
        f"<mwg-rs:RegionList><rdf:Bag>{regions}</rdf:Bag></mwg-rs:RegionList></mwg-rs:Regions>"
    )
    picture = open_quietly(jpeg(xmp=xmp(inside), exif=full_exif(6).encoded()))
    packet = picture.info["xmp"].decode()
    assert 'stDim:w="40" stDim:h="56"' in packet
    assert 'stArea:x="0.75" stArea:y="0.25" stArea:w="0.1" stArea:h="0.2"' in packet
    hole = np.zeros(picture.size, bool)
    hole[: picture.size[0] // 2, picture.size[1] // 2 :] = True  # upper right: Ann, once it is turned
    filled = images.paste(picture, np.zeros((*picture.size, 3), np.float32), hole)
    assert b"Ben" in filled.info["xmp"]
    assert b"Ann" not in filled.info["xmp"]
    assert b"Ann" in images.paste(picture, np.zeros((*picture.size, 3), np.float32), ~hole).info["xmp"]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("order", ["<", ">"])
def test_the_orientation_is_read_whatever_else_is_odd(orientation: int, order: str) -> None:
    exif = full_exif(orientation, order)
    straight = open_quietly(jpeg(exif=exif.encoded(), quality=95)).pixels
    odd = (
        Value(9, b"\xff" * 4), Value(7, b"\1\2\3\4"), Value(4, b"\0\1\1\0"), Value(3, b"\7\0"), Value(5, bytes(8)),
    )  # fmt: skip
    for tag in (258, 259, 271, 282, 296, 306, 531, 700, 50706):
        for value in odd:
            broken = Exif(order, exif.main | {tag: value}, exif.exif | {tag: value}, exif.gps)
            picture = open_quietly(jpeg(exif=broken.encoded(), quality=95))
            assert np.array_equal(picture.pixels, straight)
            images.encode_picture(picture, Path("a.jpg"))


VALUES = st.builds(Value, st.sampled_from(range(1, 14)), st.binary(max_size=40).map(lambda b: b * 8)).filter(
    lambda value: len(value.content) > 0
)
BIG = st.sampled_from([0, 10, 65_000, 66_000, 200_000])
TAGS = st.one_of(st.integers(0, 65535), st.sampled_from([270, 282, 33723, 34377, 40965, 50706]))
DIRECTORY = st.dictionaries(TAGS, VALUES, max_size=4)
PACKETS = st.one_of(
    st.binary(max_size=60),
    st.just(xmp(CREATOR)),
    st.just(xmp(CREATOR).replace(b"</rdf:RDF>", b"")),
    st.just(b"<!DOCTYPE x [<!ENTITY a 'b'>]>" + xmp("")),
    st.just(xmp("<dc:x>" * 3000 + "</dc:x>" * 3000)),
    BIG.map(lambda size: xmp(f"<dc:title>{'x' * size}</dc:title>")),
)
INFOS = st.fixed_dictionaries(
    {},
    optional={
        "exif": st.one_of(
            st.binary(max_size=60).map(lambda b: PREFIX + b),
            st.builds(Exif, st.sampled_from("<>"), DIRECTORY, DIRECTORY, DIRECTORY, DIRECTORY).map(Exif.encoded),
            BIG.map(lambda size: Exif(exif={37500: Value(7, b"m" * (size + 1))}).encoded()),
            BIG.map(lambda size: Exif(main={34377: Value(1, b"m" * (size + 1))}).encoded()),
        ),
        "xmp": PACKETS,
        "iptc": st.one_of(st.binary(max_size=20), BIG.map(lambda size: IPTC + bytes(size))),
        "icc_profile": st.one_of(st.just(srgb()), st.binary(max_size=200), st.just(bytes(3_000_000))),
        "dpi": st.sampled_from([(300.0, 300.0), (0.0, 1.0), (1e9, 1e9), (float("nan"), 5.0), (-1.0, float("inf"))]),
        "comment": st.one_of(st.binary(max_size=20), BIG.map(bytes)),
        "texts": st.dictionaries(st.text(max_size=90), st.text(max_size=20), max_size=2),
        "chunks": st.just(((b"gAMA", b"\0\0\1\0"), (b"cICP", b"\1\x0d\0\1"))),
    },
)


@settings(max_examples=60)
@given(INFOS, st.sampled_from(SUFFIXES), st.sampled_from([np.uint8, np.uint16]))
def test_the_pixels_are_written_whatever_is_said_about_them(info: dict[str, Any], suffix: str, kind: Any) -> None:
    picture = images.Picture(PIXELS.astype(kind), "RGB", info)
    if suffix == ".gif":
        picture = images.Picture(PIXELS[..., 0].astype(kind), "L" if kind == np.uint8 else "I;16", info)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        images.check_storable(picture, Path(f"a{suffix}"))
        written = images.encode_picture(picture, Path(f"a{suffix}"))
        found = open_quietly(written).pixels if kind == np.uint8 else None
    if found is not None and suffix in (".png", ".tif", ".bmp", ".ppm"):
        assert np.array_equal(found, PIXELS)


@settings(max_examples=30)
@given(INFOS, st.sampled_from([".png", ".jpg", ".webp", ".avif", ".tif"]))
def test_what_was_read_with_any_metadata_can_be_written(info: dict[str, Any], suffix: str) -> None:
    """Through a file: JPEG with the drawn metadata as far as it fits."""
    options: dict[str, Any] = {}
    if 0 < len(info.get("exif", b"")) < 65_000:
        options["exif"] = info["exif"]
    if len(info.get("xmp", b"")) < 65_000:
        options["xmp"] = info.get("xmp", b"")
    picture = open_quietly(jpeg(**options))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        again = open_quietly(images.encode_picture(picture, Path(f"a{suffix}")))
    assert again.size == picture.size


def test_the_last_resort_is_a_picture_without_metadata(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = images.Picture(PIXELS, "RGB", {"texts": {"": "no keyword"}})
    monkeypatch.setattr(fitting, "png_info", lambda info: 1 / 0 if info else PngImagePlugin.PngInfo())
    with pytest.warns(UserWarning, match="a.png is written without its metadata, which failed"):
        written = images.encode_picture(picture, Path("a.png"))
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(written))), PIXELS)


@pytest.mark.parametrize(("suffix", "size"), [(".webp", (1, 17000)), (".jpg", (66000, 1)), (".gif", (1, 66000))])
def test_sides_that_a_format_does_not_hold_are_refused_before_the_work(suffix: str, size: tuple[int, int]) -> None:
    picture = images.open_picture(np.zeros((*size, 3), np.uint8))
    if suffix == ".gif":
        picture = images.open_picture(np.zeros(size, np.uint8))
    with pytest.raises(ValueError, match=rf"holds at most .* the picture has {size[1]}x{size[0]}"):
        images.check_storable(picture, Path(f"a{suffix}"))


def test_tiff_keeps_its_tags_with_their_types_and_loses_layers_aloud() -> None:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    for tag, kind, value in (
        (33550, 12, (0.5, 0.5, 0.0)), (33723, 7, IPTC), (700, 1, xmp(CREATOR)),
        (34377, 1, b"8BIM\x04\x0c\0\0\0\0\0\2hi"),
        (37724, 7, b"Adobe Photoshop Document Data Block\0"), (315, 2, "someone"),
    ):  # fmt: skip
        tags[tag], tags.tagtype[tag] = value, kind
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, "TIFF", tiffinfo=tags, compression="tiff_lzw")
    with pytest.warns(UserWarning, match="belongs to the old pixels: layers of Photoshop"):
        picture = images.open_picture(file)
    written = images.encode_picture(picture, Path("a.tif"))
    found = read(io.BytesIO(written)).main
    assert found[33550] == Value(12, struct.pack("<3d", 0.5, 0.5, 0.0))
    assert (found[33723].content, found[700].content) == (IPTC, xmp(CREATOR))
    assert not {34377, 37724} & set(found)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(written))), PIXELS)
    with pytest.warns(UserWarning, match="will not have the tags 33550, which only TIFF has"):
        images.check_storable(picture, Path("a.jpg"))
    assert 33550 not in read(open_quietly(images.encode_picture(picture, Path("a.jpg"))).info["exif"]).main


def test_colours_of_png_keep_their_meaning() -> None:
    texts = PngImagePlugin.PngInfo()
    texts.add(b"cICP", b"\x09\x10\0\1")
    texts.add(b"gAMA", b"\0\0\1\0")
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, "PNG", pnginfo=texts)
    picture = images.open_picture(file)
    again = images.open_picture(io.BytesIO(images.encode_picture(picture, Path("a.png"))))
    assert dict(again.info["chunks"]) == {b"cICP": b"\x09\x10\0\1", b"gAMA": b"\0\0\1\0"}
    with pytest.warns(UserWarning, match="how its colours are meant"):
        images.check_storable(picture, Path("a.jpg"))


def test_previews_in_notes_of_the_camera_are_left_out() -> None:
    exif = full_exif()
    notes = Value(7, b"Canon" + jpeg())
    broken = Exif("<", exif.main, exif.exif | {37500: notes})
    with pytest.warns(UserWarning, match="a preview in notes of the camera"):
        picture = images.open_picture(io.BytesIO(jpeg(exif=broken.encoded())))
    assert b"\xff\xd8" not in picture.info["exif"]


def directory_with(preview: bytes, order: str, start: int) -> bytes:
    """A directory of EXIF at a place, with a preview in JPEG behind it."""
    entries = struct.pack(order + 2 * "HHII", 513, 4, 1, start + 30, 514, 4, 1, len(preview))
    return struct.pack(order + "H", 2) + entries + bytes(4) + preview


@pytest.mark.parametrize("where", ["IFD1", "SubIFDs"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_preview_directories_are_left_out(order: str, where: str) -> None:
    exif, old = full_exif(order=order), jpeg()
    if where == "SubIFDs":  # of four bytes, which stand in the entry itself
        exif = Exif(order, exif.main | {330: Value(4, b"HERE")}, exif.exif)
    file = bytearray(exif.encoded().removeprefix(PREFIX))
    link = len(file) - 4 if where == "IFD1" else file.index(b"HERE")
    file[link : link + 4] = struct.pack(order + "I", len(file))
    content = jpeg(exif=PREFIX + bytes(file + directory_with(old, order, len(file))))
    if where == "IFD1":  # as Pillow sees it
        seen = Image.open(io.BytesIO(content)).getexif().get_ifd(ExifTags.IFD.IFD1)
        assert (seen[513], seen[514]) == (len(file) + 30, len(old))
    assert content.count(old) == 1
    picture = open_quietly(content)
    for suffix in WITH_EXIF:
        written = images.encode_picture(picture, Path(f"a{suffix}"))
        again = Image.open(io.BytesIO(written)).getexif()
        assert again[ExifTags.Base.Artist] == "someone"
        assert not again.get_ifd(ExifTags.IFD.IFD1)
        assert 330 not in again
        assert old not in written


@pytest.mark.parametrize(
    ("space", "name", "said"),
    [
        ("http://ns.google.com/photos/1.0/depthmap/", "Data", "a map of depths"),
        ("http://ns.google.com/photos/dd/1.0/device/", "Profiles", "a map of depths"),
        ("http://ns.google.com/photos/1.0/audio/", "Data", "sound"),
        ("http://ns.google.com/photos/1.0/image/", "Data", "the original picture"),
        ("http://ns.google.com/photos/1.0/container/", "Directory", "further pictures or a video"),
        ("http://ns.google.com/photos/1.0/container/item/", "Semantic", "further pictures or a video"),
        ("http://ns.google.com/photos/1.0/camera/", "MicroVideoOffset", "a video"),
        ("http://ns.apple.com/HDRGainMap/1.0/", "HDRGainMapVersion", "the part for HDR screens"),
        ("http://ns.microsoft.com/photo/1.2/", "RegionInfo", "regions with people"),
        ("http://ns.acdsee.com/regions/", "Regions", "regions with people"),
        ("http://iptc.org/std/Iptc4xmpExt/2008-02-29/", "ImageRegion", "regions with people"),
        ("http://ns.adobe.com/xmp/note/", "HasExtendedXMP", ""),
        ("http://purl.org/dc/terms/", "provenance", ""),
    ],
)
@pytest.mark.parametrize("form", ["attribute", "element", "list"])
def test_what_xmp_says_of_old_pixels_is_left_out(space: str, name: str, said: str, form: str) -> None:
    inside, attributes = {
        "attribute": ("", f'xmlns:old="{space}" old:{name}="OLD"'),
        "element": (f'<old:{name} xmlns:old="{space}">OLD</old:{name}>', ""),
        "list": (f'<old:{name} xmlns:old="{space}"><rdf:Bag><rdf:li>OLD</rdf:li></rdf:Bag></old:{name}>', ""),
    }[form]
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        picture = images.open_picture(io.BytesIO(jpeg(xmp=xmp(CREATOR + inside, attributes))))
    assert [str(each.message).rpartition(": ")[2] for each in told] == ([said] if said else [])
    for suffix in (".jpg", ".png"):
        packet = images.open_picture(io.BytesIO(images.encode_picture(picture, Path(f"a{suffix}")))).info["xmp"]
        assert "Zoë".encode() in packet
        assert not [old for old in (b"OLD", f":{name}".encode()) if old in packet]


def test_further_pictures_of_a_file_are_left_out_aloud() -> None:
    file = io.BytesIO()
    first, second = Image.fromarray(PIXELS), Image.fromarray(PIXELS[::-1].copy())
    first.save(file, "MPO", save_all=True, append_images=[second])
    with pytest.warns(UserWarning, match="further pictures, such as the part for HDR screens"):
        picture = images.open_picture(io.BytesIO(file.getvalue()))
    written = images.encode_picture(picture, Path("a.jpg"))
    assert [content.count(b"\xff\xd8\xff") for content in (file.getvalue(), written)] == [2, 1]


@pytest.mark.parametrize(("length", "is_kept"), [(10, True), (66_000, False)])
def test_long_xmp_loses_its_padding_before_it_is_dropped_from_jpeg(length: int, is_kept: bool) -> None:
    packet = xmp(f"{CREATOR}<dc:title>{'x' * length}</dc:title>")
    packet = packet.replace(b"<?xpacket end", (b" " * 99 + b"\n") * 660 + b"<?xpacket end")
    picture = images.Picture(PIXELS, "RGB", {"xmp": packet})
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        images.check_storable(picture, Path("a.jpg"))
    assert [str(each.message) for each in told] == ["a.jpg will not have XMP data, longer than JPEG allows"] * (
        not is_kept
    )
    again = open_quietly(images.encode_picture(picture, Path("a.jpg"))).info
    assert ("Zoë".encode() in again.get("xmp", b"")) == is_kept
    assert open_quietly(images.encode_picture(picture, Path("a.png"))).info["xmp"] == packet  # which has room


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
@pytest.mark.parametrize("orientation", [1, 6])
def test_a_resolution_per_centimetre_keeps_its_unit_in_tiff(depth: Any, orientation: int) -> None:
    tags = {282: 118.11, 283: 59.0, 296: 3, 274: orientation}
    file = io.BytesIO()
    image = Image.fromarray(PIXELS) if depth == np.uint8 else Image.fromarray(PIXELS[..., 0].astype(depth))
    image.save(file, "TIFF", tiffinfo=tags)
    picture = open_quietly(file.getvalue())
    found = Image.open(io.BytesIO(images.encode_picture(picture, Path("a.tif")))).tag_v2
    sides = (118.11, 59.0) if orientation == 1 else (59.0, 118.11)
    assert (found[282], found[283], found[296]) == (*sides, 3)
    inches = Image.open(io.BytesIO(images.encode_picture(picture, Path("a.png")))).info["dpi"]  # which has metres
    assert inches == pytest.approx([side * 2.54 for side in sides], abs=0.1)


@pytest.mark.parametrize(("unit", "seen"), [(1, (118, 2)), (2, (118, 3))])
def test_the_unit_of_jfif_is_kept_in_tiff(unit: int, seen: tuple[int, int]) -> None:
    content = bytearray(jpeg())
    at = content.index(b"JFIF\0") + 7
    content[at : at + 5] = struct.pack(">BHH", unit, 118, 118)
    written = images.encode_picture(open_quietly(bytes(content)), Path("a.tif"))
    found = Image.open(io.BytesIO(written)).tag_v2
    assert (found[282], found[296]) == seen
