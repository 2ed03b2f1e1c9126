"""Variations of training pictures in size, colour and content, each a function of a sample's number."""

import numpy as np
from numpy.typing import NDArray

from temperfill.config import DataConfig

_REPEATED = 0.25, 0.5
"""Least and largest side of a repeated rectangle, relative to the square's."""
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
        self.repeats = bool(rng.random() < config.repeats)
        # All three as shares: of the square's sides, and of where such a rectangle may lie.
        self.sides = rng.uniform(*_REPEATED, 2)
        self.source, self.target = rng.random((2, 2))

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

    def repeated(self, square: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A square (S, S, C) with a rectangle of it at a second place too; unchanged where the sample has none."""
        if not self.repeats:
            return square
        height, width = (round(share * side) for share, side in zip(self.sides, square.shape[:2], strict=True))
        free = square.shape[0] - height, square.shape[1] - width
        (top, left), (to_top, to_left) = (
            [round(share * room) for share, room in zip(place, free, strict=True)]
            for place in (self.source, self.target)
        )
        result = square.copy()
        result[to_top : to_top + height, to_left : to_left + width] = square[top : top + height, left : left + width]
        return result
