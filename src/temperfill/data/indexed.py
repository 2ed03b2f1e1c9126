"""The pictures of one place by number: loose files, or members of plain tar files that an index finds.

Memory is what arrays need, about 30 bytes a picture of a folder and 16 of a shard, whatever the number of processes:
they share it after a fork, as nothing is written to it.
"""

import copy
import hashlib
import json
import tarfile
import zlib
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np

from temperfill.data.pictures import is_picture, no_pictures, open_pictures, walk_pictures
from temperfill.data.tars import index_name, parse_index, scan
from temperfill.places import Folder

MANIFEST = "pack.json"
"""What was packed and how; stands beside the shards of ``temperfill pack``."""
FORMAT = "temperfill-shards-1"
_CHUNK = 65536


class IndexedPictures(Protocol):
    """Picture files by number from 0 on, in a fixed order."""

    def __len__(self) -> int: ...

    def read(self, index: int) -> bytes:
        """The bytes of a picture file.

        Raises:
            ConnectionError: a remote place does not answer, which says nothing of the picture.
            OSError: cannot be read.
            ValueError: not the bytes that were packed.
        """
        ...

    def name(self, index: int) -> str:
        """What people call the picture."""
        ...

    def label(self, index: int) -> str:
        """Its name inside the place, the same wherever the place is."""
        ...

    def digest(self) -> str:
        """A hash of which pictures there are, in which order."""
        ...

    def part(self, start: int, stop: int) -> "IndexedPictures":
        """Some of the pictures, small enough to be sent to another process."""
        ...


def open_indexed(entry: str | Path) -> IndexedPictures:
    """The pictures of a folder, of a folder of shards, or of a URL of either.

    Raises:
        OSError: no such folder, or it cannot be read.
        ValueError: no pictures; shards that are damaged, unfinished or lie among other pictures; an unknown URL.
    """
    place = open_pictures(entry)
    top = place.entries("")
    shards = sorted(name for name, is_folder in top if not is_folder and name.endswith(".tar") and name[0] != ".")
    if not shards:
        return Loose(place)
    others = sorted(name for name, is_folder in top if name[0] != "." and (is_folder or is_picture(name)))
    if others:
        raise ValueError(
            f"{place.path('')} holds tar files such as {shards[0]} and beside them {others[0]}: name the folder that "
            "holds only shards, or only pictures"
        )
    return Shards(place, shards)


class Names:
    """Many texts in two arrays; a list of them would take five times the memory, which grows in every process."""

    def __init__(self, texts: Iterable[str]) -> None:
        parts, lengths, rest = [], [], iter(texts)
        while chunk := [text.encode("utf-8", "surrogateescape") for text in islice(rest, _CHUNK)]:
            parts.append(b"".join(chunk))
            lengths.append(np.fromiter(map(len, chunk), np.int64, len(chunk)))
        self._bytes = np.frombuffer(b"".join(parts), np.uint8)
        self._ends = np.cumsum(np.concatenate([np.zeros(1, np.int64), *lengths]))

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, index: int) -> str:
        start, end = self._ends[index : index + 2]
        return self._bytes[start:end].tobytes().decode("utf-8", "surrogateescape")

    def part(self, start: int, stop: int) -> "Names":
        result = copy.copy(self)
        first, last = self._ends[start], self._ends[stop]
        result._bytes, result._ends = self._bytes[first:last], self._ends[start : stop + 1] - first
        return result

    def digest(self) -> str:
        total = hashlib.sha256(self._bytes.data)
        total.update(self._ends.data)
        return total.hexdigest()


class Loose:
    """Picture files in a folder and its subfolders.

    Raises:
        ValueError: there are none.
    """

    def __init__(self, place: Folder) -> None:
        self.place = place
        self.names = Names(walk_pictures(place))
        if not len(self.names):
            raise no_pictures(place.path(""))

    def __len__(self) -> int:
        return len(self.names)

    def read(self, index: int) -> bytes:
        return self.place.read(self.names[index])

    def name(self, index: int) -> str:
        return self.place.path(self.names[index])

    def label(self, index: int) -> str:
        return self.names[index]

    def digest(self) -> str:
        return self.names.digest()

    def part(self, start: int, stop: int) -> "Loose":
        result = copy.copy(self)
        result.names = self.names.part(start, stop)
        return result


class Shards:
    """Members of plain tar files, read by position.

    Args:
        place: of the shards.
        shards: names of the tar files, in order.

    Raises:
        OSError: cannot be read.
        ValueError: unfinished, damaged, or without pictures.
    """

    def __init__(self, place: Folder, shards: list[str]) -> None:
        self.place = place
        self.shards = shards
        present = {name for name, _ in place.entries("")}
        if MANIFEST in present:
            _check_manifest(place, shards)
        indexed = [shard for shard in shards if index_name(shard) in present]
        found = dict(zip(indexed, place.read_all([index_name(shard) for shard in indexed]), strict=True))
        parts = [parse_index(found[shard], place, shard) if shard in found else scan(place, shard) for shard in shards]
        self.members = np.concatenate(parts)
        self.bounds = np.cumsum([0, *(len(part) for part in parts)])
        if not len(self.members):
            raise no_pictures(place.path(""))

    def __len__(self) -> int:
        return len(self.members)

    def _locate(self, index: int) -> tuple[str, int, int, int]:
        shard = self.shards[int(np.searchsorted(self.bounds, index, "right")) - 1]
        start, size, crc = self.members[index].tolist()
        return shard, start, size, crc

    def read(self, index: int) -> bytes:
        shard, start, size, crc = self._locate(index)
        content = self.place.read_part(shard, start, size)
        if len(content) < size or (crc and zlib.crc32(content) != crc):
            raise ValueError(f"{self.name(index)} is not what was packed")
        return content

    def name(self, index: int) -> str:
        return f"{self.place.path(self._locate(index)[0])}:{self.label(index)}"

    def label(self, index: int) -> str:
        shard, start, _, _ = self._locate(index)
        head = self.place.read_part(shard, start - tarfile.BLOCKSIZE, 100)
        return head.split(bytes(1))[0].decode("utf-8", "replace")

    def digest(self) -> str:
        total = hashlib.sha256("\n".join(self.shards).encode())
        total.update(self.members.data)
        return total.hexdigest()

    def part(self, start: int, stop: int) -> "Shards":
        result = copy.copy(self)
        result.members = self.members[start:stop]
        result.bounds = np.clip(self.bounds, start, stop) - start
        return result


class Spread:
    """Some pictures of a place, evenly spread.

    Args:
        whole: all of them.
        share: of all, above 0 and at most 1; at least one picture stays.
    """

    def __init__(self, whole: IndexedPictures, share: float) -> None:
        self.whole = whole
        number = max(round(len(whole) * share), 1)
        self.indices = np.linspace(0, len(whole), number, endpoint=False, dtype=np.int64)

    def __len__(self) -> int:
        return len(self.indices)

    def read(self, index: int) -> bytes:
        return self.whole.read(int(self.indices[index]))

    def name(self, index: int) -> str:
        return self.whole.name(int(self.indices[index]))

    def label(self, index: int) -> str:
        return self.whole.label(int(self.indices[index]))

    def digest(self) -> str:
        return hashlib.sha256(f"{len(self)} of {self.whole.digest()}".encode()).hexdigest()

    def part(self, start: int, stop: int) -> "Spread":
        result = copy.copy(self)
        indices = self.indices[start:stop]
        first, last = (int(indices[0]), int(indices[-1]) + 1) if len(indices) else (0, 0)
        result.whole, result.indices = self.whole.part(first, last), indices - first
        return result


class Joined:
    """The pictures of several entries one after the other."""

    def __init__(self, entries: list[IndexedPictures]) -> None:
        self.entries = entries
        self.bounds = np.cumsum([0, *map(len, entries)])

    def __len__(self) -> int:
        return int(self.bounds[-1])

    def _locate(self, number: int) -> tuple[IndexedPictures, int]:
        i = int(np.searchsorted(self.bounds, number, "right")) - 1
        return self.entries[i], number - int(self.bounds[i])

    def read(self, number: int) -> bytes:
        entry, index = self._locate(number)
        return entry.read(index)

    def name(self, number: int) -> str:
        entry, index = self._locate(number)
        return entry.name(index)

    def label(self, number: int) -> str:
        entry, index = self._locate(number)
        return entry.label(index)

    def digest(self) -> list[str]:
        return [entry.digest() for entry in self.entries]

    def part(self, start: int, stop: int) -> "Joined":
        """Some of the pictures, small enough to be sent to another process."""
        parts = np.clip(self.bounds, start, stop)
        return Joined(
            [
                entry.part(int(a - first), int(b - first))
                for entry, first, a, b in zip(self.entries, self.bounds, parts, parts[1:], strict=False)
                if b > a
            ]
        )


def _check_manifest(place: Folder, shards: list[str]) -> None:
    """Raises ValueError for shards of which some are missing."""
    manifest = read_manifest(place)
    expected, done = int(manifest["num_shards"]), cast(dict[str, Any], manifest["shards"])
    missing = sorted(set(done) - set(shards))
    if missing:
        raise ValueError(f"{place.path(missing[0])} is missing; copy or pack it again")
    if len(done) < expected:
        raise ValueError(
            f"{place.path('')} is packed in part, {len(done)} of {expected} shards: finish it with the same command"
        )


def read_manifest(place: Folder) -> dict[str, Any]:
    """What was packed and how.

    Raises:
        OSError: cannot be read.
        ValueError: not a manifest of shards.
    """
    try:
        manifest = json.loads(place.read(MANIFEST))
        fits = manifest["format"] == FORMAT and isinstance(manifest["shards"], dict)
        fits = fits and isinstance(manifest["num_shards"], int)
        fits = fits and all({"pictures", "bytes", "left_out"} <= part.keys() for part in manifest["shards"].values())
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        fits = False
    if not fits:
        raise ValueError(f"{place.path(MANIFEST)} is damaged or of another version; pack into another folder")
    return cast(dict[str, Any], manifest)
