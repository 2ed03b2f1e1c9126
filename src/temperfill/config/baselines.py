"""The methods of comparison: networks, discriminators and losses, with the values of their papers.

Widths are those of the published networks by default; everything else scales with them.
"""

from dataclasses import dataclass, field
from typing import Literal

from temperfill.config.run import RunConfig
from temperfill.config.values import at_least, check_types, require

WAVEFILL_MINIMUM = 68
"""Smallest side in pixels that WaveFill takes: its reflection padding of 16 cells needs 17 at a quarter of the size."""


@dataclass(frozen=True)
class PartialConvConfig:
    """The U-net of partial convolutions (Liu et al. 2018)."""

    width: int = 64
    """Channels after the first convolution; later ones have up to 8 times as many. 64 gives 25.8 M parameters."""
    freeze_encoder_norm: bool = False
    """Keep the encoder's batch normalisation as it is, as the paper's second phase does; start it with init_path."""

    def __post_init__(self) -> None:
        check_types(self)
        at_least(1, self, "width")


@dataclass(frozen=True)
class PartialConvLoss:
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
class NoDiscriminator:
    """There is none."""


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


@dataclass(frozen=True)
class DeepFillV2Config:
    """The generator of DeepFillv2 (Yu et al. 2019)."""

    width: int = 24
    """Channels at full resolution, after gating; even. 24 (convolutions with 48 outputs) gives 4.05 M parameters."""

    def __post_init__(self) -> None:
        check_types(self)
        require(self.width >= 2 and self.width % 2 == 0, f"width must be even and at least 2, got {self.width}")


@dataclass(frozen=True)
class ATMAConfig(DeepFillV2Config):
    """DeepFillv2's generator with batch normalisation and ATMA (Zhou et al. 2021) as its attention."""

    heads: int = 2
    """Learned temperatures."""
    temperature_init: float = 0.1
    """Temperature at the start."""

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(1, self, "heads")
        require(self.temperature_init > 0, f"temperature_init must be positive, got {self.temperature_init}")


@dataclass(frozen=True)
class PatchDiscriminatorConfig:
    """A discriminator that judges patches."""

    width: int = 64
    """Channels after the first convolution; later ones have up to 4 times as many (SN-PatchGAN), or 8 (WaveFill)."""

    def __post_init__(self) -> None:
        check_types(self)
        at_least(1, self, "width")


@dataclass(frozen=True)
class DeepFillV2Loss:
    """Weights of the losses of DeepFillv2 (Yu et al. 2019, section 3.4); there is no perceptual one."""

    VGG_WEIGHTS = ()
    perceptual_weight = 0.0

    coarse_weight: float = 2.0
    """Weight of the L1 distance of the coarse image; the authors' 1 is on images in [-1, 1]."""
    refined_weight: float = 2.0
    """Weight of the L1 distance of the refined image, likewise."""
    adversarial_weight: float = 1.0
    """Weight of the adversarial loss; 0 trains without a discriminator."""
    adversarial_start: int = 0
    """Step at which the adversarial loss of the generator begins; the discriminator learns from step 0 on."""

    def __post_init__(self) -> None:
        check_types(self)
        at_least(0, self, "coarse_weight", "refined_weight", "adversarial_weight", "adversarial_start")


@dataclass(frozen=True)
class DeepFillV2Run(RunConfig):
    """A training run of DeepFillv2."""

    method = "deepfillv2"

    generator: DeepFillV2Config = field(default_factory=DeepFillV2Config)
    discriminator: PatchDiscriminatorConfig = field(default_factory=PatchDiscriminatorConfig)
    loss: DeepFillV2Loss = field(default_factory=DeepFillV2Loss)


@dataclass(frozen=True)
class ATMARun(RunConfig):
    """A training run of ATMA: DeepFillv2's network with batch normalisation and ATMA, and DeepFillv2's losses."""

    method = "atma"

    generator: ATMAConfig = field(default_factory=ATMAConfig)
    discriminator: PatchDiscriminatorConfig = field(default_factory=PatchDiscriminatorConfig)
    loss: DeepFillV2Loss = field(default_factory=DeepFillV2Loss)


@dataclass(frozen=True)
class WaveFillConfig:
    """The generator of WaveFill (Yu et al. 2021)."""

    width: int = 64
    """Channels at full resolution; a multiple of 4. 64 gives 49.3 M parameters."""

    def __post_init__(self) -> None:
        check_types(self)
        require(self.width >= 4 and self.width % 4 == 0, f"width must be a multiple of 4, at least 4, got {self.width}")


@dataclass(frozen=True)
class WaveFillLoss:
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


@dataclass(frozen=True)
class WaveFillRun(RunConfig):
    """A training run of WaveFill."""

    method = "wavefill"

    generator: WaveFillConfig = field(default_factory=WaveFillConfig)
    discriminator: PatchDiscriminatorConfig = field(default_factory=PatchDiscriminatorConfig)
    loss: WaveFillLoss = field(default_factory=WaveFillLoss)

    def __post_init__(self) -> None:
        super().__post_init__()
        fits = self.data.crop_size >= WAVEFILL_MINIMUM
        require(fits, f"wavefill needs a crop_size of at least {WAVEFILL_MINIMUM}, got {self.data.crop_size}")
