"""Tables of configurations.

PRESETS are our network by size, ABLATIONS what is changed in a preset's generator, BASELINES the methods of comparison
at full width, trained as their papers and public code do, with this package's data, masks and averaging.
"""

from dataclasses import replace

from temperfill.config import (
    ATMARun,
    DeepFillV2Run,
    DiscriminatorConfig,
    GeneratorConfig,
    PartialConvRun,
    RunConfig,
    TrainConfig,
    WaveFillRun,
)

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

BASELINES: dict[str, RunConfig] = {
    "partialconv": PartialConvRun(learning_rate=2e-4, beta1=0.9),
    "deepfillv2": DeepFillV2Run(),
    "wavefill": WaveFillRun(beta1=0.0, beta2=0.9, discriminator_rate=4.0, schedule="linear", batch_size=10),
    "atma": ATMARun(),
}
