"""The table of what can be trained; it is read without importing anything heavy, as it names classes by strings."""

from dataclasses import dataclass
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from temperfill.config import RunConfig, from_json, read_json

_OWN = "own implementation, Apache-2.0"


@dataclass(frozen=True)
class System:
    """A network with all that training it needs. What is named is named as ``module:object``.

    Attributes:
        run: the run as its paper trains it; its class and those of its parts are the configurations of this system.
        network: class of the generator, a :class:`temperfill.nets.network.Network`, which takes ``run.generator``.
        recipe: the :class:`temperfill.systems.building.Recipe`.
        paper: where it comes from.
        parameters: of its generator at the width of its paper (ours: of the preset base).
        terms: licence of what computes here and, where there is one, of the public code of its authors.
    """

    run: str
    network: str
    recipe: str
    paper: str
    parameters: int
    terms: str = _OWN


SYSTEMS: dict[str, System] = {
    "ours": System(
        "temperfill.presets:PAPER",
        "temperfill.nets.generator:Generator",
        "temperfill.systems.ours.losses:RECIPE",
        "Learning to Scale Temperature in Masked Self-Attention for Image Inpainting, arXiv 2302.06130",
        4_282_714,
        f"{_OWN}; bundled weights: open Apache-2.0, base research use, see their model cards",
    ),
    "partialconv": System(
        "temperfill.systems.partialconv:PUBLISHED",
        "temperfill.systems.partialconv.network:PartialConvUNet",
        "temperfill.systems.partialconv.losses:RECIPE",
        "Liu et al., Image Inpainting for Irregular Holes Using Partial Convolutions, ECCV 2018, arXiv 1804.07723",
        25_779_796,
    ),
    "deepfillv2": System(
        "temperfill.systems.deepfillv2:PUBLISHED",
        "temperfill.systems.deepfillv2.network:DeepFillV2",
        "temperfill.systems.deepfillv2.losses:RECIPE",
        "Yu et al., Free-Form Image Inpainting with Gated Convolution, ICCV 2019, arXiv 1806.03589",
        4_052_478,
        f"{_OWN}; the authors' code: CC BY-NC 4.0",
    ),
    "wavefill": System(
        "temperfill.systems.wavefill:PUBLISHED",
        "temperfill.systems.wavefill.network:WaveFill",
        "temperfill.systems.wavefill.losses:RECIPE",
        "Yu et al., WaveFill: A Wavelet-based Generation Network for Image Inpainting, ICCV 2021, arXiv 2107.11027",
        49_265_937,
        f"{_OWN}; the authors' code: no licence file, its headers say CC BY-NC-SA 4.0",
    ),
    "atma": System(
        "temperfill.systems.atma:PUBLISHED",
        "temperfill.systems.atma.network:ATMASystem",
        "temperfill.systems.deepfillv2.losses:RECIPE",
        "Zhou et al., Image Completion with Adaptive Multi-Temperature Mask-Guided Attention, BMVC 2021",
        4_180_544,
    ),
}
"""Systems by the names of their methods; a new one is a row here and a folder beside this file."""


@dataclass(frozen=True)
class Untrained:
    """A network of comparison that fills with released weights and is not trained here. Named as in :class:`System`.

    Attributes:
        generator: class of the configuration.
        network: class of the generator, which takes that configuration.
        paper: where it comes from.
        parameters: as released.
        terms: as of a system.
    """

    generator: str
    network: str
    paper: str
    parameters: int
    terms: str = _OWN


UNTRAINED: dict[str, Untrained] = {
    "lama": Untrained(
        "temperfill.systems.lama:LamaConfig",
        "temperfill.systems.lama.network:Lama",
        "Suvorov et al., Resolution-robust Large Mask Inpainting with Fourier Convolutions, WACV 2022",
        50_975_875,
        f"{_OWN}; the authors' code and weights: Apache-2.0",
    )
}
"""Networks of comparison with released weights alone, by the names of their methods."""

NETWORKS: dict[str, System | Untrained] = {**SYSTEMS, **UNTRAINED}
"""Every network that a weights file may hold."""

RELEASED = {
    "deepfillv2": "temperfill.systems.deepfillv2.released:LAYOUTS",
    "partialconv": "temperfill.systems.partialconv.released:LAYOUTS",
    "lama": "temperfill.systems.lama.released:LAYOUTS",
}
"""How checkpoints that others released are laid out, by the method whose generator takes them."""

BASELINES = tuple(name for name in SYSTEMS if name != "ours")
"""Systems of comparison."""


def published(name: str) -> RunConfig:
    """The run of a system as its paper trains it, with this package's data, masks and averaging."""
    run: RunConfig = resolve_name(SYSTEMS[name].run)
    return run


def generator_class(name: str) -> type:
    """The class of the configuration of a network."""
    if name in UNTRAINED:
        found: type = resolve_name(UNTRAINED[name].generator)
        return found
    return type(published(name).generator)


def method_of(generator: Any) -> str:
    """The method whose generator a configuration describes."""
    return next(name for name in NETWORKS if type(generator) is generator_class(name))


def load_run(path: Path) -> RunConfig:
    """Reads a training run of any system from a JSON file; without the key ``method`` it is one of ours.

    Raises:
        OSError: cannot be read.
        ValueError: as :func:`temperfill.config.load_json`, or an unknown method.
    """
    data = read_json(path)
    method = data.get("method", "ours") if isinstance(data, dict) else "ours"
    if not isinstance(method, str) or method not in SYSTEMS:
        raise ValueError(f"{path}.method: expected one of {', '.join(SYSTEMS)}, got {method!r}")
    return from_json(type(published(method)), data, str(path))
