"""Samples from pictures that lie on the device: workers draw what is random, the device cuts and scales."""

import itertools
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from temperfill import masks
from temperfill.config import DataConfig
from temperfill.data import Batch
from temperfill.data.samples import shown_lines

ZOOM = 1.125
"""Largest enlargement of a sample. Half of the samples have it; squares are as large as the crop, so that nothing else
would move."""
_ORDER, _SAMPLE, _LINES = 6, 7, 8  # streams of the seed, none of them the package's


class Draw(NamedTuple):
    """What is random in a batch.

    Attributes:
        index: (B,) of the pictures.
        window: (B, 3) top, left and side in pixels of the square that is cut and scaled to the crop.
        flip: (B,) whether it is mirrored.
        mask: (B, 1, S, S), True = missing.
        centre: (B, 2) a pixel of the hole of each.
        sketch: (B, 1, S, S), True = line, all in the hole; (B, 0, S, S) without sketches.
    """

    index: Tensor
    window: Tensor
    flip: Tensor
    mask: Tensor
    centre: Tensor
    sketch: Tensor


@dataclass(frozen=True)
class Draws(Dataset[Draw]):
    """The draw of every step: a function of the seed and the step.

    Attributes:
        pictures: how many there are.
        side: of the pictures, pixels.
        lines: bits of their sketches (N, side, side / 8), or (0, side, side / 8).
        data: crop size, scale of masks, flips, shares of sketches.
        batch_size: samples in a step.
        seed: of all that is drawn.
    """

    pictures: int
    side: int
    lines: NDArray[np.uint8]
    data: DataConfig
    batch_size: int
    seed: int

    def __getitem__(self, step: int) -> Draw:
        numbers = range(step * self.batch_size, (step + 1) * self.batch_size)
        return Draw(*(torch.from_numpy(np.stack(parts)) for parts in zip(*map(self._sample, numbers), strict=True)))

    def _sample(self, number: int) -> tuple[Any, ...]:
        rng, size = np.random.default_rng([self.seed, _SAMPLE, number]), self.data.crop_size
        epoch, position = divmod(number, self.pictures)
        index = np.random.default_rng([self.seed, _ORDER, epoch]).permutation(self.pictures)[position]
        side = size if rng.random() < 0.5 else int(rng.integers(round(size / ZOOM), size + 1))
        top, left = rng.integers(0, self.side - side + 1, 2)
        flip = self.data.flip and rng.random() < 0.5
        mask = masks.for_training(self.data, size, rng)
        centre = rng.choice(np.argwhere(mask))
        lines = np.zeros((0, size, size), bool)
        if len(self.lines):
            cells = (np.arange(size) + 0.5) * side // size
            rows, columns = (cells.astype(int) + first for first in (top, left))
            columns = columns[::-1] if flip else columns
            plane = np.unpackbits(self.lines[index], axis=-1).astype(bool)[rows][:, columns] & mask
            lines = shown_lines(plane[None], self.data, np.random.default_rng([self.seed, _LINES, number]))
        return np.int64(index), np.array([top, left, side], np.float32), np.bool_(flip), mask[None], centre, lines


def to_batch(draw: Draw, pictures: Tensor, number: int) -> Batch:
    """The batch of a draw, on the device of the pictures.

    Args:
        draw: on the CPU.
        pictures: bytes (N, 3, P, P).
        number: of its first sample.
    """
    device = pictures.device
    mask, sketch = (plane.to(device, non_blocking=True).float() for plane in (draw.mask, draw.sketch))
    image = cut(pictures, draw, draw.mask.shape[-1]).contiguous(memory_format=torch.channels_last)
    numbers = torch.arange(number, number + len(image))
    return Batch(image, mask, draw.centre, torch.full_like(numbers, -1), numbers, sketch)


def cut(pictures: Tensor, draw: Draw, size: int) -> Tensor:
    """Samples (B, 3, size, size) in [0, 1]: the windows of a draw, mirrored and scaled by cubic interpolation."""
    device, side = pictures.device, pictures.shape[-1]
    top, left, length = (2 * column / side for column in draw.window.unbind(1))
    zero, mirrored = torch.zeros_like(length), torch.where(draw.flip, -1.0, 1.0)
    across = torch.stack([length / 2 * mirrored, zero, left + length / 2 - 1], 1)
    down = torch.stack([zero, length / 2, top + length / 2 - 1], 1)
    affine = torch.stack([across, down], 1).to(device, non_blocking=True)
    chosen = pictures[draw.index.to(device, non_blocking=True)].float()
    grid = F.affine_grid(affine, [len(chosen), 3, size, size], align_corners=False)
    return (F.grid_sample(chosen, grid, "bicubic", "border", align_corners=False) / 255).clamp(0, 1)


class _From:
    """Steps from one on, without end."""

    def __init__(self, first: int) -> None:
        self.first = first

    def __iter__(self) -> Iterator[int]:
        return itertools.count(self.first)


def draws_ahead(draws: Draws, first: int, workers: int, pinned: bool) -> Iterator[Draw]:
    """Draws from a step on, which worker processes make ahead of use.

    Args:
        draws: of every step.
        first: step.
        workers: processes; 0 draws when asked.
        pinned: from memory that a GPU reads by itself.
    """
    loader = DataLoader(
        draws,
        batch_size=None,
        sampler=_From(first),  # type: ignore[arg-type]
        num_workers=workers,
        prefetch_factor=4 if workers else None,
        pin_memory=pinned,
        multiprocessing_context="fork" if workers and sys.platform == "linux" else None,
        worker_init_fn=_one_thread,
        generator=torch.Generator().manual_seed(0),
    )
    return iter(loader)


def _one_thread(_: int) -> None:
    torch.set_num_threads(1)
