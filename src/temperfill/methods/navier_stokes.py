"""OpenCV's Navier-Stokes method (Bertalmio et al. 2001): continues lines of equal brightness into the hole.

OpenCV's figures are given as they are. Its code (seen in 5.0.0) looks at a few of the hole's own pixels where the hole
comes within two pixels of the picture's border, so that content under the mask shifts the result there by some grey
levels. ``temperfill.inpainter.fill`` greys the hole before the call, so that nothing of the truth gets in.
"""

from torch import Tensor

from temperfill.methods._bytes import Hole, Picture, fill_each
from temperfill.tensors import SizeRule

RADIUS = 3
"""Radius of the neighbourhood that a missing pixel is made from, pixels."""


class NavierStokes:
    """The method on batches; runs on the CPU, at 8 bits.

    Attributes:
        name: of the method.
        size_rule: sizes it takes: any.
    """

    name = "navier-stokes"
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
    import cv2

    filled: Picture = cv2.inpaint(picture, hole.astype("uint8") * 255, RADIUS, cv2.INPAINT_NS).astype(
        "uint8", copy=False
    )
    return filled


def load(device: str = "cpu") -> NavierStokes:
    """The method, ready for calls.

    Args:
        device: accepted as for every method; OpenCV computes on the CPU.

    Raises:
        ValueError: OpenCV is not installed, or its build lacks inpainting.
    """
    try:
        import cv2
    except ImportError:
        raise ValueError(
            "method navier-stokes needs OpenCV; install it with: pip install 'temperfill[baselines]'"
        ) from None
    if not hasattr(cv2, "inpaint"):
        raise ValueError(
            "method navier-stokes needs an OpenCV with the photo module; pip install 'temperfill[baselines]' brings one"
        )
    return NavierStokes()
