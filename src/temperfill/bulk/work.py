"""What is done to one picture: read, look whether it is done already, decode, fill, encode, write.

Nothing here knows how many pictures are worked on at once, or where.
"""

import io
import os
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from temperfill import __version__, images, methods
from temperfill.bulk.manifest import checksum, key_of
from temperfill.bulk.matching import Task
from temperfill.images import Picture
from temperfill.inpainter import Inpainter
from temperfill.options import DEFAULT_MODEL, FillOptions, MaskOptions, Precision
from temperfill.places import FULL, Folder

Status = Literal["filled", "skipped", "failed"]
FAILURES = (ValueError, OSError, MemoryError, RuntimeError)
"""What one picture may raise without the others being given up; torch raises RuntimeError."""
# Options of a filling whose value is always part of the key.
_FIRST_OPTIONS = ("mask_dilate", "feather", "temperature", "strategy", "context")


@dataclass(frozen=True)
class BulkOptions:
    """Everything besides picture and mask that affects a result.

    Attributes:
        model: name, or path of weights.
        precision: as for :class:`temperfill.inpainter.Inpainter`.
        mask_reading: how masks are read.
        filling: how holes are filled.
        resize_mask: bring a mask of another size to that of its picture, by nearest neighbour.
        quality: of lossy formats; None as for :func:`temperfill.images.save_picture`.
        max_pixels: largest width times height.
    """

    model: str = DEFAULT_MODEL
    precision: Precision = "auto"
    mask_reading: MaskOptions = field(default_factory=MaskOptions)
    filling: FillOptions = field(default_factory=FillOptions)
    resize_mask: bool = False
    quality: int | None = None
    max_pixels: int = images.MAX_PIXELS

    def parameters(self) -> dict[str, Any]:
        """Plain values of all options by their names."""
        own = asdict(self)
        nested = own.pop("mask_reading") | own.pop("filling")
        return own | nested

    def fingerprint(self) -> dict[str, Any]:
        """Plain values that differ whenever results may: weights by their checksum, and the version of the package.

        An option that came later has none at its default, so that results of earlier versions keep their keys.

        Raises:
            OSError: weights cannot be read.
        """
        later = asdict(type(self.filling)())
        for name in _FIRST_OPTIONS:
            del later[name]
        own = {name: value for name, value in self.parameters().items() if (name, value) not in later.items()}
        own["quality"] = images.QUALITY if self.quality is None else self.quality
        del own["max_pixels"], own["force"]
        weights = weights_file(self.model)
        model = self.model if weights is None else checksum(weights.read_bytes())
        return own | {"model": model, "version": __version__}


@dataclass(frozen=True)
class BulkJob:
    """What is the same for all pictures.

    Attributes:
        pictures: where they are.
        masks: where their masks are.
        output: where results go.
        settings: of the filling.
        fingerprint: ``settings.fingerprint()``, found once.
        device: of the network.
        shunned: where the files are of what is not to be copied from; None for none.
        preserve_times: results have the times of their pictures.
    """

    pictures: Folder
    masks: Folder
    output: Folder
    settings: BulkOptions
    fingerprint: dict[str, Any] = field(default_factory=dict)
    device: str = "auto"
    shunned: Folder | None = None
    preserve_times: bool = False

    def load(self) -> Inpainter:
        """The inpainter; raises as ``Inpainter.from_pretrained``."""
        return Inpainter.from_pretrained(self.settings.model, self.device, self.settings.precision)


@dataclass(frozen=True)
class Outcome:
    """What became of a task.

    Attributes:
        task: which.
        status: filled, skipped because it was done already, or failed.
        reason: of a failure, one line.
        notes: warnings.
        key: of the manifest.
        picture_sha256: of the picture's file.
        mask_sha256: of the mask's.
        sha256: of the result.
        size: of the result, bytes.
        seconds: from reading to writing.
        is_last: nothing more can be written; the others need not be tried.
    """

    task: Task
    status: Status
    reason: str = ""
    notes: tuple[str, ...] = ()
    key: str = ""
    picture_sha256: str = ""
    mask_sha256: str = ""
    sha256: str = ""
    size: int = 0
    seconds: float = 0.0
    is_last: bool = False

    def record(self) -> dict[str, Any]:
        """The line of the manifest."""
        task = {"output": self.task.output, "picture": self.task.picture, "mask": self.task.mask}
        names = ("key", "picture_sha256", "mask_sha256", "sha256", "size", "seconds")
        return task | {name: getattr(self, name) for name in names}


@dataclass(frozen=True)
class Files:
    """The files of a task as they are.

    Attributes:
        task: which.
        picture: bytes of its picture.
        mask: likewise.
        pixels: that the header of the picture announces.
        start: time by the clock.
        avoid: bytes of what is not to be copied from; empty for nothing.
    """

    task: Task
    picture: bytes
    mask: bytes
    pixels: int
    start: float
    avoid: bytes = b""


class Work:
    """The steps of one task, for threads.

    Args:
        job: what is the same for all.
    """

    def __init__(self, job: BulkJob) -> None:
        self.job = job
        self._last: dict[Folder, tuple[str, bytes]] = {}

    def read(self, task: Task, known: list[tuple[str, str, int]]) -> Files | Outcome:
        """The files of a task, or that it is done.

        Args:
            task: to do.
            known: key, SHA-256 and size of earlier results.

        Raises:
            OSError: cannot be read.
            ValueError: not a picture, or too large.
        """
        start = time.monotonic()
        mask = self._read_mask(self.job.masks, task.mask)
        avoid = b"" if self.job.shunned is None else self._read_mask(self.job.shunned, task.avoid)
        files = Files(task, self.job.pictures.read(task.picture), mask, 0, start, avoid)
        key, *_ = self._sums(files)
        same = [(sha256, size) for known_key, sha256, size in known if known_key == key]
        if any(self._is_there(task.output, *values) for values in same):
            return Outcome(task, "skipped", key=key)
        height, width = images.read_header(io.BytesIO(files.picture), task.picture).size
        return replace(files, pixels=height * width)

    def decode(self, files: Files) -> tuple[Picture, NDArray[np.bool_], NDArray[np.bool_] | None]:
        """Picture, hole, and what is not to be copied from.

        Raises:
            ValueError: unreadable, a mask of another size, or a picture that the output's format cannot hold.
        """
        settings, task = self.job.settings, files.task
        picture = images.open_picture(io.BytesIO(files.picture), settings.max_pixels, task.picture)
        images.check_storable(picture, Path(task.output), settings.filling.layer)
        hole = read_mask(files.mask, picture.size, settings, f"the mask {task.mask}")
        if not files.avoid:
            return picture, hole, None
        plain = replace(settings, mask_reading=MaskOptions(force=True))
        return picture, hole, read_mask(files.avoid, picture.size, plain, f"what to avoid {task.avoid}")

    def fill(
        self,
        inpainter: Inpainter,
        picture: Picture,
        hole: NDArray[np.bool_],
        on_progress: Callable[[int, int], None] | None = None,
        avoid: NDArray[np.bool_] | None = None,
    ) -> Picture:
        """The filled picture; raises as :meth:`temperfill.inpainter.Inpainter.complete`."""
        return inpainter.complete(picture, hole, None, self.job.settings.filling, on_progress, avoid)

    def write(self, files: Files, result: Picture, notes: tuple[str, ...] = ()) -> Outcome:
        """Encodes and writes a result.

        Raises:
            OSError: cannot be written; an old file is intact.
            ValueError: a format that cannot hold the picture.
        """
        task = files.task
        encoded = images.encode_picture(result, Path(task.output), self.job.settings.quality)
        try:
            self.job.output.write(task.output, encoded)
        except OSError as error:
            if error.errno in FULL:
                return Outcome(task, "failed", one_line(error), notes, is_last=True)
            raise
        if self.job.preserve_times:
            times = Path(self.job.pictures.path(task.picture)).stat()
            os.utime(self.job.output.path(task.output), ns=(times.st_atime_ns, times.st_mtime_ns))
        key, picture, mask = self._sums(files)
        seconds = round(time.monotonic() - files.start, 3)
        return Outcome(task, "filled", "", notes, key, picture, mask, checksum(encoded), len(encoded), seconds)

    def _sums(self, files: Files) -> tuple[str, str, str]:
        """Key of the manifest, and the checksums of picture and mask that it is made of."""
        picture, mask = checksum(files.picture), checksum(files.mask)
        # The format is part of the name, and so are the options of its encoder.
        settings = self.job.fingerprint | {"suffix": Path(files.task.output).suffix.lower()}
        settings |= {"avoid": checksum(files.avoid)} if files.avoid else {}
        if self.job.settings.quality is None and settings["suffix"] in (".jpg", ".jpeg"):
            settings["quality"] = "of the picture"
        return key_of(picture, mask, settings), picture, mask

    def _is_there(self, name: str, sha256: str, size: int) -> bool:
        return self.job.output.size(name) == size and checksum(self.job.output.read(name)) == sha256

    def _read_mask(self, folder: Folder, name: str) -> bytes:
        """The bytes of a mask, none without a name; those of the last one are kept, as one may serve all pictures."""
        last, data = self._last.get(folder, ("", b""))
        if last != name:
            data = folder.read(name) if name else b""
            self._last[folder] = (name, data)
        return data


def read_mask(data: bytes, size: tuple[int, int], settings: BulkOptions, name: str) -> NDArray[np.bool_]:
    """A mask from the bytes of its file; raises as :func:`temperfill.images.to_mask`.

    Args:
        data: of the file.
        size: height and width wanted.
        settings: how to read it.
        name: of the mask in errors.

    Returns:
        (H, W), True = missing.
    """
    options = settings.mask_reading
    reading: dict[str, Any] = {"invert": options.invert_mask, "channel": options.mask_channel}
    reading |= {"force": options.force, "name": name}
    if not settings.resize_mask:
        return images.to_mask(io.BytesIO(data), size, max_pixels=settings.max_pixels, **reading)
    picture = images.open_picture(io.BytesIO(data), settings.max_pixels, name)
    hole = images.to_mask(picture.to_image(), picture.size, **reading)
    # The pixel in whose area the middle of the wanted one lies.
    rows, columns = ((2 * np.arange(n) + 1) * own // (2 * n) for n, own in zip(size, hole.shape, strict=True))
    return hole[rows[:, None], columns]


def weights_file(model: str) -> Path | None:
    """The file of a model; None for methods without one. Raises as :func:`temperfill.methods.find`."""
    return methods.find(model).path


def failure(task: Task, error: BaseException, notes: tuple[str, ...] = ()) -> Outcome:
    """The outcome of a task that raised one of FAILURES."""
    text = "not enough memory" if isinstance(error, MemoryError) else one_line(error)
    return Outcome(task, "failed", text, notes)


def one_line(error: BaseException) -> str:
    """An error in one line."""
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split()) or type(error).__name__


class WarningsByThread(threading.local):
    """Warnings by the thread that gave them, while ``heard`` is entered."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def take(self) -> tuple[str, ...]:
        """Those of this thread since the last time."""
        texts, self.texts = self.texts, []
        return tuple(dict.fromkeys(texts))

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Keeps warnings instead of showing them.

        The filters of warnings belong to the process: while one thread sets them aside for a moment, a warning of
        another one can be lost.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("always", UserWarning)
            warnings.showwarning = lambda message, *_, **__: self.texts.append(str(message))
            yield
