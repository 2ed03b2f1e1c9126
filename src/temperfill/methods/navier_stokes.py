"""OpenCV's Navier-Stokes method (Bertalmio et al. 2001): continues lines of equal brightness into the hole."""

from temperfill.methods._opencv import opencv_method
from temperfill.methods.contract import PlainMethod


def load(device: str = "cpu") -> PlainMethod:
    """The method, ready for calls.

    Args:
        device: accepted as for every method; OpenCV computes on the CPU.

    Raises:
        ValueError: OpenCV is not installed, or its build lacks inpainting.
    """
    return opencv_method("navier-stokes", "INPAINT_NS")
