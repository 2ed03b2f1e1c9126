"""The log of a training run, read while it is being written."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_NOT_LOSSES = ("step", "seconds", "images_per_second", "learning_rate")


@dataclass(frozen=True)
class RunLog:
    """What ``log.jsonl`` says.

    Attributes:
        steps: its lines of means over steps, oldest first.
        validations: its lines of validation, each with ``step`` and ``validation``.
    """

    steps: list[dict[str, Any]] = field(default_factory=list)
    validations: list[dict[str, Any]] = field(default_factory=list)

    def names(self) -> list[str]:
        """Terms of the losses, in the order in which they first appear."""
        single = (name for line in self.steps for name, value in line.items() if not isinstance(value, list))
        return [name for name in dict.fromkeys(single) if name not in _NOT_LOSSES]

    def curve(self, name: str) -> tuple[list[int], list[float]]:
        """Steps and values of a number that the lines hold."""
        found = [(line["step"], line[name]) for line in self.steps if name in line]
        return [step for step, _ in found], [value for _, value in found]

    def heads(self) -> int:
        """Attention heads; 0 without attention."""
        return max((len(line.get("temperature", ())) for line in self.steps), default=0)

    def temperature(self, head: int, which: str = "temperature") -> tuple[list[int], list[float]]:
        """Steps and temperatures of a head; ``temperature_low`` and ``temperature_high`` are the ends of the range."""
        found = [(line["step"], line[which][head]) for line in self.steps if len(line.get(which, ())) > head]
        return [step for step, _ in found], [value for _, value in found]


def read_log(path: Path) -> RunLog:
    """Reads a log; a last line that is not finished yet, or was cut by a kill, is left out.

    Args:
        path: of log.jsonl.

    Raises:
        OSError: cannot be read.
        ValueError: a line other than the last is damaged.
    """
    log = RunLog()
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    for number, line in enumerate(lines, 1):
        try:
            record = json.loads(line)
            (log.validations if "validation" in record else log.steps).append(record | {"step": int(record["step"])})
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            if number < len(lines) and line.strip():
                raise ValueError(f"{path}, line {number} is no line of a training log") from None
    return log


def read_run(run_dir: Path) -> tuple[RunLog, dict[str, Any]]:
    """The log of a run, empty before its first line, and its configuration as JSON.

    Raises:
        OSError: no such run.
        ValueError: a damaged log or configuration.
    """
    config_path = run_dir / "config.json"
    if not config_path.is_file():
        raise FileNotFoundError(f"{run_dir} is no run folder: it has no config.json")
    try:
        config = json.loads(config_path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{config_path} is no JSON: {error}") from None
    if not isinstance(config, dict):
        raise ValueError(f"{config_path} holds no configuration")
    path = run_dir / "log.jsonl"
    return (read_log(path) if path.is_file() else RunLog()), config
