"""What differs between methods in training: the discriminator, and the terms of the losses.

The loop, the data, the update of both networks and their averaging are the same for all.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from torch import Tensor, nn

from temperfill.nets.vgg import VGGFeatures
from temperfill.train.recipes import deepfillv2, ours, partialconv, wavefill

Terms = dict[str, Tensor]
"""Weighted terms of a loss by name."""


class Recipe(NamedTuple):
    """How a method is trained, as functions of the run's configuration.

    In their arguments ``batch`` is the samples, ``output`` what the generator gave for them, in float32, and ``fake``
    the composite (B, 3, H, W) of its refined image.

    Attributes:
        discriminator: ``(config)`` to the discriminator, or None where there is none.
        distances: ``(config, vgg)`` to the module that ``generator_terms`` is given.
        generator_terms: ``(config, batch, output, distances)`` to the terms of the generator's loss that need no
            discriminator; ``distances`` is None where the run does without VGG.
        discriminator_terms: ``(config, discriminator, unwrapped, batch, output, fake, step)`` to those of the
            discriminator's loss. ``discriminator`` is as Fabric wraps it; real and fake go through it in one batch.
            ``unwrapped`` is the same, not wrapped. ``output`` and ``fake`` are detached.
        adversarial_terms: ``(config, unwrapped, batch, output, fake)`` to those of the generator's loss that need it.
    """

    discriminator: Callable[[Any], nn.Module | None]
    distances: Callable[[Any, VGGFeatures], nn.Module]
    generator_terms: Callable[..., Terms]
    discriminator_terms: Callable[..., Terms] | None
    adversarial_terms: Callable[..., Terms] | None


_DEEPFILL = Recipe(
    deepfillv2.build_discriminator,
    ours.perceptual_loss,
    deepfillv2.generator_terms,
    deepfillv2.discriminator_terms,
    deepfillv2.adversarial_terms,
)

RECIPES: dict[str, Recipe] = {
    "ours": Recipe(
        ours.build_discriminator,
        ours.perceptual_loss,
        ours.generator_terms,
        ours.discriminator_terms,
        ours.adversarial_terms,
    ),
    "partialconv": Recipe(lambda _: None, partialconv.distances, partialconv.generator_terms, None, None),
    "deepfillv2": _DEEPFILL,
    "wavefill": Recipe(
        wavefill.build_discriminator,
        wavefill.distances,
        wavefill.generator_terms,
        wavefill.discriminator_terms,
        wavefill.adversarial_terms,
    ),
    "atma": _DEEPFILL,
}
"""Methods that can be trained; the same as ``config.RUNS``."""
