"""Two tables of configurations: PRESETS by size, ABLATIONS by what they change in a preset's generator."""

from dataclasses import replace

from temperfill.config import DiscriminatorConfig, GeneratorConfig, TrainConfig

BASE = TrainConfig()

PRESETS: dict[str, TrainConfig] = {
    "tiny": replace(
        BASE,
        generator=GeneratorConfig(width=8, head_dim=8),
        discriminator=DiscriminatorConfig(width=8, feature_dim=32),
    ),
    "base": BASE,
    "large": replace(
        BASE,
        generator=GeneratorConfig(width=48),
        discriminator=DiscriminatorConfig(width=64, feature_dim=1024),
    ),
}

ABLATIONS: dict[str, GeneratorConfig] = {
    "mhtma": BASE.generator,
    "atma": replace(BASE.generator, attention="atma"),
    "contextual": replace(BASE.generator, attention="contextual"),
    "none": replace(BASE.generator, attention="none"),
    "no-convolution-branch": replace(BASE.generator, convolution_branch=False),
    "no-attention-branch": replace(BASE.generator, attention_branch=False),
}
