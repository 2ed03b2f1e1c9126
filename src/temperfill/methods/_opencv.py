"""OpenCV's two methods of inpainting.

OpenCV's figures are given as they are. Its code (seen in 5.0.0) looks at a few of the hole's own pixels where the hole
comes within two pixels of the picture's border, so that content under the mask shifts the result there by some grey
levels. ``temperfill.inpainter.fill`` greys the hole before the call, so that nothing of the truth gets in.
"""

from typing import Literal

from temperfill.methods._bytes import Hole, Picture, byte_method
from temperfill.methods.contract import PlainMethod

RADIUS = 3
"""Radius of the neighbourhood that a missing pixel is made from, pixels."""


def opencv_method(name: str, flag: Literal["INPAINT_TELEA", "INPAINT_NS"]) -> PlainMethod:
    """One of OpenCV's methods.

    Args:
        name: of the method.
        flag: OpenCV's name for it.

    Raises:
        ValueError: OpenCV is not installed, or its build lacks inpainting.
    """
    try:
        import cv2
    except ImportError:
        raise ValueError(f"method {name} needs OpenCV; install it with: pip install 'temperfill[baselines]'") from None
    if not hasattr(cv2, "inpaint"):
        raise ValueError(
            f"method {name} needs an OpenCV with the photo module; pip install 'temperfill[baselines]' brings one"
        )

    def fill(picture: Picture, hole: Hole) -> Picture:
        filled = cv2.inpaint(picture, hole.astype("uint8") * 255, RADIUS, getattr(cv2, flag))
        return filled.astype("uint8", copy=False)

    return byte_method(name, fill)
