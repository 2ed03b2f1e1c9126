"""What became of a job: counts, failures, rate; as it goes on, and as ``report.json`` at its end."""

import importlib.metadata
import platform
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import PIL

from temperfill import __version__
from temperfill.bulk.matching import Plan
from temperfill.bulk.work import Outcome
from temperfill.extras import has_torch

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
        """WarningsByThread why the job cannot go on; the first reason is kept."""
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

    def complaint(self, outcome: Outcome) -> str:
        """What to say of an outcome that was counted; empty for a result, and after the first failures."""
        number = self.counts["failed"]
        if outcome.status != "failed" or number > _SHOWN + 1:
            return ""
        if number > _SHOWN:
            return "further failures are in the report only"
        named = outcome.task.picture in outcome.reason
        return f"failed: {outcome.reason if named else f'{outcome.task.picture}: {outcome.reason}'}"

    def pace(self) -> str:
        """Failures and rate, while the job goes on."""
        failed = f"{self.counts['failed']} failed, " if self.counts["failed"] else ""
        return f"{failed}{self.rate:.2f} images/s"

    def line(self) -> str:
        """The job in one line."""
        parts = [f"{self.counts['filled']} filled"]
        parts += [f"{self.counts[name]} {text}" for name, text in _COUNTED if self.counts[name]]
        parts += [f"{len(self.plan.unmasked)} without a mask"] if self.plan.unmasked else []
        left = len(self.plan.tasks) - self.seen
        parts += [f"{left} not tried"] if left else []
        return f"{', '.join(parts)}; {self.seconds:.1f} s, {self.rate:.2f} images/s"

    def report(self, **head: Any) -> dict[str, Any]:
        """All of it as plain values.

        Args:
            head: what else is to stand at its beginning.
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
        return head | {
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
    """Versions of what made the results; our network is computed by torch, or without it by onnxruntime."""
    engine = "torch" if has_torch() else "onnxruntime"
    return {
        "temperfill": __version__,
        "python": platform.python_version(),
        engine: importlib.metadata.version(engine),
        "numpy": np.__version__,
        "pillow": PIL.__version__,
    }
