"""LaMa (Suvorov et al. 2022, arXiv 2109.07161): configuration of its generator. It is not trained here."""

from dataclasses import dataclass

from temperfill.config.run import RunGenerator
from temperfill.config.values import at_least, check_types, require


@dataclass(frozen=True)
class LamaConfig(RunGenerator):
    """The generator of LaMa (Suvorov et al. 2022)."""

    WIDTH_MULTIPLE = 2

    width: int = 64
    """Channels at full resolution; even. 64 gives 51.0 M parameters with 18 blocks."""
    blocks: int = 18
    """Residual blocks at an eighth of the size: 18 in Big LaMa, 9 in LaMa-Fourier."""

    def __post_init__(self) -> None:
        check_types(self)
        at_least(1, self, "width", "blocks")
        require(self.width % 2 == 0, f"width must be even, got {self.width}")
