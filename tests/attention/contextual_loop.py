"""Contextual attention number by number, as DeepFillv2 defines it: what the fast forms are compared with."""

import itertools
import math
from functools import cached_property

import torch
from torch import Tensor

Cell = tuple[int, int]


class ContextualLoop:
    """One image: features (C, h, w), mask (h, w) at feature size; an odd side repeats its last row or column."""

    def __init__(self, features: Tensor, mask: Tensor) -> None:
        self.height, self.width = features.shape[1:]
        rows = [min(y, self.height - 1) for y in range(self.height + self.height % 2)]
        columns = [min(x, self.width - 1) for x in range(self.width + self.width % 2)]
        self.features, self.mask = features[:, rows][:, :, columns], mask[rows][:, columns]
        self.rows, self.columns = len(rows) // 2, len(columns) // 2
        self.cells = list(itertools.product(range(self.rows), range(self.columns)))

    def patch(self, top: int, left: int, side: int, step: int) -> Tensor:
        """(C, side, side) of every step-th cell from (top, left) on, zero outside."""
        values = torch.zeros(len(self.features), side, side, dtype=self.features.dtype)
        for i, j in itertools.product(range(side), repeat=2):
            y, x = top + i * step, left + j * step
            if 0 <= y < self.features.shape[1] and 0 <= x < self.features.shape[2]:
                values[:, i, j] = self.features[:, y, x]
        return values

    def matched(self, cell: Cell) -> Tensor:
        """The 3x3 patch around a cell of the features at half size."""
        return self.patch(2 * (cell[0] - 1), 2 * (cell[1] - 1), 3, 2)

    def pasted(self, cell: Cell) -> Tensor:
        """The 4x4 patch of the full-size features that belongs to a cell at half size."""
        return self.patch(2 * cell[0] - 1, 2 * cell[1] - 1, 4, 1)

    def valid(self, cell: Cell) -> bool:
        """No hole in the 3x3 window, each cell of which is four cells of the full size."""
        top, left = max(2 * (cell[0] - 1), 0), max(2 * (cell[1] - 1), 0)
        return not bool(self.mask[top : 2 * cell[0] + 4, left : 2 * cell[1] + 4].any())

    @cached_property
    def scores(self) -> dict[tuple[Cell, Cell], float]:
        """Fused inner products of every query with every key of unit length, zero for keys that are not valid."""
        patches = {cell: self.matched(cell).flatten() for cell in self.cells}
        raw = {
            (query, key): float(patches[query] @ patches[key]) / max(float(patches[key].norm()), 1e-4)
            for query, key in itertools.product(self.cells, repeat=2)
        }
        row_order = self.cells
        column_order = [(y, x) for x in range(self.columns) for y in range(self.rows)]
        fused = diagonal(diagonal(raw, row_order), column_order)
        return {(query, key): score * self.valid(key) for (query, key), score in fused.items()}

    def weights(self, query: Cell, temperature: float) -> dict[Cell, float]:
        """A softmax over all keys, and then those that are not valid are dropped."""
        scaled = {key: score / temperature for (q, key), score in self.scores.items() if q == query}
        powers = {key: math.exp(score - max(scaled.values())) for key, score in scaled.items()}
        return {key: self.valid(key) * power / sum(powers.values()) for key, power in powers.items()}

    def output(self, temperature: float) -> Tensor:
        """(C, h, w)."""
        total = torch.zeros_like(self.features)
        for query in self.cells:
            for key, weight in self.weights(query, temperature).items():
                patch = self.pasted(key)
                for i, j in itertools.product(range(4), repeat=2):
                    y, x = 2 * query[0] - 1 + i, 2 * query[1] - 1 + j
                    if 0 <= y < total.shape[1] and 0 <= x < total.shape[2]:
                        total[:, y, x] += weight * patch[:, i, j] / 4
        return total[:, : self.height, : self.width]


def diagonal(scores: dict[tuple[Cell, Cell], float], order: list[Cell]) -> dict[tuple[Cell, Cell], float]:
    """A 3x3 identity convolution over the score matrix whose rows and columns stand in the given order."""
    summed = {}
    for (a, query), (b, key) in itertools.product(enumerate(order), repeat=2):
        shifts = [d for d in (-1, 0, 1) if 0 <= a + d < len(order) and 0 <= b + d < len(order)]
        summed[query, key] = sum(scores[order[a + d], order[b + d]] for d in shifts)
    return summed


def draw(batch: int, channels: int, size: Cell, factor: int = 4) -> tuple[Tensor, Tensor, Tensor]:
    """Features, masks of every kind at ``factor`` times their size, and the same masks at feature size."""
    generator = torch.Generator().manual_seed(batch + channels + size[0] + size[1])
    features = torch.randn(batch, channels, *size, generator=generator, dtype=torch.float64)
    mask = torch.zeros(batch, 1, size[0] * factor, size[1] * factor, dtype=torch.float64)
    for i in range(batch):
        if i % 4 == 1:
            mask[i] = 1
        elif i % 4 == 2:
            mask[i, 0, 1, 2] = 1
        elif i % 4 == 3:
            mask[i, 0, : mask.shape[2] // 2, mask.shape[3] // 3 :] = 1
    cells = mask.reshape(batch, size[0], factor, size[1], factor)
    return features, mask, cells.amax((2, 4))
