"""The generator of ATMA's system (Zhou et al. 2021)."""

from temperfill.attention import ATMA
from temperfill.systems.atma import ATMAConfig
from temperfill.systems.deepfillv2.network import DeepFillV2


class ATMASystem(DeepFillV2):
    """DeepFillv2's generator with ATMA as its attention, and batch normalisation after every gated convolution.

    Args:
        config: width, and heads of ATMA.
    """

    config: ATMAConfig

    def __init__(self, config: ATMAConfig) -> None:
        super().__init__(config, ATMA(4 * config.width, config.heads, config.temperature_init), normalised=True)
