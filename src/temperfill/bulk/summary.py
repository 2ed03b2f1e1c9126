"""What became of a job: counts, failures, rate; as it goes on, and as ``report.json`` at its end."""

import platform
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import PIL
import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn
from rich.progress import Progress as Bar

from temperfill import __version__
from temperfill.bulk.matching import Plan
from temperfill.bulk.work import Outcome
from temperfill.progress import TimeLeft, duration

_INTERVAL = 10.0  # seconds between plain lines
_SHOWN = 20  # failures shown as they come
_LISTED = 1000  # masks without a picture, and notes, in the report


@dataclass
class Summary:
    """Counts and failures of a job.

    Attributes:
        plan: of this part of the job.
        skip_unmasked: whether a picture without a mask is no failure.
        counts: tasks by status.
        failures: task, or picture without a mask, and the reason.
        notes: warnings of a picture.
        interrupted: whether a signal ended the job.
        stopped: why it ended before all was tried; empty otherwise.
        start: time by the clock.
        seconds: that the job took, once it has ended.
    """

    plan: Plan
    skip_unmasked: bool = False
    counts: Counter[str] = field(default_factory=Counter)
    failures: list[dict[str, str]] = field(default_factory=list)
    notes: list[dict[str, str]] = field(default_factory=list)
    interrupted: bool = False
    stopped: str = ""
    start: float = field(default_factory=time.monotonic)
    seconds: float = 0.0

    def __post_init__(self) -> None:
        """Counts the pictures without a mask."""
        if not self.skip_unmasked:
            self.failures += [{"picture": name, "reason": "there is no mask for it"} for name in self.plan.unmasked]

    def add(self, outcome: Outcome) -> None:
        """Counts an outcome."""
        self.counts[outcome.status] += 1
        task = {"picture": outcome.task.picture, "mask": outcome.task.mask}
        if outcome.status == "failed":
            self.failures.append(task | {"output": outcome.task.output, "reason": outcome.reason})
        for note in outcome.notes:
            if len(self.notes) < _LISTED:
                self.notes.append(task | {"note": note})
        if outcome.is_last:
            self.stop(outcome.reason)

    def stop(self, reason: str) -> None:
        """Notes why the job cannot go on; what came first is told."""
        self.stopped = self.stopped or reason

    def end(self, interrupted: bool) -> None:
        """Stops the clock; a signal counts as an interruption if something is left to do."""
        self.seconds = time.monotonic() - self.start
        self.interrupted = interrupted and self.seen < len(self.plan.tasks)

    @property
    def state(self) -> str:
        """Running, done (with or without failures), interrupted or stopped."""
        if self.stopped:
            return "stopped"
        if self.interrupted:
            return "interrupted"
        return "done" if self.seconds else "running"

    @property
    def done(self) -> int:
        """Results that are in their place."""
        return self.counts["filled"] + self.counts["skipped"]

    @property
    def seen(self) -> int:
        """Tasks with an outcome."""
        return sum(self.counts.values())

    @property
    def failed(self) -> bool:
        """Whether any picture has no result that should have one."""
        return bool(self.failures) or bool(self.stopped)

    @property
    def rate(self) -> float:
        """Pictures filled in a second."""
        return self.counts["filled"] / max(self.seconds or time.monotonic() - self.start, 1e-9)

    def line(self) -> str:
        """The job in one line."""
        parts = [f"{self.counts['filled']} filled"]
        parts += [f"{self.counts[name]} {text}" for name, text in _COUNTED if self.counts[name]]
        parts += [f"{len(self.plan.unmasked)} without a mask"] if self.plan.unmasked else []
        left = len(self.plan.tasks) - self.seen
        parts += [f"{left} not tried"] if left else []
        return f"{', '.join(parts)}; {self.seconds:.1f} s, {self.rate:.2f} images/s"

    def report(self, **told: Any) -> dict[str, Any]:
        """All of it as plain values.

        Args:
            told: what else is to stand at its beginning.
        """
        counts = {
            "pictures": self.plan.pictures,
            "results": len(self.plan.tasks),
            "filled": self.counts["filled"],
            "skipped": self.counts["skipped"],
            "failed": self.counts["failed"],
            "unmasked": len(self.plan.unmasked),
            "not_tried": len(self.plan.tasks) - self.seen,
            "unused_masks": len(self.plan.unused),
            "other_files": self.plan.ignored,
        }
        return told | {
            "versions": versions(),
            "state": self.state,
            "stopped": self.stopped,
            "seconds": round(self.seconds, 3),
            "images_per_second": round(self.rate, 4),
            "counts": counts,
            "failures": self.failures,
            "unmasked": list(self.plan.unmasked),
            "unused_masks": list(self.plan.unused[:_LISTED]),
            "notes": self.notes,
        }


_COUNTED = (("skipped", "done before"), ("failed", "failed"))


def versions() -> dict[str, str]:
    """Versions of what made the results."""
    return {
        "temperfill": __version__,
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "numpy": np.__version__,
        "pillow": PIL.__version__,
    }


class Display:
    """Shows how far a job is while it is entered: a bar on a terminal, a line now and then elsewhere.

    Args:
        summary: that is shown.
        console: for tests; standard error otherwise.
    """

    def __init__(self, summary: Summary, console: Console | None = None) -> None:
        self.summary = summary
        self.total = len(summary.plan.tasks)
        self.time_left = TimeLeft(self.total)
        self.time_left.mark(0)
        self.console = console or Console(stderr=True)
        self.said = time.monotonic()
        self.bar: Bar | None = None
        self.task = TaskID(0)
        if self.console.is_terminal and not self.console.is_dumb_terminal:
            columns = (MofNCompleteColumn(), BarColumn(None), TextColumn("{task.description}"))
            self.bar = Bar(*columns, console=self.console, transient=True)
            self.task = self.bar.add_task("", total=self.total)

    def __enter__(self) -> "Display":
        if self.bar is not None:
            self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.stop()

    def note(self, text: str) -> None:
        """Shows a message for good."""
        if self.bar is not None:
            self.console.print(f"temperfill: {text}", markup=False, highlight=False, soft_wrap=True)
        else:
            print(f"temperfill: {text}", file=sys.stderr, flush=True)

    def show(self, outcome: Outcome) -> None:
        """Shows an outcome that was counted."""
        self.time_left.mark(self.summary.seen)
        if outcome.status == "failed":
            self._complain(outcome)
        if self.bar is not None:
            self.bar.update(self.task, completed=self.summary.seen, description=self._pace())
        elif time.monotonic() > self.said + _INTERVAL and self.summary.seen < self.total:
            self.said = time.monotonic()
            self.note(f"{self.summary.seen} of {self.total}, {self._pace()}")

    def _complain(self, outcome: Outcome) -> None:
        number = self.summary.counts["failed"]
        if number <= _SHOWN:
            named = outcome.task.picture in outcome.reason
            self.note(f"failed: {outcome.reason if named else f'{outcome.task.picture}: {outcome.reason}'}")
        elif number == _SHOWN + 1:
            self.note("further failures are in the report only")

    def _pace(self) -> str:
        failed = f"{self.summary.counts['failed']} failed, " if self.summary.counts["failed"] else ""
        return f"{failed}{self.summary.rate:.2f} images/s, {duration(self.time_left.seconds())} left"
