"""How the process of a command gets its memory."""

import contextlib
import ctypes
import os
import platform

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of mallopt, malloc.h
_SETTINGS = (
    *("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TOP_PAD_", "MALLOC_MMAP_MAX_"),
    "GLIBC_TUNABLES",
)


def keep_freed_memory() -> bool:
    """Lets glibc keep up to 256 MiB of freed memory for what is asked for next, and says whether it does.

    By default it gives large blocks back at once, so that every layer of every picture waits for the system to find and
    to clear new pages. Blocks above 32 MiB, the most that glibc allows, still go back. A user's own settings stay, and
    other systems are left alone.
    """
    if platform.libc_ver()[0] != "glibc" or any(name in os.environ for name in _SETTINGS):
        return False
    with contextlib.suppress(AttributeError, OSError):
        mallopt = ctypes.CDLL(None).mallopt
        return bool(mallopt(_TRIM_THRESHOLD, 256 << 20)) and bool(mallopt(_MMAP_THRESHOLD, 32 << 20))
    return False
