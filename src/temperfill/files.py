"""Writing files so that a reader finds the old content or the new one, and never a part."""

import contextlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO


def atomic_write(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Writes a file through a temporary one beside it, which replaces it once everything is on the disk.

    The file gets the permission bits of any new file, 0666 less the umask. A symbolic link stays, and its target is
    written.

    Args:
        path: of the file; its folder must exist.
        write: gets the open binary file (readable and seekable) and fills it.

    Raises:
        OSError: the folder is missing or not writable, ``path`` is a folder, or the disk is full; the old file is
            intact and the temporary one removed, as after any exception of ``write``.
    """
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise IsADirectoryError(f"cannot write the file {path}: it is a folder")
    # The name is short whatever the target's is: a name may have 255 bytes at most.
    temporary = target.with_name(f".temperfill-{secrets.token_hex(8)}.partial")
    try:
        descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    except OSError as error:
        raise type(error)(error.errno, f"cannot write a file in {target.parent}: {error.strerror}", str(path)) from None
    try:
        with os.fdopen(descriptor, "w+b") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    """Puts the new name on the disk; some file systems cannot, and the file itself is safe without it."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
