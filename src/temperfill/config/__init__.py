"""Configurations: frozen dataclasses that are validated when built and read and written as strict JSON.

Every field's docstring gives its meaning, unit, range and source; the command line shows it as help.
"paper" is arXiv 2302.06130. This package imports nothing heavy, so that ``--help`` stays fast.
"""

from temperfill.config.evaluation import LEAST_SIZE, RATIO_BINS, EvaluationConfig, MetricsConfig, Overlap, StudyConfig
from temperfill.config.ours import DiscriminatorConfig, GeneratorConfig, LossConfig, TrainConfig
from temperfill.config.run import DataConfig, MachineConfig, NoDiscriminator, RunConfig, RunGenerator, RunLoss, Strokes
from temperfill.config.values import differences, from_json, load_json, read_json, to_json

__all__ = [
    "LEAST_SIZE",
    "RATIO_BINS",
    "DataConfig",
    "DiscriminatorConfig",
    "EvaluationConfig",
    "GeneratorConfig",
    "LossConfig",
    "MachineConfig",
    "MetricsConfig",
    "NoDiscriminator",
    "Overlap",
    "RunConfig",
    "RunGenerator",
    "RunLoss",
    "Strokes",
    "StudyConfig",
    "TrainConfig",
    "differences",
    "from_json",
    "load_json",
    "read_json",
    "to_json",
]
