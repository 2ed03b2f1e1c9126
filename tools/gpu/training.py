"""Training for a number of seconds, with the package's own update of both networks."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from temperfill.config import DataConfig, MachineConfig, TrainConfig
from temperfill.runs.record import Interval
from temperfill.stopping import stop_on_signal
from temperfill.train.networks import Networks
from temperfill.train.step import Stepper

from . import state
from .compiling import Probe, fabric_on, load_kept, pays, wait_for
from .drawing import Draw, Draws, draws_ahead, to_batch
from .pace import Pace

PAPER = 71.8
"""Batches of 16 a minute that the paper reports for its hinge loss, on its hardware (section IV-E)."""
BATCH_SIZES = (64, 32, 16)
_GIB_A_PICTURE = 0.7
"""GiB of the device for a picture of a batch, with a second process that compiles; counted on paper."""
COMPILED = "compiled.bin"
_MEASURED = 20.0
"""Seconds over which plain steps are timed."""
_PATIENCE = 0.25
"""Share of the time after which a compiling that is not done is given up."""
_LOG_EVERY = 5.0


@dataclass(frozen=True)
class Settings:
    """How a session trains.

    Attributes:
        seconds: of training in this call.
        total: seconds of the whole training, over all sessions; 0 for those done before and these.
        rate: highest learning rate.
        batch_size: pictures in a step; 0 chooses by memory.
        workers: processes that draw.
        compile: ``auto`` where it pays, ``no``.
        save_every: seconds between saves.
        device: ``cpu`` or ``cuda``.
    """

    seconds: float
    total: float = 0.0
    rate: float = 3e-4
    batch_size: int = 0
    workers: int = 8
    compile: str = "auto"
    save_every: float = 60.0
    device: str = "cuda"


def configuration(recipe: TrainConfig, weights: Path, vgg: Path | None, crop_size: int) -> TrainConfig:
    """The run of a recipe at another crop size, with what the clock decides left to the clock."""
    data = DataConfig(
        crop_size=crop_size,
        resize=max(crop_size, recipe.data.resize),
        flip=recipe.data.flip,
        sketch_share=recipe.data.sketch_share,
        sketch_parts=recipe.data.sketch_parts,
    )
    loss = replace(recipe.loss, adversarial_start=1)
    loss = loss if vgg is not None else replace(loss, perceptual_weight=0.0)
    machine = MachineConfig(perceptual_path=vgg)
    return replace(
        recipe, data=data, loss=loss, machine=machine, init_path=weights, schedule="constant", warmup_steps=0
    )


def choose_batch_size(gibibytes: float) -> int:
    """The largest batch that the memory of the device holds."""
    return next((size for size in BATCH_SIZES if size * _GIB_A_PICTURE <= gibibytes), BATCH_SIZES[-1])


def train(
    pictures: Tensor,
    lines: NDArray[np.uint8],
    config: TrainConfig,
    settings: Settings,
    output: Path,
    before: Path | None = None,
) -> dict[str, Any]:
    """Trains, and writes averaged weights, state and log every minute and at the end.

    Args:
        pictures: bytes (N, 3, P, P), on the CPU.
        lines: bits of their sketches, as :class:`Draws` has them.
        config: from :func:`configuration`.
        settings: how.
        output: folder; exists.
        before: folder of an earlier session that this one goes on from.

    Returns:
        Steps, speeds, share of the time spent waiting for draws, and what became of compiling.

    Raises:
        ValueError: a loss is not finite, or inputs do not fit; what was saved last stays.
        OSError: cannot be read or written.
    """
    session = _Session(pictures, lines, config, settings, output, before)
    with stop_on_signal() as stop:
        session.run(stop.is_set)
    return session.report()


class _Session:
    """One training of a number of seconds; arguments as for :func:`train`."""

    def __init__(
        self,
        pictures: Tensor,
        lines: NDArray[np.uint8],
        config: TrainConfig,
        settings: Settings,
        output: Path,
        before: Path | None,
    ) -> None:
        assert config.init_path is not None
        self.settings, self.output, self.origin = settings, output, config.init_path
        self.fabric = fabric_on(settings.device, config.precision)
        self.device: torch.device = self.fabric.device
        if settings.device == "cuda":
            torch.backends.cudnn.benchmark = True
        size = settings.batch_size or choose_batch_size(_gibibytes(self.device))
        self.config = replace(config, batch_size=size, learning_rate=settings.rate)
        self.draws = Draws(len(pictures), pictures.shape[-1], lines, config.data, size, config.seed)
        self.networks = Networks(self.config).to(self.device)
        self.step, self.done, total = 0, 0.0, 0.0
        if before is None:
            self.networks.start_from(config.init_path)
        else:
            self.step, self.done, total = state.load(before, self.networks)
        self.pace = Pace(settings.rate, max(settings.total, total, self.done + settings.seconds))
        # Before the device is used: workers are copies of this process.
        self.source = draws_ahead(self.draws, self.step, settings.workers, self.device.type == "cuda")
        self.first = self.step
        self.log = _Log(output / "log.jsonl")
        self.probe: Probe | None = None
        if settings.compile == "auto":
            self.probe = Probe(self.config, settings.device, self.draws, output / COMPILED)
        self.compiled: dict[str, Any] = {"outcome": "not tried"}
        self.stepper = Stepper(self.config, self.networks, self.fabric)
        self.pictures = pictures.to(self.device)

    def run(self, stopped: Callable[[], bool]) -> None:
        """Steps until the time is over."""
        seconds = self.settings.seconds
        self.start = self.saved = self.measured = time.monotonic()
        self.waited = 0.0
        self.plain: list[float] = []
        last = 0.0
        while (now := time.monotonic() - self.start) + last < seconds and not stopped():
            last = self._step(self.done + now)
            self._consider_compiling(seconds)
            if time.monotonic() - self.saved >= self.settings.save_every:
                self._save()
        if self.probe is not None:
            self.probe.close("given up: training was over")
            self.compiled = self._probed(self.probe)
            self.probe = None
        self._save()

    def _step(self, seconds: float) -> float:
        """One update; gives the seconds it took."""
        began = time.monotonic()
        draw: Draw = next(self.source)
        drawn = time.monotonic()
        batch = to_batch(draw, self.pictures, self.step * self.config.batch_size)
        rate, taken = self.pace.learning_rate(seconds), self.plain[-1] if self.plain else 0.0
        heard = 1 if self.pace.listens(seconds) else 0
        values, temperatures = self.stepper(batch, heard, rate, self.pace.decay(seconds, taken))
        self.step += 1
        self.waited += drawn - began
        taken = time.monotonic() - began
        self.plain.append(taken)
        self.log.add(values, temperatures.numpy(), taken, drawn - began)
        self.log.write(self.config.batch_size, {"step": self.step, "seconds": round(seconds + taken, 2), "rate": rate})
        return taken

    def _consider_compiling(self, seconds: float) -> None:
        """Takes the compiled step, once it is known to be worth it."""
        probe, now = self.probe, time.monotonic() - self.start
        if probe is None:
            return
        timed = probe.poll(self.device)
        if not timed and not probe.outcome and now < _PATIENCE * seconds:
            return
        probe.close(f"given up after {now:.0f} s")
        self.probe, self.compiled = None, self._probed(probe)
        if timed and pays(self._plain_seconds(), probe.step_seconds, probe.compile_seconds, seconds - now):
            load_kept(self.output / COMPILED)
            config = replace(self.config, machine=replace(self.config.machine, compile=True))
            self.stepper = Stepper(config, self.networks, self.fabric)
            self.compiled["taken after"] = round(now, 1)

    def _plain_seconds(self) -> float:
        """Of a step, the median of those of the first seconds; the first few warm up."""
        count = int(np.searchsorted(np.cumsum(self.plain), _MEASURED))
        return float(np.median(self.plain[min(3, len(self.plain) - 1) : max(count, 4)]))

    def _probed(self, probe: Probe) -> dict[str, Any]:
        figures = {
            "plain step": self._plain_seconds() if self.plain else None,
            "compiled step": probe.step_seconds,
            "compiling": probe.compile_seconds,
        }
        return {"outcome": probe.outcome} | figures

    def _save(self) -> None:
        wait_for(self.device)
        self.saved = time.monotonic()
        seconds = self.done + self.saved - self.start
        state.save(self.output, self.networks, self.step, seconds, self.pace.total, self.origin)

    def report(self) -> dict[str, Any]:
        """What :func:`train` returns."""
        taken = np.array(self.plain or [np.nan])
        total = float(taken.sum())
        rate = len(self.plain) * self.config.batch_size / total
        memory = torch.cuda.max_memory_allocated(self.device) / 2**30 if self.device.type == "cuda" else None
        return {
            "steps": [self.first, self.step],
            "seconds": [self.done, self.done + time.monotonic() - self.start],
            "of": self.pace.total,
            "batch size": self.config.batch_size,
            "pictures": len(self.pictures),
            "images a second": rate,
            "batches of 16 a minute": rate * 60 / 16,
            "paper": PAPER,
            "first steps": taken[:3].tolist(),
            "median step of the second half": float(np.median(taken[len(taken) // 2 :])),
            "share of waits": self.waited / total,
            "peak memory, GiB": memory,
            "compiling": self.compiled,
        }


class _Log:
    """Lines of JSON, a few seconds apart."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.interval = Interval()
        self.waited = 0.0
        self.written = time.monotonic()

    def add(self, values: dict[str, float], temperatures: NDArray[Any], seconds: float, waited: float) -> None:
        self.interval.add(values, temperatures, seconds)
        self.waited += waited

    def write(self, batch_size: int, head: dict[str, Any]) -> None:
        if time.monotonic() - self.written < _LOG_EVERY:
            return
        record = head | self.interval.record(batch_size) | {"waited": round(self.waited / self.interval.seconds, 4)}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
        self.interval.clear()
        self.waited, self.written = 0.0, time.monotonic()


def _gibibytes(device: torch.device) -> float:
    return torch.cuda.get_device_properties(device).total_memory / 2**30 if device.type == "cuda" else 0.0
