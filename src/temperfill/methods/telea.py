"""OpenCV's fast marching method (Telea 2004): weighted means of known neighbours, from the rim of the hole inwards."""

from temperfill.methods._opencv import opencv_method
from temperfill.methods.contract import PlainMethod


def load(device: str = "cpu") -> PlainMethod:
    """The method, ready for calls.

    Args:
        device: accepted as for every method; OpenCV computes on the CPU.

    Raises:
        ValueError: OpenCV is not installed, or its build lacks inpainting.
    """
    return opencv_method("telea", "INPAINT_TELEA")
