"""What there is to know of every method before using it: its paper, size, terms, and what it needs."""

from typing import NamedTuple

_NO_WEIGHTS = "weights of a run of temperfill train {}, given by path"
_OWN = "own implementation, Apache-2.0"


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
    "ours": About(
        "Learning to Scale Temperature in Masked Self-Attention for Image Inpainting, arXiv 2302.06130",
        4_282_714,
        f"{_OWN}; bundled weights: research use, see the model card",
        "nothing: weights are bundled",
    ),
    "partialconv": About(
        "Liu et al., Image Inpainting for Irregular Holes Using Partial Convolutions, ECCV 2018, arXiv 1804.07723",
        25_779_796,
        _OWN,
        _NO_WEIGHTS.format("partialconv"),
    ),
    "deepfillv2": About(
        "Yu et al., Free-Form Image Inpainting with Gated Convolution, ICCV 2019, arXiv 1806.03589",
        4_052_478,
        f"{_OWN}; the authors' code: CC BY-NC 4.0",
        _NO_WEIGHTS.format("deepfillv2"),
    ),
    "wavefill": About(
        "Yu et al., WaveFill: A Wavelet-based Generation Network for Image Inpainting, ICCV 2021, arXiv 2107.11027",
        49_265_937,
        f"{_OWN}; the authors' code: no licence file, its headers say CC BY-NC-SA 4.0",
        _NO_WEIGHTS.format("wavefill"),
    ),
    "atma": About(
        "Zhou et al., Image Completion with Adaptive Multi-Temperature Mask-Guided Attention, BMVC 2021",
        4_180_544,
        _OWN,
        _NO_WEIGHTS.format("atma"),
    ),
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
"""Facts by method; the same names as METHODS and TRAINED together."""


def parameters_text(about: About) -> str:
    """Such as "25.8 M"; "none" without training."""
    return f"{about.parameters / 1e6:.1f} M" if about.parameters else "none"
