"""The same job on Ray: workers anywhere in a cluster read, fill and write; what they did comes back here.

Ray Data starts a worker again that dies, and hands out anew what it had not reported. A result is written in one step
and is the same each time, so a picture that is filled twice has one result; each is counted once.
"""

import dataclasses
import json
import logging
import os
import signal
import threading
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

from temperfill.bulk.manifest import Done
from temperfill.bulk.matching import Task
from temperfill.bulk.work import FAILURES, BulkJob, Outcome, WarningsByThread, Work, failure
from temperfill.places import Folder, LocalFolder

TOGETHER = 4
"""Tasks that are handed to a worker, and reported by it, at a time; with a worker that dies they are done again."""
_MOST_BLOCKS = 20_000


def outcomes(
    job: BulkJob, tasks: Sequence[Task], done: Done, workers: int, stop: threading.Event
) -> Generator[Outcome, None, None]:
    """Works through tasks, and gives the outcome of each once, as soon as it is known.

    The cluster is that of the environment variable RAY_ADDRESS; without one, Ray is started on this machine.

    Args:
        job: what is the same for all; its folders must be there for every worker.
        tasks: to do.
        done: earlier results.
        workers: processes; 0 for one on each GPU, or on each core in a cluster without.
        stop: when set, no more outcomes are waited for.

    Raises:
        ModuleNotFoundError: Ray is not installed.
        ValueError: more workers than the cluster can have, or workers that cannot start.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray would report its use over the network
    import ray
    from ray.data.exceptions import UserCodeException

    was_there = ray.is_initialized()
    try:
        if not was_there:
            _start()
        seen: set[str] = set()
        for row in _dataset(_absolute(job), tasks, done, workers).iter_rows():
            outcome = _from_json(row["outcome"])
            if outcome.task.output not in seen:
                seen.add(outcome.task.output)
                yield outcome
            if stop.is_set():
                return
    except (ray.exceptions.RayError, UserCodeException) as error:
        raise ValueError(f"the workers of Ray failed: {_cause(error)}") from error
    finally:
        if not was_there:
            ray.shutdown()


def _start() -> None:
    """Connects to the cluster, or starts one here, and leaves signals to those who had them before.

    Raises:
        OSError: the cluster does not answer.
        ValueError: it refuses, or cannot be started.
    """
    import ray

    numbers = (signal.SIGINT, signal.SIGTERM)
    handlers = {number: signal.getsignal(number) for number in numbers}
    try:
        ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    except RuntimeError as error:
        raise ValueError(f"Ray cannot be started or joined: {_cause(error)}") from error
    if threading.current_thread() is threading.main_thread():
        for number, handler in handlers.items():  # Ray's own ends the process at once, with a trace
            signal.signal(number, handler)


def _dataset(job: BulkJob, tasks: Sequence[Task], done: Done, workers: int) -> Any:
    """The tasks as a dataset of Ray whose rows become outcomes when it is read."""
    import ray

    resources = ray.cluster_resources()
    with_gpu = job.device.startswith("cuda") or (job.device == "auto" and resources.get("GPU", 0) >= 1)
    kind = "GPU" if with_gpu else "CPU"
    most = int(resources.get(kind, 0))
    if not 1 <= (workers or most) <= most:
        raise ValueError(f"{workers or 'some'} workers were asked for, but the cluster has {most} {kind}s")
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    rows = [{"task": _to_json(task, done.get(task.output, []))} for task in tasks]
    blocks = min(-(-len(rows) // TOGETHER), _MOST_BLOCKS)
    needs: dict[str, Any] = {"num_cpus": 1} | ({"num_gpus": 1} if with_gpu else {})
    worker: Any = _Worker
    return ray.data.from_items(rows, override_num_blocks=blocks).map(
        worker, fn_constructor_args=(job,), concurrency=min(workers or most, blocks), **needs
    )


class _Worker:
    """Fills pictures in a process of Ray, which gives it as many threads as cores.

    Args:
        job: what is the same for all.
    """

    def __init__(self, job: BulkJob) -> None:
        self.work = Work(job)
        self.inpainter = job.load()
        self.notes = WarningsByThread()

    def __call__(self, row: dict[str, str]) -> dict[str, str]:
        """A task to its outcome."""
        given = json.loads(row["task"])
        with self.notes.heard():
            outcome = self._do(Task(**given["task"]), [tuple(known) for known in given["known"]])
        return {"outcome": json.dumps(dataclasses.asdict(outcome))}

    def _do(self, task: Task, known: list[tuple[str, str, int]]) -> Outcome:
        self.notes.take()
        try:
            files = self.work.read(task, known)
            if isinstance(files, Outcome):
                return files
            picture, hole, avoid = self.work.decode(files)
            filled = self.work.fill(self.inpainter, picture, hole, avoid=avoid)
            return self.work.write(files, filled, self.notes.take())
        except FAILURES as error:
            return failure(task, error, self.notes.take())


def _absolute(job: BulkJob) -> BulkJob:
    """The job with paths that mean the same in a process with another current folder."""

    def absolute(place: Folder) -> Folder:
        return LocalFolder(place.root.absolute()) if isinstance(place, LocalFolder) else place

    path = Path(job.settings.model)
    model = str(path.absolute()) if path.is_file() else job.settings.model
    return dataclasses.replace(
        job,
        pictures=absolute(job.pictures),
        masks=absolute(job.masks),
        output=absolute(job.output),
        shunned=None if job.shunned is None else absolute(job.shunned),
        settings=dataclasses.replace(job.settings, model=model),
    )


def _to_json(task: Task, known: list[tuple[str, str, int]]) -> str:
    return json.dumps({"task": dataclasses.asdict(task), "known": known})


def _from_json(text: str) -> Outcome:
    values = json.loads(text)
    return Outcome(**values | {"task": Task(**values["task"]), "notes": tuple(values["notes"])})


def _cause(error: BaseException) -> str:
    """The innermost reason, which stands in the last line."""
    lines = [line.strip() for line in str(error.__cause__ or error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
