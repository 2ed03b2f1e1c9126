"""Folders of this machine."""

import errno
import os
import stat
import tempfile
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from temperfill.files import atomic_write
from temperfill.places.folder import check_name

_MAX_OPEN = 64
"""Files that a local folder keeps open; a worker reads from all shards in turn."""
_NOT_WAITING = getattr(os, "O_NONBLOCK", 0)  # for a writer at the other end of a pipe


class LocalFolder:
    """A folder of this machine; may be sent to other processes.

    Args:
        root: of the folder, which need not exist yet.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._open: OrderedDict[str, BinaryIO] = OrderedDict()

    def __getstate__(self) -> dict[str, Any]:
        return {"root": self.root, "_open": OrderedDict()}

    @property
    def base(self) -> str:
        return self.root.resolve().as_posix().rstrip("/")

    def entries(self, folder: str) -> list[tuple[str, bool]]:
        """Linked files count as files; linked folders are left aside, as they may lead back here."""
        with os.scandir(self.root / folder) as found:
            folders = ((e, e.is_dir(follow_symlinks=False)) for e in found)
            return [(e.name, is_folder) for e, is_folder in folders if is_folder or e.is_file()]

    def names(self) -> list[str]:
        if not self.root.is_dir():
            raise NotADirectoryError(f"there is no folder {self.root}")
        found = []
        for folder, subfolders, files in os.walk(self.root, onerror=_raise):
            subfolders[:] = [name for name in subfolders if not name.startswith(".")]
            above = PurePosixPath(Path(folder).relative_to(self.root).as_posix())
            found += [str(above / name) for name in files if not name.startswith(".")]
        return sorted(found)

    def path(self, name: str) -> str:
        return str(self.root / name)

    def size(self, name: str) -> int | None:
        path = self.root / name
        return path.stat().st_size if path.is_file() else None

    def read(self, name: str) -> bytes:
        with _open_regular(self.root / name) as file:
            return file.read()

    def read_part(self, name: str, start: int, size: int) -> bytes:
        file = self._open.get(name)
        if file is None:
            if len(self._open) >= _MAX_OPEN:
                self._open.popitem(last=False)[1].close()
            file = self._open[name] = _open_regular(self.root / name, buffering=0)
        if hasattr(os, "pread"):  # keeps no position, so processes that inherited the file do not disturb each other
            return os.pread(file.fileno(), size, start)
        file.seek(start)
        return file.read(size)

    def read_all(self, names: list[str]) -> list[bytes]:
        return [self.read(name) for name in names]

    def hidden(self, folder: str, suffix: str) -> Iterator[bytes]:
        for path in sorted((self.root / folder).glob(f"*/*{suffix}")):
            with _open_regular(path) as file:
                yield file.read()

    def write(self, name: str, data: bytes) -> None:
        path = self.place(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, lambda file: file.write(data))

    def place(self, name: str) -> Path:
        """Where a file or folder is to be; nothing is made.

        Raises:
            ValueError: links lead it out of this folder.
        """
        check_name(name)
        path = self.root / name
        if not path.resolve().is_relative_to(self.root.resolve()):
            raise ValueError(f"cannot write {path}: it is a link to {path.resolve()}, outside of {self.root}")
        return path

    def check_writable(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        try:  # permission bits say nothing to root or of a read-only file system
            with tempfile.TemporaryFile(dir=self.root):
                pass
        except OSError as error:
            raise type(error)(f"cannot write in {self.root}: {error.strerror}") from None


def _raise(error: OSError) -> None:
    raise error


def _open_regular(path: Path, buffering: int = -1) -> BinaryIO:
    """Opens a file to read; raises OSError for a pipe or device, which may never end, without waiting for one."""
    file = open(path, "rb", buffering, opener=lambda name, flags: os.open(name, flags | _NOT_WAITING))  # noqa: SIM115
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return file
