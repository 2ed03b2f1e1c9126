"""A toy system in three files: this configuration, its network and its losses. The fourth is the row of the table."""

from dataclasses import dataclass, field

from temperfill.config import NoDiscriminator, RunConfig, RunGenerator, RunLoss


@dataclass(frozen=True)
class ToyConfig(RunGenerator):
    """The generator."""

    width: int = 8
    """Channels between its two convolutions."""


@dataclass(frozen=True)
class ToyLoss(RunLoss):
    """Its only loss."""

    perceptual_weight = 0.0

    refined_weight: float = 1.0
    """Weight of the L1 distance."""


@dataclass(frozen=True)
class ToyRun(RunConfig):
    """A training run of the toy."""

    method = "toy"

    generator: ToyConfig = field(default_factory=ToyConfig)
    discriminator: NoDiscriminator = field(default_factory=NoDiscriminator)
    loss: ToyLoss = field(default_factory=ToyLoss)


PUBLISHED = ToyRun(learning_rate=1e-3)
