"""Directories as they stand in a file: types, orders of bytes, BigTIFF, and what is damaged in them."""

import io
import struct
import time

import numpy as np
import pytest
import tifffile  # comes with scikit-image
from hypothesis import given
from hypothesis import strategies as st

from temperfill.images import bounds
from temperfill.images.exif import PREFIX, Exif, Value, read


@pytest.mark.parametrize("order", ["<", ">"])
def test_what_is_written_is_read_with_its_types(order: str) -> None:
    exif = Exif(
        order,
        {271: Value(2, b"M\0"), 282: Value(5, bytes(8)), 60000: Value(13, bytes(4))},
        {37500: Value(7, bytes(range(99))), 33434: Value(10, bytes(8))},
        {1: Value(2, b"N\0")},
        {1: Value(2, b"R98\0")},
    )
    assert exif.encoded().startswith(PREFIX)
    assert read(exif.encoded()) == exif
    assert read(exif.encoded()[len(PREFIX) :]) == exif
    assert Exif(order).encoded() == b""


@pytest.mark.parametrize("bigtiff", [False, True])
def test_tags_of_tiffs_of_both_kinds(bigtiff: bool) -> None:
    file = io.BytesIO()
    tags = [(33550, 12, 3, (0.5, 0.5, 0.0), True), (315, 2, 0, "someone", True)]
    tifffile.imwrite(file, np.zeros((4, 5), np.uint8), bigtiff=bigtiff, extratags=tags, metadata=None)
    found = read(file).main
    assert found[33550] == Value(12, struct.pack("<3d", 0.5, 0.5, 0.0))
    assert found[315].content == b"someone\0"


@given(st.binary(max_size=200), st.sampled_from([b"", b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08", b"II+\0\x08\0\0\0"]))
def test_anything_is_read_and_can_be_written(content: bytes, head: bytes) -> None:
    found = read(head + content)
    assert read(found.encoded()).main == found.main


def test_values_that_share_bytes_take_no_more_than_the_file() -> None:
    size = 2_000_000
    entry = struct.pack("<HHII", 0, 7, size, 8)
    entries = b"".join(struct.pack("<H", tag) + entry[2:] for tag in range(4000))
    file = b"II*\0" + struct.pack("<I", size) + bytes(size - 8) + struct.pack("<H", 4000) + entries + bytes(4)
    start = time.perf_counter()
    assert len(read(file).main) <= 1
    assert time.perf_counter() - start < 2


def test_many_beginnings_are_passed_over_in_no_time() -> None:
    start = time.perf_counter()
    content = PREFIX * 300_000 + Exif(main={315: Value(2, b"someone\0")}).encoded()
    assert read(content).main[315].content == b"someone\0"
    bounds.check_exif(content, "a")
    assert time.perf_counter() - start < 2
