"""What a folder is, wherever it lies; which names stay in it, and which texts are URLs."""

import errno
import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Protocol

FULL = frozenset({errno.ENOSPC, errno.EROFS, getattr(errno, "EDQUOT", errno.ENOSPC)})
"""Errors after which nothing can be written, another file as little."""
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+(::|://)")
_RESERVED = frozenset({"con", "prn", "aux", "nul", *(f"{kind}{n}" for kind in ("com", "lpt") for n in range(1, 10))})


class Folder(Protocol):
    """A folder with its subfolders; equal ones have equal bases."""

    @property
    def base(self) -> str:
        """Absolute path, links followed, or URL; without a slash at its end."""

    def entries(self, folder: str) -> list[tuple[str, bool]]:
        """Names in a subfolder ("" for this folder), and whether each is a folder; in any order."""

    def names(self) -> list[str]:
        """All files below, sorted, without those that are hidden or in hidden folders."""

    def path(self, name: str) -> str:
        """What people call a file."""

    def size(self, name: str) -> int | None:
        """Bytes of a file; None without one."""

    def read(self, name: str) -> bytes:
        """All of a file."""

    def read_part(self, name: str, start: int, size: int) -> bytes:
        """Bytes of a file from ``start`` on: ``size`` of them, or fewer where the file ends before."""

    def read_all(self, names: list[str]) -> list[bytes]:
        """Several whole files."""

    def hidden(self, folder: str, suffix: str) -> Iterator[bytes]:
        """What the files with a suffix hold that lie in the subfolders of a hidden folder."""

    def write(self, name: str, data: bytes) -> None:
        """Writes a file and the folders above it."""

    def check_writable(self) -> None:
        """Makes the folder and tries to write in it."""


def is_url(entry: str | Path) -> bool:
    """Whether a place is a URL, such as s3://bucket/shards, and not a local path; a URL is text."""
    return isinstance(entry, str) and _URL.match(entry) is not None


def local_path(entry: str | Path) -> Path | None:
    """The local folder that an entry of a configuration names; None for a URL."""
    return None if is_url(entry) else Path(entry)


def inside(outer: Folder, inner: Folder) -> str | None:
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
