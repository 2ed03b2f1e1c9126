"""scikit-image's biharmonic method (Damelin and Hoang 2018): the smoothest surface through the rim of the hole."""

import numpy as np
from torch import Tensor

from temperfill.methods._bytes import Hole, Picture, fill_each
from temperfill.tensors import SizeRule


class Biharmonic:
    """The method on batches; runs on the CPU, its results are rounded to 8 bits.

    Time and memory grow faster than the number of missing pixels (one sparse system per picture).

    Attributes:
        name: of the method.
        size_rule: sizes it takes: any.
    """

    name = "biharmonic"
    size_rule = SizeRule()

    def __call__(self, image: Tensor, mask: Tensor) -> Tensor:
        """Fills the holes of a batch.

        Args:
            image: (B, 3, H, W) in [0, 1].
            mask: (B, 1, H, W), 1 = missing; each picture has its own.

        Returns:
            (B, 3, H, W) in [0, 1], not pasted; grey where a picture has no known pixel.
        """
        return fill_each(image, mask, _fill)


def _fill(picture: Picture, hole: Hole) -> Picture:
    from skimage.restoration import inpaint_biharmonic

    filled = inpaint_biharmonic(picture / 255.0, hole, channel_axis=-1)
    return np.round(np.clip(filled, 0, 1) * 255).astype(np.uint8)


def load(device: str = "cpu") -> Biharmonic:
    """The method, ready for calls.

    Args:
        device: accepted as for every method; scikit-image computes on the CPU.
    """
    return Biharmonic()
