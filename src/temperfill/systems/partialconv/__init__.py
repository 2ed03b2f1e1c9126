"""Partial convolutions (Liu et al. 2018, arXiv 1804.07723): configuration, and the run as the paper trains it.

The width is that of the published network by default; everything else scales with it.
"""

from dataclasses import dataclass, field

from temperfill.config.run import NoDiscriminator, RunConfig, RunGenerator, RunLoss
from temperfill.config.values import at_least, at_most, check_types, require


@dataclass(frozen=True)
class PartialConvConfig(RunGenerator):
    """The U-net of partial convolutions (Liu et al. 2018)."""

    width: int = 64
    """Channels after the first convolution; later ones have up to 8 times as many. 64 gives 25.8 M parameters."""
    freeze_encoder_norm: bool = False
    """Keep the encoder's batch normalisation as it is, as the paper's second phase does; start it with init_path."""

    def __post_init__(self) -> None:
        check_types(self)
        at_least(1, self, "width")
        at_most(1024, self, "width")


@dataclass(frozen=True)
class PartialConvLoss(RunLoss):
    """Weights of the losses of partial convolutions (Liu et al. 2018, section 3.3)."""

    VGG_WEIGHTS = ("perceptual_weight", "style_weight")

    refined_weight: float = 1.0
    """Weight of the L1 distance in the known part."""
    hole_weight: float = 6.0
    """Factor on the L1 distance inside the hole, relative to the known part."""
    perceptual_weight: float = 0.05
    """Weight of the VGG distances of output and composite; 0 does without."""
    style_weight: float = 120.0
    """Weight of the distances of their Gram matrices; 0 does without."""
    variation_weight: float = 0.1
    """Weight of the total variation of the composite in the hole and one pixel around it."""

    def __post_init__(self) -> None:
        check_types(self)
        at_least(0, self, "refined_weight", "perceptual_weight", "style_weight", "variation_weight")
        require(self.hole_weight > 0, f"hole_weight must be positive, got {self.hole_weight}")


@dataclass(frozen=True)
class PartialConvRun(RunConfig):
    """A training run of partial convolutions."""

    method = "partialconv"

    generator: PartialConvConfig = field(default_factory=PartialConvConfig)
    discriminator: NoDiscriminator = field(default_factory=NoDiscriminator)
    loss: PartialConvLoss = field(default_factory=PartialConvLoss)

    def __post_init__(self) -> None:
        super().__post_init__()
        # Seven halvings leave one pixel, of which batch normalisation has no variance in a batch of one.
        fits = self.batch_size > 1 or self.data.crop_size > 128
        require(fits, f"batch_size 1 needs a crop_size above 128 for partialconv, got {self.data.crop_size}")


PUBLISHED = PartialConvRun(learning_rate=2e-4, beta1=0.9)
