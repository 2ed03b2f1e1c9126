"""What there is to know of every method before using it: its paper, size, terms, and what it needs."""

from typing import NamedTuple

from temperfill.systems.table import BASELINES, SYSTEMS

_NO_WEIGHTS = "weights of a run of temperfill train {}, given by path"


class About(NamedTuple):
    """Facts of a method.

    Attributes:
        paper: where it comes from.
        parameters: of its generator at the width of its paper (ours: the preset base); 0 for methods without training.
        terms: licence of what computes here and, where there is one, of the public code of its authors.
        needs: packages and weights.
    """

    paper: str
    parameters: int
    terms: str
    needs: str


ABOUT: dict[str, About] = {
    name: About(
        system.paper,
        system.parameters,
        system.terms,
        _NO_WEIGHTS.format(name) if name in BASELINES else "nothing: weights are bundled",
    )
    for name, system in SYSTEMS.items()
} | {
    "patchmatch": About(
        "Barnes et al., PatchMatch: A Randomized Correspondence Algorithm, SIGGRAPH 2009",
        0,
        "PyPatchMatch: MIT",
        "PyPatchMatch: pip install 'temperfill[baselines]'",
    ),
    "telea": About(
        "Telea, An Image Inpainting Technique Based on the Fast Marching Method, 2004",
        0,
        "OpenCV: Apache-2.0",
        "OpenCV: pip install 'temperfill[baselines]'",
    ),
    "navier-stokes": About(
        "Bertalmio et al., Navier-Stokes, Fluid Dynamics, and Image and Video Inpainting, CVPR 2001",
        0,
        "OpenCV: Apache-2.0",
        "OpenCV: pip install 'temperfill[baselines]'",
    ),
    "biharmonic": About(
        "Damelin and Hoang, On Surface Completion and Image Inpainting by Biharmonic Functions, 2018",
        0,
        "scikit-image: BSD-3-Clause",
        "nothing",
    ),
}
"""Facts by method; the systems and the methods that need no training."""


def parameters_text(about: About) -> str:
    """Such as "25.8 M"; "none" without training."""
    return f"{about.parameters / 1e6:.1f} M" if about.parameters else "none"
