"""Methods of inpainting: our network is one of them, and :mod:`temperfill.methods.table` says where each is.

What a method is says :mod:`temperfill.methods.contract`.
"""

from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING

from temperfill.extras import has_torch
from temperfill.methods.finding import SUFFIX, bundled, find
from temperfill.methods.table import METHODS
from temperfill.systems.table import BASELINES, UNTRAINED

__all__ = ["METHODS", "SUFFIX", "bundled", "find", "load"]

if TYPE_CHECKING:  # torch takes seconds to import, and the tables need none
    from collections.abc import Callable

    from temperfill.methods.contract import ArrayMethod, Method


def load(name_or_path: str | Path, device: str = "cpu") -> "Method | ArrayMethod":
    """Loads a method; without torch, our network is computed by onnxruntime.

    Args:
        name_or_path: name of a bundled model or of a method, a weights file, or the folder of a run.
        device: such as cpu or cuda:0.

    Raises:
        OSError: the file cannot be read.
        ValueError: no such method, one without weights, a damaged file, or an optional package is missing; says what to
            do.
    """
    found = find(name_or_path)
    if found.path is None:
        if found.method in BASELINES:
            raise ValueError(
                f"no weights of {found.method} come with this package: train it with temperfill train {found.method} "
                "--run-dir DIR, and give DIR/generator.safetensors instead of its name"
            )
        if found.method in UNTRAINED:
            raise ValueError(
                f"no weights of {found.method} come with this package: convert released ones with temperfill convert "
                "CHECKPOINT --output FILE.safetensors, and give that file instead of its name"
            )
        return _loader(found.method)(device)
    if found.path.suffix == ".onnx":
        return _loader("migan")(device, found.path)
    if not has_torch():
        from temperfill.methods import engine

        return engine.load(device, found.path)
    from temperfill.weights_reading import method_in

    return _loader(method_in(found.path))(device, found.path)


def _loader(method: str) -> "Callable[..., Method | ArrayMethod]":
    loader: Callable[..., Method | ArrayMethod] = resolve_name(METHODS[method].loader)
    return loader
