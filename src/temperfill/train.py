"""The training loop (paper, section IV-B). The same call on the same run folder goes on where it was.

The run folder holds ``config.json``, ``log.jsonl``, ``samples/``, ``generator.safetensors`` (averaged weights: the best
on validation, or the latest without one) and ``state.pt``.
"""

import copy
import json
import logging
import math
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import rich.progress
import torch
from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from torch import Tensor, nn

from temperfill import losses
from temperfill.checkpoint import load_generator, load_state, load_tensors, save_generator, save_state
from temperfill.config import LossConfig, TrainConfig, differences, to_json
from temperfill.data import Batch, PictureFolders, batches
from temperfill.files import atomic_write
from temperfill.nets.discriminator import Discriminator, local_patches
from temperfill.nets.generator import Generator
from temperfill.nets.vgg import VGGFeatures
from temperfill.report import contact_sheet
from temperfill.tensors import composite

try:
    from lightning_fabric import Fabric
except ImportError:  # the full package, where it is what is installed
    from lightning.fabric import Fabric

log = logging.getLogger(__name__)
Score = Callable[[Generator], dict[str, float]]


@dataclass
class Progress:
    """How far a run is: all of it that is not a tensor."""

    step: int = 0
    best_loss: float = math.inf
    best_step: int = 0
    stale_validations: int = 0
    seconds: float = 0.0


class Networks:
    """Both networks, their optimizers, and the averaged generator: what a state file holds."""

    def __init__(self, config: TrainConfig) -> None:
        torch.manual_seed(config.seed)
        self.generator = Generator(config.generator)
        self.discriminator = Discriminator(config.discriminator, normalised=config.loss.adversarial == "hinge")
        if config.init_path is not None:
            self._start_from(config.init_path)
        self.ema = copy.deepcopy(self.generator).eval().requires_grad_(False)
        betas = (config.beta1, config.beta2)
        self.generator_optimizer = torch.optim.Adam(self.generator.parameters(), config.learning_rate, betas)
        self.discriminator_optimizer = torch.optim.Adam(self.discriminator.parameters(), config.learning_rate, betas)

    def _start_from(self, path: Path) -> None:
        """Weights of another run: its averaged generator and its discriminator, or a generator alone."""
        if path.is_dir():
            state = load_state(path / "state.pt")
            load_tensors(self.generator, state["ema"], f"{path}: generator")
            load_tensors(self.discriminator, state["discriminator"], f"{path}: discriminator")
        else:
            load_tensors(self.generator, load_generator(path).state_dict(), str(path))

    def parts(self) -> dict[str, Any]:
        return vars(self)

    def state(self) -> dict[str, Any]:
        return {name: part.state_dict() for name, part in self.parts().items()}

    def load(self, state: dict[str, Any]) -> None:
        for name, part in self.parts().items():
            part.load_state_dict(state[name])

    def to(self, device: torch.device) -> "Networks":
        for part in (self.generator, self.discriminator, self.ema):
            part.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        return self

    @torch.no_grad()
    def average(self, decay: float) -> None:
        for average, parameter in zip(self.ema.parameters(), self.generator.parameters(), strict=True):
            average.lerp_(parameter, 1 - decay)


def learning_rate(config: TrainConfig, step: int) -> float:
    """Learning rate of a step; a function of the step alone."""
    rate = config.learning_rate
    if step < config.warmup_steps:
        return rate * (step + 1) / config.warmup_steps
    if config.schedule == "cosine":
        share = (step - config.warmup_steps) / max(config.num_steps - config.warmup_steps, 1)
        return rate * (0.01 + 0.99 * (1 + math.cos(math.pi * min(share, 1))) / 2)
    return rate


class PerceptualLoss(nn.Module):
    """VGG distance of two images, in one module so that it compiles as one."""

    def __init__(self, vgg: VGGFeatures) -> None:
        super().__init__()
        self.vgg = vgg

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        return losses.perceptual(self.vgg(pred), self.vgg(target))


def generator_terms(
    config: LossConfig, batch: Batch, coarse: Tensor, refined: Tensor, perceptual: nn.Module | None
) -> dict[str, Tensor]:
    """Weighted terms of the generator's loss but the adversarial one (Eqs. 2, 3, 6)."""
    image, mask = batch.image, batch.mask
    terms = {
        "coarse": config.coarse_weight * losses.reconstruction(coarse, image, mask, config.hole_weight),
        "refined": config.refined_weight * losses.reconstruction(refined, image, mask, config.hole_weight),
    }
    if perceptual is not None:
        outputs = {"coarse": [coarse], "refined": [refined], "both": [coarse, refined]}[config.perceptual_on]
        pairs = [(composite(output, image, mask), image) for output in outputs]
        if config.perceptual_local:
            pairs = [tuple(local_patches(x, batch.centre) for x in pair) for pair in pairs]  # type: ignore[misc]
        terms["perceptual"] = config.perceptual_weight * sum(perceptual(*pair) for pair in pairs)  # type: ignore[misc]
    return terms


def discriminator_terms(
    config: TrainConfig, discriminator: nn.Module, batch: Batch, fake: Tensor, step: int
) -> dict[str, Tensor]:
    """Terms of the discriminator's loss (Eq. 4, or WGAN-GP); real and fake go through it in one batch."""
    scores = discriminator(torch.cat([batch.image, fake]), torch.cat([batch.centre, batch.centre])).float()
    real_scores, fake_scores = scores.chunk(2)
    if config.loss.adversarial == "hinge":
        return {"discriminator": losses.hinge_discriminator(real_scores, fake_scores)}
    mixing = np.random.default_rng([config.seed, 2, step]).random(len(fake), np.float32)
    penalty = losses.gradient_penalty(
        lambda x: discriminator(x, batch.centre), batch.image, fake, torch.from_numpy(mixing).to(fake.device)
    )
    return {
        "discriminator": losses.wasserstein_discriminator(real_scores, fake_scores),
        "penalty": config.loss.gradient_penalty_weight * penalty,
    }


def check_finite(terms: dict[str, Tensor], step: int) -> dict[str, float]:
    """Values of the terms.

    Raises:
        ValueError: one is not finite; the run folder keeps the last good state.
    """
    values = dict(zip(terms, torch.stack([t.detach().float() for t in terms.values()]).tolist(), strict=True))
    for name, value in values.items():
        if not math.isfinite(value):
            raise ValueError(
                f"the {name} loss became {value} at step {step}; the last good state is kept: "
                "lower the learning rate and start a new run from it with --init-path"
            )
    return values


@contextmanager
def _stop_on_signal() -> Iterator[threading.Event]:
    """SIGINT and SIGTERM end the step at hand instead of tearing it."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    old = {s: signal.signal(s, lambda *_: stop.set()) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


class Stepper:
    """One update of both networks from one forward pass of the generator."""

    def __init__(self, config: TrainConfig, networks: Networks, fabric: Fabric) -> None:
        self.config = config
        self.fabric = fabric
        self.networks = networks
        compiled = torch.compile if config.machine.compile else lambda module: module
        self.generator, self.generator_optimizer = fabric.setup(
            compiled(networks.generator.train()), networks.generator_optimizer
        )
        # The double backward pass of WGAN-GP does not compile.
        hinge = config.loss.adversarial == "hinge"
        self.discriminator, self.discriminator_optimizer = fabric.setup(
            compiled(networks.discriminator.train()) if hinge else networks.discriminator.train(),
            networks.discriminator_optimizer,
        )
        self.perceptual: nn.Module | None = None
        if config.loss.perceptual_weight > 0:
            path = config.machine.perceptual_path
            if path is None:
                raise ValueError(
                    "the perceptual loss needs VGG weights: give --machine.perceptual-path (torchvision's "
                    "vgg16-397923af.pth or a VGG-19 safetensors file) or set --loss.perceptual-weight 0"
                )
            vgg = VGGFeatures.from_file(path).to(fabric.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
            self.perceptual = compiled(PerceptualLoss(vgg))

    def __call__(self, batch: Batch, step: int) -> tuple[dict[str, float], Tensor]:
        """Updates both networks; gives the values of all loss terms and the temperatures (B, heads)."""
        config, networks = self.config, self.networks
        for optimizer in (self.generator_optimizer, self.discriminator_optimizer):
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(config, step)
        output = self.generator(batch.image, batch.mask)
        coarse, refined = output.coarse.float(), output.refined.float()
        fake = composite(refined, batch.image, batch.mask)
        values: dict[str, float] = {}
        adversarial = config.loss.adversarial_weight > 0
        if adversarial:
            terms = discriminator_terms(config, self.discriminator, batch, fake.detach(), step)
            values |= check_finite(terms, step)
            self._update(self.discriminator_optimizer, terms)
        with self.fabric.autocast():
            terms = generator_terms(config.loss, batch, coarse, refined, self.perceptual)
            if adversarial and step >= config.loss.adversarial_start:
                networks.discriminator.requires_grad_(False)
                judged = networks.discriminator(fake, batch.centre).float()
                networks.discriminator.requires_grad_(True)
                terms["adversarial"] = config.loss.adversarial_weight * losses.adversarial_generator(judged)
        values |= check_finite(terms, step)
        self._update(self.generator_optimizer, terms)
        networks.average(min(config.ema_decay, (1 + step) / (10 + step)))
        return values, output.temperatures.detach().float()

    def _update(self, optimizer: Any, terms: dict[str, Tensor]) -> None:
        optimizer.zero_grad(set_to_none=True)
        self.fabric.backward(torch.stack([term.float() for term in terms.values()]).sum())
        optimizer.step()


def _open_run(config: TrainConfig, run_dir: Path, networks: Networks) -> Progress:
    """Creates the run folder, or loads its state after checking that the experiment is the same.

    Raises:
        ValueError: the folder holds a run of another configuration; lists the fields.
    """
    (run_dir / "samples").mkdir(parents=True, exist_ok=True)
    config_path, state_path = run_dir / "config.json", run_dir / "state.pt"
    new = to_json(config)
    if config_path.is_file():
        old = json.loads(config_path.read_text(encoding="utf-8"))
        changes = differences({**old, "machine": None}, {**new, "machine": None})
        if changes:
            raise ValueError(f"{run_dir} holds a run of another configuration:\n  " + "\n  ".join(changes))
    text = json.dumps(new, indent=1).encode()
    atomic_write(config_path, lambda file: file.write(text))
    if not state_path.is_file():
        return Progress()
    state = load_state(state_path)
    networks.load(state["networks"])
    return Progress(**state["progress"])


def _save(run_dir: Path, networks: Networks, progress: Progress, keep_best: bool) -> None:
    save_state(run_dir / "state.pt", {"networks": networks.state(), "progress": vars(progress)})
    if not keep_best:
        _save_generator(run_dir, networks, progress)


def _save_generator(run_dir: Path, networks: Networks, progress: Progress) -> None:
    save_generator(run_dir / "generator.safetensors", networks.ema, extra_metadata={"step": str(progress.step)})


def _write_line(run_dir: Path, record: dict[str, Any]) -> None:
    with (run_dir / "log.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")


def _trim_log(run_dir: Path, step: int) -> None:
    """Drops lines after the state that a resumed run starts from, so that the log has every step once."""
    path = run_dir / "log.jsonl"
    if path.is_file():
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if json.loads(line)["step"] <= step]
        content = "".join(line + "\n" for line in lines).encode()
        atomic_write(path, lambda file: file.write(content))


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


class _Log:
    """Means of the losses, and range of the temperatures, since the last line."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self.values: list[dict[str, float]] = []
        self.temperatures: list[Tensor] = []
        self.start = time.monotonic()

    def add(self, values: dict[str, float], temperatures: Tensor) -> None:
        self.values.append(values)
        self.temperatures.append(temperatures)

    def record(self, batch_size: int) -> dict[str, Any]:
        names = self.values[-1]
        found = torch.cat(self.temperatures)
        record: dict[str, Any] = {n: float(np.mean([v[n] for v in self.values if n in v])) for n in names}
        if found.shape[1]:
            record["temperature"] = found.mean(0).tolist()
            record["temperature_low"] = found.amin(0).tolist()
            record["temperature_high"] = found.amax(0).tolist()
        record["images_per_second"] = len(self.values) * batch_size / (time.monotonic() - self.start)
        return {k: [round(x, 5) for x in v] if isinstance(v, list) else round(v, 5) for k, v in record.items()}


def train(config: TrainConfig, run_dir: Path, score: Score | None = None) -> Progress:
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
    torch.set_flush_denormal(True)
    if config.machine.threads:
        torch.set_num_threads(config.machine.threads)
    dataset = PictureFolders(config.data, config.seed)
    fabric = Fabric(accelerator=_accelerator(config.machine.device), devices=1, precision=_precision(config))
    networks = Networks(config)
    progress = _open_run(config, run_dir, networks)
    stepper = Stepper(config, networks.to(fabric.device), fabric)
    _trim_log(run_dir, progress.step)
    val_every = config.val_every or max(len(dataset) // config.batch_size, 1)
    samples = _to(next(batches(dataset, 8, 0, 0)), fabric.device)
    corrupt: set[int] = set()
    source = batches(dataset, config.batch_size, progress.step, config.machine.workers)
    lines = _Log()
    start, before = time.monotonic(), progress.seconds
    with _stop_on_signal() as stop, progress_bar(config.num_steps, progress.step) as show:
        while progress.step < config.num_steps and not _stale(config, progress) and not stop.is_set():
            batch = _to(next(source), fabric.device)
            _count_corrupt(batch, dataset, corrupt)
            lines.add(*stepper(batch, progress.step))
            progress.step += 1
            progress.seconds = before + time.monotonic() - start
            step = progress.step
            last = step == config.num_steps
            if step % config.log_every == 0 or last:
                record = {"step": step, "seconds": round(progress.seconds, 1)} | lines.record(config.batch_size)
                _write_line(run_dir, record | {"learning_rate": learning_rate(config, step - 1)})
                show(record)
                lines.clear()
            if step % config.sample_every == 0 or last:
                _write_samples(run_dir / "samples" / f"{step:07d}.png", networks, samples)
            if score is not None and (step % val_every == 0 or last):
                _validate(score, networks, progress, run_dir)
            limit = config.machine.max_minutes
            if limit and time.monotonic() - start > 60 * limit:
                break
            if step % config.save_every == 0:
                _save(run_dir, networks, progress, score is not None)
        _save(run_dir, networks, progress, score is not None and math.isfinite(progress.best_loss))
        if stop.is_set():
            raise KeyboardInterrupt
    return progress


def _stale(config: TrainConfig, progress: Progress) -> bool:
    """Whether validation has not improved for long enough to stop (paper: 30 epochs)."""
    return 0 < config.patience <= progress.stale_validations


def _validate(score: Score, networks: Networks, progress: Progress, run_dir: Path) -> None:
    """Scores the averaged generator, logs it, and keeps it if it is the best."""
    result = score(networks.ema)
    _write_line(run_dir, {"step": progress.step, "seconds": round(progress.seconds, 1), "validation": result})
    if not math.isfinite(result["loss"]):
        raise ValueError(f"the validation loss became {result['loss']} at step {progress.step}")
    if result["loss"] < progress.best_loss:
        progress.best_loss, progress.best_step, progress.stale_validations = result["loss"], progress.step, 0
        _save_generator(run_dir, networks, progress)
    else:
        progress.stale_validations += 1
    log.info("step %d: validation %s", progress.step, {k: round(v, 4) for k, v in result.items()})


def _count_corrupt(batch: Batch, dataset: PictureFolders, corrupt: set[int]) -> None:
    """Names every unreadable picture once, and stops above the share that the configuration allows."""
    for index in set(batch.corrupt.tolist()) - corrupt - {-1}:
        corrupt.add(index)
        log.warning("unreadable picture replaced by another (%d so far): %s", len(corrupt), dataset.paths[index])
    share = len(corrupt) / len(dataset)
    if share > dataset.config.max_corrupt_share:
        raise ValueError(
            f"{len(corrupt)} of {len(dataset)} training pictures are unreadable, more than the share of "
            f"{dataset.config.max_corrupt_share:g} that --data.max-corrupt-share allows"
        )


def _to(batch: Batch, device: torch.device) -> Batch:
    return Batch(*(x.to(device, non_blocking=True) for x in batch))


def _accelerator(device: str) -> str:
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device not in ("cpu", "cuda"):
        raise ValueError(f"device must be auto, cpu or cuda, got {device!r}")
    if device == "cuda" and not torch.cuda.is_available():
        raise ValueError("device cuda was asked for, but torch finds no CUDA device; use --machine.device cpu")
    return device


def _precision(config: TrainConfig) -> Literal["bf16-mixed", "32-true"]:
    return "bf16-mixed" if config.precision == "bf16" else "32-true"


@contextmanager
def progress_bar(num_steps: int, first_step: int) -> Iterator[Callable[[dict[str, Any]], None]]:
    """A bar with losses, temperatures, rate and time left on a terminal; plain lines elsewhere."""
    console = Console(stderr=True)

    def text(record: dict[str, Any]) -> str:
        shown = {k: v for k, v in record.items() if isinstance(v, float) and k not in ("seconds", "images_per_second")}
        temperatures = "/".join(f"{t:.3f}" for t in record.get("temperature", []))
        parts = [*(f"{k} {v:.3f}" for k, v in shown.items()), f"T {temperatures}" if temperatures else ""]
        return " ".join(p for p in parts if p) + f" {record['images_per_second']:.1f} images/s"

    if not console.is_terminal:
        start = time.monotonic()

        def line(record: dict[str, Any]) -> None:
            left = (time.monotonic() - start) / (record["step"] - first_step) * (num_steps - record["step"])
            print(f"step {record['step']}/{num_steps} {text(record)} {left / 60:.0f} min left", file=sys.stderr, flush=True)

        yield line
        return
    columns = (TextColumn("{task.completed}/{task.total}"), BarColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
    with rich.progress.Progress(*columns, console=console) as bar:
        task = bar.add_task("first steps", total=num_steps, completed=first_step)
        yield lambda record: bar.update(task, completed=record["step"], description=text(record))
