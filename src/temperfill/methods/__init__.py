"""Methods of inpainting: our network is one of them, and a table says where each is.

What a method is says :mod:`temperfill.methods.contract`. Every module of the tables has ``load(device)``, which gives
it; those with weights have ``load(device, path)``.
"""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from temperfill.methods.finding import SUFFIX, bundled, find

__all__ = ["METHODS", "SUFFIX", "TRAINED", "bundled", "find", "load"]

if TYPE_CHECKING:  # torch takes seconds to import, and the tables need none
    from collections.abc import Callable

    from temperfill.methods.contract import Method

METHODS = {
    "ours": "temperfill.methods.ours:load",
    "telea": "temperfill.methods.telea:load",
    "navier-stokes": "temperfill.methods.navier_stokes:load",
    "biharmonic": "temperfill.methods.biharmonic:load",
    "patchmatch": "temperfill.methods.patchmatch:load",
}
"""Name to ``module:function``; a module is imported when its method is loaded."""
TRAINED = {
    "partialconv": "temperfill.methods.partialconv:load",
    "deepfillv2": "temperfill.methods.deepfillv2:load",
    "wavefill": "temperfill.methods.wavefill:load",
    "atma": "temperfill.methods.atma:load",
}
"""The same for methods without bundled weights, which are loaded by the path of their weights."""


def load(name_or_path: str | Path, device: str = "cpu") -> "Method":
    """Loads a method.

    Args:
        name_or_path: a name of METHODS, of bundled weights, or the path of a .safetensors file or of a run folder.
        device: such as cpu or cuda:0.

    Raises:
        OSError: the file cannot be read.
        ValueError: no such method, a damaged file, or an optional package is missing; says what to do.
    """
    found = find(name_or_path, [*METHODS, *TRAINED])
    if found.path is None:
        return _function(found.method)(device)
    from temperfill.weights_files import method_in

    return _function(method_in(found.path))(device, found.path)


def _function(method: str) -> "Callable[..., Method]":
    module, function = (METHODS | TRAINED)[method].split(":")
    load: Callable[..., Method] = getattr(import_module(module), function)
    return load
