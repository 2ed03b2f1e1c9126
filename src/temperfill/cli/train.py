"""``temperfill train``: train a model, or go on with a run."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import arg

from temperfill.cli.parsing import near, parse, say
from temperfill.config import Overlap, RunConfig, to_json
from temperfill.presets import PRESETS
from temperfill.systems.table import BASELINES, load_run, published

if TYPE_CHECKING:
    from temperfill.runs.folder import OnLog

KNOWN: dict[str, RunConfig] = {**PRESETS, **{name: published(name) for name in BASELINES}}
SHORT = {"--devices": "--machine.devices", "--nodes": "--machine.nodes"}
"""Short forms of flags, as other programs that train on several devices have them."""


@dataclass(frozen=True)
class TrainOptions:
    """Trains a model, or goes on with the run of a folder. The first word is a preset, a method or a config.json.

    --devices and --nodes stand for --machine.devices and --machine.nodes.
    """

    config: Annotated[RunConfig, arg(name="")]
    run_dir: Path
    """Folder of the run; the same command goes on where it stopped."""
    overlap: Overlap = "refuse"
    """Pictures of data.val among those of training, when a run begins: refuse, allow (they are named), or unchecked,
    which does not look for them."""
    tensorboard: bool = False
    """Write the log for TensorBoard too, into the folder tensorboard of the run: tensorboard --logdir RUN_DIR."""
    dry_run: bool = False
    """Print the configuration and stop."""
    debug: bool = False
    """Show the trace of an error."""


def run(words: list[str]) -> None:
    """Runs the command on the words after its name."""
    options = _train_options(words)
    config: Any = options.config  # of the method's own class
    if options.dry_run:
        print(json.dumps(to_json(config), indent=1))
        return
    from temperfill.train import started_as_main, train

    if not started_as_main():  # one of several processes, of which the first speaks and validates
        train(config, options.run_dir, _unused_score if config.data.val else None)
        return
    from temperfill import evaluate

    print(json.dumps(to_json(config), indent=1), flush=True)
    compare_held_out(config, options.run_dir, options.overlap)
    with event_files(options.run_dir, options.tensorboard) as on_log:
        train(config, options.run_dir, evaluate.validation_score(config), on_log)


@contextmanager
def event_files(run_dir: Path, wanted: bool) -> Iterator["OnLog | None"]:
    """What writes the log for TensorBoard, into the run folder; None where that is not wanted."""
    if not wanted:
        yield None
        return
    from temperfill.runs.tensorboard import FOLDER, TensorBoardLog

    with TensorBoardLog(run_dir / FOLDER) as log:
        yield log


def compare_held_out(config: RunConfig, run_dir: Path, overlap: Overlap) -> None:
    """Says, before a run begins, whether it would train on its validation pictures.

    Raises:
        ValueError: it would, and ``overlap`` refuses that.
        OSError: pictures cannot be read.
    """
    from temperfill import evaluate

    if config.data.val and config.data.train and not (run_dir / "state.pt").exists():
        say(evaluate.check_overlap(config.data.train, evaluate.pictures_of(config.data.val), overlap))


def _unused_score(_: Any) -> dict[str, float]:
    raise AssertionError("rank 0 validates")


def _train_options(words: list[str]) -> TrainOptions:
    """The configuration that the first word names, overridden by flags."""
    import tyro

    parts = (word.partition("=") for word in words)
    words = ["".join((SHORT.get(flag, flag), *rest)) for flag, *rest in parts]
    name = words[0] if words else "--help"
    config = KNOWN["base"]
    methods = f"presets of our network: {', '.join(PRESETS)}\nmethods of comparison: {', '.join(BASELINES)}"
    if name in ("-h", "--help"):
        print(f"usage: temperfill train PRESET|METHOD|CONFIG.json --run-dir DIR [OPTIONS]\n{methods}\n")
        words = ["--help"]
    elif name in KNOWN:
        config, words = KNOWN[name], words[1:]
    elif name.endswith(".json") or Path(name).is_file():
        config, words = load_run(Path(name)), words[1:]
    elif name.startswith("-"):
        raise ValueError(
            f"the first word after train must be a preset or method ({', '.join(KNOWN)}) or a config.json, got {name}"
        )
    else:
        raise ValueError(
            f"unknown preset {name!r}{near(name, KNOWN)}; known are {', '.join(KNOWN)}, or give a config.json"
        )
    default: Any = TrainOptions(config, run_dir=tyro.MISSING)
    return parse(TrainOptions, f"train {name}" if words != ["--help"] else "train PRESET", words, default)
