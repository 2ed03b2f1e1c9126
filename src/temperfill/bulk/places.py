"""Folders on this machine and at URLs: what is in them, whole files read, and whole files written.

A name is the path of a file below its folder, with ``/`` between its parts. A write leaves the old file or the new one,
never a part, and never lands outside its folder.
"""

import contextlib
import os
import secrets
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Protocol
from urllib.parse import quote, unquote

from temperfill.config import is_url
from temperfill.files import atomic_write, behind_url

# Stores that show an object only once all of it was sent; elsewhere a file is sent under another name and renamed.
_WHOLE_OBJECTS = frozenset({"memory", "s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "oss", "oci", "r2"})
_RESERVED = frozenset({"con", "prn", "aux", "nul", *(f"{kind}{n}" for kind in ("com", "lpt") for n in range(1, 10))})


class Place(Protocol):
    """A folder; equal ones have equal bases."""

    @property
    def base(self) -> str:
        """Absolute path, links followed, or URL; without a slash at its end."""

    def names(self) -> list[str]:
        """All files below, sorted, without those that are hidden or in hidden folders."""

    def read(self, name: str) -> bytes:
        """All of a file."""

    def write(self, name: str, data: bytes) -> None:
        """Writes a file and the folders above it."""

    def size(self, name: str) -> int | None:
        """Bytes of a file; None without one."""

    def hidden(self, folder: str, suffix: str) -> Iterator[bytes]:
        """What the files with a suffix hold that lie in the subfolders of a hidden folder."""

    def check_writable(self) -> None:
        """Makes the folder and tries to write in it."""


def open_place(where: str | Path) -> Place:
    """The folder of a path, or of a URL that fsspec knows; it need not exist.

    Raises:
        ValueError: a URL of an unknown kind, or whose package is missing.
    """
    if not is_url(where):
        return LocalFolder(Path(where))
    protocol = str(where).split("://", 1)[0]
    if protocol in ("file", "local"):
        from fsspec.implementations.local import LocalFileSystem

        return LocalFolder(Path(LocalFileSystem._strip_protocol(str(where))))
    place = RemoteFolder(str(where).rstrip("/"))
    place.connect()
    return place


def inside(outer: Place, inner: Place) -> str | None:
    """The name that one folder has below another; "" for the same folder, None elsewhere."""
    if outer.base == inner.base:
        return ""
    return inner.base[len(outer.base) + 1 :] if inner.base.startswith(outer.base + "/") else None


def check_name(name: str) -> None:
    """Refuses names that lead out of their folder, or that a system takes for something else.

    Raises:
        ValueError: such a name.
    """
    parts = PurePosixPath(name).parts
    bad = not parts or name.startswith("/") or ".." in parts or "\0" in name
    if os.name == "nt":
        bad = bad or any(set(p) & set('\\:*?"<>|') or p.split(".")[0].lower() in _RESERVED for p in parts)
    if bad:
        raise ValueError(f"the name {name!r} does not stay in its folder, or cannot be a file; rename it")


@dataclass(frozen=True)
class LocalFolder:
    """A folder of this machine.

    Attributes:
        root: of the folder.
    """

    root: Path

    @property
    def base(self) -> str:
        return self.root.resolve().as_posix().rstrip("/")

    def names(self) -> list[str]:
        """Raises OSError if a folder cannot be listed."""
        if not self.root.is_dir():
            raise NotADirectoryError(f"there is no folder {self.root}")
        found = []
        for folder, subfolders, files in os.walk(self.root, onerror=_raise):
            subfolders[:] = [name for name in subfolders if not name.startswith(".")]
            above = PurePosixPath(Path(folder).relative_to(self.root).as_posix())
            found += [str(above / name) for name in files if not name.startswith(".")]
        return sorted(found)

    def read(self, name: str) -> bytes:
        return (self.root / name).read_bytes()

    def write(self, name: str, data: bytes) -> None:
        check_name(name)
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.resolve().is_relative_to(self.root.resolve()):
            raise ValueError(f"cannot write {path}: it is a link to {path.resolve()}, outside of {self.root}")
        atomic_write(path, lambda file: file.write(data))

    def size(self, name: str) -> int | None:
        path = self.root / name
        return path.stat().st_size if path.is_file() else None

    def hidden(self, folder: str, suffix: str) -> Iterator[bytes]:
        for path in sorted((self.root / folder).glob(f"*/*{suffix}")):
            yield path.read_bytes()

    def check_writable(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        try:  # permission bits say nothing to root or of a read-only file system
            with tempfile.TemporaryFile(dir=self.root):
                pass
        except OSError as error:
            raise type(error)(f"cannot write in {self.root}: {error.strerror}") from None


@dataclass(frozen=True)
class RemoteFolder:
    """A folder at a URL.

    Attributes:
        url: without a slash at its end.
    """

    url: str

    @property
    def base(self) -> str:
        return self.url

    @property
    def _protocol(self) -> str:
        return self.url.split("://", 1)[0]

    def connect(self) -> Any:
        """The file system of the URL; fsspec keeps one for each process."""
        return behind_url(self.url)[0]

    def names(self) -> list[str]:
        with self._errors(self.url):
            system, root = behind_url(self.url)
            paths = system.find(root + "/" if self._protocol.startswith("http") else root)
        names = [self._shown(str(path)[len(root) :].lstrip("/")) for path in paths if str(path).startswith(root + "/")]
        for name in names:
            check_name(name)
        return sorted(name for name in names if not any(part.startswith(".") for part in name.split("/")))

    def read(self, name: str) -> bytes:
        with self._errors(name):
            data: bytes = self.connect().cat_file(self._path(name))
            return data

    def write(self, name: str, data: bytes) -> None:
        check_name(name)
        path = self._path(name)
        with self._errors(name):
            system = self.connect()
            if self._protocol in _WHOLE_OBJECTS:
                system.pipe_file(path, data)
                return
            folder = path.rsplit("/", 1)[0]
            system.makedirs(folder, exist_ok=True)
            temporary = f"{folder}/.temperfill-{secrets.token_hex(8)}.partial"
            try:
                system.pipe_file(temporary, data)
                system.mv(temporary, path)
            except BaseException:
                with contextlib.suppress(OSError):
                    system.rm_file(temporary)
                raise

    def size(self, name: str) -> int | None:
        with self._errors(name):
            try:
                size: int | None = self.connect().info(self._path(name)).get("size")
                return size
            except FileNotFoundError:
                return None

    def hidden(self, folder: str, suffix: str) -> Iterator[bytes]:
        with self._errors(folder):
            paths = sorted(map(str, self.connect().find(self._path(folder))))
        for path in paths:
            if path.endswith(suffix):
                with self._errors(folder):
                    data: bytes = self.connect().cat_file(path)
                yield data

    def check_writable(self) -> None:
        probe = f".temperfill/probe-{secrets.token_hex(4)}"
        try:
            self.write(probe, b"x")
            self.connect().rm_file(self._path(probe))
        except (OSError, NotImplementedError) as error:
            raise OSError(f"cannot write in {self.url}: {str(error) or type(error).__name__}") from None

    def _path(self, name: str) -> str:
        return f"{behind_url(self.url)[1]}/{quote(name) if self._protocol.startswith('http') else name}"

    def _shown(self, name: str) -> str:
        return unquote(name) if self._protocol.startswith("http") else name

    @contextlib.contextmanager
    def _errors(self, name: str) -> Iterator[None]:
        """Errors of the clients below fsspec, some of which are none of the system, as OSError."""
        try:
            yield
        except _client_errors() as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise OSError(f"{name} at {self.url}: {reason}") from None


def _client_errors() -> tuple[type[Exception], ...]:
    """The base classes of errors of those clients that are loaded."""
    known = (("aiohttp", "ClientError"), ("botocore.exceptions", "BotoCoreError"), ("gcsfs.retry", "HttpError"))
    modules = ((sys.modules.get(module), name) for module, name in known)
    return tuple(getattr(module, name) for module, name in modules if module is not None)


def _raise(error: OSError) -> None:
    raise error
