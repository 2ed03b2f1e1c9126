"""The folder of one training run, and the state in it from which the run goes on."""

import contextlib
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import torch

from temperfill.config import RunConfig, differences, to_json
from temperfill.data.contents import contents
from temperfill.files import atomic_write, exclusive, remove_partial
from temperfill.nets.network import Network
from temperfill.nets.weights_file import UNREADABLE
from temperfill.systems.table import load_run
from temperfill.weights_files import save_generator

_PLACES = {"data.train", "data.sketches", "data.val"}
"""Fields that may differ where the pictures are the same."""


OnLog = Callable[[dict[str, Any]], object]
"""Is given a record of the log of a run."""


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
            _check_sizes(archive, path.stat().st_size)
            damaged = archive.testzip()
        state = None if damaged else torch.load(path, map_location="cpu", weights_only=True)
    except (zipfile.BadZipFile, NotImplementedError, *UNREADABLE) as error:
        raise ValueError(f"{path} is not a readable training state ({error}); remove it to start anew") from None
    if damaged:
        raise ValueError(f"{path} is damaged: {damaged} does not match its checksum; remove it to start anew")
    if not isinstance(state, dict) or not {"networks", "progress"} <= state.keys():
        raise ValueError(f"{path} is not a training state; remove it to start anew")
    for part in ("networks", "progress", "interval", "contents"):
        if not isinstance(state.get(part, {}), dict):
            raise ValueError(f"{path} is not a training state ({part}); remove it to start anew")
    return state


def _check_sizes(archive: zipfile.ZipFile, size: int) -> None:
    """Raises ValueError for an archive that holds more than it is long, as torch.save never compresses."""
    parts = archive.infolist()
    if any(part.compress_type != zipfile.ZIP_STORED for part in parts) or sum(part.file_size for part in parts) > size:
        raise ValueError("its parts are compressed or overlap")


class RunFolder:
    """Folder of one training run.

    It holds ``config.json``, ``log.jsonl``, ``samples/``, ``generator.safetensors`` (averaged weights: the best on
    validation, or the latest without one) and ``state.pt``.

    Args:
        path: of the folder, which may not exist yet.
        on_log: called with every record that is logged.
    """

    def __init__(self, path: Path, on_log: OnLog | None = None) -> None:
        self.path = path
        self.on_log = on_log
        self.config_path = path / "config.json"
        self.state_path = path / "state.pt"
        self.generator_path = path / "generator.safetensors"
        self.log_path = path / "log.jsonl"

    def read(self, config: RunConfig) -> dict[str, Any] | None:
        """The state that a run goes on from, or None where nothing has been trained yet; writes nothing.

        What may differ from the earlier start: what belongs to the machine, ``num_steps``, as long as so many steps are
        not done yet, and where the pictures lie, if they are the same. ``changes`` of the state lists the last two.

        Raises:
            OSError: cannot be read.
            ValueError: a run of another configuration, which lists the fields; or a damaged state.
        """
        if not self.state_path.exists() and not self.generator_path.exists():
            return None
        if not self.config_path.is_file():
            raise ValueError(f"{self.path} holds a trained model without its config.json; choose another run folder")
        old, new = (to_json(run) | {"machine": None} for run in (load_run(self.config_path), config))
        if not config.data.val:  # says nothing then, and was another number in earlier versions
            old["data"]["val_limit"] = new["data"]["val_limit"]
        differing = differences(old, new)
        if not self.state_path.exists():
            self._refuse(differing)
            return None
        state = load_state(self.state_path)
        done = state["progress"].get("step", 0)
        allowed = {"num_steps"} if isinstance(done, int) and config.num_steps >= done else set()
        if _PLACES & set(map(_field, differing)):
            known, found = state.get("contents", {}), contents(config.data)
            allowed |= {f"data.{name}" for name in found if found[name] == known.get(name)}
        self._refuse([line for line in differing if _field(line) not in allowed])
        return state | {"changes": differing}

    def _refuse(self, differing: list[str]) -> None:
        if differing:
            lines = "\n  ".join(differing)
            moved = _PLACES & set(map(_field, differing))
            hint = "; folders may differ if they hold the same pictures in the same order" if moved else ""
            raise ValueError(
                f"{self.path} holds a run of another configuration (there -> here):\n  {lines}\n"
                f"Use its values to go on, or another run folder{hint}"
            )

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
            self._trim_log(config, step)
            yield

    def _trim_log(self, config: RunConfig, step: int) -> None:
        if self.log_path.is_file():
            lines = self.log_path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
            content = "".join(line for line in lines if _stays(line, config, step)).encode()
            atomic_write(self.log_path, lambda file: file.write(content))

    def log(self, record: dict[str, Any]) -> None:
        """Appends a line to ``log.jsonl``, and tells who asked for it.

        Raises:
            OSError: cannot be written, for example because the disk is full.
        """
        try:
            with self.log_path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(record, allow_nan=False) + "\n")
        except OSError as error:
            raise type(error)(error.errno, f"cannot write the log: {error.strerror}", str(self.log_path)) from None
        if self.on_log is not None:
            self.on_log(record)

    def sample_path(self, step: int) -> Path:
        return self.path / "samples" / f"{step:07d}.png"

    def save_generator(self, generator: Network, step: int) -> None:
        save_generator(self.generator_path, generator, extra_metadata={"step": str(step)})


def _field(line: str) -> str:
    """The field that a line of differences is about."""
    return line.split(":")[0]


def _stays(line: str, config: RunConfig, step: int) -> bool:
    """Whether a line of the log is whole, not after the step, and not of an interval that a longer run goes on with."""
    try:
        record = json.loads(line)
        done, in_interval = record["step"], record["step"] % config.log_every and "validation" not in record
        return line.endswith("\n") and done <= step and not (in_interval and step < config.num_steps)
    except (ValueError, LookupError, TypeError, RecursionError):
        return False
