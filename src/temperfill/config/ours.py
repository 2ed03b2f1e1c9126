"""Our network, its discriminator and its losses."""

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from temperfill.config.run import RunConfig, RunGenerator, RunLoss
from temperfill.config.values import at_least, at_most, check_types, require


@dataclass(frozen=True)
class GeneratorConfig(RunGenerator):
    """The coarse-to-fine generator (paper, section III-A)."""

    WIDTH_MULTIPLE = 2

    width: int = 24
    """Channels at full resolution, after gating; even. 24 gives 4 M parameters."""
    widths: tuple[int, ...] = ()
    """Channels of every gated convolution after gating, in the order of the network (temperfill prune); empty takes
    those that width gives."""
    attention: Literal["mhtma", "atma", "contextual", "none"] = "mhtma"
    """Attention of the refinement's attention branch; the paper's is mhtma."""
    heads: int = 2
    """Attention heads, each with a temperature (ignored by contextual and none)."""
    head_dim: int = 24
    """Channels of each head's projection."""
    patch_size: int = 3
    """Side of the square patches of mhtma, in feature cells; odd or even."""
    key_stride: int = 1
    """Distance between key patches of mhtma, in feature cells."""
    temperature: Literal["softplus", "leaky_relu", "exponential", "constant", "annealed"] = "softplus"
    """What gives mhtma its temperatures. softplus (paper, Eq. 13), leaky_relu (ATMA's, which can go negative) and
    exponential: learned, by a network that ends so. constant: temperature_init. annealed: falls from temperature_init
    to temperature_end in temperature_steps, by the same factor in each step."""
    temperature_init: float = 0.1
    """Temperature that mhtma starts near."""
    temperature_floor: float = 0.01
    """Added to softplus and exponential, so that such a temperature never falls below it. Temperatures below 0.0002 act
    as that."""
    temperature_end: float = 0.01
    """Last temperature of annealed."""
    temperature_steps: int = 100_000
    """Steps over which annealed falls."""
    masked_score: float = -10000.0
    """Score (lambda, Eq. 9) of keys that touch the hole."""
    masked_score_scaled: bool = False
    """Divide masked_score by the temperature, as one may read Eq. 9."""
    convolution_branch: bool = True
    """Keep the refinement's branch of dilated gated convolutions."""
    attention_branch: bool = True
    """Keep the refinement's branch with attention."""
    detail: bool = False
    """Carry the high frequencies of known pixels along the attention of mhtma into the hole."""
    sketch: bool = False
    """Take a sketch as fifth input channel."""

    def __post_init__(self) -> None:
        check_types(self)
        require(self.width >= 2 and self.width % 2 == 0, f"width must be even and at least 2, got {self.width}")
        require(min(self.widths, default=1) >= 1, f"widths must be at least 1, got {self.widths}")
        at_least(1, self, "heads", "head_dim", "patch_size", "key_stride", "temperature_steps")
        at_most(1024, self, "width", "head_dim")
        at_most(64, self, "heads", "patch_size", "key_stride")
        temperatures = ("temperature_init", "temperature_floor", "temperature_end")
        at_most(100, self, *temperatures)
        for name in temperatures:
            require(getattr(self, name) > 0, f"{name} must be positive, got {getattr(self, name)}")
        require(
            self.temperature not in ("softplus", "exponential") or self.temperature_init > self.temperature_floor,
            f"temperature_init must exceed temperature_floor {self.temperature_floor}, got {self.temperature_init}",
        )
        require(
            self.temperature == "softplus" or self.attention == "mhtma",
            f"temperature {self.temperature} needs the attention mhtma, got {self.attention}",
        )
        fits = -1e30 <= self.masked_score < 0
        require(fits, f"masked_score must be negative, at least -1e30, got {self.masked_score}")
        require(
            self.convolution_branch or self.attention_branch,
            "convolution_branch and attention_branch are both off; the refinement needs at least one",
        )
        require(
            not self.detail or (self.attention == "mhtma" and self.attention_branch),
            "detail needs attention mhtma and the attention branch: switch it off (--generator.no-detail)",
        )

    @property
    def has_temperatures(self) -> bool:
        """Those of MHTMA and ATMA."""
        return self.attention in ("mhtma", "atma")


@dataclass(frozen=True)
class DiscriminatorConfig:
    """The global-local discriminator (paper, section III-A)."""

    width: int = 32
    """Channels after the first convolution; later ones have up to 8 times as many. Full width is 64."""
    feature_dim: int = 512
    """Length of each branch's feature vector. At full width 1024."""

    def __post_init__(self) -> None:
        check_types(self)
        at_least(1, self, "width", "feature_dim")
        at_most(1024, self, "width")
        at_most(16_384, self, "feature_dim")


@dataclass(frozen=True)
class LossConfig(RunLoss):
    """Weights and kinds of the losses (paper, section III-B, Eqs. 2-6)."""

    VGG_WEIGHTS = ("perceptual_weight",)
    LATER = MappingProxyType({"perceptual_pasted": True, "perceptual_layers": [1, 2, 3], "texture_weight": 0.0})

    coarse_weight: float = 2.0
    """Weight of the L1 distance of the coarse image."""
    refined_weight: float = 2.0
    """Weight of the L1 distance of the refined image."""
    hole_weight: float = 1.0
    """Factor on the L1 distance inside the hole, relative to the known part, which the composite discards."""
    perceptual_weight: float = 0.05
    """Weight of the VGG distance; 0 trains without VGG weights."""
    perceptual_on: Literal["coarse", "refined", "both"] = "coarse"
    """Which output the perceptual loss sees; the paper's is coarse (Eq. 3)."""
    perceptual_pasted: bool = False
    """Paste that output into the known pixels first, so that the loss sees what a user sees. The paper's sees the
    output itself."""
    perceptual_layers: tuple[int, ...] = (1, 2, 3)
    """VGG's activations that are compared: of the first, second and third block (VGG-16: pool1, pool2, pool3; VGG-19:
    relu1_2, relu2_2, relu3_1)."""
    perceptual_local: bool = False
    """Take the perceptual loss on the discriminator's local patch, a quarter of the picture, to save time."""
    texture_weight: float = 0.0
    """Weight of the distance of local gradient strengths of the refined image in the hole; the paper has none."""
    adversarial: Literal["hinge", "wgan-gp"] = "hinge"
    """hinge with spectral normalisation (Eqs. 4, 5), or WGAN with gradient penalty and no normalisation."""
    adversarial_weight: float = 0.01
    """Weight of the adversarial loss; 0 trains without a discriminator."""
    adversarial_start: int = 0
    """Step at which the adversarial loss of the generator begins; the discriminator learns from step 0 on."""
    gradient_penalty_weight: float = 10.0
    """Weight of WGAN-GP's penalty."""

    def __post_init__(self) -> None:
        check_types(self)
        at_least(0, self, "coarse_weight", "refined_weight", "perceptual_weight", "texture_weight")
        at_least(0, self, "adversarial_weight", "gradient_penalty_weight", "adversarial_start")
        layers = self.perceptual_layers
        known = len(layers) > 0 and len(set(layers)) == len(layers) and set(layers) <= {1, 2, 3}
        require(known, f"perceptual_layers must be some of 1, 2 and 3, each once, got {layers}")
        require(self.hole_weight > 0, f"hole_weight must be positive, got {self.hole_weight}")

    @property
    def has_gradient_penalty(self) -> bool:
        """That of WGAN-GP."""
        return self.adversarial == "wgan-gp"


@dataclass(frozen=True)
class TrainConfig(RunConfig):
    """One training run."""

    method = "ours"

    generator: GeneratorConfig = field(default_factory=GeneratorConfig)
    discriminator: DiscriminatorConfig = field(default_factory=DiscriminatorConfig)
    loss: LossConfig = field(default_factory=LossConfig)
