"""Folders behind URLs that fsspec reaches."""

import contextlib
import os
import secrets
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar
from urllib.parse import quote, unquote

from temperfill.places.folder import FULL, check_name

T = TypeVar("T")

_PAUSES = (1.0, 4.0)
"""Seconds before the second and the third attempt at a remote file."""
# Stores that show an object only once all of it was sent; elsewhere a file is sent under another name and renamed.
_WHOLE_OBJECTS = frozenset({"memory", "s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "oss", "oci", "r2"})


class RemoteFolder:
    """A folder behind a URL that fsspec reaches; may be sent to other processes.

    Every process has a connection of its own: those of most storages do not survive a fork.

    Args:
        url: such as s3://bucket/folder; a slash at its end is dropped.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._process, self._system, self._root = 0, None, ""

    def __getstate__(self) -> dict[str, Any]:
        return {"url": self.url, "_process": 0, "_system": None, "_root": ""}

    @property
    def base(self) -> str:
        return self.url

    @property
    def _protocol(self) -> str:
        return self.url.split("://", 1)[0]

    def connected(self) -> Any:
        """The file system of fsspec behind the URL.

        Raises:
            ValueError: a kind of URL that is unknown or needs a package that is missing.
            ModuleNotFoundError: fsspec itself is missing.
            OSError: cannot be reached.
        """
        if self._process != os.getpid():
            self._system, self._root = behind_url(self.url, use_listings_cache=False)
            self._process = os.getpid()
        return self._system

    def _encoded(self, name: str) -> str:
        return quote(name) if self._protocol.startswith("http") else name

    def _decoded(self, name: str) -> str:
        return unquote(name) if self._protocol.startswith("http") else name

    def _try(self, name: str, work: Callable[[Any, str], T], done: str = "read") -> T:
        """Does something with a file; a failure that may pass is tried again, and then is no fault of the file.

        Raises:
            FileNotFoundError: there is no such file.
            ConnectionError: three attempts failed.
            OSError: nothing more can be written.
        """
        for pause in (*_PAUSES, None):
            try:
                system = self.connected()
                with _client_errors_as_os_errors():
                    return work(system, f"{self._root}/{self._encoded(name)}" if name else self._root)
            except FileNotFoundError:
                raise FileNotFoundError(f"there is no {self.path(name)}") from None
            except OSError as error:
                if error.errno in FULL:
                    raise
                if pause is None:
                    text = f"{self.path(name)} cannot be {done} after three attempts: {error}"
                    raise ConnectionError(text) from None
            time.sleep(pause)
        raise AssertionError("the last attempt returns or raises")

    def entries(self, folder: str) -> list[tuple[str, bool]]:
        found = self._try(folder, lambda system, path: system.ls(path, detail=True))
        names = (entry["name"].rstrip("/").rpartition("/")[2] for entry in found)
        return [(self._decoded(name), e["type"] == "directory") for name, e in zip(names, found, strict=True)]

    def names(self) -> list[str]:
        slash = "/" if self._protocol.startswith("http") else ""
        paths = self._try("", lambda system, root: system.find(root + slash))
        root = self._root
        names = [
            self._decoded(str(path)[len(root) :].lstrip("/")) for path in paths if str(path).startswith(root + "/")
        ]
        for name in names:
            check_name(name)
        return sorted(name for name in names if not any(part.startswith(".") for part in name.split("/")))

    def path(self, name: str) -> str:
        return f"{self.url}/{name}" if name else self.url

    def size(self, name: str) -> int | None:
        try:
            size: int | None = self._try(name, lambda system, path: system.info(path)).get("size")
            return size
        except FileNotFoundError:
            return None

    def read(self, name: str) -> bytes:
        return self._try(name, lambda system, path: system.cat_file(path))

    def read_part(self, name: str, start: int, size: int) -> bytes:
        return self._try(name, lambda system, path: system.cat_file(path, start=start, end=start + size))

    def read_all(self, names: list[str]) -> list[bytes]:
        def work(system: Any, root: str) -> list[bytes]:
            paths = [f"{root}/{self._encoded(name)}" for name in names]
            found = system.cat(paths)  # at once, where the storage allows
            return [found[path] for path in paths]

        return self._try("", work) if names else []

    def hidden(self, folder: str, suffix: str) -> Iterator[bytes]:
        for path in sorted(map(str, self._try(folder, lambda system, path: system.find(path)))):
            if path.endswith(suffix):
                yield self.read(self._decoded(path[len(self._root) + 1 :]))

    def write(self, name: str, data: bytes) -> None:
        check_name(name)

        def work(system: Any, path: str) -> None:
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

        self._try(name, work, "written")

    def check_writable(self) -> None:
        probe = f".temperfill/probe-{secrets.token_hex(4)}"
        try:
            self.write(probe, b"x")
            self._try(probe, lambda system, path: system.rm_file(path), "removed")
        except (OSError, NotImplementedError) as error:
            raise OSError(f"cannot write in {self.url}: {str(error) or type(error).__name__}") from None


@contextlib.contextmanager
def _client_errors_as_os_errors() -> Iterator[None]:
    """Errors of the clients below fsspec, some of which are none of the system, as OSError."""
    try:
        yield
    except _client_errors() as error:
        raise OSError(" ".join(str(error).split()) or type(error).__name__) from None


def _client_errors() -> tuple[type[Exception], ...]:
    """The base classes of errors of those clients that are loaded."""
    known = (("aiohttp", "ClientError"), ("botocore.exceptions", "BotoCoreError"), ("gcsfs.retry", "HttpError"))
    modules = ((sys.modules.get(module), name) for module, name in known)
    return tuple(getattr(module, name) for module, name in modules if module is not None)


def behind_url(url: str, **options: Any) -> tuple[Any, str]:
    """The file system of a URL that fsspec reaches, and the path that the URL has in it, without a slash at its end.

    Args:
        url: such as s3://bucket/folder, or several joined by ``::`` as fsspec has it.
        options: of the file system.

    Raises:
        ValueError: a URL of an unknown kind, or of one that needs a package that is missing.
        ModuleNotFoundError: fsspec itself is missing.
        OSError: cannot be reached.
    """
    from fsspec.core import url_to_fs

    try:
        system, path = url_to_fs(url, **options)
    except ImportError as error:
        raise ValueError(f"{url} cannot be opened: {error}") from None
    return system, path.rstrip("/")
