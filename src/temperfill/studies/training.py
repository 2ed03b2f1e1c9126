"""Training all variants of a study, each with each seed, and going on where it was interrupted."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from temperfill.config import RunConfig
from temperfill.data import PictureFolders
from temperfill.evaluate import validation_score
from temperfill.runs.folder import RunFolder
from temperfill.runs.log import read_log
from temperfill.systems.building import build
from temperfill.weights_reading import read_metadata

log = logging.getLogger("temperfill")


@dataclass(frozen=True)
class Run:
    """A variant trained with one seed.

    Attributes:
        label: of the variant.
        config: of the run.
        folder: of the run.
    """

    label: str
    config: RunConfig
    folder: Path

    @property
    def seed(self) -> str:
        """Name of the run."""
        return f"seed-{self.config.seed}"


def plan(variants: dict[str, RunConfig], seeds: Iterable[int], folder: Path) -> list[Run]:
    """The runs of a study, all variants with the first seed before any with the next."""
    return [
        Run(label, replace(config, seed=seed), folder / label / f"seed-{seed}")
        for seed in seeds
        for label, config in variants.items()
    ]


def train_all(runs: list[Run]) -> None:
    """Trains what is not trained yet; ends with every run finished.

    Raises:
        ValueError: a run folder of another configuration, which lists the fields; or as ``train``.
        OSError: as ``train``.
        KeyboardInterrupt: training was stopped, with its state saved.
    """
    # All folders are looked at first, so that one of another configuration shows before hours of work.
    finished = [_is_finished(run) for run in runs]
    if not all(finished):
        PictureFolders(runs[0].config.data, runs[0].config.seed)  # refuses what cannot be trained on
    for number, (run, done) in enumerate(zip(runs, finished, strict=True), 1):
        head = f"Run {number} of {len(runs)}: {run.label}, {run.seed}"
        if done:
            log.info("%s, is finished.", head)
            continue
        log.info("%s.", head)
        # Fabric is an optional package; a study whose runs are finished does without it.
        from temperfill.train import train

        train(run.config, run.folder, validation_score(run.config))


def _is_finished(run: Run) -> bool:
    """Whether a run has all its steps, or stopped early."""
    folder = RunFolder(run.folder)
    state = folder.read(run.config)
    if state is None or not folder.generator_path.is_file():
        return False
    progress, patience = state["progress"], run.config.patience
    return progress["step"] >= run.config.num_steps or 0 < patience <= progress.get("stale_validations", 0)


def batches_a_minute(log_path: Path, batch_size: int) -> float | None:
    """Pace of the steps of a run, from its log; without the first interval, which warms up, where there are more.

    Raises:
        OSError: cannot be read.
        ValueError: damaged.
    """
    paces: list[tuple[int, float]] = []  # steps of an interval, seconds they took
    before = 0
    for record in read_log(log_path).steps:
        steps = record["step"] - before
        paces.append((steps, steps * batch_size / record["images_per_second"]))
        before = record["step"]
    counted = paces[1:] or paces
    seconds = sum(s for _, s in counted)
    return round(60 * sum(n for n, _ in counted) / seconds, 2) if seconds else None


def training_facts(runs: list[Run]) -> dict[str, Any]:
    """Of each variant its size, and of each of its runs how long it took and how fast it was.

    Raises:
        OSError: a log cannot be read.
    """
    facts: dict[str, Any] = {}
    for run in runs:
        if run.label not in facts:
            parameters = sum(p.numel() for p in build(run.config.generator).parameters() if p.requires_grad)
            width = run.config.generator.width
            facts[run.label] = {"parameters": parameters, "width": width, "steps": run.config.num_steps, "runs": {}}
        folder = RunFolder(run.folder)
        log_path = folder.log_path
        lines = read_log(log_path).steps
        facts[run.label]["runs"][run.seed] = {
            "folder": str(run.folder),
            "measured_step": int(read_metadata(folder.generator_path).get("step", run.config.num_steps)),
            "seconds": lines[-1]["seconds"] if lines else 0.0,
            "batches_a_minute": batches_a_minute(log_path, run.config.batch_size),
        }
    for fact in facts.values():
        found = [r["batches_a_minute"] for r in fact["runs"].values() if r["batches_a_minute"] is not None]
        fact["batches_a_minute"] = round(sum(found) / len(found), 2) if found else None
    return facts
