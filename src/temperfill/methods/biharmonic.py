"""scikit-image's biharmonic method (Damelin and Hoang 2018): the smoothest surface through the rim of the hole.

Time and memory grow faster than the number of missing pixels (one sparse system per picture).
"""

import numpy as np

from temperfill.methods.contract import PlainArrayMethod
from temperfill.methods.on_bytes import Hole, Picture, byte_method


def load(device: str = "cpu") -> PlainArrayMethod:
    """The method, ready for calls; its results are rounded to 8 bits.

    Args:
        device: accepted as for every method; scikit-image computes on the CPU.
    """
    return byte_method("biharmonic", _fill)


def _fill(picture: Picture, hole: Hole) -> Picture:
    from skimage.restoration import inpaint_biharmonic

    filled = inpaint_biharmonic(picture / 255.0, hole, channel_axis=-1)
    return np.round(np.clip(filled, 0, 1) * 255).astype(np.uint8)
