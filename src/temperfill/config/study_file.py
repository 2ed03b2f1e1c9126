"""A comparison or an ablation as a JSON file: its evaluation, its training, and variants of one's own."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from temperfill.config.evaluation import EvaluationConfig, StudyConfig
from temperfill.config.values import from_json, read_json, require

Changes = dict[str, Any]
"""What a variant changes in a run, as it stands in the JSON of a run: nested, and only what differs."""


@dataclass(frozen=True)
class StudyFile:
    """What a file says of a study; all of it may be missing."""

    evaluation: EvaluationConfig = field(default_factory=lambda: EvaluationConfig(()))
    """Pictures, masks and metrics."""
    study: StudyConfig = field(default_factory=StudyConfig)
    """Training."""
    methods: tuple[str, ...] = ()
    """Of a comparison."""
    variants: dict[str, Changes] = field(default_factory=dict)
    """By label; ``method`` among the changes names the system, ours without."""


def read_study_file(path: Path) -> StudyFile:
    """Reads ``{"evaluation": {}, "study": {}, "methods": [], "changes": {}, "variants": {"LABEL": {}}}``.

    ``changes`` are those of every variant, to which each adds its own.

    Raises:
        OSError: cannot be read.
        ValueError: an unknown key, a wrong type or an invalid value, naming the path to it.
    """
    data = read_json(path)
    require(isinstance(data, dict), f"{path}: expected an object, got {type(data).__name__}")
    known = ("evaluation", "study", "methods", "changes", "variants")
    for key, value in data.items():
        require(key in known, f"{path}.{key}: unknown key; known are {', '.join(known)}")
        kind = list if key == "methods" else dict
        require(isinstance(value, kind), f"{path}.{key}: expected {kind.__name__}, got {type(value).__name__}")
    methods = data.get("methods", [])
    require(all(isinstance(name, str) for name in methods), f"{path}.methods: expected texts")
    for label, changes in data.get("variants", {}).items():
        require(re.fullmatch(r"[\w.+-]+", label) is not None, f"{path}.variants: {label!r} is no name of a folder")
        require(isinstance(changes, dict), f"{path}.variants.{label}: expected an object, got {changes!r}")
    return StudyFile(
        from_json(EvaluationConfig, {"pictures": [], **data.get("evaluation", {})}, f"{path}.evaluation"),
        from_json(StudyConfig, data.get("study", {}), f"{path}.study"),
        tuple(methods),
        {label: merged(data.get("changes", {}), own) for label, own in data.get("variants", {}).items()},
    )


def merged(old: Changes, changes: Changes) -> Changes:
    """Nested values with some of them replaced."""
    both = {
        key: merged(old[key], value) if isinstance(value, dict) and isinstance(old.get(key), dict) else value
        for key, value in changes.items()
    }
    return old | both
