"""Variations of training pictures in size and colour, each a function of a sample's number."""

import numpy as np
from numpy.typing import NDArray

from temperfill.config import DataConfig

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601


class Variation:
    """How the picture of one sample is varied.

    Chance has a stream of its own here, so that samples with and without variations are the same but for these.

    Args:
        config: how much.
        rng: of the sample, for this alone.

    Attributes:
        scale: factor on the size to which the picture is resized, at least 1.
    """

    def __init__(self, config: DataConfig, rng: np.random.Generator) -> None:
        self.scale = config.scale ** float(rng.random())
        self.factors = 1 + config.colour * (2 * rng.random(3, np.float32) - 1)

    def recoloured(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A picture (H, W, 3) with another brightness, contrast and saturation; unchanged where ``colour`` is 0."""
        if np.all(self.factors == 1):
            return picture
        brightness, contrast, saturation = self.factors
        values = picture.astype(np.float32) * brightness
        mean = float((values @ _LUMA).mean())
        values = mean + contrast * (values - mean)
        grey = (values @ _LUMA)[..., None]
        values = grey + saturation * (values - grey)
        result: NDArray[np.uint8] = np.rint(values).clip(0, 255).astype(np.uint8)
        return result
