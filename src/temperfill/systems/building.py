"""From the table of systems to what it names: generators, and recipes of training."""

import math
from collections.abc import Callable, Sequence
from pkgutil import resolve_name
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from temperfill.errors import tells_of_shortage
from temperfill.nets.network import Network
from temperfill.nets.vgg import VGGFeatures
from temperfill.systems.table import NETWORKS, SYSTEMS, method_of

T = TypeVar("T", bound=nn.Module)
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


MOST_WEIGHTS = 500_000_000
"""Weights of one network, ten times those of the largest here; training needs 16 bytes for each."""
_FACTORIES = frozenset((torch.empty, torch.zeros, torch.ones, torch.full, torch.rand, torch.randn))


class _Bounded(TorchFunctionMode):
    """Lets no more than a number of values be made, and stops before memory is taken for them."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most
        self._made = 0

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in _FACTORIES:
            first = kwargs.get("size", args[0] if args else ())
            self._made += math.prod(first if isinstance(first, list | tuple) else args)
            if self._made > self._most:
                raise ValueError(f"the network would have more than {self._most:,} weights")
        return func(*args, **kwargs)


def sized(make: Callable[[], T], most: int = MOST_WEIGHTS) -> T:
    """A module, if it is not too large: a configuration may ask for any size.

    Args:
        make: gives the module.
        most: values that its making may take memory for.

    Raises:
        ValueError: it would be larger, or cannot be built.
    """
    try:
        with _Bounded(most):
            return make()
    except (RuntimeError, OverflowError, TypeError) as error:
        if isinstance(error, RuntimeError) and tells_of_shortage(error):
            raise MemoryError from None
        raise ValueError(f"the network cannot be built ({str(error).splitlines()[0]})") from None


def build(config: Any) -> Network:
    """The generator that a configuration describes, with random weights; raises ValueError as ``sized``."""
    return sized(lambda: new(config))


def new(config: Any) -> Network:
    """The generator that a configuration describes, whatever its size."""
    network: Network = resolve_name(NETWORKS[method_of(config)].network)(config)
    return network


def recipe_of(name: str) -> Recipe:
    """The recipe of a system."""
    recipe: Recipe = resolve_name(SYSTEMS[name].recipe)
    return recipe
