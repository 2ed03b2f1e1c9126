"""From the configuration of a generator to the generator, whatever its method."""

from collections.abc import Callable
from typing import Any

from temperfill.config import ATMAConfig, DeepFillV2Config, GeneratorConfig, PartialConvConfig, WaveFillConfig
from temperfill.nets.deepfillv2 import DeepFillV2
from temperfill.nets.generator import Generator
from temperfill.nets.partialconv import PartialConvUNet
from temperfill.nets.wavefill import WaveFill

Network = Generator | PartialConvUNet | DeepFillV2 | WaveFill
"""A generator: image (B, 3, H, W) in [0, 1] and mask (B, 1, H, W) to a ``GeneratorOutput``; it has its ``config``."""

_NETWORKS: dict[type, Callable[[Any], Network]] = {
    GeneratorConfig: Generator,
    PartialConvConfig: PartialConvUNet,
    DeepFillV2Config: DeepFillV2,
    ATMAConfig: DeepFillV2,
    WaveFillConfig: WaveFill,
}


def build(config: Any) -> Network:
    """The generator that a configuration describes, with random weights."""
    return _NETWORKS[type(config)](config)
