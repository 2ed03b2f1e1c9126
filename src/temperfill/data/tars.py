"""One shard: a plain tar file, and beside it an index, by which every picture is read with one call.

Any program that knows tar files reads a shard; those that expect the samples of ``webdataset`` find one in each member.
"""

import io
import tarfile
import tokenize
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from temperfill.data.pictures import is_picture
from temperfill.files import atomic_write
from temperfill.places import Folder, LocalFolder

MEMBER = np.dtype([("start", "<i8"), ("size", "<u4"), ("crc", "<u4")])
"""A picture of a shard: where its bytes start in the tar file, how many they are, and their CRC-32 (0: not known).

The index of ``000000.tar`` is an array of them in ``000000.npy``.
"""


def index_name(shard: str) -> str:
    """The file with the index of a shard."""
    return shard.removesuffix(".tar") + ".npy"


def parse_index(content: bytes, place: Folder, shard: str) -> NDArray[Any]:
    """The index of a shard from the bytes of its file.

    Raises:
        OSError: the shard cannot be read.
        ValueError: no such index, or the shard is shorter than it says.
    """
    where = place.path(index_name(shard))
    stream = io.BytesIO(content)
    try:
        np.lib.format.read_magic(stream)
        shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
    except (ValueError, EOFError, SyntaxError, TypeError, RecursionError, tokenize.TokenError) as error:
        text = " ".join(str(error).split())
        raise ValueError(f"{where} is damaged ({text}); pack the shard again, or remove the file") from None
    if dtype != MEMBER or len(shape) != 1:
        raise ValueError(f"{where} is no index of a shard; remove it")
    if len(content) - stream.tell() != shape[0] * MEMBER.itemsize:
        raise ValueError(f"{where} is damaged (it is cut short); pack the shard again, or remove the file")
    members = np.frombuffer(content, MEMBER, offset=stream.tell())
    _check_members(members, place, shard)
    return members


def _check_members(members: NDArray[Any], place: Folder, shard: str) -> None:
    """Raises ValueError for pictures that do not lie within their shard."""
    start, size = members["start"], members["size"].astype(np.int64)
    if ((start < 0) | (start > (place.size(shard) or 0) - size)).any():
        raise ValueError(f"{place.path(shard)} is shorter than its index says, or other; copy or pack it again")


def scan(place: Folder, shard: str) -> NDArray[Any]:
    """The index of a local shard that has none, from the headers of its members; their CRC stays unknown.

    Raises:
        ValueError: damaged, or remote, where reading every header would take a request each.
    """
    if not isinstance(place, LocalFolder):
        raise ValueError(
            f"{place.path(shard)} has no index beside it ({index_name(shard)}); shards behind a URL need one, as "
            "temperfill pack writes it"
        )
    try:
        with (place.root / shard).open("rb") as file, tarfile.open(fileobj=file, mode="r:") as archive:
            rows = [(m.offset_data, m.size, 0) for m in _pictures(archive)]
        if (place.size(shard) or 0) % tarfile.BLOCKSIZE:  # tarfile takes half a header for the end
            raise tarfile.ReadError("it ends within a block")
    except tarfile.TarError as error:
        raise ValueError(f"{place.path(shard)} is damaged or no plain tar file: {error}") from None
    return np.array(rows, MEMBER)


def _pictures(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    for member in archive:
        if member.isreg() and is_picture(member.name.rpartition("/")[2]):
            yield member
        archive.members.clear()  # type: ignore[attr-defined] # it would keep every header


def write_shard(path: Path, pictures: Iterable[tuple[str, bytes]]) -> int:
    """Writes a shard and its index, each atomically; the same pictures give the same bytes.

    Args:
        path: of the tar file.
        pictures: names of at most 100 bytes, and bytes.

    Returns:
        How many there are.

    Raises:
        OSError: cannot be written.
    """
    members: list[tuple[int, int, int]] = []

    def write(file: BinaryIO) -> None:
        for name, content in pictures:
            # No time, owner or name of a user.
            header = tarfile.TarInfo(name)
            header.size, header.mode = len(content), 0o644
            members.append((file.tell() + tarfile.BLOCKSIZE, len(content), zlib.crc32(content)))
            file.write(header.tobuf(tarfile.USTAR_FORMAT))
            file.write(content)
            file.write(bytes(-len(content) % tarfile.BLOCKSIZE))
        # The end of a tar file: two empty blocks, and up to a whole record.
        file.write(bytes(2 * tarfile.BLOCKSIZE))
        file.write(bytes(-file.tell() % tarfile.RECORDSIZE))

    atomic_write(path, write)
    index = io.BytesIO()
    np.lib.format.write_array(index, np.array(members, MEMBER), version=(1, 0))
    atomic_write(path.with_name(index_name(path.name)), lambda file: file.write(index.getvalue()))
    return len(members)
