"""Small pictures in files that ask a decoder for very much: each function gives the bytes of one.

``size`` is about the number of bytes.
"""

import io
import struct
import zlib
from collections.abc import Callable

from PIL import Image


def encoded(kind: str, size: tuple[int, int] = (16, 16), mode: str = "RGB", **options: object) -> bytes:
    stream = io.BytesIO()
    Image.new(mode, size, 90).save(stream, kind, **options)  # type: ignore[arg-type]
    return stream.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def in_png(extra: bytes, behind: bool = False) -> bytes:
    whole = encoded("PNG")
    at = len(whole) - 12 if behind else 33
    return whole[:at] + extra + whole[at:]


def in_jpeg(extra: bytes, **options: object) -> bytes:
    whole = encoded("JPEG", **options)  # type: ignore[arg-type]
    return whole[:2] + extra + whole[2:]


def segment(marker: int, data: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def exif(kind: int, count: int, width: int, below: bool = False, number: int = 40000) -> bytes:
    """EXIF data of one tag with many values, which its directories of EXIF and GPS share if ``below``."""
    tags = 3 if below else 1
    end = 8 + 2 + 12 * tags + 4
    place = end + (18 if below else 0)
    entries = [(34665, 4, 1, end), (34853, 4, 1, end)] if below else []
    head = b"II*\0" + struct.pack("<IH", 8, tags)
    head += b"".join(struct.pack("<HHII", *entry) for entry in [*entries, (number, kind, count, place)])
    head += struct.pack("<I", 0)
    if below:
        head += struct.pack("<H", 1) + struct.pack("<HHII", 40001, kind, count, place) + struct.pack("<I", 0)
    return head + b"\1\2\1\2\3\1\2\1" * (count * width // 8 + 1)


def tiff(tags: list[tuple[int, int, int, int]], rest: bytes = b"", next_place: int = 0) -> bytes:
    head = b"II*\0" + struct.pack("<IH", 8, len(tags))
    return head + b"".join(struct.pack("<HHII", *tag) for tag in sorted(tags)) + struct.pack("<I", next_place) + rest


def grey(width: int, length: int) -> list[tuple[int, int, int, int]]:
    """Tags of a grey TIFF without its pixels."""
    return [(256, 4, 1, width), (257, 4, 1, length), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (277, 3, 1, 1)]


def jpeg_exif(size: int) -> bytes:
    return in_jpeg(segment(0xE1, b"Exif\0\0" + bytes(10)) * (size // 20))


def jpeg_exif_values(size: int) -> bytes:
    data = exif(5, size // 8, 8)
    parts = [data[at : at + 65_000] for at in range(0, len(data), 65_000)]
    return in_jpeg(b"".join(segment(0xE1, b"Exif\0\0" + part) for part in parts))


def jpeg_segments(size: int) -> bytes:
    return in_jpeg(segment(0xEF, b"") * (size // 4))


def jpeg_comments(size: int) -> bytes:
    return in_jpeg(segment(0xFE, b"a") * (size // 5))


def jpeg_profile(size: int) -> bytes:
    return in_jpeg(segment(0xE2, b"ICC_PROFILE\0\1\1") * (size // 18))


def jpeg_resources(size: int) -> bytes:
    part = segment(0xED, b"Photoshop 3.0\0" + b"8BIM\x04\x04\0\0\0\0\0\0" * 5400)
    return in_jpeg(part * (size // len(part) + 1))


def jpeg_tables(size: int) -> bytes:
    part = segment(0xDB, (b"\0" + b"\1" * 64) * 1000)
    return in_jpeg(part * (size // len(part) + 1))


def jpeg_junk(size: int) -> bytes:
    whole = encoded("JPEG")
    return whole[:20] + bytes(size) + whole[20:]


def jpeg_fill(size: int) -> bytes:
    return in_jpeg(b"\xff" * size)


def jpeg_restarts(size: int) -> bytes:
    return in_jpeg(b"\xff\xd0" * (size // 2))


def jpeg_scans(size: int, side: int = 4000) -> bytes:
    """A progressive JPEG whose last scan, in which runs of empty blocks stand, is repeated."""
    whole = encoded("JPEG", (side, side), "L", progressive=True)
    start, end = whole.rindex(b"\xff\xda"), whole.rindex(b"\xff\xd9")
    table = whole.rindex(b"\xff\xc4", 0, start)
    scan = whole[start:end]
    return whole[:table] + whole[table:start] + scan * (size // len(scan) + 1) + whole[end:]


def png_chunks(size: int) -> bytes:
    return in_png(chunk(b"teSt", b"") * (size // 12))


def png_chunks_behind(size: int) -> bytes:
    return in_png(chunk(b"teSt", b"") * (size // 12), behind=True)


def png_texts(size: int) -> bytes:
    return in_png(b"".join(chunk(b"tEXt", b"k%d\0" % number) for number in range(size // 18)))


def png_empty_pixels(size: int) -> bytes:
    whole = encoded("PNG")
    at = whole.index(b"IDAT") - 4
    return whole[:at] + chunk(b"IDAT", b"") * (size // 12) + whole[at:]


def png_frames(size: int) -> bytes:
    control = chunk(b"acTL", struct.pack(">II", 2**30, 0))
    frames = (struct.pack(">IIIIIHHBB", number, 16, 16, 0, 0, 1, 1, 0, 0) for number in range(size // 38))
    return in_png(control + b"".join(chunk(b"fcTL", frame) for frame in frames))


def png_shorts(size: int) -> bytes:
    return in_png(chunk(b"eXIf", exif(3, size // 2, 2)))


def png_fractions(size: int) -> bytes:
    return in_png(chunk(b"eXIf", exif(5, size // 8, 8)))


def png_signed_bytes(size: int) -> bytes:
    return in_png(chunk(b"eXIf", exif(6, size, 1)))


def png_directories(size: int) -> bytes:
    return in_png(chunk(b"eXIf", exif(3, size // 2, 2, below=True)))


def png_hex_exif(size: int) -> bytes:
    data = exif(5, 60_000, 8)
    text = b"\nexif\n%8d\n" % len(data) + data.hex().encode()
    return in_png(chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(text)))


def webp_exif(size: int) -> bytes:
    return encoded("WEBP", exif=exif(5, size // 8, 8))


def webp_chunks(size: int) -> bytes:
    whole = encoded("WEBP", exif=b"x")
    body = whole[12:] + b"abcd\0\0\0\0" * (size // 8)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def tiff_tiles(size: int) -> bytes:
    side = int((size // 4) ** 0.5)
    tags = [*grey(side, side), (322, 4, 1, 1), (323, 4, 1, 1), (324, 4, side**2, 134), (325, 4, side**2, 134)]
    return tiff(tags, struct.pack("<I", 8) * side**2 + bytes(16))


def tiff_strips(size: int) -> bytes:
    side = size // 4
    tags = [*grey(1, side), (273, 4, side, 122), (278, 4, 1, 1), (279, 4, side, 122)]
    return tiff(tags, struct.pack("<I", 8) * side)


def tiff_compressed_strips(size: int) -> bytes:
    tags = [tag for tag in grey(1, size * 20) if tag[0] != 259]
    return tiff([*tags, (259, 3, 1, 8), (273, 4, 1, 8), (278, 4, 1, 1), (279, 4, 1, 8)], bytes(100))


def tiff_large_tile(size: int) -> bytes:
    side = 32_000
    data = zlib.compress(bytes(side * side // 8), 9)
    tags = [tag for tag in grey(16, 16) if tag[0] != 259]
    tags += [(259, 3, 1, 8), (322, 4, 1, side), (323, 4, 1, side), (324, 4, 1, 134), (325, 4, 1, len(data))]
    return tiff(tags, data)


def tiff_fractions(size: int) -> bytes:
    data = b"\1\2\1\2\3\1\2\1" * (size // 8)
    tags = [*grey(4, 4), (273, 4, 1, 8), (278, 4, 1, 4), (279, 4, 1, 16), (40000, 5, len(data) // 8, 134)]
    return tiff(tags, data)


def tiff_directories(size: int) -> bytes:
    """EXIF whose directory shares one list of numbers with the first."""
    data = b"\1\2\1\2\3\1\2\1" * (size // 8)
    below = struct.pack("<HHHIII", 1, 41000, 3, len(data) // 2, 164, 0)
    tags = [*grey(4, 4), (273, 4, 1, 8), (278, 4, 1, 4), (279, 4, 1, 16), (34665, 4, 1, 146)]
    return tiff([*tags, (40000, 3, len(data) // 2, 164)], below + data)


def tiff_pages(size: int) -> bytes:
    tags = [*grey(4, 4), (273, 4, 1, 8), (278, 4, 1, 4), (279, 4, 1, 16)]
    whole = tiff(tags)[8:-4]
    pages = size // (len(whole) + 4)
    places = [8 + (len(whole) + 4) * number for number in range(1, pages)] + [0]
    return b"II*\0\x08\0\0\0" + b"".join(whole + struct.pack("<I", place) for place in places)


def bigtiff_tags(size: int) -> bytes:
    return b"II+\0\x08\0\0\0" + struct.pack("<QQ", 16, 2**40) + struct.pack("<HHQQ", 40000, 3, 1, 1) * (size // 20)


def in_gif(extra: bytes) -> bytes:
    whole = encoded("GIF", mode="P")
    at = whole.index(b",", 13)
    return whole[:at] + extra + whole[at:]


def gif_comment(size: int) -> bytes:
    return in_gif(b"!\xfe" + b"\1a" * (size // 2) + b"\0")


def gif_extensions(size: int) -> bytes:
    return in_gif(b"!\1\1a\0" * (size // 5))


def gif_junk(size: int) -> bytes:
    return in_gif(b"a" * size)


def gif_pixels(size: int) -> bytes:
    whole = encoded("GIF", mode="P")
    return whole[:-2] + b"\1a" * (size // 2) + b"\0;"


def gif_frames(size: int) -> bytes:
    whole = encoded("GIF", mode="P")
    frame = whole[whole.index(b",", 13) : -1]
    return whole[:-1] + frame * (size // len(frame)) + b";"


def ppm_head(size: int) -> bytes:
    return b"P6\n" + b"#\n" * (size // 2) + b"8 8\n255\n" + bytes(192)


def ppm_comments(size: int) -> bytes:
    return b"P2\n2 2\n255\n" + b"#\n" * (size // 2) + b"1 2 3 4\n"


def ppm_digits(size: int) -> bytes:
    side = int((size // 2) ** 0.5)
    return b"P2\n%d %d\n9\n" % (side, side) + b"1 " * side**2


def ppm_scaled(size: int) -> bytes:
    side = int((size // 3) ** 0.5)
    return b"P6\n%d %d\n100\n" % (side, side) + bytes(3 * side**2)


def bmp_runs(size: int) -> bytes:
    side = int(size**0.5) + 4
    head = struct.pack("<IiiHHIIiiII", 40, side, side, 1, 8, 1, size, 0, 0, 256, 0)
    return b"BM" + struct.pack("<IHHI", size, 0, 0, 14 + 40 + 1024) + head + bytes(1024) + b"\1a" * (size // 2)


def box(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data) + 8) + kind + data


def with_meta(kind: bytes, data: bytes) -> bytes:
    """An AVIF with another box of a kind in its "meta"."""
    whole = encoded("AVIF")
    start = whole.index(b"meta") - 4
    end = start + int.from_bytes(whole[start : start + 4], "big")
    at = whole.index(kind, start) - 4
    behind = at + int.from_bytes(whole[at : at + 4], "big")
    meta = whole[start + 8 : at] + box(kind, data) + whole[behind:end]
    return whole[:start] + box(b"meta", meta) + whole[end:]


def avif_items(size: int) -> bytes:
    number = min(size // 21, 65_000)
    entries = b"".join(box(b"infe", struct.pack(">IHH4sx", 2 << 24, n + 1, 0, b"av01")) for n in range(number))
    return with_meta(b"iinf", struct.pack(">IH", 0, number) + entries)


def avif_places(size: int) -> bytes:
    number = size // 10
    entries = b"".join(struct.pack(">IHHH", n + 1, 0, 0, 0) for n in range(number))
    return with_meta(b"iloc", struct.pack(">IBBI", 2 << 24, 0, 0, number) + entries)


def avif_extents(size: int) -> bytes:
    """Items with parts of no bytes, which take no bytes to tell."""
    number = min(size // 6, 65_000)
    entries = b"".join(struct.pack(">HHH", n + 1, 0, 65_535) for n in range(number))
    return with_meta(b"iloc", struct.pack(">IBBH", 0, 0, 0, number) + entries)


def avif_exif(size: int) -> bytes:
    """EXIF data of many values, with an orientation that the box "irot" does not have."""
    return encoded("AVIF", exif=exif(5, size // 8, 8))


BOMBS: tuple[Callable[[int], bytes], ...] = (
    *(jpeg_exif, jpeg_exif_values, jpeg_segments, jpeg_comments, jpeg_profile, jpeg_resources, jpeg_tables),
    *(jpeg_junk, jpeg_fill, jpeg_restarts, jpeg_scans, png_chunks, png_chunks_behind, png_texts, png_empty_pixels),
    *(png_frames, png_shorts, png_fractions, png_signed_bytes, png_directories, png_hex_exif, webp_exif, webp_chunks),
    *(tiff_tiles, tiff_strips, tiff_compressed_strips, tiff_large_tile, tiff_fractions, tiff_directories),
    *(bigtiff_tags, gif_comment, gif_extensions, gif_junk, gif_pixels, gif_frames, tiff_pages),
    *(ppm_head, ppm_comments, ppm_digits, ppm_scaled, bmp_runs, avif_items, avif_places, avif_extents, avif_exif),
)
