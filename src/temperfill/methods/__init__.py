"""Methods of inpainting: our network is one of them, and a table says where each is.

What a method is says :mod:`temperfill.methods.contract`. The systems of comparison, which have no bundled weights and
are loaded by the path of theirs, stand in :mod:`temperfill.systems.table`.
"""

from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING

from temperfill.methods.finding import SUFFIX, bundled, find
from temperfill.systems.table import BASELINES

__all__ = ["METHODS", "SUFFIX", "bundled", "find", "load", "names"]

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
"""Name to ``module:function`` of the device, and for ours of the path of weights; imported when it is called."""


def names() -> list[str]:
    """All methods: those of METHODS, and the systems of comparison."""
    return [*METHODS, *BASELINES]


def load(name_or_path: str | Path, device: str = "cpu") -> "Method":
    """Loads a method.

    Args:
        name_or_path: a name of a method, of bundled weights, or the path of a .safetensors file or of a run folder.
        device: such as cpu or cuda:0.

    Raises:
        OSError: the file cannot be read.
        ValueError: no such method, a damaged file, or an optional package is missing; says what to do.
    """
    found = find(name_or_path, names())
    if found.path is None and found.method in METHODS:
        return _function(found.method)(device)
    from temperfill.methods.learned import load_learned
    from temperfill.weights_files import method_in

    if found.path is None:
        return load_learned(found.method, device, None)
    method = method_in(found.path)
    return _function(method)(device, found.path) if method in METHODS else load_learned(method, device, found.path)


def _function(method: str) -> "Callable[..., Method]":
    function: Callable[..., Method] = resolve_name(METHODS[method])
    return function
