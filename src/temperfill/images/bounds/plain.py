"""Blocks of GIF, chunks of WebP, and the files of BMP and PPM that Pillow decodes number by number in Python."""

import io
import re
from typing import BinaryIO

MOST_BLOCKS = 450_000
"""Blocks of GIF up to its second picture; 64 megapixels of noise have 380,000."""
MOST_JUNK = 65_536
"""Bytes of GIF between its blocks."""
MOST_CHUNKS = 50_000
"""Chunks of WebP."""
MOST_RUNS = 4_000_000
"""Bytes of a BMP in runs."""
MOST_RUN_PIXELS = 16_000_000
"""Pixels of a BMP in runs."""
MOST_DIGITS = 4_000_000
"""Bytes of a PPM in digits."""
MOST_COMMENTS = 1000
"""Comments in a PPM in digits."""
MOST_HEAD = 65_536
"""Bytes of the head of a PPM, with its comments."""
MOST_SCALED = 2_000_000
"""Samples of a PPM whose largest value is not that of its bytes."""
_COMMENT = re.compile(rb"#[^\r\n]*[\r\n]?")
_IN_DIGITS = (b"P1", b"P2", b"P3")
_WITHOUT_SCALE = (b"P1", b"P4", b"Pf", b"PF")


def check_gif(file: BinaryIO) -> None:
    """Walks over the blocks of a GIF up to its second picture; raises ValueError for too many."""
    head = file.read(13)
    if len(head) == 13 and head[10] & 0x80:
        file.seek(3 << (head[10] & 7) + 1, 1)
    blocks = pictures = junk = 0
    while pictures < 2 and (kind := file.read(1)) not in (b"", b";"):
        if kind == b"!":
            file.seek(1, 1)
        elif kind == b",":
            pictures += 1
            frame = file.read(9)
            file.seek((3 << (frame[8] & 7) + 1 if frame[8:] and frame[8] & 0x80 else 0) + 1, 1)
        else:
            junk += 1
            if junk > MOST_JUNK:
                raise ValueError(f"it has more than {MOST_JUNK:,} bytes between its blocks")
            continue
        while length := file.read(1):
            blocks += 1
            if blocks > MOST_BLOCKS:
                raise ValueError(f"it has more than {MOST_BLOCKS:,} blocks")
            if length == b"\0":
                break
            file.seek(length[0], 1)


def check_webp(file: BinaryIO) -> None:
    """Counts the chunks of a WebP, those within frames too; raises ValueError for too many."""
    file.seek(12)
    chunks = 0
    while len(head := file.read(8)) == 8:
        chunks += 1
        if chunks > MOST_CHUNKS:
            raise ValueError(f"it has more than {MOST_CHUNKS:,} chunks")
        length = int.from_bytes(head[4:], "little")
        # Chunks of a frame follow after its place, size and times.
        file.seek(16 if head[:4] == b"ANMF" else length + (length & 1), 1)


def check_bmp(file: BinaryIO) -> None:
    """Raises ValueError for a BMP in runs that is too large."""
    head = file.read(34)
    compression = int.from_bytes(head[30:34], "little") if int.from_bytes(head[14:18], "little") > 12 else 0
    if compression not in (1, 2):
        return
    pixels = abs(int.from_bytes(head[18:22], "little") * int.from_bytes(head[22:26], "little", signed=True))
    if file.seek(0, io.SEEK_END) > MOST_RUNS or pixels > MOST_RUN_PIXELS:
        raise ValueError(f"BMP in runs is read up to {MOST_RUNS / 1e6:g} MB and {MOST_RUN_PIXELS / 1e6:g} megapixels")


def check_ppm(file: BinaryIO) -> None:
    """Raises ValueError for a PPM with a long head, or one that is too large and needs a step for each number."""
    start = file.read(MOST_HEAD)
    tokens = _COMMENT.sub(b"", start).split(maxsplit=4)
    kind = start[:2]
    if len(tokens) < (3 if kind in (b"P1", b"P4") else 4) and len(start) == MOST_HEAD:
        raise ValueError(f"its head has more than {MOST_HEAD:,} bytes")
    if kind in _IN_DIGITS:
        if file.seek(0, io.SEEK_END) > MOST_DIGITS:
            raise ValueError(f"PPM in digits is read up to {MOST_DIGITS / 1e6:g} MB")
        file.seek(0)
        if file.read().count(b"#") > MOST_COMMENTS:
            raise ValueError(f"it has more than {MOST_COMMENTS:,} comments")
    elif kind not in _WITHOUT_SCALE and all(token.isdigit() and len(token) < 11 for token in tokens[1:4]):
        width, height, largest = (int(token) for token in (*tokens[1:4], b"0", b"0", b"0")[:3])
        is_scaled = largest != 255 and not (largest == 65535 and kind == b"P5")
        if is_scaled and width * height * (1 if kind == b"P5" else 4) > MOST_SCALED:
            raise ValueError(f"values up to {largest} are read in PPM of up to {MOST_SCALED / 1e6:g} million samples")
