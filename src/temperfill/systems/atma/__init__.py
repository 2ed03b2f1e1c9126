"""ATMA (Zhou et al. 2021) as a system: DeepFillv2 with another attention; its configuration and its run."""

from dataclasses import dataclass, field

from temperfill.config.values import at_least, at_most, require
from temperfill.systems.deepfillv2 import DeepFillV2Config, DeepFillV2Run


@dataclass(frozen=True)
class ATMAConfig(DeepFillV2Config):
    """DeepFillv2's generator with batch normalisation and ATMA (Zhou et al. 2021) as its attention.

    The authors put it into the network of DeepFill (2018); see docs/record/deviations.md.
    """

    heads: int = 2
    """Learned temperatures."""
    temperature_init: float = 0.1
    """Temperature at the start."""

    @property
    def has_temperatures(self) -> bool:
        """Those of the heads."""
        return True

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(1, self, "heads")
        at_most(64, self, "heads")
        at_most(100, self, "temperature_init")
        require(self.temperature_init > 0, f"temperature_init must be positive, got {self.temperature_init}")


@dataclass(frozen=True)
class ATMARun(DeepFillV2Run):
    """A training run of ATMA: DeepFillv2's network with batch normalisation and ATMA, and DeepFillv2's losses."""

    method = "atma"

    generator: ATMAConfig = field(default_factory=ATMAConfig)


PUBLISHED = ATMARun()
