"""Methods of inpainting: our network is one of them, and a table says where each is.

What a method is says :mod:`temperfill.methods.contract`. Every module of the tables has ``load(device)``, which gives
it; those with weights have ``load(device, path)``.
"""

import difflib
from importlib import import_module, resources
from pathlib import Path
from typing import TYPE_CHECKING

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
SUFFIX = ".safetensors"


def bundled() -> dict[str, Path]:
    """Names and files of the weights that come with the package."""
    folder = resources.files("temperfill") / "weights"
    if not folder.is_dir():
        return {}
    found = (Path(str(entry)) for entry in folder.iterdir() if entry.name.endswith(SUFFIX))
    return {path.stem: path for path in sorted(found)}


def load(name_or_path: str | Path, device: str = "cpu") -> "Method":
    """Loads a method.

    Args:
        name_or_path: a name of METHODS, of bundled weights, or the path of a .safetensors file of any trained method.
        device: such as cpu or cuda:0.

    Raises:
        OSError: the file cannot be read.
        ValueError: no such method, a damaged file, or an optional package is missing; says what to do.
    """
    name = str(name_or_path)
    if isinstance(name_or_path, str) and name in METHODS | TRAINED:
        return _function(name)(device)
    weights = bundled()
    if isinstance(name_or_path, str) and name in weights:
        path = weights[name]
    elif isinstance(name_or_path, Path) or name.endswith(SUFFIX) or Path(name).is_file():
        path = Path(name_or_path)
    else:
        known = [*weights, *METHODS]
        near = difflib.get_close_matches(name, known, 1)
        hint = f", did you mean {near[0]}" if near else ""
        raise ValueError(f"unknown model {name!r}{hint}; known are {', '.join(known)}, and paths of {SUFFIX} files")
    from temperfill.weights_files import method_in

    return _function(method_in(path))(device, path)


def _function(method: str) -> "Callable[..., Method]":
    module, function = (METHODS | TRAINED)[method].split(":")
    load: Callable[..., Method] = getattr(import_module(module), function)
    return load
