"""DeepFillv2 (Yu et al. 2019, arXiv 1806.03589): configuration, and the run as the paper trains it.

Widths are those of the published networks by default; everything else scales with them.
"""

from dataclasses import dataclass, field

from temperfill.config.run import RunConfig, RunGenerator, RunLoss
from temperfill.config.values import at_least, at_most, check_types, require


@dataclass(frozen=True)
class DeepFillV2Config(RunGenerator):
    """The generator of DeepFillv2 (Yu et al. 2019)."""

    WIDTH_MULTIPLE = 2

    width: int = 24
    """Channels at full resolution, after gating; even. 24 (convolutions with 48 outputs) gives 4.05 M parameters."""
    tensorflow: bool = False
    """Halve maps as TensorFlow does, for weights from there: padded below and to the right alone, and for the attention
    with corners on corners."""

    def __post_init__(self) -> None:
        check_types(self)
        require(
            self.width >= 2 and self.width % self.WIDTH_MULTIPLE == 0,
            f"width must be even and at least 2, got {self.width}",
        )
        at_most(1024, self, "width")


@dataclass(frozen=True)
class PatchDiscriminatorConfig:
    """SN-PatchGAN, which judges patches."""

    width: int = 64
    """Channels after the first convolution; later ones have up to 4 times as many."""

    def __post_init__(self) -> None:
        check_types(self)
        at_least(1, self, "width")
        at_most(1024, self, "width")


@dataclass(frozen=True)
class DeepFillV2Loss(RunLoss):
    """Weights of the losses of DeepFillv2 (Yu et al. 2019, section 3.4); there is no perceptual one."""

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


PUBLISHED = DeepFillV2Run()
