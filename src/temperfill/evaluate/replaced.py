"""A report that stands in the output folder already: of the same pictures and masks, or not to be lost."""

import json
import warnings
from pathlib import Path
from typing import Any

from temperfill.config import EvaluationConfig, differences, to_json

_SAME = ("pictures", "masks", "groups", "mask_kind", "seed", "size", "squash")
"""Settings that say what was measured; with others, figures and composites are of something else. More or fewer of the
same pictures have the same masks."""


def refuse_other_report(config: EvaluationConfig, output: Path) -> None:
    """Stops before a report of other pictures or masks would be replaced.

    Args:
        config: of the evaluation.
        output: folder of the report.

    Raises:
        OSError: the report there cannot be read.
        ValueError: there is one of other pictures or masks; lists the settings that differ.
    """
    old, new = _report(output).get("settings", {}), to_json(config)
    shared = [name for name in _SAME if name in old]  # earlier versions had fewer
    changes = differences({name: old[name] for name in shared}, {name: new[name] for name in shared})
    if changes:
        raise ValueError(
            f"{output} holds a report of other pictures or masks (there -> here): {'; '.join(changes)}. Write "
            "elsewhere, or remove it"
        )


def warn_of_replaced(output: Path, labels: set[str]) -> None:
    """Names the methods of an old report that the new one lacks.

    Args:
        output: folder of the report.
        labels: of the methods that are measured now.

    Raises:
        OSError: the report there cannot be read.
    """
    lost = [label for label in _report(output).get("methods", {}) if label not in labels]
    if lost:
        said = f"{output}: the report there is replaced by one without {', '.join(lost)}, whose composites stay"
        warnings.warn(said, UserWarning, stacklevel=3)


def _report(output: Path) -> dict[str, Any]:
    """The report in a folder; empty if there is none, or no readable one."""
    path = output / "report.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) and isinstance(found.get("settings", {}), dict) else {}
