"""Weights files (safetensors with the configuration in their metadata) and resumable states of training runs."""

import hashlib
import json
import pickle
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as save_bytes
from torch import Tensor

from temperfill.config import GeneratorConfig, from_json, to_json
from temperfill.files import atomic_write
from temperfill.nets.generator import Generator

FORMAT = "temperfill-generator-1"
"""Value of the metadata key ``format``; raised when a file of older kind can no longer be read as it is."""


def save_generator(
    path: Path,
    generator: Generator,
    tensors: dict[str, Tensor] | None = None,
    extra_metadata: dict[str, str] | None = None,
    dtype: torch.dtype = torch.float32,
) -> None:
    """Writes a generator with all that inference needs into one file, atomically.

    The SHA-256 over configuration and tensors stands in the metadata, so that the sum and what it sums cannot be
    separated; safetensors itself loads a flipped bit without a word.

    Args:
        path: of the .safetensors file.
        generator: gives the configuration, and the weights unless ``tensors`` does.
        tensors: state dict to write instead, such as averaged weights.
        extra_metadata: further strings for the file's metadata.
        dtype: of the stored floating-point tensors.
    """
    state = generator.state_dict() if tensors is None else tensors
    stored = {name: tensor.detach().to("cpu", dtype).contiguous() for name, tensor in state.items()}
    config = json.dumps(to_json(generator.config))
    metadata = {"format": FORMAT, "config": config, "sha256": digest(config, stored)} | (extra_metadata or {})
    content = save_bytes(stored, metadata)
    atomic_write(path, lambda file: file.write(content))


def digest(config: str, tensors: dict[str, Tensor]) -> str:
    """SHA-256 of a configuration's JSON and of all tensors with their names, types and shapes."""
    total = hashlib.sha256(config.encode())
    for name, tensor in sorted(tensors.items()):
        total.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        total.update(tensor.contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return total.hexdigest()


def read_metadata(path: Path) -> dict[str, str]:
    """Metadata of a weights file.

    Raises:
        OSError: cannot be read.
        ValueError: not a safetensors file.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no weights file at {path}")
    try:
        with safetensors.safe_open(path, "pt") as file:
            return file.metadata() or {}
    except SafetensorError as error:
        raise ValueError(f"{path} is not a safetensors file or is damaged ({error})") from None


def load_generator(path: Path, device: torch.device | str = "cpu") -> Generator:
    """Builds the generator that a weights file describes, in float32 and evaluation mode.

    Raises:
        OSError: the file cannot be read.
        ValueError: damaged (by its SHA-256 too), not a generator of this package, weights
            that do not fit its configuration, or weights that are not finite.
    """
    metadata = read_metadata(path)
    if metadata.get("format") != FORMAT or "config" not in metadata:
        found = metadata.get("format", "none")
        raise ValueError(f"{path} is not a temperfill generator (format {found}, expected {FORMAT})")
    tensors = load_file(path)
    if digest(metadata["config"], tensors) != metadata.get("sha256"):
        raise ValueError(f"{path} is damaged: its content does not match its SHA-256; copy it again")
    generator = Generator(from_json(GeneratorConfig, json.loads(metadata["config"]), f"{path}: config"))
    load_tensors(generator, tensors, str(path))
    return generator.to(device).eval().requires_grad_(False)


def load_tensors(module: torch.nn.Module, tensors: dict[str, Tensor], where: str) -> None:
    """Copies tensors into a module, strictly.

    Raises:
        ValueError: missing or unexpected names, wrong shapes, or values that are not finite; names them.
    """
    expected = module.state_dict()
    missing, unexpected = sorted(expected.keys() - tensors.keys()), sorted(tensors.keys() - expected.keys())
    if missing or unexpected:
        raise ValueError(f"{where} does not fit: missing {missing[:3] or 'none'}, unexpected {unexpected[:3] or 'none'}")
    for name, tensor in tensors.items():
        if tensor.shape != expected[name].shape:
            raise ValueError(f"{where}: {name} has shape {tuple(tensor.shape)}, expected {tuple(expected[name].shape)}")
        if not tensor.isfinite().all():
            raise ValueError(f"{where}: {name} holds values that are not finite")
    module.load_state_dict(tensors, strict=True)


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Writes a training state atomically; it holds tensors, numbers, strings, lists and dicts only."""
    atomic_write(path, lambda file: torch.save(state, file))


def load_state(path: Path) -> dict[str, Any]:
    """Reads a training state without running code from it.

    Raises:
        OSError: cannot be read.
        ValueError: damaged or foreign.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise ValueError(f"{path} is not a readable training state ({error}); remove it to start anew") from None
