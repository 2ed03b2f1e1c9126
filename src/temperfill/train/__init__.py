"""The training loop (paper, section IV-B). The same call on the same run folder goes on where it was.

The run folder is that of :class:`temperfill.checkpoint.RunFolder`. This is the only file that imports Fabric.
"""

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Literal

import torch

from temperfill.checkpoint import RunFolder, save_state
from temperfill.config import RunConfig
from temperfill.data import Batch, PictureFolders, batches
from temperfill.progress import Display, Interval
from temperfill.report import contact_sheet
from temperfill.tensors import composite
from temperfill.train.networks import Networks, Progress
from temperfill.train.step import Stepper, learning_rate

try:
    from lightning_fabric import Fabric
except ImportError:  # the full package, where it is what is installed
    from lightning.fabric import Fabric  # type: ignore[no-redef]

__all__ = ["Progress", "Score", "train"]

Score = Callable[[Any], dict[str, float]]
"""Gives the validation of a generator; ``loss`` (lower is better) is among its values."""


@contextmanager
def _stop_on_signal() -> Iterator[threading.Event]:
    """SIGINT and SIGTERM end training after the step at hand; a second one has its usual effect."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    old = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, handler in old.items():
            signal.signal(number, handler)

    def on_signal(*_: Any) -> None:
        stop.set()
        restore()

    for number in old:
        signal.signal(number, on_signal)
    try:
        yield stop
    finally:
        restore()


def _resume(config: RunConfig, folder: RunFolder, networks: Networks) -> Progress:
    """Gives the networks the weights that the run goes on from, or starts with."""
    state = folder.read(config)
    if state is None:
        if config.init_path is not None:
            networks.start_from(config.init_path)
        return Progress()
    networks.load(state["networks"], str(folder.state_path))
    try:
        return Progress(**state["progress"])
    except TypeError as error:
        raise ValueError(f"{folder.state_path} is of another version ({error}); remove it to start anew") from None


def _save(folder: RunFolder, networks: Networks, progress: Progress, keep_best: bool) -> None:
    """Saves the state, and the averaged generator unless the best one is kept; never weights that are not finite."""
    networks.check_finite(f"nothing is saved at step {progress.step}, and the last good state is kept")
    save_state(folder.state_path, {"networks": networks.state(), "progress": vars(progress)})
    if not keep_best:
        folder.save_generator(networks.ema, progress.step)


@torch.inference_mode()
def _write_samples(path: Path, networks: Networks, batch: Batch) -> None:
    """A sheet of the first pictures of a batch: masked, coarse, composite, truth."""
    image, mask = batch.image[:8], batch.mask[:8]
    output = networks.ema(image, mask)
    columns = {
        "input": composite(torch.ones_like(image), image, mask),
        "coarse": output.coarse.clamp(0, 1),
        "result": composite(output.refined, image, mask),
        "truth": image,
    }
    sheet = {
        name: [(x.permute(1, 2, 0) * 255).round().byte().cpu().numpy() for x in column.float()]
        for name, column in columns.items()
    }
    contact_sheet(sheet, path)


def train(config: RunConfig, run_dir: Path, score: Score | None = None) -> Progress:  # noqa: C901 - the loop
    """Trains until ``num_steps``, ``max_minutes``, or no better validation for ``patience`` of them.

    Args:
        config: the run; what belongs to the machine may differ from an earlier start.
        run_dir: created, or resumed if it holds a run of the same configuration.
        score: gives the validation of a generator, ``loss`` (lower is better) among its values; None for none.

    Returns:
        How far the run is.

    Raises:
        ValueError: another configuration in the folder, missing weights, too many corrupt pictures, non-finite loss.
        OSError: a folder is missing or cannot be written.
        KeyboardInterrupt: after SIGINT or SIGTERM, with the state saved.
    """
    start = time.monotonic()
    torch.set_flush_denormal(True)
    if config.machine.threads:
        torch.set_num_threads(config.machine.threads)
    # Whatever can be wrong with the input is found before anything is written.
    _check_place(config, run_dir)
    dataset = PictureFolders(config.data, config.seed)
    samples = next(batches(dataset, 8, 0, 0))
    fabric = Fabric(**_device(config.machine.device), precision=_precision(config))
    networks = Networks(config).to(fabric.device)
    folder = RunFolder(run_dir)
    progress = _resume(config, folder, networks)
    stepper = Stepper(config, networks, fabric)
    samples = _to(samples, fabric.device)
    val_every = config.val_every or max(len(dataset) // config.batch_size, 1)
    deadline = start + 60 * config.machine.max_minutes if config.machine.max_minutes else math.inf
    before = progress.seconds
    interval = Interval()
    with (
        folder.opened(config, progress.step),
        _stop_on_signal() as stop,
        closing(batches(dataset, config.batch_size, progress.step, config.machine.workers)) as source,
        Display(config.num_steps, progress.step, deadline) as display,
    ):
        for text in _introduction(config, run_dir, progress, dataset, networks, fabric.device):
            display.note(text)
        _count_pictures(dataset, progress)
        while progress.step < config.num_steps and not _stale(config, progress) and not stop.is_set():
            began = time.monotonic()
            batch = _to(next(source), fabric.device)
            for text in _count_corrupt(batch, dataset, progress.corrupt):
                display.note(text)
            values, temperatures = stepper(batch, progress.step)
            progress.step += 1
            progress.seconds = before + time.monotonic() - start
            interval.add(values, temperatures.cpu().numpy(), time.monotonic() - began)
            step = progress.step
            display.advance(step)
            last = step == config.num_steps
            if step % config.log_every == 0 or last:
                record = {"step": step, "seconds": round(progress.seconds, 1)} | interval.record(config.batch_size)
                folder.log(record | {"learning_rate": learning_rate(config, step - 1)})
                display.show(record)
                interval.clear()
            if step % config.sample_every == 0 or last:
                _write_samples(folder.sample_path(step), networks, samples)
            if score is not None and (step % val_every == 0 or last):
                display.note(_validate(score, networks, progress, folder))
            if time.monotonic() > deadline:
                break
            if step % config.save_every == 0:
                _save(folder, networks, progress, score is not None)
        _save(folder, networks, progress, score is not None and math.isfinite(progress.best_loss))
        display.note(_ending(config, run_dir, progress, stop.is_set()))
        if stop.is_set():
            raise KeyboardInterrupt
    return progress


def _check_place(config: RunConfig, run_dir: Path) -> None:
    """Raises ValueError for a run folder whose sample sheets would be trained on."""
    for folder in config.data.train:
        if run_dir.resolve().is_relative_to(folder.resolve()):
            raise ValueError(f"the run folder {run_dir} lies inside the training folder {folder}; choose another place")


def _introduction(
    config: RunConfig,
    run_dir: Path,
    progress: Progress,
    dataset: PictureFolders,
    networks: Networks,
    device: torch.device,
) -> Iterator[str]:
    """What is trained on what, where it is written, and how to stop and go on."""
    size = config.data.crop_size
    kind = f"attention {config.generator.attention}" if config.method == "ours" else config.method
    millions = sum(parameter.numel() for parameter in networks.generator.parameters()) / 1e6
    yield (
        f"Training a generator of {millions:.1f} M parameters ({kind}) on {len(dataset):,} pictures, "
        f"{size}x{size} pixels each, {config.batch_size} a step, on {device} in {config.precision}."
    )
    yield f"Run folder {run_dir}: figures in log.jsonl, pictures in samples/, the model in generator.safetensors."
    yield "Ctrl-C saves and stops, a second one stops without saving; the same command goes on from there."
    if progress.step:
        yield f"Going on at step {progress.step} of {config.num_steps}."
    if progress.pictures not in (0, len(dataset)):
        yield (
            f"The training folders held {progress.pictures:,} pictures when this run was saved: from here on the "
            "samples differ from those of a run without a break."
        )
    inside = [v for v in config.data.val for t in config.data.train if v.resolve().is_relative_to(t.resolve())]
    if inside:
        yield f"Warning: {inside[0]} lies inside a training folder, so validation sees training pictures."


def _count_pictures(dataset: PictureFolders, progress: Progress) -> None:
    if progress.pictures not in (0, len(dataset)):
        progress.corrupt.clear()  # indices of other files
    progress.pictures = len(dataset)


def _ending(config: RunConfig, run_dir: Path, progress: Progress, stopped: bool) -> str:
    """Why training ended, and what there is now."""
    done = progress.step == config.num_steps
    if stopped:
        why = "Stopped"
    elif done:
        why = "Done"
    elif _stale(config, progress):
        why = f"No better validation {progress.stale_validations} times in a row"
    else:
        why = f"Time is up (max_minutes {config.machine.max_minutes:g})"
    parts = [f"{why}: saved step {progress.step} of {config.num_steps} in {run_dir}"]
    if math.isfinite(progress.best_loss):
        parts.append(f"lowest validation loss {progress.best_loss:.4g} at step {progress.best_step}")
    if progress.corrupt:
        parts.append(f"unreadable pictures replaced: {len(progress.corrupt)} of {progress.pictures:,}")
    if not done and not _stale(config, progress):
        parts.append("the same command goes on")
    return "; ".join(parts) + "."


def _stale(config: RunConfig, progress: Progress) -> bool:
    """Whether validation has not improved for long enough to stop (paper: 30 epochs)."""
    return 0 < config.patience <= progress.stale_validations


def _validate(score: Score, networks: Networks, progress: Progress, folder: RunFolder) -> str:
    """Scores the averaged generator, logs it, keeps it if it is the best, and says so."""
    result = score(networks.ema)
    loss = result["loss"]
    if not math.isfinite(loss):
        raise ValueError(f"the validation loss became {loss} at step {progress.step}; the last good state is kept")
    figures = {name: value for name, value in result.items() if math.isfinite(value)}
    folder.log({"step": progress.step, "seconds": round(progress.seconds, 1), "validation": figures})
    if loss < progress.best_loss:
        progress.best_loss, progress.best_step, progress.stale_validations = loss, progress.step, 0
        folder.save_generator(networks.ema, progress.step)
    else:
        progress.stale_validations += 1
    text = " ".join(f"{name} {value:.4g}" for name, value in figures.items())
    since = (
        f", the lowest was {progress.best_loss:.4g} at step {progress.best_step}" if progress.stale_validations else ""
    )
    return f"validation at step {progress.step}: {text}{since}"


def _count_corrupt(batch: Batch, dataset: PictureFolders, corrupt: list[int]) -> Iterator[str]:
    """Names every unreadable picture once, and stops above the share that the configuration allows."""
    for index in sorted(set(batch.corrupt.tolist()) - {-1, *corrupt}):
        corrupt.append(index)
        yield f"unreadable picture, replaced by another ({len(corrupt)} so far): {dataset.paths[index]}"
    share = len(corrupt) / len(dataset)
    if share > dataset.config.max_corrupt_share:
        raise ValueError(
            f"{len(corrupt)} of {len(dataset)} training pictures are unreadable, more than the share of "
            f"{dataset.config.max_corrupt_share:g} that --data.max-corrupt-share allows"
        )


def _to(batch: Batch, device: torch.device) -> Batch:
    return Batch(*(x.to(device, non_blocking=True) for x in batch))


def _device(name: str) -> dict[str, Any]:
    """Fabric's arguments for a device name.

    Raises:
        ValueError: there is no such device.
    """
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "cpu" or (name == "auto" and count == 0):
        return {"accelerator": "cpu", "devices": 1}
    index = int(name.partition(":")[2] or 0)
    if index >= count:
        raise ValueError(f"device {name} was asked for, but torch finds {count} CUDA devices; use --machine.device cpu")
    return {"accelerator": "cuda", "devices": [index]}


def _precision(config: RunConfig) -> Literal["bf16-mixed", "32-true"]:
    return "bf16-mixed" if config.precision == "bf16" else "32-true"
