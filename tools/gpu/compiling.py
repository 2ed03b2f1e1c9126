"""Whether compiling pays: a second process compiles and times a step, while training goes on without."""

import multiprocessing
import os
import time
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch

from temperfill.config import RunConfig
from temperfill.train.networks import Networks
from temperfill.train.step import Stepper

from .drawing import Draws, to_batch

AGAIN = 0.5
"""Part of the time of compiling that doing it again takes, once its results are kept; a cautious guess."""
_STEPS = 10
_LIMIT = 15 * 2**20  # bytes of the file of kept results


def fabric_on(device: str, precision: str) -> Any:
    """Fabric on one device; ``cpu`` or ``cuda``."""
    try:
        from lightning_fabric import Fabric
    except ImportError:
        from lightning.fabric import Fabric
    return Fabric(accelerator=device, devices=1, precision="bf16-mixed" if precision == "bf16" else "32-true")


def wait_for(device: torch.device) -> None:
    """Until the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def load_kept(path: Path) -> bool:
    """Takes over the results of another session's compiling; whether there are any."""
    if not path.is_file():
        return False
    return torch.compiler.load_cache_artifacts(path.read_bytes()) is not None


def pays(plain: float, compiled: float, compile_seconds: float, seconds_left: float) -> bool:
    """Whether compiling now gives more steps in the seconds that are left.

    Args:
        plain: seconds of a step.
        compiled: seconds of a compiled step.
        compile_seconds: that compiling took the first time.
        seconds_left: of training.
    """
    return (seconds_left - AGAIN * compile_seconds) / compiled > seconds_left / plain


class Probe:
    """The second process.

    Args:
        config: of the run.
        device: ``cpu`` or ``cuda``.
        draws: of the run.
        kept: file of what an earlier compiling left, and that this one writes.

    Attributes:
        outcome: what became of it, in words; empty while it runs.
        compile_seconds: that compiling took, the first steps included.
        step_seconds: of a compiled step.
    """

    def __init__(self, config: RunConfig, device: str, draws: Draws, kept: Path) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_time_compiled, args=(theirs, config, device, draws, kept), daemon=True)
        self.process.start()
        theirs.close()
        self.outcome = ""
        self.compile_seconds = self.step_seconds = 0.0

    def poll(self, device: torch.device) -> bool:
        """Whether it has just been timed; the caller's device is idle meanwhile."""
        if self.outcome or not self.connection.poll():
            return False
        try:
            self.compile_seconds = self.connection.recv()
            wait_for(device)
            self.connection.send("go")
            self.step_seconds = self.connection.recv()
        except EOFError:
            self.outcome = "the process that compiles ended without a word; its errors are above"
            return False
        self.outcome = "timed"
        return True

    def close(self, outcome: str) -> None:
        """Ends it, if it has not ended by itself; compiling that is done is written down first."""
        self.outcome = self.outcome or outcome
        if self.outcome == "timed":
            self.process.join(10)
        if self.process.is_alive():
            self.process.kill()
        self.process.join()


def _time_compiled(connection: Connection, config: RunConfig, device: str, draws: Draws, kept: Path) -> None:
    """Compiles a step, says how long it took, waits for the word, times further steps, and keeps the results."""
    os.nice(5)  # training goes on meanwhile
    began = time.monotonic()
    load_kept(kept)
    fabric = fabric_on(device, config.precision)
    config = replace(config, machine=replace(config.machine, compile=True))
    stepper = Stepper(config, Networks(config).to(fabric.device), fabric)
    pictures = torch.randint(0, 256, (draws.pictures, 3, draws.side, draws.side), dtype=torch.uint8)[:64]
    draw = draws[0]
    batch = to_batch(draw._replace(index=draw.index % len(pictures)), pictures.to(fabric.device), 0)
    for step in (0, config.loss.adversarial_start):
        stepper(batch, step)
    wait_for(fabric.device)
    connection.send(time.monotonic() - began)
    connection.recv()
    began = time.monotonic()
    count = _STEPS if device == "cuda" else 1
    for _ in range(count):
        stepper(batch, config.loss.adversarial_start)
    wait_for(fabric.device)
    connection.send((time.monotonic() - began) / count)
    results = torch.compiler.save_cache_artifacts()
    if results is not None and len(results[0]) <= _LIMIT:
        kept.write_bytes(results[0])
