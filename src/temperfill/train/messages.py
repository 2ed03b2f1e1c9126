"""What a training run says, and the counts behind it."""

import math
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import torch

from temperfill.config import RunConfig
from temperfill.data import PictureFolders, local_path
from temperfill.train.networks import Networks, RunState


class NoDisplay(AbstractContextManager["NoDisplay"]):
    """The display of a process that leaves speaking to rank 0."""

    def __exit__(self, *_: object) -> None: ...

    def note(self, text: str) -> None: ...

    def move(self, done: int) -> None: ...

    def show(self, done: int, details: str, *, now: bool) -> None: ...


def introduction(
    config: RunConfig,
    run_dir: Path,
    progress: RunState,
    changes: list[str],
    dataset: PictureFolders,
    networks: Networks,
    device: torch.device,
) -> Iterator[str]:
    """What is trained on what, where it is written, how to stop and go on, and what changed since the last start."""
    size = config.data.crop_size
    kind = f"attention {config.generator.attention}" if config.method == "ours" else config.method
    num_devices = config.machine.devices * config.machine.nodes
    where = f"{device}" if num_devices == 1 else f"{num_devices} {device.type} devices"
    millions = sum(parameter.numel() for parameter in networks.generator.parameters()) / 1e6
    yield (
        f"Training a generator of {millions:.1f} M parameters ({kind}) on {len(dataset):,} pictures, "
        f"{size}x{size} pixels each, {config.batch_size} a step, on {where} in {config.precision}."
    )
    if config.data.sketches:
        yield f"{config.data.sketch_share:.0%} of the samples show lines of their sketches."
    elif getattr(config.generator, "sketch", False):
        yield "The model takes sketches, but --data.sketches names none: about lines it learns nothing here."
    yield f"Run folder {run_dir}: values in log.jsonl, pictures in samples/, the model in generator.safetensors."
    yield "Ctrl-C saves and stops, a second one stops without saving; the same command goes on from there."
    if progress.step:
        yield f"Going on at step {progress.step} of {config.num_steps}."
    if changes:
        yield f"Changed since the last start: {'; '.join(changes)}."
    if any(line.startswith("num_steps") for line in changes) and config.schedule != "constant":
        yield f"From here on the learning rate is that of a {config.schedule} schedule over {config.num_steps} steps."
    if progress.pictures not in (0, len(dataset)):
        yield (
            f"The training folders held {progress.pictures:,} pictures when this run was saved: from here on the "
            "samples differ from those of a run without a break."
        )
    local = [path for path in map(local_path, config.data.train) if path is not None]
    inside = [v for v in config.data.val for t in local if v.resolve().is_relative_to(t.resolve())]
    if inside:
        yield f"Warning: {inside[0]} lies inside a training folder, so validation sees training pictures."


def ending(config: RunConfig, run_dir: Path, progress: RunState, stopped: bool) -> str:
    """Why training ended, and what there is now."""
    done = progress.step == config.num_steps
    if stopped:
        why = "Stopped"
    elif done:
        why = "Done"
    elif stale(config, progress):
        why = f"No better validation {progress.stale_validations} times in a row"
    else:
        why = f"Time is up (max_minutes {config.machine.max_minutes:g})"
    parts = [f"{why}: saved step {progress.step} of {config.num_steps} in {run_dir}"]
    if math.isfinite(progress.best_loss):
        parts.append(f"lowest validation loss {progress.best_loss:.4g} at step {progress.best_step}")
    if progress.corrupt:
        parts.append(f"unreadable pictures replaced: {len(progress.corrupt)} of {progress.pictures:,}")
    if not done and not stale(config, progress):
        parts.append("the same command goes on")
    return "; ".join(parts) + "."


def stale(config: RunConfig, progress: RunState) -> bool:
    """Whether validation has not improved for long enough to stop (paper: 30 epochs)."""
    return 0 < config.patience <= progress.stale_validations


def count_corrupt(found: set[int], dataset: PictureFolders, corrupt: list[int]) -> Iterator[str]:
    """Names every unreadable picture of a step once, and stops above the share that the configuration allows."""
    for index in sorted(found - {-1, *corrupt}):
        corrupt.append(index)
        yield f"unreadable picture, replaced by another ({len(corrupt)} so far): {dataset.name(index)}"
    share = len(corrupt) / len(dataset)
    if share > dataset.config.max_corrupt_share:
        raise ValueError(
            f"{len(corrupt)} of {len(dataset)} training pictures are unreadable, more than the share of "
            f"{dataset.config.max_corrupt_share:g} that --data.max-corrupt-share allows"
        )
