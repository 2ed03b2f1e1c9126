"""The job on one machine: several pictures at once, the network always busy, memory bounded.

Each thread takes a picture from its file to its result. Of those threads only some may be in the network at a time; the
others read, decode, encode and write meanwhile. On a CPU each call of the network gets its share of the cores: several
pictures side by side use them better than one picture that is spread over all of them.
"""

import math
import os
import queue
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager

from temperfill.bulk.manifest import Done
from temperfill.bulk.matching import Task
from temperfill.bulk.work import FAILURES, BulkJob, Outcome, WarningsByThread, Work, failure
from temperfill.extras import cores, has_torch
from temperfill.inpainter import Inpainter

MOST_AT_ONCE = 4
"""Pictures in the network at once on a CPU, unless asked otherwise: each may need about a gigabyte."""
_AHEAD = 2  # threads beyond those in the network, which read and write meanwhile
_PIXELS = 48_000_000  # decoded at once; a larger picture is worked on alone
_WAIT = 0.5  # seconds after which the main thread looks around, as some systems hold signals back while it waits
_PATIENCE = 3.0  # seconds for files of a job that is to end; a network drive may never answer
# Their libraries keep the state of a call in variables of the process.
_ONE_AT_A_TIME = frozenset({"patchmatch"})


class Stopped(Exception):
    """The job is to end; the picture at hand is dropped."""


def at_once(inpainter: Inpainter, job: BulkJob, asked: int) -> int:
    """Pictures that may be in the network at once.

    Args:
        inpainter: that fills them.
        job: what is asked of it.
        asked: 0 chooses by the number of cores.
    """
    if inpainter.method.name in _ONE_AT_A_TIME:
        return 1
    if asked:
        return asked
    # Where all of a large picture is computed, one call may need all memory.
    heavy = "full" in (job.settings.filling.strategy, job.settings.filling.context)
    return 1 if heavy or inpainter.device.type != "cpu" else min(_threads(), MOST_AT_ONCE)


def outcomes(
    job: BulkJob, inpainter: Inpainter, tasks: Sequence[Task], done: Done, fillers: int, stop: threading.Event
) -> Generator[Outcome, None, None]:
    """Works through tasks, and gives the outcome of each as soon as it is known.

    Args:
        job: what is the same for all.
        inpainter: fills the pictures.
        tasks: to do.
        done: earlier results.
        fillers: pictures in the network at once.
        stop: when set, pictures at hand are finished or dropped, and no other is begun.
    """
    results: queue.Queue[Outcome | BaseException | None] = queue.Queue()
    ahead = _AHEAD if inpainter.device.type == "cpu" else min(os.cpu_count() or 1, 8)
    crew = _Crew(Work(job), inpainter, tasks, done, fillers, stop)
    threads = [threading.Thread(target=crew.work, args=(results,), daemon=True) for _ in range(fillers + ahead)]
    with _cores_shared(inpainter, fillers), crew.notes.heard():
        for thread in threads:
            thread.start()
        try:
            left = len(threads)
            while left:
                try:
                    result = results.get(timeout=_WAIT)
                except queue.Empty:
                    if crew.has_only_waiters(left):
                        return
                    continue
                if isinstance(result, BaseException):
                    raise result
                if result is None:
                    left -= 1
                else:
                    yield result
        finally:
            crew.abandoned = True


class _Crew:
    """What the threads share."""

    def __init__(
        self,
        work: Work,
        inpainter: Inpainter,
        tasks: Sequence[Task],
        done: Done,
        fillers: int,
        stop: threading.Event,
    ) -> None:
        self.steps = work
        self.inpainter = inpainter
        self.tasks = iter(tasks)
        self.done = done
        self.stop = stop
        self.abandoned = False
        self.lock = threading.Lock()
        self.network = threading.Semaphore(fillers)
        self.room = _Room(_PIXELS)
        self.notes = WarningsByThread()
        self.waiting: set[int] = set()  # threads that read or write files
        self.ends_at = math.inf

    def has_only_waiters(self, left: int) -> bool:
        """Whether the job is to end, and all threads left wait for files that do not come; they end with the process.

        Args:
            left: threads that are not at their end.
        """
        if self.stop.is_set():
            self.ends_at = min(self.ends_at, time.monotonic() + _PATIENCE)
        return time.monotonic() > self.ends_at and len(self.waiting) == left

    @contextmanager
    def _with_files(self) -> Iterator[None]:
        self.waiting.add(threading.get_ident())
        try:
            yield
        finally:
            self.waiting.discard(threading.get_ident())

    def work(self, results: "queue.Queue[Outcome | BaseException | None]") -> None:
        """Takes tasks until none is left; None at the end."""
        _threads()  # from now on this thread's own, whatever others set while they copy texture
        try:
            while not self.is_over():
                with self.lock:
                    task = next(self.tasks, None)
                if task is None:
                    break
                results.put(self._do(task))
        except Stopped:
            pass
        except BaseException as error:  # a fault of the program, which the main thread is to raise
            results.put(error)
        results.put(None)

    def _do(self, task: Task) -> Outcome:
        self.notes.take()
        try:
            with self._with_files():
                files = self.steps.read(task, self.done.get(task.output, []))
            if isinstance(files, Outcome):
                return files
            with self.room.taken(files.pixels):
                picture, hole, avoid = self.steps.decode(files)
                with self.network:
                    self._go_on(0, 1)
                    result = self.steps.fill(self.inpainter, picture, hole, self._go_on, avoid)
                with self._with_files():
                    return self.steps.write(files, result, self.notes.take())
        except FAILURES as error:
            return failure(task, error, self.notes.take())

    def is_over(self) -> bool:
        """Whether nothing is to be begun any more."""
        return self.abandoned or self.stop.is_set()

    def _go_on(self, done: int, total: int) -> None:
        if done < total and self.is_over():
            raise Stopped


class _Room:
    """A number of pixels that are shared by those who work on them.

    Args:
        pixels: in all.
    """

    def __init__(self, pixels: int) -> None:
        self.pixels = pixels
        self.used = 0
        self.changed = threading.Condition()

    @contextmanager
    def taken(self, pixels: int) -> Iterator[None]:
        """Waits until so many pixels are free, or all of them where more are asked for."""
        with self.changed:
            self.changed.wait_for(lambda: self.used == 0 or self.used + pixels <= self.pixels)
            self.used += pixels
        try:
            yield
        finally:
            with self.changed:
                self.used -= pixels
                self.changed.notify_all()


@contextmanager
def _cores_shared(inpainter: Inpainter, fillers: int) -> Iterator[None]:
    """Gives each of several calls at once its share of the cores."""
    if not has_torch():  # onnxruntime shares one crew of threads among all calls
        yield
        return
    import torch

    before = torch.get_num_threads()
    if inpainter.device.type == "cpu":
        torch.set_num_threads(max(before // fillers, 1))  # for threads that start from here on
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _threads() -> int:
    """Those that one call computes on."""
    if not has_torch():
        return cores()
    import torch

    return torch.get_num_threads()
