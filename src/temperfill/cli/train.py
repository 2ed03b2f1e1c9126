"""``temperfill train``: train a model, or go on with a run."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import arg

from temperfill.cli.parsing import near, parse
from temperfill.config import TrainConfig, load_json, to_json
from temperfill.presets import PRESETS


@dataclass(frozen=True)
class TrainOptions:
    """Trains a model, or goes on with the run of a folder. The first word is a preset or a config.json."""

    config: Annotated[TrainConfig, arg(name="")]
    run_dir: Path
    """Folder of the run; the same command goes on where it stopped."""
    dry_run: bool = False
    """Print the configuration and stop."""
    debug: bool = False
    """Show the trace of an error."""


def run(words: list[str]) -> None:
    """Runs the command on the words after its name."""
    options = _train_options(words)
    print(json.dumps(to_json(options.config), indent=1))
    if options.dry_run:
        return
    from temperfill import evaluate
    from temperfill.train import train

    train(options.config, options.run_dir, evaluate.validation_score(options.config))


def _train_options(words: list[str]) -> TrainOptions:
    """The configuration that the first word names, overridden by flags."""
    import tyro

    name = words[0] if words else "--help"
    if name in ("-h", "--help"):
        print(f"usage: temperfill train PRESET|CONFIG.json --run-dir DIR [OPTIONS]\npresets: {', '.join(PRESETS)}\n")
        config, words = PRESETS["base"], ["--help"]
    elif name in PRESETS:
        config, words = PRESETS[name], words[1:]
    elif name.endswith(".json") or Path(name).is_file():
        config, words = load_json(TrainConfig, Path(name)), words[1:]
    elif name.startswith("-"):
        raise ValueError(
            f"the first word after train must be a preset ({', '.join(PRESETS)}) or a config.json, got {name}"
        )
    else:
        raise ValueError(
            f"unknown preset {name!r}{near(name, PRESETS)}; known are {', '.join(PRESETS)}, or give a config.json"
        )
    default: Any = TrainOptions(config, run_dir=tyro.MISSING)
    return parse(TrainOptions, f"train {name}" if words != ["--help"] else "train PRESET", words, default)
