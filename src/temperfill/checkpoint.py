"""Weights files (safetensors with the configuration in their metadata), resumable states, and folders of runs."""

import contextlib
import hashlib
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import safetensors
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as save_bytes
from torch import Tensor

from temperfill.config import GENERATORS, RunConfig, differences, from_json, load_run, method_of, to_json
from temperfill.files import atomic_write, exclusive, remove_partial
from temperfill.nets.building import Network, build
from temperfill.nets.weights_file import UNREADABLE

FORMAT = "temperfill-generator-1"
"""Value of the metadata key ``format``; raised when a file of older kind can no longer be read as it is."""


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
    metadata |= {"sha256": digest(summed(metadata), stored)} | (extra_metadata or {})
    content = save_bytes(stored, metadata)
    atomic_write(path, lambda file: file.write(content))


def summed(metadata: dict[str, str]) -> str:
    """What the SHA-256 covers of the metadata: the configuration, and the method in files that name one."""
    return metadata.get("method", "") + metadata["config"]


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
    except (SafetensorError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not a safetensors file or is damaged ({error})") from None


def method_in(path: Path) -> str:
    """The method whose generator a weights file holds; files that do not name one are of ours.

    Raises:
        OSError: the file cannot be read.
        ValueError: damaged, not a generator of this package, or of a method that it does not know.
    """
    return _method(read_metadata(path), path)


def _method(metadata: dict[str, str], path: Path) -> str:
    if metadata.get("format") != FORMAT or "config" not in metadata:
        found = metadata.get("format", "none")
        raise ValueError(f"{path} is not a temperfill generator (format {found}, expected {FORMAT})")
    method = metadata.get("method", "ours")
    if method not in GENERATORS:
        raise ValueError(f"{path} holds a generator of the method {method!r}; known are {', '.join(GENERATORS)}")
    return method


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
    found = _method(metadata, path)
    if method not in (None, found):
        raise ValueError(f"{path} holds a generator of the method {found}, not of {method}")
    tensors = load_file(path)
    # The first files that named a method did not cover it.
    if metadata.get("sha256", "") not in (digest(text, tensors) for text in (summed(metadata), metadata["config"])):
        raise ValueError(f"{path} is damaged: its content does not match its SHA-256; copy it again")
    generator = build(from_json(GENERATORS[found], _parse(metadata["config"], path), f"{path}: config"))
    load_tensors(generator, tensors, str(path))
    return generator.to(device).eval().requires_grad_(False)


def halve_generator(source: Path, output: Path, terms: str = "") -> None:
    """Copies a weights file in half precision, other metadata included.

    Args:
        source: of the .safetensors file.
        output: of the copy.
        terms: of use, for its metadata; if empty, those of the source stay.

    Raises:
        OSError: cannot be read or written.
        ValueError: as ``load_generator``, or a weight is beyond half precision.
    """
    generator = load_generator(source)
    own = ("format", "method", "config", "sha256")
    extra = {key: value for key, value in read_metadata(source).items() if key not in own}
    extra |= {"terms": terms} if terms else {}
    save_generator(output, generator, extra_metadata=extra, dtype=torch.float16)


def _parse(config: str, path: Path) -> Any:
    try:
        return json.loads(config)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: the configuration in its metadata is not valid JSON: {error}") from None


def load_tensors(module: torch.nn.Module, tensors: dict[str, Tensor], where: str) -> None:
    """Copies tensors into a module, strictly.

    Raises:
        ValueError: missing or unexpected names, wrong shapes, or values that are not finite; names them.
    """
    expected = module.state_dict()
    missing, unexpected = sorted(expected.keys() - tensors.keys()), sorted(tensors.keys() - expected.keys())
    if missing or unexpected:
        raise ValueError(
            f"{where} does not fit: missing {missing[:3] or 'none'}, unexpected {unexpected[:3] or 'none'}"
        )
    for name, tensor in tensors.items():
        if tensor.shape != expected[name].shape:
            raise ValueError(f"{where}: {name} has shape {tuple(tensor.shape)}, expected {tuple(expected[name].shape)}")
    check_finite(tensors, where)
    module.load_state_dict(tensors, strict=True)


def check_finite(tensors: dict[str, Tensor], where: str) -> None:
    """Raises ValueError for the first tensor with a value that is not finite, naming it."""
    for name, tensor in tensors.items():
        if not tensor.float().isfinite().all():
            raise ValueError(f"{where}: {name} holds values that are not finite")


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Writes a training state atomically; it holds tensors, numbers, strings, lists and dicts only.

    Raises:
        OSError: cannot be written; an old file is intact.
    """

    def write(file: BinaryIO) -> None:
        keeper = _ErrorKeeper(file)
        try:
            torch.save(state, keeper)  # type: ignore[arg-type]
        except RuntimeError:
            # torch hides what the file said, such as that the disk is full, behind an error of its own.
            raise keeper.error or RuntimeError("torch.save failed") from None

    atomic_write(path, write)


class _ErrorKeeper:
    """A file to write that remembers its first error."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.error: OSError | None = None

    def write(self, content: Any) -> int:
        try:
            return self.file.write(content)
        except OSError as error:
            self.error = self.error or error
            raise

    def flush(self) -> None:
        self.file.flush()


def load_state(path: Path) -> dict[str, Any]:
    """Reads a training state without running code from it.

    Raises:
        OSError: cannot be read.
        ValueError: damaged (by the checksums of the archive too) or foreign.
    """
    try:
        # torch.load skips the checksums that torch.save writes, and would load a flipped bit without a word.
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
        state = None if damaged else torch.load(path, map_location="cpu", weights_only=True)
    except (zipfile.BadZipFile, NotImplementedError, *UNREADABLE) as error:
        raise ValueError(f"{path} is not a readable training state ({error}); remove it to start anew") from None
    if damaged:
        raise ValueError(f"{path} is damaged: {damaged} does not match its checksum; remove it to start anew")
    if not isinstance(state, dict) or not {"networks", "progress"} <= state.keys():
        raise ValueError(f"{path} is not a training state; remove it to start anew")
    return state


class RunFolder:
    """Folder of one training run.

    It holds ``config.json``, ``log.jsonl``, ``samples/``, ``generator.safetensors`` (averaged weights: the best on
    validation, or the latest without one) and ``state.pt``.

    Args:
        path: of the folder, which may not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config_path = path / "config.json"
        self.state_path = path / "state.pt"
        self.generator_path = path / "generator.safetensors"
        self.log_path = path / "log.jsonl"

    def read(self, config: RunConfig) -> dict[str, Any] | None:
        """The state that a run goes on from, or None where nothing has been trained yet; writes nothing.

        Raises:
            OSError: cannot be read.
            ValueError: a run of another configuration (what belongs to the machine may differ), which lists the fields;
                or a damaged state.
        """
        if not self.state_path.exists() and not self.generator_path.exists():
            return None
        if not self.config_path.is_file():
            raise ValueError(f"{self.path} holds a trained model without its config.json; choose another run folder")
        old, new = to_json(load_run(self.config_path)), to_json(config)
        changes = differences(old | {"machine": None}, new | {"machine": None})
        if changes:
            lines = "\n  ".join(changes)
            raise ValueError(
                f"{self.path} holds a run of another configuration (there -> here):\n  {lines}\n"
                "Use its values to go on, or another run folder"
            )
        return load_state(self.state_path) if self.state_path.exists() else None

    @contextlib.contextmanager
    def opened(self, config: RunConfig, step: int) -> Iterator[None]:
        """Creates the folder for one process, or clears it of what a killed one left after its last state.

        Args:
            config: is written to it.
            step: of the state that the run goes on from; later lines of the log are dropped, so that it has every
                step once.

        Raises:
            OSError: cannot be written, or another process trains in it.
        """
        (self.path / "samples").mkdir(parents=True, exist_ok=True)
        with exclusive(self.path):
            for folder in (self.path, self.path / "samples"):
                remove_partial(folder)
            text = json.dumps(to_json(config), indent=1).encode()
            atomic_write(self.config_path, lambda file: file.write(text))
            self._trim_log(step)
            yield

    def _trim_log(self, step: int) -> None:
        if self.log_path.is_file():
            lines = self.log_path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
            content = "".join(line for line in lines if _is_record(line, step)).encode()
            atomic_write(self.log_path, lambda file: file.write(content))

    def log(self, record: dict[str, Any]) -> None:
        """Appends a line to ``log.jsonl``.

        Raises:
            OSError: cannot be written, for example because the disk is full.
        """
        try:
            with self.log_path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(record, allow_nan=False) + "\n")
        except OSError as error:
            raise type(error)(error.errno, f"cannot write the log: {error.strerror}", str(self.log_path)) from None

    def sample_path(self, step: int) -> Path:
        return self.path / "samples" / f"{step:07d}.png"

    def save_generator(self, generator: Network, step: int) -> None:
        save_generator(self.generator_path, generator, extra_metadata={"step": str(step)})


def _is_record(line: str, step: int) -> bool:
    """Whether a line of the log is whole and not after the step."""
    try:
        return line.endswith("\n") and json.loads(line)["step"] <= step
    except (ValueError, LookupError, TypeError):
        return False
