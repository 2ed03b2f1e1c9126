"""The table of methods; it is read without importing anything heavy, as it names functions by strings."""

from dataclasses import dataclass

from temperfill.extras import how_to_add
from temperfill.systems.table import BASELINES, SYSTEMS, UNTRAINED

_EXTRA = how_to_add("baselines")
_OPENCV_TERMS, _OPENCV_NEEDS = "OpenCV: Apache-2.0", f"OpenCV: {_EXTRA}"


@dataclass(frozen=True)
class MethodRow:
    """Where a method is, and what there is to know of it before using it. Its sizes and abilities it says itself.

    Attributes:
        loader: ``module:function`` of the device, and of the path of weights where they are learned; imported when it
            is called.
        paper: where it comes from.
        terms: licence of what computes here and, where there is one, of the public code of its authors.
        needs: packages and weights.
        parameters: of its generator at the width of its paper (ours: of the preset base); 0 for methods without
            training.
    """

    loader: str
    paper: str
    terms: str
    needs: str
    parameters: int = 0

    @property
    def parameters_text(self) -> str:
        """Such as "25.8 M"; "none" without training."""
        return f"{self.parameters / 1e6:.1f} M" if self.parameters else "none"


def _learned(name: str) -> MethodRow:
    """The row of a system, whose facts stand in the table of systems."""
    system = SYSTEMS[name]
    if name in BASELINES:
        loader, needs = "temperfill.methods.learned:load", f"weights of a run of temperfill train {name}, given by path"
    else:
        loader, needs = "temperfill.methods.ours:load", "nothing: weights are bundled"
    return MethodRow(loader, system.paper, system.terms, needs, system.parameters)


def _released(name: str) -> MethodRow:
    """The row of a network that is used with released weights alone."""
    row, needs = UNTRAINED[name], "released weights, by temperfill convert, given by path"
    return MethodRow("temperfill.methods.learned:load", row.paper, row.terms, needs, row.parameters)


_LEARNED = {name: _learned(name) for name in SYSTEMS} | {name: _released(name) for name in UNTRAINED}

METHODS: dict[str, MethodRow] = _LEARNED | {
    "patchmatch": MethodRow(
        "temperfill.methods.patchmatch:load",
        "Barnes et al., PatchMatch: A Randomized Correspondence Algorithm, SIGGRAPH 2009",
        "PyPatchMatch: MIT",
        f"PyPatchMatch: {_EXTRA}",
    ),
    "migan": MethodRow(
        "temperfill.methods.migan:load",
        "Sargsyan et al., MI-GAN: A Simple Baseline for Image Inpainting on Mobile Devices, ICCV 2023",
        "onnxruntime: MIT; the authors' file: MIT, its weights research use",
        "the authors' .onnx file, given by path",
    ),
    "telea": MethodRow(
        "temperfill.methods.opencv:load_telea",
        "Telea, An Image Inpainting Technique Based on the Fast Marching Method, 2004",
        _OPENCV_TERMS,
        _OPENCV_NEEDS,
    ),
    "navier-stokes": MethodRow(
        "temperfill.methods.opencv:load_navier_stokes",
        "Bertalmio et al., Navier-Stokes, Fluid Dynamics, and Image and Video Inpainting, CVPR 2001",
        _OPENCV_TERMS,
        _OPENCV_NEEDS,
    ),
    "biharmonic": MethodRow(
        "temperfill.methods.biharmonic:load",
        "Damelin and Hoang, On Surface Completion and Image Inpainting by Biharmonic Functions, 2018",
        "scikit-image: BSD-3-Clause",
        f"scikit-image: {_EXTRA}",
    ),
}
"""Methods by name; a new one that needs no training is a row here and a file beside this one."""
