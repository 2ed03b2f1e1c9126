"""Sums without rounding error: parts that were made apart, by ranks or in any order, merge to the same bits."""

import math
from collections.abc import Iterable

import torch
from torch import Tensor

STEP = 2.0**-16
"""Features are rounded to multiples of this before they are summed."""
_PENDING = 64  # pictures whose products are summed at a time
_EXACT = 2**53  # float64 holds every integer up to here
_LARGEST = 2**63  # bound of int64


class ExactSum:
    """The sum and number of values; the sum is that of real numbers, rounded once when it is asked for.

    It keeps partial sums that do not overlap (Shewchuk 1997), a few numbers however many values are added.
    """

    def __init__(self) -> None:
        self.partials: list[float] = []
        self.special = 0.0  # sum of what is not finite
        self.count = 0

    def add(self, values: Iterable[float]) -> None:
        """Adds values; one that is not finite makes the sum what it makes any sum."""
        for value in values:
            if math.isfinite(value):
                self._grow(value)
            else:
                self.special += value
            self.count += 1

    def _grow(self, value: float) -> None:
        kept = 0
        for partial in self.partials:
            large, small = (value, partial) if abs(value) >= abs(partial) else (partial, value)
            value = large + small
            error = small - (value - large)
            if error:
                self.partials[kept] = error
                kept += 1
        self.partials[kept:] = [value]

    def merge(self, other: "ExactSum") -> None:
        """Adds what another has summed."""
        for partial in other.partials:
            self._grow(partial)
        self.special += other.special
        self.count += other.count

    def sum(self) -> float:
        return math.fsum(self.partials) + self.special

    def mean(self) -> float:
        """The sum over the number of values.

        Raises:
            ValueError: there are none.
        """
        if not self.count:
            raise ValueError("there is no mean of no values")
        return self.sum() / self.count


class Moments:
    """Number, sums and sums of products of feature vectors, as integers: what mean and covariance follow from.

    Features are rounded to multiples of 2**-16, which changes a feature by at most 7.7e-6. Sums and products of these
    are integers, which are added without error, so that neither batches nor ranks nor their order change a bit.

    Args:
        dimension: d of the vectors.

    Attributes:
        count: vectors.
        total: (d,) int64, in units of 2**-16.
        products: (d, d) int64, in units of 2**-32.
        largest: largest magnitude of a feature, in units of 2**-16.
    """

    def __init__(self, dimension: int) -> None:
        self.count = 0
        self.largest = 0
        self.total = torch.zeros(dimension, dtype=torch.int64)
        self.products = torch.zeros(dimension, dimension, dtype=torch.int64)
        self._pending: list[Tensor] = []

    def add(self, features: Tensor) -> None:
        """Adds (B, d) vectors.

        Raises:
            ValueError: another shape, values that are not finite, or too large to be summed without error.
        """
        if features.ndim != 2 or features.shape[1] != len(self.total):
            raise ValueError(f"features must have shape (B, {len(self.total)}), got {tuple(features.shape)}")
        if not features.isfinite().all():
            raise ValueError("features hold values that are not finite")
        rounded = (features.double() / STEP).round().cpu()
        self._pending += rounded.unbind()
        self.count += len(rounded)
        self.largest = max(self.largest, int(rounded.abs().max())) if len(rounded) else self.largest
        self._check()
        if len(self._pending) >= _PENDING:
            self._flush()

    def _check(self) -> None:
        if self.largest**2 * self.count >= _LARGEST or self.largest**2 >= _EXACT:
            raise ValueError(
                f"{self.count} features of magnitude {self.largest * STEP:g} are too many or too large for exact sums; "
                "are these the features of the network that was asked for?"
            )

    def _flush(self) -> None:
        # In float64 the products of a part are exact as long as their sum stays an integer that it holds.
        part = max(min(_EXACT // max(self.largest**2, 1), len(self._pending)), 1)
        for start in range(0, len(self._pending), part):
            block = torch.stack(self._pending[start : start + part])
            self.total += block.sum(0).long()
            self.products += (block.T @ block).long()
        self._pending.clear()

    def merge(self, other: "Moments") -> None:
        """Adds what another has summed.

        Raises:
            ValueError: of another dimension, or the sum is too large.
        """
        if len(other.total) != len(self.total):
            raise ValueError(f"sums of {len(other.total)} and {len(self.total)} features cannot be merged")
        self._flush()
        other._flush()
        self.count += other.count
        self.largest = max(self.largest, other.largest)
        self._check()
        self.total += other.total
        self.products += other.products

    def mean_covariance(self) -> tuple[Tensor, Tensor]:
        """Mean (d,) and covariance (d, d) with divisor n - 1, float64.

        Raises:
            ValueError: fewer than two vectors.
        """
        if self.count < 2:
            raise ValueError(f"a covariance needs at least two pictures, got {self.count}")
        self._flush()
        mean = self.total.double() / self.count
        scatter = self.products.double() - torch.outer(mean, self.total.double())
        covariance = (scatter + scatter.T) / (2 * (self.count - 1))
        return mean * STEP, covariance * STEP**2
