"""What the studies train: one configuration for each variant, alike in all that is not the question."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from temperfill.config import (
    DataConfig,
    DiscriminatorConfig,
    GeneratorConfig,
    RunConfig,
    StudyConfig,
    from_json,
    to_json,
)
from temperfill.config.study_file import Changes, merged
from temperfill.nets.vgg import VGGFeatures
from temperfill.presets import PAPER
from temperfill.systems.table import BASELINES, published


def _attention(study: StudyConfig) -> dict[str, Changes]:
    return {kind: {"generator": {"attention": kind}} for kind in ("mhtma", "atma", "contextual", "none")}


def _adversarial(study: StudyConfig) -> dict[str, Changes]:
    return {kind: {"loss": {"adversarial": kind}} for kind in ("hinge", "wgan-gp")}


def _temperature(study: StudyConfig) -> dict[str, Changes]:
    kinds: dict[str, Changes] = {
        "softplus": {},
        "leaky-relu": {"temperature": "leaky_relu"},
        "constant-0.1": {"temperature": "constant"},
        "constant-0.01": {"temperature": "constant", "temperature_init": 0.01},
        "annealed": {"temperature": "annealed", "temperature_steps": study.steps},
    }
    return {label: {"generator": changes} for label, changes in kinds.items()}


ABLATIONS: dict[str, Callable[[StudyConfig], dict[str, Changes]]] = {
    "attention": _attention,
    "adversarial": _adversarial,
    "temperature": _temperature,
}
"""Ablations and what their variants change in the paper's run, the paper's own choice first (Tables I and II, to which
none is added; section II-C)."""
LEARNED = ("ours", *BASELINES)
"""Methods that a comparison can train (Table III)."""


def own_variants(variants: dict[str, Changes], study: StudyConfig) -> dict[str, RunConfig]:
    """Runs that differ from the published ones as one likes.

    Args:
        variants: what each changes, by label; ``method`` among them names the system, ours without.
        study: what all variants share.

    Raises:
        ValueError: an unknown system or key, or a value that does not fit, naming the path to it.
        OSError: the weights of the perceptual loss are missing.
    """
    configs = {}
    for label, changes in variants.items():
        name = changes.get("method", "ours")
        if name not in LEARNED:
            raise ValueError(f"{label}.method: expected one of {', '.join(LEARNED)}, got {name!r}")
        config = learned_variant(name, study)
        configs[label] = from_json(type(config), merged(to_json(config), changes), label)
    return configs


def ablation_variants(name: str, study: StudyConfig) -> dict[str, RunConfig]:
    """Our network with each attention, each adversarial loss, or each way to scale the temperature.

    Args:
        name: of ``ABLATIONS``.
        study: what all variants share.

    Raises:
        ValueError: settings that a variant refuses.
        OSError: the weights of the perceptual loss are missing.
    """
    return own_variants(ABLATIONS[name](study), study)


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
        data=DataConfig(train=study.train, val=study.val, crop_size=study.crop_size, resize=study.resize),
        machine=study.machine(),
        num_steps=study.steps,
        batch_size=study.batch_size,
        precision=study.precision,
        log_every=study.log_every,
        save_every=study.save_every,
        sample_every=max(study.steps // 4, 1),
        val_every=study.val_every,
        patience=study.patience,
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
