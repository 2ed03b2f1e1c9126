"""PatchMatch (Barnes et al. 2009) as PyPatchMatch has it: randomised nearest patches, voted for from coarse to fine."""

from temperfill.extras import how_to_add
from temperfill.methods.contract import PlainArrayMethod
from temperfill.methods.on_bytes import Hole, Picture, byte_method

RADIUS = 3
"""Of the compared patches, which are 7 pixels wide."""
SEED = 0
"""Of the random search; every call starts from it, so equal pictures give equal results."""


def load(device: str = "cpu") -> PlainArrayMethod:
    """The method, ready for calls.

    Args:
        device: accepted as for every method; PyPatchMatch computes on the CPU, in one thread.

    Raises:
        ValueError: PyPatchMatch is not installed, or its compiled library is missing.
    """
    try:
        import patchmatch
    except ImportError:
        raise ValueError(f"method patchmatch needs PyPatchMatch; install it with: {how_to_add('baselines')}") from None
    if not patchmatch.patchmatch_available:
        raise ValueError(
            "method patchmatch: the compiled library of PyPatchMatch cannot be loaded; "
            "install it again with: pip install --force-reinstall --no-deps --no-cache-dir pypatchmatch"
        )

    def fill(picture: Picture, hole: Hole) -> Picture:
        patchmatch.set_random_seed(SEED)
        filled: Picture = patchmatch.inpaint(picture, hole, patch_size=RADIUS)
        return filled

    return byte_method("patchmatch", fill)
