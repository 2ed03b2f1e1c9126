"""What training runs and evaluations show: a bar on a terminal, plain lines elsewhere, all on standard error."""

import math
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, track
from rich.progress import Progress as Bar
from rich.text import Text

_WINDOW = 50
"""Shown records over which the time left is estimated."""
_SECONDS_BETWEEN_LINES = 10.0
"""Between lines that say how far a work is, where there is no terminal."""
T = TypeVar("T")


class Interval:
    """Means of the losses, and range of the temperatures, of the steps since the last line of the log."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self.values: list[dict[str, float]] = []
        self.temperatures: list[NDArray[np.floating[Any]]] = []
        self.seconds = 0.0

    def add(self, values: dict[str, float], temperatures: NDArray[np.floating[Any]], seconds: float) -> None:
        """Adds a step.

        Args:
            values: loss terms by name.
            temperatures: (B, heads); (B, 0) without attention.
            seconds: that the step took, waiting for its pictures included.
        """
        self.values.append(values)
        self.temperatures.append(temperatures)
        self.seconds += seconds

    def record(self, batch_size: int) -> dict[str, Any]:
        """Means by name, temperatures by head, and images per second of the steps alone; six digits.

        Args:
            batch_size: pictures in a step.
        """
        names = dict.fromkeys(name for values in self.values for name in values)
        record: dict[str, Any] = {n: float(np.mean([v[n] for v in self.values if n in v])) for n in names}
        found = np.concatenate(self.temperatures)
        if found.shape[1]:
            record["temperature"] = found.mean(0).tolist()
            record["temperature_low"] = found.min(0).tolist()
            record["temperature_high"] = found.max(0).tolist()
        record["images_per_second"] = len(self.values) * batch_size / max(self.seconds, 1e-9)
        return {k: [_rounded(x) for x in v] if isinstance(v, list) else _rounded(v) for k, v in record.items()}


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")


class TimeLeft:
    """Estimates the time left from the pace of this start's latest records, so that a resumed run is right too.

    Args:
        num_steps: at which training ends.
        deadline: time by the clock at which it ends anyway; infinite without a limit.
        clock: gives seconds.
    """

    def __init__(self, num_steps: int, deadline: float = math.inf, clock: Callable[[], float] = time.monotonic) -> None:
        self.num_steps = num_steps
        self.deadline = deadline
        self.clock = clock
        self.marks: deque[tuple[int, float]] = deque(maxlen=_WINDOW)

    def mark(self, step: int) -> None:
        """Notes that a step is done; the first one is not counted, as it also warms up."""
        if not self.marks or step > self.marks[-1][0]:
            self.marks.append((step, self.clock()))

    def seconds(self) -> float:
        """Seconds left; NaN before two marks."""
        if len(self.marks) < 2:
            return math.nan
        (first, start), (last, end) = self.marks[0], self.marks[-1]
        by_pace = (end - start) / (last - first) * (self.num_steps - last)
        return max(min(by_pace, self.deadline - self.clock()), 0.0)


def duration(seconds: float) -> str:
    """A time as people say it, such as "2 h 05 min"; "?" for NaN."""
    if math.isnan(seconds):
        return "?"
    minutes = round(seconds / 60)
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def describe(record: dict[str, Any]) -> str:
    """Losses, mean temperature of each head, and images per second of a record, in one line."""
    hidden = ("step", "seconds", "images_per_second", "learning_rate")
    losses = [f"{k} {v:.3f}" for k, v in record.items() if isinstance(v, float) and k not in hidden]
    temperatures = "/".join(f"{t:.3f}" for t in record.get("temperature", []))
    parts = [*losses, f"T {temperatures}" if temperatures else "", f"{record['images_per_second']:.1f} images/s"]
    return " ".join(part for part in parts if part)


class Display:
    """Shows the progress of a run while it is entered.

    Args:
        num_steps: at which training ends.
        first_step: at which this start begins.
        deadline: time of ``time.monotonic`` at which it ends anyway.
        console: for tests; standard error otherwise.
    """

    def __init__(
        self, num_steps: int, first_step: int, deadline: float = math.inf, console: Console | None = None
    ) -> None:
        self.num_steps = num_steps
        self.time_left = TimeLeft(num_steps, deadline)
        self.console = console or Console(stderr=True)
        self.live: Live | None = None
        if self.console.is_terminal and not self.console.is_dumb_terminal:
            columns = (MofNCompleteColumn(), BarColumn(None), TextColumn("{task.description}"))
            self.bar = Bar(*columns, console=self.console, expand=True)
            self.task = self.bar.add_task("first step", total=num_steps, completed=first_step)
            self.line = Text()
            # The figures have a line of their own, as they rarely fit beside the bar.
            self.live = Live(Group(self.bar, self.line), console=self.console, refresh_per_second=4)

    def __enter__(self) -> "Display":
        if self.live is not None:
            self.live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        if self.live is not None:
            self.live.stop()

    def note(self, text: str) -> None:
        """Shows a message for good, above the bar."""
        if self.live is not None:
            self.console.print(text, markup=False, highlight=False)
        else:
            print(text, file=sys.stderr, flush=True)

    def advance(self, step: int) -> None:
        """Shows that a step is done."""
        if not self.time_left.marks:
            self.time_left.mark(step)
        if self.live is not None:
            self.bar.update(self.task, completed=step)

    def show(self, record: dict[str, Any]) -> None:
        """Shows a record of the log and the time left."""
        self.time_left.mark(record["step"])
        left = f"{duration(self.time_left.seconds())} left"
        if self.live is not None:
            self.bar.update(self.task, description=left)
            self.line.plain = describe(record)
        else:
            self.note(f"step {record['step']}/{self.num_steps} {describe(record)} {left}")


def tracked(items: Sequence[T], name: str, enabled: bool = True, console: Console | None = None) -> Iterator[T]:
    """Gives the items one by one and shows how far that is: a bar on a terminal, a line now and then elsewhere.

    Args:
        items: to be gone through.
        name: of the work.
        enabled: whether to show anything.
        console: for tests; standard error otherwise.
    """
    console = console or Console(stderr=True)
    if not enabled:
        yield from items
    elif console.is_terminal and not console.is_dumb_terminal:
        yield from track(items, name, console=console)
    else:
        said = start = time.monotonic()
        for done, item in enumerate(items, 1):
            yield item
            now = time.monotonic()
            if now - said >= _SECONDS_BETWEEN_LINES or done == len(items):
                left = duration((now - start) / done * (len(items) - done))
                console.print(f"{name}: {done}/{len(items)}, {left} left", markup=False, highlight=False)
                said = now
