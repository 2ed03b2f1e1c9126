"""What is done already: lines of JSON, one for each result, appended once the result is in its place.

A line holds checksums of the picture, of its mask and of the result, and a key made of the former two with all that
decides about the result. A line that was cut off by a crash is passed over: its result is made again. Each writer has
a file of its own below ``.temperfill/``, and all files are read.
"""

import contextlib
import errno
import hashlib
import json
import os
import secrets
import time
from collections.abc import Collection
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Any

from temperfill.files import exclusive
from temperfill.places import Folder, LocalFolder

FOLDER = ".temperfill"
"""Folder of manifests, in the folder of results."""
_PART_LINES, _PART_SECONDS = 500, 15.0  # after which lines are sent to a place where nothing can be appended

Done = dict[str, list[tuple[str, str, int]]]
"""Results by name: key, SHA-256 and size of each."""


def key_of(picture: str, mask: str, settings: dict[str, Any]) -> str:
    """A key that differs whenever anything that affects a result does.

    Args:
        picture: SHA-256 of its file.
        mask: likewise.
        settings: plain values.
    """
    content = json.dumps([picture, mask, settings], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


def checksum(data: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def read_done(output: Folder, wanted: Collection[str]) -> Done:
    """What the manifests below a folder say of some results.

    Args:
        output: folder of results.
        wanted: names of results to remember.

    Raises:
        OSError: a manifest cannot be read.
    """
    done: Done = {}
    for data in output.hidden(FOLDER, ".jsonl"):
        for line in data.splitlines():
            with contextlib.suppress(ValueError, KeyError, TypeError, OverflowError, RecursionError):
                record = json.loads(line)
                name, known = record["output"], (record["key"], record["sha256"], int(record["size"]))
                if name in wanted and all(isinstance(value, str) for value in (*known[:2], name)):
                    done.setdefault(name, []).append(known)
    return done


def open_manifest(output: Folder, writer: str) -> "Manifest":
    """The manifest of one writer, to be entered."""
    return LocalManifest(output, writer) if isinstance(output, LocalFolder) else PartManifest(output, writer)


class LocalManifest:
    """Lines that are appended to a file, which other processes cannot open as long as it is entered.

    Args:
        output: folder of results.
        writer: name of this writer.
    """

    def __init__(self, output: LocalFolder, writer: str) -> None:
        self.folder: Path = output.place(f"{FOLDER}/{writer}")
        self.stack = contextlib.ExitStack()
        self.file: FileIO

    def __enter__(self) -> "LocalManifest":
        """Raises OSError if another process works on the same part of the job, or nothing can be written."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.stack.enter_context(exclusive(self.folder))
        self.file = self.stack.enter_context((self.folder / "manifest.jsonl").open("a+b", buffering=0))
        if self.file.tell():
            self.file.seek(-1, os.SEEK_END)
            if self.file.read(1) != b"\n":  # the last writer was killed within a line
                self.file.write(b"\n")
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        self.stack.close()

    def add(self, record: dict[str, Any]) -> None:
        """Appends a line; it survives the end of this process, whatever its cause.

        Raises:
            OSError: the disk is full.
        """
        line = _line(record)
        if self.file.write(line) != len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.folder))


class PartManifest:
    """Lines that are sent in parts, as nothing can be appended in object stores.

    A crash loses the lines of the last seconds, and their results are made again.

    Args:
        output: folder of results.
        writer: name of this writer.
    """

    def __init__(self, output: Folder, writer: str) -> None:
        self.output = output
        self.stem = f"{FOLDER}/{writer}/{time.time_ns()}-{secrets.token_hex(4)}"
        self.lines: list[bytes] = []
        self.parts = 0
        self.sent = time.monotonic()

    def __enter__(self) -> "PartManifest":
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        self._send()

    def add(self, record: dict[str, Any]) -> None:
        """Keeps a line, and sends those kept once they are many or old."""
        self.lines.append(_line(record))
        if len(self.lines) >= _PART_LINES or time.monotonic() > self.sent + _PART_SECONDS:
            self._send()

    def _send(self) -> None:
        if self.lines:
            self.output.write(f"{self.stem}-{self.parts}.jsonl", b"".join(self.lines))
            self.lines, self.parts, self.sent = [], self.parts + 1, time.monotonic()


def _line(record: dict[str, Any]) -> bytes:
    # ASCII, so that names that are no Unicode survive.
    return json.dumps(record).encode() + b"\n"


Manifest = LocalManifest | PartManifest
"""Either kind."""
