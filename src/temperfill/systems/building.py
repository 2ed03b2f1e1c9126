"""From the table of systems to what it names: generators, and recipes of training."""

from collections.abc import Callable
from pkgutil import resolve_name
from typing import Any, NamedTuple

from torch import Tensor, nn

from temperfill.nets.network import Network
from temperfill.nets.vgg import VGGFeatures
from temperfill.systems.table import SYSTEMS, method_of

Terms = dict[str, Tensor]
"""Weighted terms of a loss by name."""


class Recipe(NamedTuple):
    """How a system is trained, as functions of the run's configuration.

    The loop, the data, the update of both networks and their averaging are the same for all. In the arguments ``batch``
    is the samples, ``output`` what the generator gave for them, in float32, and ``fake`` the composite (B, 3, H, W) of
    its refined image.

    Attributes:
        generator_terms: ``(config, batch, output, distances)`` to the terms of the generator's loss that need no
            discriminator; ``distances`` is None where the run does without VGG.
        distances: ``(config, vgg)`` to the module that ``generator_terms`` is given; None where no loss needs VGG.
        discriminator: ``(config)`` to the discriminator; None where there is none, and then none of its terms.
        discriminator_terms: ``(config, discriminator, unwrapped, batch, output, fake, step)`` to those of the
            discriminator's loss. ``discriminator`` is as Fabric wraps it; real and fake go through it in one batch.
            ``unwrapped`` is the same, not wrapped. ``output`` and ``fake`` are detached.
        adversarial_terms: ``(config, unwrapped, batch, output, fake)`` to those of the generator's loss that need it.
    """

    generator_terms: Callable[..., Terms]
    distances: Callable[[Any, VGGFeatures], nn.Module] | None = None
    discriminator: Callable[[Any], nn.Module] | None = None
    discriminator_terms: Callable[..., Terms] | None = None
    adversarial_terms: Callable[..., Terms] | None = None


def build(config: Any) -> Network:
    """The generator that a configuration describes, with random weights."""
    network: Network = resolve_name(SYSTEMS[method_of(config)].network)(config)
    return network


def recipe_of(name: str) -> Recipe:
    """The recipe of a system."""
    recipe: Recipe = resolve_name(SYSTEMS[name].recipe)
    return recipe
