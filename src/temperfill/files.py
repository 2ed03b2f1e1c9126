"""Writing files so that a reader finds the old content or the new one, and never a part."""

import contextlib
import errno
import os
import secrets
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)
_PREFIX, _SUFFIX = ".temperfill-", ".partial"


def atomic_write(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Writes a file through a temporary one beside it, which replaces it once everything is on the disk.

    A file that is replaced keeps its permission bits, as it may be private; a new one gets 0666 less the umask. A
    symbolic link stays, and its target is written.

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
    temporary = target.with_name(f"{_PREFIX}{secrets.token_hex(8)}{_SUFFIX}")
    bits = stat.S_IMODE(target.stat().st_mode) & 0o777 if target.exists() else None
    try:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        descriptor = os.open(temporary, flags, 0o666 if bits is None else bits & 0o600)
    except OSError as error:
        raise type(error)(error.errno, f"cannot write a file in {target.parent}: {error.strerror}", str(path)) from None
    try:
        with os.fdopen(descriptor, "w+b") as file:
            if bits is not None and hasattr(os, "fchmod"):
                os.fchmod(descriptor, bits)
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError) and error.filename is None and error.errno is not None:
            raise type(error)(error.errno, f"cannot write the file: {error.strerror}", str(path)) from None
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


def remove_partial(folder: Path, older_than: float = 0.0) -> None:
    """Removes the temporary files that writers left in a folder when they were killed.

    Args:
        folder: to look in.
        older_than: seconds since the last change; where others may write just now, their files must stay.

    Raises:
        OSError: cannot be removed.
    """
    for path in folder.glob(f"{_PREFIX}*{_SUFFIX}"):
        with contextlib.suppress(FileNotFoundError):
            if not older_than or time.time() - path.stat().st_mtime > older_than:
                path.unlink()


@contextlib.contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Keeps other processes out of a folder that they enter by this function too.

    The lock belongs to the process, not to its children, and ends with it, even when it is killed. It is the file
    ``.lock``. On a file system without locks nothing is kept out.

    Raises:
        BlockingIOError: another process is inside, or this one already.
        OSError: the folder is missing or not writable.
    """
    from filelock import FileLock, Timeout

    if not folder.is_dir():  # which the lock would create
        raise FileNotFoundError(errno.ENOENT, "there is no such folder", str(folder))
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        text = "another process works in this folder; wait for its end or stop it"
        raise BlockingIOError(errno.EAGAIN, text, str(folder)) from None
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
    try:
        yield
    finally:
        lock.release()
