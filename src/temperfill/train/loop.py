"""The training loop (paper, section IV-B). The same call on the same run folder goes on where it was.

The run folder is that of :class:`temperfill.runs.folder.RunFolder`. This is the only file that imports Fabric.
"""

import inspect
import logging
import math
import time
from collections.abc import Callable
from contextlib import closing, nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import torch
from torch.nn.parallel import DistributedDataParallel

from temperfill.config import MachineConfig, RunConfig
from temperfill.data import Batch, PictureFolders, batches, local_path, lost_workers_named
from temperfill.data.contents import contents
from temperfill.progress import Display
from temperfill.report import contact_sheet
from temperfill.runs.folder import OnLog, RunFolder, save_state
from temperfill.runs.record import Interval, describe
from temperfill.stopping import stop_on_signal
from temperfill.tensors import composite
from temperfill.train.messages import NoDisplay, count_corrupt, ending, introduction, stale
from temperfill.train.networks import Networks, RunState
from temperfill.train.ranks import Ranks, check_started, ranks_of
from temperfill.train.step import Stepper, learning_rate
from temperfill.weights_reading import terms_of

try:
    from lightning_fabric import Fabric
    from lightning_fabric.strategies import DDPStrategy
except ImportError:  # the full package, where it is what is installed
    from lightning.fabric import Fabric  # type: ignore[no-redef]
    from lightning.fabric.strategies import DDPStrategy  # type: ignore[no-redef]

Score = Callable[[Any], dict[str, float]]
"""Gives the validation of a generator; ``loss`` (lower is better) is among its values."""


def _resume(
    config: RunConfig, folder: RunFolder, networks: Networks, ranks: Ranks
) -> tuple[RunState, Interval, list[str]]:
    """Gives the networks the weights that the run goes on from, or starts with.

    Returns:
        How far it is, the interval of the log that it is in, and what its configuration changes.
    """
    # Rank 0 alone needs to see the run folder.
    state = ranks.share(folder.read(config) if ranks.is_main else None)
    if state is None:
        if config.init_path is not None:
            networks.start_from(config.init_path)
        return RunState(), Interval(), []
    networks.load(state["networks"], str(folder.state_path))
    networks.ema.terms = terms_of(folder.generator_path)
    interval = Interval()
    if ranks.is_main and "interval" in state:  # temperatures of all processes; earlier versions kept none
        try:
            interval.load(state["interval"])
        except ValueError as error:
            raise ValueError(f"{folder.state_path}: {error}; remove it to start anew") from None
    return RunState.read(state["progress"], str(folder.state_path)), interval, state["changes"]


class _Saver:
    """Saves the state, and the averaged generator unless the best one is kept; never weights that are not finite."""

    def __init__(self, config: RunConfig, folder: RunFolder, networks: Networks, ranks: Ranks) -> None:
        self.folder, self.networks, self.ranks = folder, networks, ranks
        self.contents = contents(config.data) if ranks.is_main else {}

    def __call__(self, progress: RunState, interval: Interval, keep_best: bool) -> None:
        """Is called by all processes, as each has its own temperatures."""
        whole = interval.joined(self.ranks.gather(interval.temperatures))
        if not self.ranks.is_main:
            return
        self.networks.check_finite(f"nothing is saved at step {progress.step}, and the last good state is kept")
        state = {"networks": self.networks.state(), "progress": vars(progress), "interval": whole.state()}
        save_state(self.folder.state_path, state | {"contents": self.contents})
        if not keep_best:
            self.folder.save_generator(self.networks.ema, progress.step)


@torch.inference_mode()
def _write_samples(path: Path, networks: Networks, batch: Batch) -> None:
    """A sheet of the pictures of a batch: masked with the lines it shows, coarse, composite, truth."""
    image, mask = batch.image, batch.mask
    output = networks.ema(*batch.given)
    paper = 1 - batch.sketch.sum(1, keepdim=True).expand_as(image)
    columns = {
        "input": composite(paper, image, mask),
        "coarse": output.coarse.clamp(0, 1),
        "result": composite(output.refined, image, mask),
        "truth": image,
    }
    sheet = {
        name: [(x.permute(1, 2, 0) * 255).round().byte().cpu().numpy() for x in column.float()]
        for name, column in columns.items()
    }
    contact_sheet(sheet, path)


def train(config: RunConfig, run_dir: Path, score: Score | None = None, on_log: OnLog | None = None) -> RunState:
    """Trains until ``num_steps``, ``max_minutes``, or no better validation for ``patience`` of them.

    With several ``machine.devices`` or ``nodes``, this call starts the program that it stands in once for each further
    device, unless torchrun or SLURM has done so; all of them make the same call. Rank 0 alone writes, speaks and
    validates; in the others the call ends the process.

    Args:
        config: the run; what belongs to the machine may differ from an earlier start.
        run_dir: created, or resumed if it holds a run of the same configuration.
        score: gives the validation of a generator, ``loss`` (lower is better) among its values; None for none. Of
            several processes, all or none must have one.
        on_log: called by rank 0 with every record of ``log.jsonl``, such as losses and validations with their step.

    Returns:
        How far the run is.

    Raises:
        ValueError: another configuration in the folder, missing weights, too many corrupt pictures, non-finite loss.
        OSError: a folder is missing or cannot be written, or another process of the run failed.
        KeyboardInterrupt: after SIGINT or SIGTERM, with the state saved.
    """
    start = time.monotonic()
    torch.set_flush_denormal(True)
    world = config.machine.devices * config.machine.nodes
    check_started(world)
    _check_place(config, run_dir)
    fabric = Fabric(**_device(config.machine), precision=_precision(config))
    if world > 1:
        for package in ("lightning_fabric", "lightning.fabric"):  # every rank would tell of itself
            logging.getLogger(package).setLevel(logging.WARNING)
        fabric.launch()
    if config.machine.threads:  # after the launch, which sets a number of its own
        torch.set_num_threads(config.machine.threads)
    with ranks_of(fabric, world) as ranks:
        return _train(config, RunFolder(run_dir, on_log), score, ranks, start)


def _train(  # noqa: C901 - the loop
    config: RunConfig, folder: RunFolder, score: Score | None, ranks: Ranks, start: float
) -> RunState:
    # Whatever can be wrong with the input is found before anything is written.
    fabric, machine = ranks.fabric, config.machine
    dataset = PictureFolders(config.data, config.seed)
    _check_same(ranks, dataset)
    samples = _to(next(batches(dataset, 8, 0, 0)), fabric.device) if ranks.is_main else None
    networks = Networks(config).to(fabric.device)
    progress, interval, changes = _resume(config, folder, networks, ranks)
    save = _Saver(config, folder, networks, ranks)
    stepper = Stepper(config, networks, fabric)
    val_every = config.val_every or max(len(dataset) // config.batch_size, 1)
    deadline = start + 60 * machine.max_minutes if machine.max_minutes else math.inf
    before = progress.seconds
    with (
        lost_workers_named(),
        folder.opened(config, progress.step) if ranks.is_main else nullcontext(),
        stop_on_signal(0.0 if ranks.world == 1 else 1.0) as stop,
        closing(batches(dataset, config.batch_size, progress.step, machine.workers, ranks.rank, ranks.world)) as stream,
        _display(config, progress, deadline) if ranks.is_main else NoDisplay() as display,
    ):
        for text in introduction(config, folder.path, progress, changes, dataset, networks, fabric.device):
            display.note(text)
        _count_pictures(dataset, progress)
        stopped, over = ranks.any(stop.is_set(), False)
        while progress.step < config.num_steps and not stale(config, progress) and not stopped and not over:
            began = time.monotonic()
            batch = _to(next(stream), fabric.device)
            values, temperatures = stepper(batch, progress.step)
            progress.step += 1
            progress.seconds = before + time.monotonic() - start
            interval.add(values, temperatures.numpy(), time.monotonic() - began)
            step = progress.step
            display.move(step)
            last = step == config.num_steps
            if step % config.log_every == 0 or last:
                whole = interval.joined(ranks.gather(interval.temperatures))
                record = {"step": step, "seconds": round(progress.seconds, 1)} | whole.record(config.batch_size)
                if ranks.is_main:
                    folder.log(record | {"learning_rate": learning_rate(config, step - 1)})
                display.show(step, describe(record), now=True)
                if step % config.log_every == 0:  # else a longer run goes on in the same interval
                    interval.clear()
            if samples is not None and (step % config.sample_every == 0 or last):
                _write_samples(folder.sample_path(step), networks, samples)
            if score is not None and (step % val_every == 0 or last):
                display.note(_validate(score, networks, progress, folder) if ranks.is_main else "")
                vars(progress).update(ranks.share(vars(progress)))
            # What one process meets is decided by all, in the same step.
            corrupt = set(batch.corrupt.tolist()) - {-1}
            stopped, over, unreadable = ranks.any(stop.is_set(), time.monotonic() > deadline, bool(corrupt))
            if unreadable:
                for text in count_corrupt(set().union(*ranks.gather(corrupt)), dataset, progress.corrupt):
                    display.note(text)
            if step % config.save_every == 0 and not over:
                save(progress, interval, score is not None)
        save(progress, interval, score is not None and math.isfinite(progress.best_loss))
        display.note(ending(config, folder.path, progress, stopped))
        if stopped:
            ranks.wait()
            raise KeyboardInterrupt
    return progress


def _display(config: RunConfig, progress: RunState, deadline: float) -> Display:
    return Display("step", config.num_steps, progress.step, deadline=deadline, transient=False)


def _check_place(config: RunConfig, run_dir: Path) -> None:
    """Raises ValueError for a run folder whose sample sheets would be trained on."""
    for folder in map(local_path, config.data.train):
        if folder is not None and run_dir.resolve().is_relative_to(folder.resolve()):
            raise ValueError(f"the run folder {run_dir} lies inside the training folder {folder}; choose another place")


def _check_same(ranks: Ranks, dataset: PictureFolders) -> None:
    """Raises ValueError unless all processes see the same pictures in the same order."""
    indexed = [part for part in (dataset.pictures, dataset.sketches) if part is not None]
    found = ranks.gather([part.digest() for part in indexed] if ranks.world > 1 else [])
    for rank, digest in enumerate(found):
        if digest != found[0]:
            raise ValueError(f"rank {rank} sees other training pictures than rank 0; do all machines have the same?")


def _count_pictures(dataset: PictureFolders, progress: RunState) -> None:
    if progress.pictures not in (0, len(dataset)):
        progress.corrupt.clear()  # indices of other files
    progress.pictures = len(dataset)


def _validate(score: Score, networks: Networks, progress: RunState, folder: RunFolder) -> str:
    """Scores the averaged generator, logs it, keeps it if it is the best, and says so."""
    result = score(networks.ema)
    loss = result["loss"]
    if not math.isfinite(loss):
        raise ValueError(f"the validation loss became {loss} at step {progress.step}; the last good state is kept")
    values = {name: value for name, value in result.items() if math.isfinite(value)}
    folder.log({"step": progress.step, "seconds": round(progress.seconds, 1), "validation": values})
    if loss < progress.best_loss:
        progress.best_loss, progress.best_step, progress.stale_validations = loss, progress.step, 0
        folder.save_generator(networks.ema, progress.step)
    else:
        progress.stale_validations += 1
    text = " ".join(f"{name} {value:.4g}" for name, value in values.items())
    since = (
        f", the lowest was {progress.best_loss:.4g} at step {progress.best_step}" if progress.stale_validations else ""
    )
    return f"validation at step {progress.step}: {text}{since}"


def _to(batch: Batch, device: torch.device) -> Batch:
    """What networks see; the rest is read here, where a GPU would have to be waited for."""
    image, mask, sketch = (x.to(device, non_blocking=True) for x in (batch.image, batch.mask, batch.sketch))
    return batch._replace(image=image, mask=mask, sketch=sketch)


def _device(machine: MachineConfig) -> dict[str, Any]:
    """Fabric's arguments for the devices of a run.

    Raises:
        ValueError: there are no such devices.
    """
    several: dict[str, Any] = {}
    if machine.devices * machine.nodes > 1:
        # No broadcast of buffers: every process computes the same vectors of spectral normalisation, and a broadcast
        # would change them between two passes through the same network. Failures are noticed earlier than the timeout,
        # which must outlast a validation.
        known = inspect.signature(DistributedDataParallel.__init__).parameters
        buffers = "forward_sync_buffers" if "forward_sync_buffers" in known else "broadcast_buffers"  # torch < 2.13
        options: dict[str, Any] = {buffers: False, "timeout": timedelta(hours=2)}
        ddp = DDPStrategy(**options)
        several = {"strategy": ddp, "num_nodes": machine.nodes}
    name = machine.device
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "cpu" or (name == "auto" and count == 0):
        return {"accelerator": "cpu", "devices": machine.devices} | several
    index = int(name.partition(":")[2] or 0)
    if index + machine.devices > count:
        what = f"device {name} was asked for" if machine.devices == 1 else f"{machine.devices} devices were asked for"
        raise ValueError(f"{what}, but torch finds {count} CUDA devices; use --machine.device cpu")
    return {"accelerator": "cuda", "devices": machine.devices if several else [index]} | several


def _precision(config: RunConfig) -> Literal["bf16-mixed", "32-true"]:
    return "bf16-mixed" if config.precision == "bf16" else "32-true"
