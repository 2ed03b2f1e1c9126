"""Several processes that train one run, started as torchrun starts them; what each says goes to a file."""

import faulthandler
import multiprocessing
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from temperfill.config import RunConfig


def start(
    config: RunConfig, run: Path, world: int, fault: Callable[..., None] | None = None, score: Any = None
) -> list[BaseProcess]:
    """Starts all ranks; ``fault(rank)`` is called in each before it trains."""
    # Each process starts with the modules loaded, which takes seconds otherwise.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["temperfill.train"])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    processes = [
        context.Process(target=_rank, args=(rank, world, port, config, run, fault, score)) for rank in range(world)
    ]
    for process in processes:
        process.start()
    return processes  # type: ignore[return-value]


def finish(processes: list[BaseProcess], seconds: float = 120) -> list[int | None]:
    """Exit codes; processes that are still there are killed, and have none."""
    deadline = time.monotonic() + seconds
    for process in processes:
        process.join(max(deadline - time.monotonic(), 0))
    codes = [process.exitcode for process in processes]
    for process in processes:
        process.kill()
        process.join()
    return codes


def said(run: Path, rank: int) -> str:
    """What a rank wrote to standard error."""
    return run.with_name(f"{run.name}.{rank}.txt").read_text()


def _rank(
    rank: int,
    world: int,
    port: int,
    config: RunConfig,
    run: Path,
    fault: Callable[..., None] | None,
    score: Any,
) -> None:
    places = {"RANK": rank, "LOCAL_RANK": rank, "GROUP_RANK": 0, "WORLD_SIZE": world, "LOCAL_WORLD_SIZE": world}
    os.environ.update({name: str(value) for name, value in places.items()})
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), TORCHELASTIC_RUN_ID="test", OMP_NUM_THREADS="1")
    sys.stderr = run.with_name(f"{run.name}.{rank}.txt").open("w", buffering=1)
    faulthandler.enable(sys.stderr)
    from temperfill.cli.parsing import logged
    from temperfill.train import train

    if fault is not None:
        fault(rank)
    try:
        with logged():
            train(config, run, score)
    except KeyboardInterrupt:
        sys.exit(130)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


def _at_step(number: int, action: Callable[[], None]) -> None:
    """Does something before the update of a step, counted from 0."""
    from temperfill.train.step import Stepper

    update = Stepper.__call__

    def replaced(self: Stepper, batch: Any, step: int) -> Any:
        if step == number:
            action()
        return update(self, batch, step)

    Stepper.__call__ = replaced  # type: ignore[method-assign]


def in_double(_: int) -> None:
    """Training in float64. In fp32, Adam makes steps of full length out of gradients that are rounding alone."""
    import torch

    import temperfill.train.loop as training
    from temperfill.data import Batch
    from temperfill.train.networks import Networks

    to, move, plain = Networks.to, training._to, torch.Tensor.float

    def double(self: Networks, device: torch.device) -> Networks:
        for part in self._parts().values():
            if isinstance(part, torch.nn.Module):
                part.double()
        return to(self, device)

    def double_batch(batch: Batch, device: torch.device) -> Batch:
        return Batch(*(x.double() if x.is_floating_point() else x for x in move(batch, device)))

    Networks.to = double  # type: ignore[method-assign]
    training._to = double_batch
    torch.Tensor.float = lambda x: x if x.dtype == torch.float64 else plain(x)  # type: ignore[assignment,method-assign]


def interrupted_at_2(rank: int) -> None:
    """Rank 1 alone gets the signal."""
    if rank == 1:
        _at_step(1, lambda: os.kill(os.getpid(), signal.SIGTERM))


def interrupted_twice_at_2(rank: int) -> None:
    """Every rank gets the signal, and torchrun passes it on once more."""

    def twice() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    _at_step(1, twice)


def failing_at_3(rank: int) -> None:
    """Rank 1 meets an error that the others know nothing of."""

    def fail() -> None:
        raise ValueError("its disk is on fire")

    if rank == 1:
        _at_step(2, fail)


def killed_at_3(rank: int) -> None:
    """Rank 1 is killed without a word."""
    if rank == 1:
        _at_step(2, lambda: os.kill(os.getpid(), signal.SIGKILL))


def main_killed_at_3(rank: int) -> None:
    """Rank 0 is killed without a word."""
    if rank == 0:
        _at_step(2, lambda: os.kill(os.getpid(), signal.SIGKILL))


def main_fails_to_save(rank: int) -> None:
    """Rank 0 finds the disk full."""
    import temperfill.train.loop

    def save(*_: Any) -> None:
        raise OSError(28, "No space left on device", "state.pt")

    temperfill.train.loop.save_state = save  # type: ignore[attr-defined]


def stuck_at_3(rank: int) -> None:
    """Rank 1 fails, and rank 0 waits where no failing connection wakes it, as NCCL does."""

    def wait() -> None:
        time.sleep(600)

    def fail() -> None:
        raise ValueError("its disk is on fire")

    _at_step(2, fail if rank == 1 else wait)


def counted_score(_: Any) -> dict[str, float]:
    """A validation that gets worse; only rank 0 may be asked."""
    if os.environ["RANK"] != "0":
        raise AssertionError("only rank 0 validates")
    counted_score.calls = getattr(counted_score, "calls", 0) + 1  # type: ignore[attr-defined]
    return {"loss": float(counted_score.calls)}  # type: ignore[attr-defined]
