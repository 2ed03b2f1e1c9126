"""Percentile bootstrap over pictures and training runs, and means without rounding error."""

import math

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2000
"""Bootstrap resamples of an interval."""
_NUMBERS_AT_ONCE = 2**23  # bounds the memory of resampling, in numbers of 8 bytes


def exact_means(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, m) to (m,): means of columns from correctly rounded sums, the same in any order of the rows."""
    return np.array([math.fsum(column) / len(values) for column in values.T.tolist()])


def resampled_means(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, m) to (RESAMPLES, m): means of columns over resampled rows, the same draws for every array of n rows."""
    rng = np.random.default_rng(0)
    at_once = max(min(_NUMBERS_AT_ONCE // values.size, RESAMPLES), 1)
    parts = []
    for start in range(0, RESAMPLES, at_once):
        count = min(at_once, RESAMPLES - start)
        parts.append(values[rng.integers(0, len(values), (count, len(values)))].mean(1))
    return np.concatenate(parts)


def resampled_runs(replicates: NDArray[np.float64], stream: int = 1) -> NDArray[np.float64]:
    """(runs, RESAMPLES, m) to (RESAMPLES, m): in every resample, the mean over as many runs drawn with replacement."""
    runs, resamples = replicates.shape[:2]
    if runs == 1:
        return replicates[0]
    drawn = np.random.default_rng(stream).integers(0, runs, (resamples, runs))
    return replicates[drawn, np.arange(resamples)[:, None]].mean(1)


def bootstrap_interval(
    values: NDArray[np.float64], minus: NDArray[np.float64] | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """95 % percentile bootstrap intervals of means over pictures, and over runs where there are several.

    Pictures are drawn together for all columns and runs, runs together for all columns.

    Args:
        values: (n, m), one row per picture, or (runs, n, m).
        minus: (other runs, n, m) to take away, the same pictures drawn, its runs drawn by themselves; None for nothing.

    Returns:
        Lower and upper bounds, (m,) each.

    Raises:
        ValueError: not such an array.
    """
    if values.ndim not in (2, 3) or 0 in values.shape:
        raise ValueError(f"values must have shape (n, m) or (runs, n, m) without empty axes, got {values.shape}")
    means = _means(values if values.ndim == 3 else values[None], 1)
    if minus is not None:
        means = means - _means(minus, 2)
    low, high = np.percentile(means, [2.5, 97.5], axis=0)
    return low, high


def _means(values: NDArray[np.float64], stream: int) -> NDArray[np.float64]:
    return resampled_runs(np.stack([resampled_means(run) for run in values]), stream)
