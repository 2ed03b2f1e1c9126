"""One piece of work at a time: a bounded queue before a single thread, with progress, cancelling and a time limit.

A device computes one picture at a time: two at once would need twice the memory and be no faster. All methods but the
work itself run in the event loop.
"""

import asyncio
import contextlib
import math
import re
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from temperfill.service.refusals import Refusal, stopping

T = TypeVar("T")
State = Literal["queued", "running", "done", "cancelled", "failed"]
OnProgress = Callable[[int, int], None]

REMEMBERED = 200
"""Ended jobs whose state can still be asked for."""
_NAME = re.compile(r"[A-Za-z0-9-]{8,64}")


class Halted(Exception):
    """Ends work that nobody waits for any more."""


@dataclass(eq=False)
class Job:
    """One request on its way through the queue.

    Attributes:
        state: where it is.
        done: parts of the work that are done.
        total: parts of the work.
        halt: set when the work is to end.
        outcome: of the work, or a refusal; None once the request has its answer.
        future: of the work in the thread, once it was handed over.
        draft: what is shown of the result before it is finished; the client knows what.
        drafts: how many there were.
        counts: whether its time tells how long others have to wait.
    """

    state: State = "queued"
    done: int = 0
    total: int = 1
    halt: threading.Event = field(default_factory=threading.Event)
    outcome: "asyncio.Future[Any] | None" = None
    future: "Future[Any] | None" = None
    draft: Any = None
    drafts: int = 0
    counts: bool = True

    def show(self, draft: Any) -> None:
        """Takes a new draft, in the thread."""
        if not self.halt.is_set():
            self.draft = draft
            self.drafts += 1

    @property
    def has_ended(self) -> bool:
        """Whether the state is final."""
        return self.state in ("done", "cancelled", "failed")


class Jobs:
    """The queue and its thread.

    Args:
        queue: jobs that may wait while one is worked on.
        timeout: seconds that the work of one may take.
    """

    def __init__(self, queue: int, timeout: float) -> None:
        self.queue = queue
        self.timeout = timeout
        self._thread = ThreadPoolExecutor(1, "temperfill-work")
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._places: set[Job] = set()  # admitted, and not at their end in the thread
        self._line: list[Job] = []  # handed to the thread, in order
        self._num_handed = 0  # to the thread, and not at their end
        self._idle = asyncio.Event()
        self._idle.set()
        self._is_stopping = False
        self._mean_seconds = 5.0

    @property
    def num_waiting(self) -> int:
        """Jobs that have a place and are not worked on."""
        return sum(job.state == "queued" for job in self._places)

    @property
    def num_working(self) -> int:
        """Jobs that are worked on."""
        return sum(job.state == "running" for job in self._places)

    def prepare(self, work: Callable[[], T]) -> "Future[T]":
        """Has the thread do something before the first job."""
        future = self._thread.submit(work)
        self._hand(future, self._settle)
        return future

    @contextlib.asynccontextmanager
    async def admit(self, name: str | None) -> AsyncIterator[Job]:
        """A place in the queue, before the body of a request is read: what waits is bounded, and so is what it holds.

        Args:
            name: that the client gave the job, if any.

        Raises:
            Refusal: no place (503), or a name that is malformed or in use (400).
        """
        if name is not None and not _NAME.fullmatch(name):
            raise Refusal(400, "bad_job", "X-Job must have 8 to 64 letters, digits or hyphens")
        known = self._jobs.get(name or "")
        if known is not None and not known.has_ended:
            raise Refusal(400, "bad_job", "X-Job names a job that is still at work; take a new name")
        if self._is_stopping:
            raise stopping()
        if len(self._places) > self.queue:
            wait = str(max(1, math.ceil(self._mean_seconds)))
            raise Refusal(503, "busy", "the queue is full; try again later", {"Retry-After": wait})
        job = Job(outcome=asyncio.get_running_loop().create_future())
        self._places.add(job)
        self._remember(name or secrets.token_hex(16), job)
        try:
            yield job
        finally:
            self._end(job, "failed", Refusal(400, "failed", "the request could not be read"))
            if job.outcome is not None and not job.outcome.cancelled():
                job.outcome.exception()  # looked at, so that asyncio does not report it as forgotten
            job.outcome = None
            if job not in self._line:
                self._places.discard(job)

    async def check(self, job: Job, work: Callable[[], T], gone: Callable[[], Awaitable[object]]) -> T:
        """Has another thread look at what a request brought, before its turn.

        Args:
            job: admitted.
            work: what to do; it goes on in its thread when nobody waits for it any more.
            gone: returns when the client is no longer there.

        Returns:
            What the work gave.

        Raises:
            Refusal: cancelled (409), over the time limit (504), or the service stops (503).
            Exception: what the work raises.
        """
        if job.outcome is None:
            raise RuntimeError("a job can be checked inside its admission only")
        timer = self._limit(job)
        checked, left = asyncio.ensure_future(asyncio.to_thread(work)), asyncio.ensure_future(gone())
        try:
            await asyncio.wait({job.outcome, checked, left}, return_when=asyncio.FIRST_COMPLETED)
            if not checked.done():
                self.cancel(job)
                job.outcome.result()
            return checked.result()
        finally:
            timer.cancel()
            checked.cancel()
            left.cancel()

    async def run(
        self,
        job: Job,
        work: Callable[[OnProgress], T],
        gone: Callable[[], Awaitable[object]],
        counts: bool = True,
    ) -> tuple[T, float]:
        """Waits for the job's turn and its work.

        Args:
            job: admitted.
            work: is called in the thread with a function for its progress, which raises ``Halted`` when the work is to
                end.
            gone: returns when the client is no longer there.
            counts: whether its time tells how long others have to wait; not for work without the network.

        Returns:
            What the work gave, and the seconds that it took.

        Raises:
            Refusal: cancelled (409), over the time limit (504), or the service stops (503).
            Exception: what the work raises.
        """
        if job.outcome is None:
            raise RuntimeError("a job can be run inside its admission only")
        job.counts = counts
        if not job.has_ended:
            self._line.append(job)
            job.future = self._thread.submit(self._work, asyncio.get_running_loop(), job, work)
            self._hand(job.future, lambda: self._leave(job))
        left = asyncio.ensure_future(gone())
        try:
            await asyncio.wait({job.outcome, left}, return_when=asyncio.FIRST_COMPLETED)
            self.cancel(job)
            result: tuple[T, float] = job.outcome.result()
            return result
        finally:
            left.cancel()
            self.cancel(job)

    def cancel(self, job: Job) -> None:
        """Ends a job: at once where it waits, after the part that is being computed where it runs."""
        self._end(job, "cancelled", Refusal(409, "cancelled", "the job was cancelled"))

    def find(self, name: str) -> Job:
        """The job of a name; raises a refusal (404) for none."""
        if name not in self._jobs:
            raise Refusal(404, "no_job", "there is no job of this name, or it ended long ago")
        return self._jobs[name]

    def describe(self, job: Job) -> dict[str, Any]:
        """State and progress as clients see them."""
        ahead = 0
        if job.state == "queued":
            ahead = self._line.index(job) if job in self._line else len(self._line)
        return {"state": job.state, "ahead": ahead, "done": job.done, "total": job.total, "drafts": job.drafts}

    def stop(self, grace: float) -> None:
        """Takes no more jobs, ends those that wait now, and the one at work after ``grace`` seconds."""
        self._is_stopping = True
        for job in list(self._places):
            if job.state == "running":
                asyncio.get_running_loop().call_later(grace, self._end, job, "failed", stopping())
            else:
                self._end(job, "failed", stopping())

    async def close(self, seconds: float) -> bool:
        """Ends everything; whether the thread came to its end within some seconds."""
        self.stop(0)
        for job in list(self._places):
            self._end(job, "failed", stopping())
        self._thread.shutdown(wait=False, cancel_futures=True)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), seconds)
        return self._idle.is_set()

    def _remember(self, name: str, job: Job) -> None:
        self._jobs.pop(name, None)
        self._jobs[name] = job
        ended = [old for old in self._jobs if self._jobs[old].has_ended]
        for old in ended[: max(0, len(ended) - REMEMBERED)]:
            del self._jobs[old]

    def _hand(self, future: "Future[Any]", then: Callable[[], None]) -> None:
        """Counts what the thread has to do, and does something in the loop at its end."""
        loop = asyncio.get_running_loop()
        self._num_handed += 1
        self._idle.clear()
        future.add_done_callback(lambda _: _in_loop(loop, then))

    def _settle(self) -> None:
        self._num_handed -= 1
        if self._num_handed == 0:
            self._idle.set()

    def _work(self, loop: asyncio.AbstractEventLoop, job: Job, work: Callable[[OnProgress], T]) -> tuple[T, float]:
        """Runs in the thread."""

        def on_progress(done: int, total: int) -> None:
            if job.halt.is_set():
                raise Halted
            job.done, job.total = done, total

        if job.halt.is_set():
            raise Halted
        _in_loop(loop, self._start, job)
        start = time.monotonic()
        return work(on_progress), time.monotonic() - start

    def _start(self, job: Job) -> None:
        if job.has_ended:
            return
        job.state = "running"
        self._limit(job)

    def _limit(self, job: Job) -> asyncio.TimerHandle:
        text = f"the work took longer than the limit of {self.timeout:g} seconds"
        refusal = Refusal(504, "timeout", text)
        return asyncio.get_running_loop().call_later(self.timeout, self._end, job, "failed", refusal)

    def _leave(self, job: Job) -> None:
        """The thread is done with a job."""
        self._settle()
        self._line.remove(job)
        self._places.discard(job)
        ended, job.future = job.future, None
        if ended is None or ended.cancelled() or isinstance(ended.exception(), Halted):
            self.cancel(job)
        elif error := ended.exception():
            self._end(job, "failed", error)
        else:
            if job.counts:
                self._mean_seconds += (ended.result()[1] - self._mean_seconds) / 4
            self._end(job, "done", ended.result())

    def _end(self, job: Job, state: State, outcome: Any) -> None:
        """Gives a job its final state, unless it has one."""
        if job.has_ended:
            return
        job.state = state
        job.draft = None
        job.halt.set()
        if job.future is not None:
            job.future.cancel()  # where it waits in the thread's queue
        if job.outcome is not None and not job.outcome.done():
            if isinstance(outcome, BaseException):
                job.outcome.set_exception(outcome)
            else:
                job.outcome.set_result(outcome)


def _in_loop(loop: asyncio.AbstractEventLoop, function: Callable[..., None], *arguments: Any) -> None:
    with contextlib.suppress(RuntimeError):  # the loop has ended, and nobody waits
        loop.call_soon_threadsafe(function, *arguments)
