"""The progress of a long job: a bar on a terminal, on standard error; a line of the log now and then elsewhere.

The bar is drawn by rich, which comes with the extra torch; without it a terminal gets lines, too.
"""

import contextlib
import logging
import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

from temperfill.errors import printable

if TYPE_CHECKING:
    from rich.console import Console, Group
    from rich.live import Live

log = logging.getLogger("temperfill")
_WINDOW = 50
"""Marks over which the time left is estimated."""
_SECONDS_BETWEEN_LINES = 10.0
"""Between plain lines, where there is no terminal."""
T = TypeVar("T")


class TimeLeft:
    """Estimates the time left from the latest pace of this start, so that a resumed job is right too.

    Args:
        num_steps: at which the job ends.
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
    """A time as people say it, such as "2 h 05 min"."""
    minutes = round(seconds / 60)
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


class Display:
    """Shows the progress of a job while it is entered.

    A terminal gets ``name done/total``, a bar and, once there is a pace, the time left, and the details in a line
    below. Elsewhere the logger ``temperfill`` gets the same in plain lines, ten seconds apart or when the caller says
    so; before anything is done they say the name alone.

    Args:
        name: of what is done, such as "filling".
        total: at which it ends; None if the first call of :meth:`show` gives it.
        start: what is done already.
        deadline: time of ``time.monotonic`` at which it ends anyway.
        transient: whether bar and details leave the terminal at the end.
        console: for tests; standard error otherwise.
    """

    def __init__(
        self,
        name: str,
        total: int | None = None,
        start: int = 0,
        *,
        deadline: float = math.inf,
        transient: bool = True,
        console: "Console | None" = None,
    ) -> None:
        self.name = name
        self.total = total
        self.time_left = TimeLeft(total or 0, deadline)
        self.said = time.monotonic()
        self.live: Live | None = None
        if console is not None or find_spec("rich") is not None:
            self._draw(console, start, transient)

    def _draw(self, console: "Console | None", start: int, transient: bool) -> None:
        """Prepares the bar, where there is a terminal."""
        from rich.console import Console
        from rich.live import Live
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
        from rich.progress import Progress as Bar
        from rich.text import Text

        self.console = console or Console(stderr=True)
        if self.console.is_terminal and not self.console.is_dumb_terminal:
            columns = (TextColumn(self.name), MofNCompleteColumn(), BarColumn(None), TextColumn("{task.description}"))
            self.bar = Bar(*columns, console=self.console, expand=True)
            self.task = self.bar.add_task("", total=self.total, completed=start)
            self.line = Text()
            self.live = Live(get_renderable=self._view, console=self.console, refresh_per_second=4, transient=transient)

    def _view(self) -> "Group":
        """The bar, and the details in a line of their own, as they rarely fit beside it."""
        from rich.console import Group

        return Group(self.bar, self.line) if self.line else Group(self.bar)

    def __enter__(self) -> "Display":
        if self.live is not None:
            self.live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        if self.live is not None:
            self.live.stop()

    def note(self, text: str) -> None:
        """Shows a message for good, above the bar; it is one line."""
        text = printable(text)
        if self.live is not None:
            self.console.print(text, markup=False, highlight=False, soft_wrap=True)
        else:
            log.info("%s", text)

    def move(self, done: int) -> None:
        """Moves the bar alone, for steps between two calls of :meth:`show`."""
        if not self.time_left.marks:
            self.time_left.mark(done)
        if self.live is not None:
            self.bar.update(self.task, completed=done)

    def show(self, done: int, details: str = "", *, total: int | None = None, now: bool = False) -> None:
        """Shows how much is done, and the time left.

        Args:
            done: steps, pictures or windows.
            details: what else there is to know by now.
            total: at which the job ends, where that was not known before.
            now: whether a plain line is due, however long ago the last one was.
        """
        if total is not None:
            self.total = self.time_left.num_steps = total
        self.time_left.mark(done)
        seconds = self.time_left.seconds()
        left = "" if math.isnan(seconds) else f"{duration(seconds)} left"
        if self.live is not None:
            self.bar.update(self.task, completed=done, total=self.total, description=left)
            self.line.plain = details
        elif now or (time.monotonic() >= self.said + _SECONDS_BETWEEN_LINES and done != self.total):
            self.said = time.monotonic()
            begun = f"{self.name} {done}/{self.total}" if done else f"{self.name} …"
            self.note(", ".join(part for part in (begun, details, left) if part))


def tracked(items: Sequence[T], name: str, enabled: bool = True, console: "Console | None" = None) -> Iterator[T]:
    """Gives the items one by one and shows the progress.

    Args:
        items: to be gone through.
        name: of what is done with them.
        enabled: whether to show anything.
        console: for tests; standard error otherwise.
    """
    if not enabled:
        yield from items
        return
    with Display(name, len(items), console=console) as display:
        for done, item in enumerate(items, 1):
            yield item
            display.show(done)


@contextlib.contextmanager
def reported(name: str) -> Iterator[Callable[[int, int], None]]:
    """A callback that shows the progress of a job; it takes what is done, and the total.

    Args:
        name: of what is done.
    """
    with Display(name) as display:
        yield lambda done, total: display.show(done, total=total)
