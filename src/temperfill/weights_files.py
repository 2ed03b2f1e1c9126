"""Weights files: safetensors with the configuration in their metadata."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as save_bytes
from torch import Tensor

from temperfill.config import from_json, to_json
from temperfill.errors import tells_of_shortage
from temperfill.files import atomic_write
from temperfill.nets.network import Network
from temperfill.nets.weights_file import read_checkpoint
from temperfill.systems.building import new, sized
from temperfill.systems.released import from_released
from temperfill.systems.table import generator_class, method_of
from temperfill.weights_reading import (
    FORMAT,
    check_digest,
    digest_of,
    method_named,
    parsed_config,
    read_metadata,
    summed,
)

T = TypeVar("T", bound=torch.nn.Module)


def save_generator(
    path: Path,
    generator: Network,
    tensors: dict[str, Tensor] | None = None,
    extra_metadata: dict[str, str] | None = None,
    dtype: torch.dtype = torch.float32,
) -> None:
    """Writes a generator with all that inference needs into one file, atomically.

    The SHA-256 over configuration and tensors stands in the metadata, so that the sum and what it sums cannot be
    separated; safetensors itself loads a flipped bit without a word.

    Args:
        path: of the .safetensors file.
        generator: of any method; gives the configuration, and the weights unless ``tensors`` does.
        tensors: state dict to write instead, such as averaged weights.
        extra_metadata: further strings for the file's metadata.
        dtype: of the stored tensors; whole numbers stay what they are.

    Raises:
        OSError: cannot be written; an old file is intact.
        ValueError: a weight is not finite, or not in this type; the file would not load.
    """
    state = generator.state_dict() if tensors is None else tensors
    stored = {
        name: tensor.detach().to("cpu", dtype if tensor.is_floating_point() else tensor.dtype).contiguous()
        for name, tensor in state.items()
    }
    check_finite(stored, f"{path} is not written")
    config = json.dumps(to_json(generator.config))
    metadata = {"format": FORMAT, "method": method_of(generator.config), "config": config}
    metadata |= {"terms": generator.terms} if generator.terms else {}
    metadata |= {"sha256": digest(summed(metadata), stored)} | (extra_metadata or {})
    content = save_bytes(stored, metadata)
    atomic_write(path, lambda file: file.write(content))


def digest(config: str, tensors: dict[str, Tensor]) -> str:
    """SHA-256 of a configuration's JSON and of all tensors with their names, types and shapes."""
    entries = (
        (name, str(tensor.dtype), tuple(tensor.shape), tensor.contiguous().flatten().view(torch.uint8).numpy().data)
        for name, tensor in sorted(tensors.items())
    )
    return digest_of(config, entries)


def load_generator(path: Path, device: torch.device | str = "cpu", method: str | None = None) -> Any:
    """Builds the generator that a weights file describes, in float32 and evaluation mode.

    Args:
        path: of the .safetensors file.
        device: of the generator.
        method: that it must be of; None for any.

    Raises:
        OSError: the file cannot be read.
        ValueError: damaged (by its SHA-256 too), not a generator of this package or of this method, weights
            that do not fit its configuration, or weights that are not finite.
    """
    metadata = read_metadata(path)
    found = method_named(metadata, path)
    if method not in (None, found):
        raise ValueError(f"{path} holds a generator of the method {found}, not of {method}")
    tensors = read_weights(path)
    check_digest(path, metadata, lambda text: digest(text, tensors))
    config: Any = from_json(generator_class(found), parsed_config(metadata, path), f"{path}: config")
    generator = fitted(lambda: new(config), tensors, str(path))
    generator.terms = metadata.get("terms", "")
    return generator.to(device).eval().requires_grad_(False)


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a weights file.

    Raises:
        OSError: cannot be read.
        ValueError: damaged, or of types that torch does not have.
    """
    try:
        return load_file(path)
    except RuntimeError as error:
        if tells_of_shortage(error):
            raise MemoryError from None
        raise ValueError(f"{path} is not a safetensors file or is damaged ({error})") from None
    except (SafetensorError, LookupError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"{path} is not a safetensors file or is damaged ({error})") from None


def fitted(make: Callable[[], T], tensors: dict[str, Tensor], where: str) -> T:
    """A module with tensors in it, for which no more memory is taken than they need: a file may ask for any size.

    Args:
        make: gives the module with random weights.
        tensors: by name.
        where: they come from, for messages.

    Raises:
        ValueError: they do not fit, are not finite, or there is no such module.
    """
    most = 2 * sum(tensor.numel() for tensor in tensors.values()) + 1_000_000
    try:
        module = sized(make, most)
    except ValueError as error:
        raise ValueError(f"{where} does not fit its configuration: {error}") from None
    load_tensors(module, tensors, where)
    return module


def halve_generator(source: Path, output: Path, facts: dict[str, str] | None = None) -> None:
    """Copies a weights file in half precision, other metadata included.

    Args:
        source: of the .safetensors file.
        output: of the copy.
        facts: for its metadata, such as "terms" of use; of empty ones those of the source stay.

    Raises:
        OSError: cannot be read or written.
        ValueError: as ``load_generator``, or a weight is beyond half precision.
    """
    generator = load_generator(source)
    own = ("format", "method", "config", "sha256")
    extra = {key: value for key, value in read_metadata(source).items() if key not in own}
    extra |= {key: text for key, text in (facts or {}).items() if text}
    save_generator(output, generator, extra_metadata=extra, dtype=torch.float16)


def convert_released(source: Path, output: Path, terms: str = "") -> str:
    """Converts a checkpoint that others released to a weights file.

    Args:
        source: of a .safetensors file or a file of ``torch.save``; no code from it runs.
        output: of the weights file.
        terms: of use, for its metadata.

    Returns:
        Whose layout the checkpoint has.

    Raises:
        OSError: cannot be read or written.
        ValueError: no known layout, missing or unknown names, which it names, or weights that are not finite.
    """
    generator, layout = from_released(read_checkpoint(source), str(source))
    extra = {"source": layout.source} | ({"terms": terms} if terms else {})
    save_generator(output, generator, extra_metadata=extra)
    return layout.source


def load_tensors(module: torch.nn.Module, tensors: dict[str, Tensor], where: str) -> None:
    """Copies tensors into a module, strictly.

    Raises:
        ValueError: missing or unexpected names, wrong shapes, or values that are not finite; names them.
    """
    check_shapes(tensors, module.state_dict(), where)
    check_finite(tensors, where)
    module.load_state_dict(tensors, strict=True)


def check_tensors(tensors: object, where: str) -> None:
    """Raises ValueError for what is no state dict."""
    if not isinstance(tensors, dict) or not all(isinstance(tensor, Tensor) for tensor in tensors.values()):
        raise ValueError(f"{where}: there are no tensors by their names")


def check_shapes(tensors: dict[str, Tensor], expected: dict[str, Tensor], where: str) -> None:
    """Raises ValueError unless tensors have the names, shapes and kinds of numbers of others."""
    check_tensors(tensors, where)
    missing = sorted(expected.keys() - tensors.keys())
    unexpected = sorted(str(name)[:80] for name in tensors.keys() - expected.keys())
    if missing or unexpected:
        raise ValueError(
            f"{where} does not fit: missing {missing[:3] or 'none'}, unexpected {unexpected[:3] or 'none'}"
        )
    for name, tensor in tensors.items():
        if tensor.shape != expected[name].shape:
            raise ValueError(f"{where}: {name} has shape {tuple(tensor.shape)}, expected {tuple(expected[name].shape)}")
        if tensor.is_complex() or tensor.is_floating_point() != expected[name].is_floating_point():
            raise ValueError(f"{where}: {name} is of type {tensor.dtype}, expected {expected[name].dtype}")


def check_finite(tensors: dict[str, Tensor], where: str) -> None:
    """Raises ValueError for the first tensor with a value that is not finite, naming it."""
    for name, tensor in tensors.items():
        if not tensor.float().isfinite().all():
            raise ValueError(f"{where}: {name} holds values that are not finite")
