"""How far the filling of a picture has come, in calls of the method."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from temperfill.geometry import Box

OnProgress = Callable[[int, int], None]
"""Called with the steps that are done and their number; what it raises ends the work."""
OnDraft = Callable[[Box, NDArray[np.bool_], NDArray[np.float32]], None]
"""Called with the box of a part of the hole in the picture, the part (h, w), True = missing, and about how it will
look, (h, w, 3) in [0, 1]."""

BEAT = 0.1
"""Seconds between two opportunities to end the work, at least."""


@dataclass
class FillProgress:
    """Tells a caller how many of all steps are done.

    A window that is begun again, because memory ran out, counts only up to its last step, so that the number never
    falls and never passes what the window was given.

    Attributes:
        on_progress: whom to tell; None for nobody.
        total: steps of all windows; 1 until they are known.
        done: steps that are done.
        on_draft: whom to show what is not finished; None for nobody.
    """

    on_progress: OnProgress | None
    total: int = 1
    done: int = 0
    _end_of_window: int = 0
    _last_beat: float = field(default_factory=time.monotonic)
    on_draft: OnDraft | None = None

    def begin(self, steps: int) -> None:
        """A window of so many steps begins; the one before is over."""
        self.done = self._end_of_window
        self._end_of_window += steps
        self._tell()

    def advance(self) -> None:
        """A step of the window is over."""
        before, self.done = self.done, min(self.done + 1, self._end_of_window - 1)
        if self.done > before:
            self._tell()

    def beat(self) -> None:
        """The work goes on: now and then an opportunity for the caller to end it."""
        if (now := time.monotonic()) - self._last_beat >= BEAT:
            self._last_beat = now
            self._tell()

    def end(self) -> None:
        """All is done."""
        self.done = self.total
        self._tell()

    def _tell(self) -> None:
        if self.on_progress is not None:
            self.on_progress(self.done, self.total)
