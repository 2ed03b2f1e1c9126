"""Table of configurations of our network.

PRESETS are runs: "paper" is trained as the paper says (docs/record/deviations.md lists what differs), "base" and
"large" with the losses and the carried detail of the bundled model "base", which controlled runs compare
(docs/record/release.md), "tiny" is "paper" in small, to try things out.
"""

from dataclasses import replace

from temperfill.config import DiscriminatorConfig, GeneratorConfig, LossConfig, TrainConfig

PAPER = TrainConfig()

BASE = replace(
    PAPER,
    generator=GeneratorConfig(detail=True),
    loss=LossConfig(
        coarse_weight=1.0,
        refined_weight=1.0,
        hole_weight=6.0,
        perceptual_weight=0.2,
        perceptual_on="refined",
        perceptual_pasted=True,
        perceptual_local=True,
        texture_weight=0.88,
        adversarial_weight=0.024,
    ),
)

PRESETS: dict[str, TrainConfig] = {
    "paper": PAPER,
    "tiny": replace(
        PAPER,
        generator=GeneratorConfig(width=8, head_dim=8),
        discriminator=DiscriminatorConfig(width=8, feature_dim=32),
    ),
    "base": BASE,
    "large": replace(
        BASE,
        generator=replace(BASE.generator, width=48),
        discriminator=DiscriminatorConfig(width=64, feature_dim=1024),
    ),
}
