"""Profiles of curves and primaries, compared with Pillow's colour management where 8 bits allow."""

import struct

import numpy as np
import pytest
from PIL import Image, ImageCms

from temperfill import images
from temperfill.images import Picture
from temperfill.images.profiles import read_profile

RNG = np.random.default_rng(5)
ADOBE = {"r": (39936, 20396, 1275), "g": (13451, 41035, 3979), "b": (9784, 4105, 48785)}  # /65536, D50


def profile(curve: bytes, space: bytes = b"RGB ", tag: bytes = b"") -> bytes:
    """A profile of Adobe RGB's primaries, or of grey, whose channels have one curve."""
    tags = {b"desc": b"desc" + struct.pack(">4xI", 5) + b"test\0" + bytes(79)}
    tags[b"wtpt"] = b"XYZ " + struct.pack(">4x3i", 63190, 65536, 54061)
    if space == b"RGB ":
        for name, xyz in ADOBE.items():
            tags[name.encode() + b"XYZ"] = b"XYZ " + struct.pack(">4x3i", *xyz)
            tags[name.encode() + b"TRC"] = curve
    else:
        tags[b"kTRC"] = curve
    if tag:
        tags[tag] = b"mft2" + bytes(60)
    entries, content, start = b"", b"", 132 + 12 * len(tags)
    for key, data in tags.items():
        entries += struct.pack(">4sII", key, start + len(content), len(data))
        content += data + bytes(-len(data) % 4)
    head = struct.pack(
        ">I4sI4s4s4s12x4s28x", start + len(content), b"test", 0x04200000, b"mntr", space, b"XYZ ", b"acsp"
    )
    head += struct.pack(">3i", 63190, 65536, 54061)
    return head + bytes(128 - len(head)) + struct.pack(">I", len(tags)) + entries + content


def parametric(kind: int, *numbers: float) -> bytes:
    return struct.pack(">4s4xHxx", b"para", kind) + b"".join(struct.pack(">i", round(n * 65536)) for n in numbers)


def sampled(values: np.ndarray) -> bytes:
    return struct.pack(">4s4xI", b"curv", len(values)) + np.rint(values * 65535).astype(">u2").tobytes()


CURVES = {
    "gamma": struct.pack(">4s4xIH", b"curv", 1, 563),
    "linear": struct.pack(">4s4xI", b"curv", 0),
    "sampled": sampled(np.linspace(0, 1, 500) ** 1.8),
    "kind 0": parametric(0, 1.8),
    "kind 1": parametric(1, 2.0, 1.1, -0.1),
    "kind 2": parametric(2, 2.0, 1.1, -0.1, 0.0),
    "kind 3": parametric(3, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045),
    "kind 4": parametric(4, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045, 0.0, 0.0),
}


@pytest.mark.parametrize("name", CURVES)
@pytest.mark.parametrize("space", [b"RGB ", b"GRAY"])
def test_colours_are_those_of_pillow_and_come_back(name: str, space: bytes) -> None:
    data = profile(CURVES[name], space)
    shape = (40, 50, 3) if space == b"RGB " else (40, 50)
    stored = RNG.integers(50, 206, shape, np.uint8)
    shallow = Picture(stored, "RGB" if space == b"RGB " else "L", {"icc_profile": data})
    deep = Picture(stored.astype(np.uint16) * 257, "RGB" if space == b"RGB " else "I;16", {"icc_profile": data})
    view = images.to_rgb(deep)
    assert np.abs(view - images.to_rgb(shallow)).max() < 2.5 / 255
    inside = (view > 0.001).all(-1) & (view < 0.999).all(-1)  # of what sRGB holds
    assert inside.mean() > 0.5
    back = images.paste(deep, view, np.ones((40, 50), bool)).pixels
    assert np.abs(back[inside].astype(int) - deep.pixels[inside].astype(int)).max() <= 2


def test_curves_with_an_offset() -> None:
    curve = read_profile(profile(parametric(2, 2.0, 0.5, -0.1, 0.25), b"GRAY")).curves[0]
    assert curve.light(np.array([0.1, 0.2, 0.6, 1.0])) == pytest.approx([0.25, 0.25, 0.29, 0.41], abs=1e-4)
    assert curve.values(np.array([0.29, 0.41])) == pytest.approx([0.6, 1.0], abs=1e-4)
    curve = read_profile(profile(parametric(4, 2.0, 1.0, 0.0, 0.5, 0.5, 0.1, 0.05), b"GRAY")).curves[0]
    assert curve.light(np.array([0.0, 0.4, 0.5, 0.8])) == pytest.approx([0.05, 0.25, 0.35, 0.74], abs=1e-4)
    assert curve.values(np.array([0.05, 0.25, 0.36, 0.74])) == pytest.approx([0.0, 0.4, 0.5099, 0.8], abs=1e-4)


def test_damaged_profiles_are_ignored_aloud() -> None:
    pixels = RNG.integers(0, 65536, (4, 5, 3), np.uint16)
    bad = [
        b"junk",
        profile(CURVES["gamma"])[:300],
        profile(CURVES["gamma"], b"GRAY"),
        profile(CURVES["gamma"], tag=b"A2B0"),
        profile(parametric(0, 0)),
        profile(sampled(np.zeros(9))),
        profile(struct.pack(">4s4xI", b"curv", 1 << 31)),
        profile(struct.pack(">4s4xHxx", b"para", 9)),
    ]
    for data in bad:
        with pytest.warns(UserWarning, match="profile is ignored"):
            view = images.to_rgb(Picture(pixels, "RGB", {"icc_profile": data}))
        assert np.allclose(view, pixels / 65535)


def test_srgb_itself_changes_nothing() -> None:
    pixels = RNG.integers(0, 65536, (4, 5, 3), np.uint16)
    data = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert np.allclose(images.to_rgb(Picture(pixels, "RGB", {"icc_profile": data})), pixels / 65535)
    values = np.linspace(0, 1, 999, dtype=np.float32)[:, None].repeat(3, 1)
    assert np.abs(read_profile(data).to_srgb(values) - values).max() < 2e-4


def test_modes_of_pillow_that_have_no_file_of_their_own() -> None:
    picture = images.open_picture(Image.fromarray(RNG.integers(0, 256, (9, 9, 3), np.uint8), "HSV"))
    assert np.allclose(images.to_rgb(picture) * 255, np.asarray(picture.to_image().convert("RGB")))
