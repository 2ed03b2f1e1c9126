"""OpenCV's Navier-Stokes method (Bertalmio et al. 2001): continues lines of equal brightness into the hole."""

from temperfill.methods._bytes import ByteMethod
from temperfill.methods._opencv import opencv_method


def load(device: str = "cpu") -> ByteMethod:
    """The method, ready for calls.

    Args:
        device: accepted as for every method; OpenCV computes on the CPU.

    Raises:
        ValueError: OpenCV is not installed, or its build lacks inpainting.
    """
    return opencv_method("navier-stokes", "INPAINT_NS")
