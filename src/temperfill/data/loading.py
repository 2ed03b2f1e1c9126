"""Samples to batches by processes that load ahead: their memory, signals and ends."""

import ctypes
import gc
import os
import shutil
import signal
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from temperfill.config import DataConfig
from temperfill.data.samples import Batch, PictureFolders, unpacked

_PREFETCH = 4
_WRAPPED, _LOST = "in DataLoader worker process", "DataLoader worker (pid"  # of torch's messages
_KILLED = (
    "a process that loads pictures was killed, perhaps for lack of memory; the last saved state is kept: take fewer "
    "--machine.workers, or 0"
)
_PR_SET_PDEATHSIG = 1  # of prctl(2)


class _BatchSampler:
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


class _Samples(Dataset[Batch]):
    """The samples that ``_BatchSampler`` names, packed for their way through shared memory."""

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
        _Samples(dataset),
        batch_sampler=_BatchSampler(dataset, range(first, first + size), batch_size),
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
            yield unpacked(batch)
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
