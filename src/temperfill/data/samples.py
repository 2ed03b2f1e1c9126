"""Pictures to training samples: endless, seeded, and a function of the sample's number alone.

Order, crop, flip, mask and the discriminator's patch follow from (seed, sample number), so that a resumed run, another
number of workers or of ranks draws the same samples, and resuming needs no state of any random generator.
"""

import ctypes
import gc
import io
import os
import shutil
import signal
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import chain
from multiprocessing.connection import wait
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from temperfill import images, masks
from temperfill.config import DataConfig
from temperfill.data.sources import Joined, open_source

_ORDER, _SAMPLE, _LINES = 0, 1, 3  # streams of the seed; 2 is that of the gradient penalty, 4 of validation
_PREFETCH = 4
_WRAPPED, _LOST = "in DataLoader worker process", "DataLoader worker (pid"  # of torch's messages
_KILLED = (
    "a process that loads pictures was killed, perhaps for lack of memory; the last saved state is kept: take fewer "
    "--machine.workers, or 0"
)
_PR_SET_PDEATHSIG = 1  # of prctl(2)
_REPLACEMENTS = 1000
"""Pictures that are tried instead of an unreadable one; so many in a row are no accident."""


class Batch(NamedTuple):
    """Training samples.

    Attributes:
        image: (B, 3, S, S) in [0, 1].
        mask: (B, 1, S, S), 1 = missing.
        centre: (B, 2) integers, row and column of a random pixel of the hole.
        corrupt: (B,) integers, index of the unreadable picture in whose place another one stands, or -1.
        number: (B,) integers, numbers of the samples.
        sketch: (B, 1, S, S), 1 = line, all in the hole; (B, 0, S, S) of a dataset without sketches.
    """

    image: Tensor
    mask: Tensor
    centre: Tensor
    corrupt: Tensor
    number: Tensor
    sketch: Tensor

    @property
    def given(self) -> tuple[Tensor, ...]:
        """What a generator is given: image, mask, and the sketch where the dataset has sketches."""
        return (self.image, self.mask, self.sketch) if self.sketch.shape[1] else (self.image, self.mask)


class PictureFolders(Dataset[Batch]):
    """Samples by number, of the pictures of folders and shards.

    Args:
        config: where the pictures lie, sizes, and kind of mask.
        seed: of order, crops, flips and masks.

    Raises:
        OSError: a folder is missing, or cannot be read.
        ValueError: a folder has no pictures, or its shards are damaged.
    """

    def __init__(self, config: DataConfig, seed: int) -> None:
        if not config.train:
            raise ValueError("no training pictures: name at least one folder with --data.train")
        self.config = config
        self.seed = seed
        self.pictures = Joined([open_source(entry) for entry in config.train])
        self.sketches = _open_sketches(config, self.pictures)
        self.bounds = self.pictures.bounds
        self._permutations: dict[int, tuple[int, NDArray[np.uint32]]] = {}

    def __len__(self) -> int:
        """Pictures, and samples in an epoch."""
        return len(self.pictures)

    def __getitem__(self, number: int) -> Batch:
        """The sample of a number from 0 on, without a batch axis.

        Raises:
            ValueError: a thousand pictures, or all, cannot be read.
            ConnectionError: a remote place does not answer.
        """
        return self.sample(number, self.index(number))

    def sample(self, number: int, index: int) -> Batch:
        """The sample of a number from the picture that ``index`` gives for it; arguments and errors as above."""
        return _unpacked(self.packed(number, index))

    def packed(self, number: int, index: int) -> Batch:
        """As :meth:`sample`, with values of one byte each: 0 to 255, and false or true; a quarter of the memory."""
        rng = np.random.default_rng([self.seed, _SAMPLE, number])
        planes, corrupt = self._read(index, rng)
        planes = self._crop(planes, rng)
        size = self.config.crop_size
        mask = masks.free_form_square(size, size, rng, self.config.mask_scale or size / 256)
        hole = np.argwhere(mask)
        return Batch(
            torch.from_numpy(np.ascontiguousarray(planes[..., :3].transpose(2, 0, 1))),
            torch.from_numpy(mask[None]),
            torch.from_numpy(hole[rng.integers(len(hole))]),
            torch.tensor(corrupt),
            torch.tensor(number),
            torch.from_numpy(self._shown(planes[..., 3:] > 0, mask, number)),
        )

    def name(self, index: int) -> str:
        """What people call a picture."""
        return self.pictures.name(index)

    def _read(self, index: int, rng: np.random.Generator) -> tuple[NDArray[np.uint8], int]:
        """A picture with its sketch and -1; or, if it is unreadable, a random one and the index of the unreadable one.

        It has its size of training: (H, W, 3), or (H, W, 4) with the sketch, 255 = line.
        """
        reason: Exception | None = None
        # Drawn one by one: an order of all pictures would take more memory than all else in the process.
        replacements = (int(rng.integers(len(self))) for _ in range(_REPLACEMENTS))
        for candidate in chain([index], replacements):
            try:
                planes = self._planes(candidate)
            except ConnectionError:  # says nothing of the picture, and would make the sample depend on the weather
                raise
            except (ValueError, OSError) as error:
                reason = reason or error
            else:
                return planes, index if reason else -1
        raise ValueError(
            f"no training picture can be read: {self.name(index)}: {reason}; nor {_REPLACEMENTS} drawn at random from "
            f"all {len(self)}"
        )

    def _planes(self, index: int) -> NDArray[np.uint8]:
        picture = images.read_rgb(io.BytesIO(self.pictures.read(index)))
        picture = images.resize_short_side(picture, self.config.resize)
        if self.sketches is None:
            return picture
        name = self.sketches.name(index)
        if _stem(self.sketches.label(index)) != _stem(self.pictures.label(index)):
            raise ValueError(f"{name} is no sketch of {self.name(index)}: names must differ in nothing but the ending")
        lines = images.read_rgb(io.BytesIO(self.sketches.read(index)))[..., :1]
        if lines.shape[:2] != picture.shape[:2]:
            size, wanted = lines.shape[1::-1], picture.shape[1::-1]
            raise ValueError(
                f"{name} is {size[0]}x{size[1]}, but its picture {wanted[0]}x{wanted[1]} in training: draw it with "
                f"temperfill sketch --short-side {self.config.resize}"
            )
        return np.concatenate([picture, np.where(lines > 127, np.uint8(255), np.uint8(0))], 2)

    def _shown(self, lines: NDArray[np.bool_], mask: NDArray[np.bool_], number: int) -> NDArray[np.bool_]:
        """The lines (1, S, S) of a sketch (S, S, 1) that the sample of a number shows: all, some or none of the hole's.

        Chance has a stream of its own here, so that samples with and without sketches are the same but for these.
        """
        lines = lines.transpose(2, 0, 1) & mask
        return shown_lines(lines, self.config, np.random.default_rng([self.seed, _LINES, number]))

    def index(self, number: int) -> int:
        """The picture of a sample: every epoch is a permutation, or takes folders in turn if balanced."""
        num_folders = len(self.bounds) - 1
        number, folder = divmod(number, num_folders) if self.config.balanced else (number, 0)
        start, stop = self.bounds[folder : folder + 2] if self.config.balanced else (0, len(self))
        epoch, position = divmod(number, int(stop - start))
        return int(start + self._permutation(epoch, int(stop - start), folder)[position])

    def _permutation(self, epoch: int, length: int, folder: int) -> NDArray[np.uint32]:
        """The order of an epoch; the last one that was asked for is kept, 4 bytes a picture."""
        kept = self._permutations.get(folder)
        if kept is None or kept[0] != epoch:
            rng = np.random.default_rng([self.seed, _ORDER, epoch, folder])
            kept = self._permutations[folder] = epoch, rng.permutation(length).astype(np.uint32)
        return kept[1]

    def _crop(self, picture: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
        size = self.config.crop_size
        top, left = (int(rng.integers(0, side - size + 1)) for side in picture.shape[:2])
        picture = picture[top : top + size, left : left + size]
        return picture[:, ::-1] if self.config.flip and rng.random() < 0.5 else picture


def _open_sketches(config: DataConfig, pictures: Joined) -> Joined | None:
    """The sketches of the pictures in the same order, or None; raises ValueError if there are more or fewer."""
    if not config.sketches:
        return None
    sketches = Joined([open_source(entry) for entry in config.sketches])
    for entry, mine, theirs in zip(config.sketches, sketches.sources, pictures.sources, strict=True):
        if len(mine) != len(theirs):
            raise ValueError(f"{entry} holds {len(mine)} sketches of {len(theirs)} pictures; draw them anew")
    return sketches


def _stem(label: str) -> str:
    return str(PurePosixPath(label).with_suffix(""))


def shown_lines(lines: NDArray[np.bool_], config: DataConfig, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Those of a hole's lines that a sample shows: all, some or none.

    Args:
        lines: (1, S, S) of the hole, True = line; (0, S, S) without a sketch.
        config: shares of samples with lines, and with some of them.
        rng: source of randomness.

    Returns:
        As ``lines``.
    """
    if not lines.size or rng.random() >= config.sketch_share:
        return np.zeros_like(lines)
    if rng.random() < config.sketch_parts:
        parts, count = ndimage.label(lines[0], np.ones((3, 3)))
        lines = lines & np.append(False, rng.random(count) < 0.5)[parts]
    return lines


def _unpacked(batch: Batch) -> Batch:
    return batch._replace(image=batch.image.float() / 255, mask=batch.mask.float(), sketch=batch.sketch.float())


class _Draws:
    """What the samples of a rank's batches are, from a step on, without end: numbers, and the pictures of them.

    It runs in the training process alone, so that the workers need no order of their own.
    """

    def __init__(self, dataset: PictureFolders, numbers: range, stride: int) -> None:
        self.dataset = dataset
        self.numbers = numbers
        self.stride = stride

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        numbers = self.numbers
        while True:
            yield [(number, self.dataset.index(number)) for number in numbers]
            numbers = range(numbers.start + self.stride, numbers.stop + self.stride)


class _Drawn(Dataset[Batch]):
    """The samples that ``_Draws`` names, packed for their way through shared memory."""

    def __init__(self, dataset: PictureFolders) -> None:
        self.dataset = dataset

    def __getitem__(self, draw: tuple[int, int]) -> Batch:
        return self.dataset.packed(*draw)


def batches(
    dataset: PictureFolders, batch_size: int, first_step: int, workers: int, rank: int = 0, world: int = 1
) -> Generator[Batch, None, None]:
    """Endless batches from a step on; step s holds the samples s * batch_size and following.

    Of several processes that train together, each gets its part of every batch: those of all ranks, one after the
    other, are the batch of one process. Workers start at once, and end when the generator is closed.

    Args:
        dataset: the samples.
        batch_size: samples in a batch of all ranks together.
        first_step: step of the first batch.
        workers: processes that load ahead; 0 loads when asked.
        rank: of this process.
        world: number of processes; divides ``batch_size``.

    Raises:
        ValueError: a batch cannot be divided.
        OSError: there is not enough shared memory for the workers.
    """
    if batch_size % world:
        raise ValueError(f"a batch of {batch_size} pictures cannot be divided among {world} processes")
    size = batch_size // world
    first = first_step * batch_size + rank * size
    loader = DataLoader(
        _Drawn(dataset),
        batch_sampler=_Draws(dataset, range(first, first + size), batch_size),
        num_workers=workers,
        prefetch_factor=_prefetched(size * _bytes_of(dataset.config), workers) if workers else None,
        # Workers share the list of pictures, and die with this process, only as its own children.
        multiprocessing_context="fork" if workers and sys.platform == "linux" else None,
        worker_init_fn=partial(_start_worker, os.getpid()),
        # Its own generator: the loader would otherwise draw its base seed from the global one.
        generator=torch.Generator().manual_seed(0),
    )
    return _drain(iter(loader))


def _bytes_of(config: DataConfig) -> int:
    """Of a packed sample."""
    return config.crop_size**2 * (5 if config.sketches else 4)


def _prefetched(batch_bytes: int, workers: int, folder: Path = Path("/dev/shm")) -> int:
    """Batches that each worker loads ahead: fewer where they would fill the shared memory, which kills by SIGBUS.

    Containers often have 64 MB of it.

    Raises:
        OSError: there is not room for one batch of each.
    """
    if not folder.is_dir():
        return _PREFETCH
    free = shutil.disk_usage(folder).free
    # One more of each is on its way or in use.
    fitting = free // (workers * batch_bytes) - 1
    if fitting < 1:
        raise OSError(
            f"{folder} has {free / 1e6:.0f} MB free, and {workers} loading processes need "
            f"{2 * workers * batch_bytes / 1e6:.0f} MB of shared memory: give the container more (docker run "
            "--shm-size 2g), or take fewer --machine.workers or a smaller batch"
        )
    return min(_PREFETCH, fitting)


def _drain(loaded: Any) -> Generator[Batch, None, None]:
    """The batches of a loader's iterator, with errors of workers as they were raised there."""
    try:
        for batch in loaded:
            yield _unpacked(batch)
    except (ValueError, OSError, EOFError) as error:
        # One that dies while its batch is fetched breaks the connection before torch sees that it is gone.
        if isinstance(error, ConnectionError | EOFError) and _one_has_ended(loaded):
            raise ChildProcessError(_KILLED) from None
        # torch wraps the worker's whole trace in the text of the error, whose last line is the error itself.
        text = str(error)
        if _WRAPPED not in text:
            raise
        raise type(error)(text.rstrip().splitlines()[-1].partition(": ")[2]) from None
    finally:
        # An error that was wrapped holds on to the iterator, and at exit Python would wait for the workers for ever.
        if hasattr(loaded, "_shutdown_workers"):
            loaded._shutdown_workers()


def _one_has_ended(loaded: Any) -> bool:
    """Whether one of the loading processes has, or does so at once: its connections close a little before."""
    workers = getattr(loaded, "_workers", [])
    return bool(workers and wait([worker.sentinel for worker in workers], timeout=1))


@contextmanager
def lost_workers_named() -> Iterator[None]:
    """Says what happened when a loading process dies: torch then raises a RuntimeError, wherever the program is.

    Raises:
        ChildProcessError: instead of that error.
    """
    try:
        yield
    except RuntimeError as error:
        if _LOST not in str(error):
            raise
        raise ChildProcessError(_KILLED) from None


def _start_worker(parent: int, _: int) -> None:
    if sys.platform == "linux":
        # torch's own watch on the parent begins late: killed before, it would leave a worker that waits for ever.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
    torch.set_num_threads(1)
    # What was there before the fork is shared with the other workers until it is written to, and collecting writes.
    gc.freeze()
    # Ctrl-C reaches every process of a terminal; the main one decides, and workers end with it.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
