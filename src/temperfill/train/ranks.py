"""The processes that train one run together, as one of them sees the others; one process alone is the simplest case.

Rank 0 speaks and writes for all. A process that fails tells the others why, through a store that rank 0 holds, and
ends. Where they wait for it, gloo then fails at once; where NCCL would wait for hours, a thread that watches the store
ends the process.
"""

import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist

log = logging.getLogger("temperfill")
T = TypeVar("T")

_KEY = "failed"
_POLL = 0.25
"""Seconds between looks at the store."""
_GRACE = 3.0
"""Seconds that a process has to end by itself after another one failed; below the 5 after which Fabric kills it."""
_FAILED = 2


def started_as_main() -> bool:
    """Whether this process will be rank 0, from what launchers set before anything else is known."""
    return all(os.environ.get(name, "0") == "0" for name in ("RANK", "SLURM_PROCID", "NODE_RANK", "LOCAL_RANK"))


def check_started(world: int) -> None:
    """Raises ValueError if torchrun or srun started another number of processes than the run has."""
    names = ("SLURM_STEP_NUM_TASKS", "WORLD_SIZE") if "TORCHELASTIC_RUN_ID" in os.environ else ("SLURM_STEP_NUM_TASKS",)
    for name in names:
        found = os.environ.get(name, str(world))
        if found.isdecimal() and int(found) not in (1, world):
            raise ValueError(
                f"{found} processes were started, but devices times nodes is {world}: give --devices (processes on "
                "each machine) and --nodes (machines)"
            )


class Ranks:
    """The processes of a run.

    Args:
        fabric: launched, where there are several.
        world: how many there are.
    """

    def __init__(self, fabric: Any, world: int) -> None:
        self.fabric = fabric
        self.world = world
        self.rank: int = fabric.global_rank if world > 1 else 0

    @property
    def is_main(self) -> bool:
        return self.rank == 0

    def any(self, *flags: bool) -> list[bool]:
        """For each flag, whether it is set in any process."""
        if self.world == 1:
            return list(flags)
        total = self.fabric.all_reduce(torch.tensor(flags, device=self.fabric.device).float(), reduce_op="sum")
        return [bool(value) for value in total.tolist()]

    def gather(self, value: T) -> list[T]:
        """The value of every process, in the order of their ranks."""
        if self.world == 1:
            return [value]
        found: list[Any] = [None] * self.world
        dist.all_gather_object(found, value)
        return found

    def share(self, value: T) -> T:
        """The value of rank 0."""
        return value if self.world == 1 else self.fabric.broadcast(value)

    def wait(self) -> None:
        """Until all processes are here."""
        if self.world > 1:
            self.fabric.barrier()


@contextmanager
def ranks_of(fabric: Any, world: int) -> Iterator[Ranks]:
    """The processes of a run, and what happens when one fails.

    In rank 0 errors pass on, with the reason of the process that failed first. The other processes say nothing and end.

    Args:
        fabric: launched, where there are several.
        world: how many there are.

    Raises:
        ChildProcessError: in rank 0, when another process failed.
        SystemExit: in the others, when one failed, or after the interruption of all.
    """
    ranks = Ranks(fabric, world)
    if world == 1:
        yield ranks
        return
    alarm = _Alarm(ranks)
    try:
        yield ranks
        ranks.wait()
    except KeyboardInterrupt:
        if ranks.is_main:
            raise
        # Not the status of an interruption: Fabric kills rank 0, which may not have ended yet, after any but 0.
        raise SystemExit(0) from None
    except (ValueError, OSError) as error:
        alarm.ring(error)
        if ranks.is_main:
            raise
        raise SystemExit(_FAILED) from None
    except RuntimeError as error:
        reason = alarm.heard(error)
        if reason is None:  # a fault of this process
            alarm.ring(error)
            raise
        if ranks.is_main:
            raise ChildProcessError(reason) from None
        if alarm.main_is_gone:
            log.error("rank %d: %s", ranks.rank, reason)
        raise SystemExit(_FAILED) from None
    finally:
        alarm.close()


class _Alarm:
    """Tells the processes of a run that one of them failed and why, and ends those that do not end by themselves."""

    def __init__(self, ranks: Ranks) -> None:
        self.ranks = ranks
        self.main_is_gone = False
        self._closed = threading.Event()
        self._reason: str | None = None
        host, limit = os.environ.get("MASTER_ADDR", "127.0.0.1"), timedelta(seconds=60)
        if ranks.is_main:
            self.store = dist.TCPStore(host, 0, is_master=True, timeout=limit, wait_for_workers=False)
        port = ranks.share(self.store.port if ranks.is_main else 0)
        if not ranks.is_main:
            self.store = dist.TCPStore(host, port, is_master=False, timeout=limit, wait_for_workers=False)
        # Rank 0 may fail at once, and would take the store away from those that have not reached it yet.
        ranks.wait()
        self._thread = threading.Thread(target=self._watch, name="temperfill-alarm", daemon=True)
        self._thread.start()

    def ring(self, error: Exception) -> None:
        """Says that this process fails, unless another one has said so before, and lets the others hear it."""
        text = " ".join(str(error).split()) or type(error).__name__
        try:
            self.store.compare_set(_KEY, "", f"rank {self.ranks.rank}: {text}")
        except RuntimeError:  # rank 0 has ended already
            return
        if not self.ranks.is_main:
            # Fabric kills rank 0 some time after this process ended.
            time.sleep(4 * _POLL if self.ranks.fabric.device.type == "cpu" else _GRACE + 1)

    def heard(self, error: RuntimeError) -> str | None:
        """Why another process failed; None if it did not, so that the error is this one's own."""
        lost = isinstance(error, dist.DistError) or "gloo" in str(error).lower()
        deadline = time.monotonic() + (_GRACE if lost else 0)
        while True:
            reason = self._reason or self._ask()
            if reason is not None or time.monotonic() > deadline:
                break
            time.sleep(_POLL)
        if reason is None and lost:
            reason = "another process of this run ended without a word (killed, or out of memory?)"
        return None if reason is None else f"{reason}; the last saved state is kept"

    def close(self) -> None:
        self._closed.set()
        self._thread.join(2 * _POLL)

    def _ask(self) -> str | None:
        try:
            return self.store.get(_KEY).decode() if self.store.check([_KEY]) else None
        except RuntimeError:
            self.main_is_gone = True
            return "the process of rank 0 ended"

    def _watch(self) -> None:
        while not self._closed.wait(_POLL):
            self._reason = self._ask()
            if self._reason is None:
                continue
            if not self._closed.wait(_GRACE):
                if self.ranks.is_main or self.main_is_gone:
                    log.error("%s; the last saved state is kept", self._reason)
                os._exit(_FAILED)
            return
