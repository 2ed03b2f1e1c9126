"""Folders of pictures to training samples: endless, seeded, and a function of the sample's number alone.

Order, crop, flip, mask and the discriminator's patch follow from (seed, sample number), so that a resumed run, another
number of workers or of ranks draws the same samples, and resuming needs no state of any random generator.
"""

from collections.abc import Iterator, Sequence
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
        corrupt: (B,) integers, index of the unreadable picture that the sample stands in for, or -1.
    """

    image: Tensor
    mask: Tensor
    centre: Tensor
    corrupt: Tensor


def list_pictures(folder: Path) -> list[Path]:
    """All pictures below a folder, by name of file, sorted.

    Raises:
        OSError: no such folder.
        ValueError: no picture in it.
    """
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} is not a folder with pictures")
    found = sorted(p for p in folder.rglob("*") if p.suffix.lower() in images.SUFFIXES and p.is_file())
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

    def __len__(self) -> int:
        """Pictures, and samples in an epoch."""
        return len(self.paths)

    def __getitem__(self, number: int) -> Batch:
        """The sample of a number from 0 on, without a batch axis."""
        rng = np.random.default_rng([self.seed, _SAMPLE, number])
        index = self.index(number)
        corrupt = -1
        while True:
            try:
                picture = images.read_rgb(self.paths[index])
                break
            except (ValueError, OSError):
                corrupt = index
                index = int(rng.integers(len(self.paths)))
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

    def index(self, number: int) -> int:
        """The picture of a sample: every epoch is a permutation, or takes folders in turn if balanced."""
        epoch, position = divmod(number, len(self.paths))
        if self.config.balanced:
            folder = number % (len(self.bounds) - 1)
            start, stop = self.bounds[folder : folder + 2]
            epoch, position = divmod(number // (len(self.bounds) - 1), stop - start)
            return int(start + self._permutation(epoch, stop - start, folder)[position])
        return int(self._permutation(epoch, len(self.paths), 0)[position])

    def _permutation(self, epoch: int, length: int, folder: int) -> np.ndarray:
        key = (epoch, length, folder)
        cache = self.__dict__.setdefault("_permutations", {})
        if key not in cache:
            if len(cache) > 8:
                cache.clear()
            cache[key] = np.random.default_rng([self.seed, _ORDER, epoch, folder]).permutation(length)
        return cache[key]

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


def batches(dataset: PictureFolders, batch_size: int, first_step: int, workers: int) -> Iterator[Batch]:
    """Endless batches from a step on; step s holds the samples s * batch_size and following.

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
        worker_init_fn=_quiet_worker,
        # Its own generator: the loader would otherwise draw its base seed from the global one.
        generator=torch.Generator().manual_seed(0),
    )
    return iter(loader)


def _quiet_worker(_: int) -> None:
    torch.set_num_threads(1)
