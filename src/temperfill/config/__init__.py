"""Configurations: frozen dataclasses that are validated when built and read and written as strict JSON.

Every field's docstring gives its meaning, unit, range and source; the command line shows it as help.
"paper" is arXiv 2302.06130. This package imports nothing heavy, so that ``--help`` stays fast.
"""

from pathlib import Path
from typing import Any

from temperfill.config.baselines import (
    WAVEFILL_MINIMUM,
    ATMAConfig,
    ATMARun,
    DeepFillV2Config,
    DeepFillV2Loss,
    DeepFillV2Run,
    PartialConvConfig,
    PartialConvLoss,
    PartialConvRun,
    PatchDiscriminatorConfig,
    WaveFillConfig,
    WaveFillLoss,
    WaveFillRun,
)
from temperfill.config.evaluation import LEAST_SIZE, RATIO_BINS, EvaluationConfig, MetricsConfig, StudyConfig
from temperfill.config.ours import DiscriminatorConfig, GeneratorConfig, LossConfig, TrainConfig
from temperfill.config.run import DataConfig, MachineConfig, RunConfig
from temperfill.config.values import differences, from_json, load_json, read_json, to_json

__all__ = [
    "GENERATORS",
    "LEAST_SIZE",
    "RATIO_BINS",
    "RUNS",
    "WAVEFILL_MINIMUM",
    "ATMAConfig",
    "ATMARun",
    "DataConfig",
    "DeepFillV2Config",
    "DeepFillV2Loss",
    "DeepFillV2Run",
    "DiscriminatorConfig",
    "EvaluationConfig",
    "GeneratorConfig",
    "LossConfig",
    "MachineConfig",
    "MetricsConfig",
    "PartialConvConfig",
    "PartialConvLoss",
    "PartialConvRun",
    "PatchDiscriminatorConfig",
    "RunConfig",
    "StudyConfig",
    "TrainConfig",
    "WaveFillConfig",
    "WaveFillLoss",
    "WaveFillRun",
    "differences",
    "from_json",
    "load_json",
    "load_run",
    "method_of",
    "to_json",
]

RUNS: dict[str, type[RunConfig]] = {
    "ours": TrainConfig,
    "partialconv": PartialConvRun,
    "deepfillv2": DeepFillV2Run,
    "wavefill": WaveFillRun,
    "atma": ATMARun,
}
"""Methods that can be trained, and their runs."""

GENERATORS: dict[str, type] = {method: type(run().generator) for method, run in RUNS.items()}
"""The same methods, and the configurations of their generators."""


def method_of(generator: Any) -> str:
    """The method whose generator a configuration describes."""
    return next(method for method, cls in GENERATORS.items() if type(generator) is cls)


def load_run(path: Path) -> RunConfig:
    """Reads a training run of any method from a JSON file; without the key ``method`` it is one of ours.

    Raises:
        OSError: cannot be read.
        ValueError: as :func:`load_json`, or an unknown method.
    """
    data = read_json(path)
    method = data.get("method", "ours") if isinstance(data, dict) else "ours"
    if not isinstance(method, str) or method not in RUNS:
        raise ValueError(f"{path}.method: expected one of {', '.join(RUNS)}, got {method!r}")
    return from_json(RUNS[method], data, str(path))
