"""OpenCV's two methods of inpainting.

Telea's fast marching method (2004) takes weighted means of known neighbours, from the rim of the hole inwards. The
Navier-Stokes method (Bertalmio et al. 2001) continues lines of equal brightness into the hole.

OpenCV's figures are given as they are. Its code (seen in 5.0.0) looks at a few of the hole's own pixels where the hole
comes within two pixels of the picture's border, so that content under the mask shifts the result there by some grey
levels. ``temperfill.inpainter.fill`` greys the hole before the call, so that nothing of the truth gets in.
"""

from typing import Literal

from temperfill.extras import how_to_add
from temperfill.methods.contract import PlainArrayMethod
from temperfill.methods.on_bytes import Hole, Picture, byte_method

RADIUS = 3
"""Radius of the neighbourhood that a missing pixel is made from, pixels."""


def load_telea(device: str = "cpu") -> PlainArrayMethod:
    """Telea's method, ready for calls.

    Args:
        device: accepted as for every method; OpenCV computes on the CPU.

    Raises:
        ValueError: OpenCV is not installed, or its build lacks inpainting.
    """
    return _method("telea", "INPAINT_TELEA")


def load_navier_stokes(device: str = "cpu") -> PlainArrayMethod:
    """The Navier-Stokes method, ready for calls.

    Args:
        device: accepted as for every method; OpenCV computes on the CPU.

    Raises:
        ValueError: OpenCV is not installed, or its build lacks inpainting.
    """
    return _method("navier-stokes", "INPAINT_NS")


def _method(name: str, flag: Literal["INPAINT_TELEA", "INPAINT_NS"]) -> PlainArrayMethod:
    """The method of a name, which OpenCV calls ``flag``."""
    try:
        import cv2
    except ImportError:
        raise ValueError(f"method {name} needs OpenCV; install it with: {how_to_add('baselines')}") from None
    if not hasattr(cv2, "inpaint"):
        raise ValueError(f"method {name} needs an OpenCV with the photo module; {how_to_add('baselines')} brings one")

    def fill(picture: Picture, hole: Hole) -> Picture:
        filled = cv2.inpaint(picture, hole.astype("uint8") * 255, RADIUS, getattr(cv2, flag))
        return filled.astype("uint8", copy=False)

    return byte_method(name, fill)
