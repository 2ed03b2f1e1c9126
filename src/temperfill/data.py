"""Folders of pictures to training samples: endless, seeded, and a function of the sample's number alone.

Order, crop, flip, mask and the discriminator's patch follow from (seed, sample number), so that a resumed run, another
number of workers or of ranks draws the same samples, and resuming needs no state of any random generator.
"""

import signal
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from temperfill import images, masks
from temperfill.config import DataConfig

_ORDER, _SAMPLE = 0, 1  # streams of the seed


class Batch(NamedTuple):
    """Training samples.

    Attributes:
        image: (B, 3, S, S) in [0, 1].
        mask: (B, 1, S, S), 1 = missing.
        centre: (B, 2) integers, row and column of a random pixel of the hole.
        corrupt: (B,) integers, index of the unreadable picture in whose place another one stands, or -1.
    """

    image: Tensor
    mask: Tensor
    centre: Tensor
    corrupt: Tensor


def list_pictures(folder: Path) -> list[Path]:
    """All pictures below a folder, by suffix, sorted; hidden files are left aside.

    Raises:
        OSError: no such folder.
        ValueError: no picture in it.
    """
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} is not a folder with pictures")
    named = (p for p in folder.rglob("*") if p.suffix.lower() in images.SUFFIXES and not p.name.startswith("."))
    found = sorted(p for p in named if p.is_file())
    if not found:
        raise ValueError(f"no pictures in {folder}; known are {', '.join(sorted(images.SUFFIXES))}")
    return found


class PictureFolders(Dataset[Batch]):
    """Samples by number.

    Args:
        config: folders, sizes, and kind of mask.
        seed: of order, crops, flips and masks.

    Raises:
        OSError: a folder is missing.
        ValueError: a folder has no pictures.
    """

    def __init__(self, config: DataConfig, seed: int) -> None:
        if not config.train:
            raise ValueError("no training pictures: name at least one folder with --data.train")
        self.config = config
        self.seed = seed
        folders = [list_pictures(folder) for folder in config.train]
        self.paths = [path for folder in folders for path in folder]
        self.bounds = np.cumsum([0, *(len(folder) for folder in folders)])
        self._permutations: dict[tuple[int, int], np.ndarray] = {}

    def __len__(self) -> int:
        """Pictures, and samples in an epoch."""
        return len(self.paths)

    def __getitem__(self, number: int) -> Batch:
        """The sample of a number from 0 on, without a batch axis.

        Raises:
            ValueError: no picture at all can be read.
        """
        rng = np.random.default_rng([self.seed, _SAMPLE, number])
        picture, corrupt = self._read(self.index(number), rng)
        picture = self._crop(images.resize_short_side(picture, self.config.resize), rng)
        size = self.config.crop_size
        mask = masks.free_form_square(size, size, rng, self.config.mask_scale or size / 256)
        hole = np.argwhere(mask)
        return Batch(
            torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1))).float() / 255,
            torch.from_numpy(mask[None]).float(),
            torch.from_numpy(hole[rng.integers(len(hole))]),
            torch.tensor(corrupt),
        )

    def _read(self, index: int, rng: np.random.Generator) -> tuple[np.ndarray, int]:
        """A picture and -1; or, if it is unreadable, a random readable one and the index of the unreadable one."""
        try:
            return images.read_rgb(self.paths[index]), -1
        except (ValueError, OSError) as error:
            reason = error
        for other in rng.permutation(len(self.paths)):
            try:
                return images.read_rgb(self.paths[other]), index
            except (ValueError, OSError):
                continue
        raise ValueError(f"none of the {len(self)} training pictures can be read; the first error was: {reason}")

    def index(self, number: int) -> int:
        """The picture of a sample: every epoch is a permutation, or takes folders in turn if balanced."""
        num_folders = len(self.bounds) - 1
        number, folder = divmod(number, num_folders) if self.config.balanced else (number, 0)
        start, stop = self.bounds[folder : folder + 2] if self.config.balanced else (0, len(self.paths))
        epoch, position = divmod(number, int(stop - start))
        return int(start + self._permutation(epoch, int(stop - start), folder)[position])

    def _permutation(self, epoch: int, length: int, folder: int) -> np.ndarray:
        if (epoch, folder) not in self._permutations:
            if len(self._permutations) > 2 * len(self.bounds):
                self._permutations.clear()
            rng = np.random.default_rng([self.seed, _ORDER, epoch, folder])
            self._permutations[epoch, folder] = rng.permutation(length)
        return self._permutations[epoch, folder]

    def _crop(self, picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        size = self.config.crop_size
        top, left = (int(rng.integers(0, side - size + 1)) for side in picture.shape[:2])
        picture = picture[top : top + size, left : left + size]
        return picture[:, ::-1] if self.config.flip and rng.random() < 0.5 else picture


class _Numbers:
    """Batches of sample numbers from a step on, without end."""

    def __init__(self, first_step: int, batch_size: int) -> None:
        self.first_step = first_step
        self.batch_size = batch_size

    def __iter__(self) -> Iterator[Sequence[int]]:
        step = self.first_step
        while True:
            yield range(step * self.batch_size, (step + 1) * self.batch_size)
            step += 1


def batches(dataset: PictureFolders, batch_size: int, first_step: int, workers: int) -> Generator[Batch, None, None]:
    """Endless batches from a step on; step s holds the samples s * batch_size and following.

    Workers start at once, and end when the generator is closed.

    Args:
        dataset: the samples.
        batch_size: samples in a batch.
        first_step: step of the first batch.
        workers: processes that load ahead; 0 loads when asked.
    """
    loader = DataLoader(
        dataset,
        batch_sampler=_Numbers(first_step, batch_size),  # type: ignore[arg-type]
        num_workers=workers,
        prefetch_factor=4 if workers else None,
        worker_init_fn=_start_worker,
        # Its own generator: the loader would otherwise draw its base seed from the global one.
        generator=torch.Generator().manual_seed(0),
    )
    return _drain(iter(loader))


def _drain(loaded: Iterator[Batch]) -> Generator[Batch, None, None]:
    yield from loaded


def _start_worker(_: int) -> None:
    torch.set_num_threads(1)
    # Ctrl-C reaches every process of a terminal; the main one decides, and workers end with it.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
