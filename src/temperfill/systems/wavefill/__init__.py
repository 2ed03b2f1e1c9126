"""WaveFill (Yu et al. 2021, arXiv 2107.11027): configuration, and the run as the paper and its public code train it.

Widths are those of the published networks by default; everything else scales with them.
"""

from dataclasses import dataclass, field, replace
from typing import Literal, Self

from temperfill.config.run import RunConfig, RunGenerator, RunLoss
from temperfill.config.values import at_least, at_most, check_types, require

MINIMUM = 68
"""Smallest side in pixels that WaveFill takes: its reflection padding of 16 cells needs 17 at a quarter of the size."""


@dataclass(frozen=True)
class WaveFillConfig(RunGenerator):
    """The generator of WaveFill (Yu et al. 2021)."""

    WIDTH_MULTIPLE = 4

    width: int = 64
    """Channels at full resolution; a multiple of 4. 64 gives 49.3 M parameters."""

    def __post_init__(self) -> None:
        check_types(self)
        require(
            self.width >= 4 and self.width % self.WIDTH_MULTIPLE == 0,
            f"width must be a multiple of 4, at least 4, got {self.width}",
        )
        at_most(1024, self, "width")


@dataclass(frozen=True)
class BandDiscriminatorConfig:
    """The discriminator of each level's high bands."""

    width: int = 64
    """Channels after the first convolution; later ones have up to 8 times as many."""

    def __post_init__(self) -> None:
        check_types(self)
        at_least(1, self, "width")
        at_most(1024, self, "width")


@dataclass(frozen=True)
class WaveFillLoss(RunLoss):
    """Weights of the losses of WaveFill (Yu et al. 2021, section 3.4)."""

    VGG_WEIGHTS = ("perceptual_weight", "content_weight")

    refined_weight: float = 0.5
    """Weight of the L1 distance of the low band, whose values are those of the picture in [-1, 1] times 4."""
    hole_weight: float = 6.0
    """Factor on the mean over the hole, relative to the mean over the known part."""
    perceptual_weight: float = 10.0
    """Weight of the VGG-19 distance; 0 does without."""
    content_weight: float = 0.001
    """Weight of the squared distance at relu4_2 of VGG-19; 0 does without."""
    perceptual_depth: Literal["relu5_2", "relu3_1"] = "relu5_2"
    """Deepest layer of the VGG distance: relu5_2 needs a whole VGG-19; relu3_1 takes what the other methods take, its
    three layers instead of the paper's five, and no content loss."""
    adversarial_weight: float = 1.0
    """Weight of the adversarial loss of each level's high bands; 0 trains without a discriminator."""
    adversarial_start: int = 0
    """Step at which the generator's losses from the discriminator begin; it learns from step 0 on."""
    matching_weight: float = 5.0
    """Weight of the distance of the discriminator's features (feature matching)."""

    def __post_init__(self) -> None:
        check_types(self)
        at_least(0, self, "refined_weight", "perceptual_weight", "content_weight", "adversarial_weight")
        at_least(0, self, "adversarial_start", "matching_weight")
        require(self.hole_weight > 0, f"hole_weight must be positive, got {self.hole_weight}")
        fits = self.perceptual_depth == "relu5_2" or self.content_weight == 0
        require(fits, "content_weight needs relu4_2: set it to 0 with perceptual_depth relu3_1")

    @property
    def needs_whole_vgg(self) -> bool:
        """Whether a layer behind relu3_1 is compared."""
        return self.perceptual_depth == "relu5_2"

    def with_short_vgg(self) -> Self:
        """The same losses on the layers up to relu3_1."""
        return replace(self, perceptual_depth="relu3_1", content_weight=0.0)


@dataclass(frozen=True)
class WaveFillRun(RunConfig):
    """A training run of WaveFill."""

    method = "wavefill"

    generator: WaveFillConfig = field(default_factory=WaveFillConfig)
    discriminator: BandDiscriminatorConfig = field(default_factory=BandDiscriminatorConfig)
    loss: WaveFillLoss = field(default_factory=WaveFillLoss)

    def __post_init__(self) -> None:
        super().__post_init__()
        fits = self.data.crop_size >= MINIMUM
        require(fits, f"wavefill needs a crop_size of at least {MINIMUM}, got {self.data.crop_size}")


PUBLISHED = WaveFillRun(beta1=0.0, beta2=0.9, discriminator_rate=4.0, schedule="linear", batch_size=10)
