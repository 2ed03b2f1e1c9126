"""What the studies train: one configuration for each variant, alike in all that is not the question."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from temperfill.config import DataConfig, DiscriminatorConfig, GeneratorConfig, RunConfig, StudyConfig
from temperfill.nets.vgg import VGGFeatures
from temperfill.presets import ABLATED_GENERATORS, PAPER
from temperfill.systems.table import BASELINES, published

ABLATIONS = {
    "attention": ("mhtma", "atma", "contextual", "none"),
    "adversarial": ("hinge", "wgan-gp"),
}
"""Ablations and their variants, the paper's own choice first (Tables I and II; none is added)."""
LEARNED = ("ours", *BASELINES)
"""Methods that a comparison can train (Table III)."""


def ablation_variants(name: str, study: StudyConfig) -> dict[str, RunConfig]:
    """Our network with each attention, or with each adversarial loss.

    Args:
        name: of ``ABLATIONS``.
        study: what all variants share.

    Raises:
        ValueError: settings that a variant refuses.
        OSError: the weights of the perceptual loss are missing.
    """
    ours = learned_variant("ours", study)
    if name == "attention":
        kinds = {label: ABLATED_GENERATORS[label].attention for label in ABLATIONS[name]}
        return {label: replace(ours, generator=replace(ours.generator, attention=kinds[label])) for label in kinds}
    return {label: replace(ours, loss=replace(ours.loss, adversarial=label)) for label in ABLATIONS[name]}


def learned_variant(name: str, study: StudyConfig) -> RunConfig:
    """A method at the width of the study, with its own losses and rates.

    Args:
        name: of ``LEARNED``.
        study: what all variants share.

    Raises:
        ValueError: settings that the method refuses.
        OSError: the weights of the perceptual loss are missing.
    """
    config: Any = published(name)
    share = study.width / PAPER.generator.width
    return replace(
        config,
        generator=_generator(config.generator, study),
        discriminator=_discriminator(config.discriminator, share),
        loss=_loss(config.loss, study.perceptual_path),
        data=DataConfig(train=study.train, crop_size=study.crop_size, resize=study.resize),
        machine=study.machine(),
        num_steps=study.steps,
        batch_size=study.batch_size,
        precision=study.precision,
        log_every=study.log_every,
        save_every=study.save_every,
        sample_every=max(study.steps // 4, 1),
    )


def _generator(config: Any, study: StudyConfig) -> Any:
    if isinstance(config, GeneratorConfig):
        return replace(config, width=study.width, head_dim=min(config.head_dim, study.width))
    return replace(config, width=_scaled(config.width, study.width / PAPER.generator.width, config.WIDTH_MULTIPLE))


def _discriminator(config: Any, share: float) -> Any:
    if isinstance(config, DiscriminatorConfig):
        feature_dim = _scaled(config.feature_dim, share)
        return replace(config, width=_scaled(config.width, share), feature_dim=feature_dim)
    return replace(config, width=_scaled(config.width, share)) if hasattr(config, "width") else config


def _scaled(width: int, share: float, multiple: int = 1) -> int:
    return max(round(width * share / multiple), 1) * multiple


def _loss(config: Any, perceptual_path: Path | None) -> Any:
    """The method's losses, without those of VGG where there are no weights, or those of its layers that are there."""
    if perceptual_path is None:
        return replace(config, **dict.fromkeys(config.VGG_WEIGHTS, 0.0))
    return config.with_short_vgg() if config.needs_whole_vgg and not _is_deep(perceptual_path) else config


def _is_deep(path: Path) -> bool:
    """Whether a file holds a whole VGG-19."""
    VGGFeatures.from_file(path)  # says what is wrong with a file that is no VGG at all
    try:
        VGGFeatures.from_file(path, deep=True)
    except ValueError:
        return False
    return True
