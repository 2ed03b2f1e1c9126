"""What weights files say and hold, read without torch."""

import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from temperfill.systems.table import NETWORKS

FORMAT = "temperfill-generator-1"
"""Value of the metadata key ``format``; raised when a file of older kind can no longer be read as it is."""


LONGEST_HEADER = 4_000_000
"""Bytes of the header of a safetensors file; those here have less than 100,000."""


def summed(metadata: dict[str, str]) -> str:
    """What the SHA-256 covers of the metadata: the configuration, and the method in files that name one."""
    return metadata.get("method", "") + metadata["config"]


def digest_of(config: str, entries: Iterable[tuple[str, str, tuple[int, ...], memoryview]]) -> str:
    """SHA-256 of a configuration's JSON and of names, types as torch names them, shapes and bytes, sorted by names."""
    total = hashlib.sha256(config.encode())
    for name, kind, shape, content in entries:
        total.update(f"{name} {kind} {shape}".encode())
        total.update(content)
    return total.hexdigest()


def check_digest(path: Path, metadata: dict[str, str], digest: Callable[[str], str]) -> None:
    """Raises ValueError unless the SHA-256 of a file's weights, with what the metadata says of them, is the stated one.

    Args:
        path: of the file.
        metadata: of it.
        digest: gives the sum of its weights with a text.
    """
    # The first files that named a method did not cover it.
    if metadata.get("sha256", "") not in (digest(text) for text in (summed(metadata), metadata["config"])):
        raise ValueError(f"{path} is damaged: its content does not match its SHA-256; copy it again")


def read_metadata(path: Path) -> dict[str, str]:
    """Metadata of a weights file.

    Raises:
        OSError: cannot be read.
        ValueError: not a safetensors file.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no weights file at {path}")
    with path.open("rb") as start:
        length = int.from_bytes(start.read(8), "little")
    if length > LONGEST_HEADER:
        raise ValueError(f"{path} is not a safetensors file, or its header has {length:,} bytes instead of a few")
    try:
        with safetensors.safe_open(path, "np") as file:
            return file.metadata() or {}
    except (SafetensorError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not a safetensors file or is damaged ({error})") from None


def terms_of(path: Path) -> str:
    """Terms of use that a weights file states; empty where it states none or is not there."""
    return read_metadata(path).get("terms", "") if path.is_file() else ""


def method_in(path: Path) -> str:
    """The method whose generator a weights file holds; files that do not name one are of ours.

    Raises:
        OSError: the file cannot be read.
        ValueError: damaged, not a generator of this package, or of a method that it does not know.
    """
    return method_named(read_metadata(path), path)


def method_named(metadata: dict[str, str], path: Path) -> str:
    """The method that the metadata of a file names; raises as ``method_in``."""
    if metadata.get("format") != FORMAT or "config" not in metadata:
        found = metadata.get("format", "none")
        raise ValueError(f"{path} is not a temperfill generator (format {found}, expected {FORMAT})")
    method = metadata.get("method", "ours")
    if method not in NETWORKS:
        raise ValueError(f"{path} holds a generator of the method {method!r}; known are {', '.join(NETWORKS)}")
    return method


def parsed_config(metadata: dict[str, str], path: Path) -> Any:
    """The configuration in a file's metadata, as JSON holds it.

    Raises:
        ValueError: it is no JSON.
    """
    try:
        return json.loads(metadata["config"])
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: the configuration in its metadata is not valid JSON: {error}") from None


def read_arrays(path: Path, metadata: dict[str, str]) -> dict[str, NDArray[np.generic]]:
    """The weights of a file by their names, checked.

    Args:
        path: of the file.
        metadata: of it.

    Raises:
        OSError: cannot be read.
        ValueError: damaged, of types that numpy does not have, or not finite.
    """
    try:
        arrays = load_file(path)
    except (SafetensorError, LookupError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"{path} is not a safetensors file or is damaged ({error})") from None
    entries = [(name, f"torch.{value.dtype}", value.shape, _bytes(value)) for name, value in sorted(arrays.items())]
    check_digest(path, metadata, lambda text: digest_of(text, entries))
    for name, value in arrays.items():
        if not np.isfinite(value).all():
            raise ValueError(f"{path}: {name} holds values that are not finite")
    return arrays


def _bytes(value: NDArray[np.generic]) -> memoryview:
    return np.ascontiguousarray(value).reshape(-1).view(np.uint8).data
