"""Where files lie: a local folder, or anything that fsspec reaches; listing them, and reading them or parts of them.

A folder is listed anew at every start. A cache could only be trusted after a look at every folder in it, as a folder's
time does not change with those below; that look is most of the time of listing, which is seconds for millions of files.
"""

import os
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TypeVar

from temperfill import images
from temperfill.config import is_url
from temperfill.files import behind_url

T = TypeVar("T")

_MAX_OPEN = 64
"""Files that a local place keeps open; a worker reads from all shards in turn."""
_PAUSES = (1.0, 4.0)
"""Seconds before the second and the third attempt at a remote read."""


def local_path(entry: str | Path) -> Path | None:
    """The local folder that an entry of a configuration names; None for a URL."""
    return None if is_url(entry) else Path(entry)


class Place(Protocol):
    """A folder with its subfolders, whose files have names relative to it with ``/`` between the parts."""

    def entries(self, folder: str) -> list[tuple[str, bool]]:
        """Names in a folder of this place ("" for itself), and whether each is a folder; in any order."""
        ...

    def size(self, name: str) -> int:
        """Bytes of a file."""
        ...

    def read(self, name: str) -> bytes:
        """A whole file."""
        ...

    def read_part(self, name: str, start: int, size: int) -> bytes:
        """Bytes of a file from ``start`` on: ``size`` of them, or fewer where the file ends before."""
        ...

    def read_all(self, names: list[str]) -> list[bytes]:
        """Several whole files."""
        ...

    def path(self, name: str) -> str:
        """What people call a file."""
        ...


def open_place(entry: str | Path) -> Place:
    """The place that an entry of a configuration names.

    Raises:
        OSError: no such folder.
        ValueError: a URL of a kind that is unknown or needs a package that is missing.
    """
    path = local_path(entry)
    return RemotePlace(str(entry)) if path is None else LocalPlace(path)


class LocalPlace:
    """A folder of this machine; may be sent to other processes.

    Raises:
        OSError: no such folder.
    """

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise NotADirectoryError(f"{folder} is not a folder with pictures")
        self.folder = folder
        self._open: OrderedDict[str, BinaryIO] = OrderedDict()

    def __getstate__(self) -> dict[str, Any]:
        return {"folder": self.folder, "_open": OrderedDict()}

    def entries(self, folder: str) -> list[tuple[str, bool]]:
        """Linked files count as files; linked folders are left aside, as they may lead back here."""
        with os.scandir(self.folder / folder) as found:
            folders = ((e, e.is_dir(follow_symlinks=False)) for e in found)
            return [(e.name, is_folder) for e, is_folder in folders if is_folder or e.is_file()]

    def size(self, name: str) -> int:
        return (self.folder / name).stat().st_size

    def read(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()

    def read_part(self, name: str, start: int, size: int) -> bytes:
        file = self._open.get(name)
        if file is None:
            if len(self._open) >= _MAX_OPEN:
                self._open.popitem(last=False)[1].close()
            file = self._open[name] = (self.folder / name).open("rb", buffering=0)
        if hasattr(os, "pread"):  # keeps no position, so processes that inherited the file do not disturb each other
            return os.pread(file.fileno(), size, start)
        file.seek(start)
        return file.read(size)

    def read_all(self, names: list[str]) -> list[bytes]:
        return [self.read(name) for name in names]

    def path(self, name: str) -> str:
        return str(self.folder / name)


class RemotePlace:
    """A folder behind a URL that fsspec reaches; may be sent to other processes.

    Every process has a connection of its own: those of most storages do not survive a fork.

    Raises:
        ValueError: a kind of URL that is unknown or needs a package that is missing.
        OSError: cannot be reached.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._process, self._system, self._root = 0, None, ""
        self._connected()

    def __getstate__(self) -> dict[str, Any]:
        return {"url": self.url, "_process": 0, "_system": None, "_root": ""}

    def _connected(self) -> Any:
        if self._process != os.getpid():
            self._system, self._root = behind_url(self.url, use_listings_cache=False)
            self._process = os.getpid()
        return self._system

    def _try(self, name: str, work: Callable[[Any, str], T]) -> T:
        """Does something with a file; a failure that may pass is tried again, and then is no fault of the file."""
        for pause in (*_PAUSES, None):
            try:
                system = self._connected()
                return work(system, f"{self._root}/{name}" if name else self._root)
            except FileNotFoundError:
                raise FileNotFoundError(f"there is no {self.path(name)}") from None
            except OSError as error:
                if pause is None:
                    raise ConnectionError(f"{self.path(name)} cannot be read after three attempts: {error}") from None
            time.sleep(pause)
        raise AssertionError("the last attempt returns or raises")

    def entries(self, folder: str) -> list[tuple[str, bool]]:
        found = self._try(folder, lambda system, path: system.ls(path, detail=True))
        return [(e["name"].rstrip("/").rpartition("/")[2], e["type"] == "directory") for e in found]

    def size(self, name: str) -> int:
        return int(self._try(name, lambda system, path: system.size(path)))

    def read(self, name: str) -> bytes:
        return self._try(name, lambda system, path: system.cat_file(path))

    def read_part(self, name: str, start: int, size: int) -> bytes:
        return self._try(name, lambda system, path: system.cat_file(path, start=start, end=start + size))

    def read_all(self, names: list[str]) -> list[bytes]:
        def work(system: Any, root: str) -> list[bytes]:
            paths = [f"{root}/{name}" for name in names]
            found = system.cat(paths)  # at once, where the storage allows
            return [found[path] for path in paths]

        return self._try("", work) if names else []

    def path(self, name: str) -> str:
        return f"{self.url}/{name}" if name else self.url


def walk_pictures(place: Place, folder: str = "") -> Iterator[str]:
    """Names of all pictures of a place, by suffix, in the order of their parts; hidden files are left aside."""
    for name, is_folder in sorted(place.entries(folder)):
        if is_folder:
            yield from walk_pictures(place, f"{folder}{name}/")
        elif is_picture(name):
            yield folder + name


def is_picture(name: str) -> bool:
    """Whether a file's name is that of a picture, and not hidden."""
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in images.SUFFIXES  # noqa: PTH122 - millions


def no_pictures(where: str) -> ValueError:
    """The error of a place without pictures."""
    return ValueError(f"no pictures in {where}; known are {', '.join(sorted(images.SUFFIXES))}")


def list_pictures(folder: Path) -> list[Path]:
    """All pictures below a local folder, by suffix, sorted; hidden files are left aside.

    Raises:
        OSError: no such folder.
        ValueError: no picture in it.
    """
    found = [folder / name for name in walk_pictures(LocalPlace(folder))]
    if not found:
        raise no_pictures(str(folder))
    return found
