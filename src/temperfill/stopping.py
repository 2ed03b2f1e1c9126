"""Stopping long jobs on signals."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def stop_on_signal(pause: float = 0.0) -> Iterator[threading.Event]:
    """SIGINT and SIGTERM set the event, and the work ends when it looks; a second one has its usual effect.

    Args:
        pause: seconds after the first signal in which others count as the same one; torchrun passes on what the
            terminal has already sent to every process.
    """
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    old = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    first: list[float] = []

    def restore() -> None:
        for number, handler in old.items():
            signal.signal(number, handler)

    def on_signal(number: int, _: Any) -> None:
        stop.set()
        now = time.monotonic()
        again = bool(first) and now - first[0] >= pause
        first.append(now)
        if again or not pause:
            restore()
        if again:
            signal.raise_signal(number)

    for number in old:
        signal.signal(number, on_signal)
    try:
        yield stop
    finally:
        restore()
