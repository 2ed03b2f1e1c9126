"""Pictures to training samples: endless, seeded, and a function of the sample's number alone.

Order, crop, flip, mask and the discriminator's patch follow from (seed, sample number), so that a resumed run, another
number of workers or of ranks draws the same samples, and resuming needs no state of any random generator.
"""

import io
from collections.abc import Sequence
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor
from torch.utils.data import Dataset

from temperfill import images, masks
from temperfill.config import DataConfig
from temperfill.data.augmenting import Variation
from temperfill.data.indexed import Joined, Spread, open_indexed

# Streams of the seed; 2 is that of the gradient penalty, 4 of validation.
_ORDER, _SAMPLE, _LINES, _VARIED = 0, 1, 3, 5
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
        self.pictures = _open(config.train, config.picture_share)
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
        return unpacked(self.packed(number, index))

    def packed(self, number: int, index: int) -> Batch:
        """As :meth:`sample`, with values of one byte each: 0 to 255, and false or true; a quarter of the memory."""
        rng = np.random.default_rng([self.seed, _SAMPLE, number])
        varied = Variation(self.config, np.random.default_rng([self.seed, _VARIED, number]))
        planes, corrupt = self._read(index, rng, varied)
        planes = varied.repeated(self._crop(planes, rng))
        mask = masks.for_training(self.config, self.config.crop_size, rng)
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

    def _read(self, index: int, rng: np.random.Generator, varied: Variation) -> tuple[NDArray[np.uint8], int]:
        """A picture with its sketch and -1; or, if it is unreadable, a random one and the index of the unreadable one.

        It has its size of training: (H, W, 3), or (H, W, 4) with the sketch, 255 = line.
        """
        reason: Exception | None = None
        # Drawn one by one: an order of all pictures would take more memory than all else in the process.
        replacements = (int(rng.integers(len(self))) for _ in range(_REPLACEMENTS))
        for candidate in chain([index], replacements):
            try:
                planes = self._planes(candidate, varied)
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

    def _planes(self, index: int, varied: Variation) -> NDArray[np.uint8]:
        picture = images.read_rgb(io.BytesIO(self.pictures.read(index)))
        size = round(self.config.resize * varied.scale)
        picture = images.resize_short_side(picture, size, self.config.squash, self.name(index))
        picture = varied.recoloured(picture)
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


def _open(entries: Sequence[str | Path], share: float) -> Joined:
    """The pictures of several folders, or the same share of each."""
    found = [open_indexed(entry) for entry in entries]
    return Joined(found if share == 1 else [Spread(pictures, share) for pictures in found])


def _open_sketches(config: DataConfig, pictures: Joined) -> Joined | None:
    """The sketches of the pictures in the same order, or None; raises ValueError if there are more or fewer."""
    if not config.sketches:
        return None
    sketches = _open(config.sketches, config.picture_share)
    for entry, mine, theirs in zip(config.sketches, sketches.entries, pictures.entries, strict=True):
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


def unpacked(batch: Batch) -> Batch:
    """A batch of bytes as a batch of numbers."""
    return batch._replace(image=batch.image.float() / 255, mask=batch.mask.float(), sketch=batch.sketch.float())
