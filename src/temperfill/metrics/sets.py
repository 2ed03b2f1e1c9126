"""Distances of two sets of pictures by their features: the Fréchet distance, and a kernel distance."""

from typing import NamedTuple

import torch
from torch import Tensor

_BLOCK = 2048  # pictures on each side of a block of the kernel matrix


def frechet_distance(mean_a: Tensor, covariance_a: Tensor, mean_b: Tensor, covariance_b: Tensor) -> float:
    """Squared Fréchet distance of two normal distributions (Heusel et al. 2017); lower is better.

    |mean_a - mean_b|^2 + tr(A + B - 2 (A B)^(1/2)). The trace of the root is that of the symmetric matrix
    A^(1/2) B A^(1/2), which has the eigenvalues of A B; covariances of fewer pictures than features, which are
    singular, need no correction.

    Args:
        mean_a: (d,).
        covariance_a: (d, d), symmetric.
        mean_b: (d,).
        covariance_b: (d, d), symmetric.

    Raises:
        ValueError: shapes do not fit, or values are not finite.
    """
    d = len(mean_a) if mean_a.ndim == 1 else 0
    shapes = [tuple(x.shape) for x in (mean_a, covariance_a, mean_b, covariance_b)]
    if d == 0 or shapes != [(d,), (d, d), (d,), (d, d)]:
        raise ValueError(f"means must have shape (d,) and covariances (d, d), got {shapes}")
    a, b = covariance_a.double(), covariance_b.double()
    if not all(x.isfinite().all() for x in (mean_a, a, mean_b, b)):
        raise ValueError("means and covariances must be finite")
    values, vectors = torch.linalg.eigh(a)
    root = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
    product = root @ b @ root
    roots = torch.linalg.eigvalsh((product + product.T) / 2).clamp(min=0).sqrt().sum()
    difference = (mean_a.double() - mean_b.double()).square().sum()
    return max((difference + a.trace() + b.trace() - 2 * roots).item(), 0.0)


class KernelDistance(NamedTuple):
    """A kernel distance of two sets.

    Attributes:
        value: the squared maximum mean discrepancy.
        replicates: (R,) its values over resampled pictures, moved so that their mean is ``value``: drawing a picture
            twice adds a term that the distance itself does not have.
    """

    value: float
    replicates: Tensor


def kernel_distance(features: Tensor, target: Tensor, counts: Tensor) -> KernelDistance:
    """Squared maximum mean discrepancy by the kernel (x . y / d + 1)^3, as V-statistic; lower is better.

    All pairs count, those of a picture with itself too, so that the value is never negative.

    Args:
        features: (n, g, d), of g composites of each of n pictures.
        target: (n, d), of the pictures.
        counts: (R, n) integers, how often each picture is drawn in each of R resamples; a picture comes with all its
            composites.

    Raises:
        ValueError: shapes do not fit.
    """
    if features.ndim != 3 or target.shape != features[:, 0].shape or counts.ndim != 2 or counts.shape[1] != len(target):
        shapes = tuple(features.shape), tuple(target.shape), tuple(counts.shape)
        raise ValueError(f"features, target and counts must have shapes (n, g, d), (n, d), (R, n), got {shapes}")
    features, target = features.double(), target.double()
    n = len(target)
    total = torch.zeros((), dtype=torch.float64, device=target.device)
    sums = torch.zeros(len(counts), dtype=torch.float64, device=target.device)
    side = max(_BLOCK // features.shape[1], 1)
    for i in range(0, n, side):
        rows = counts[:, i : i + side].to(target)
        for j in range(0, n, side):
            block = _discrepancy(
                features[i : i + side], target[i : i + side], features[j : j + side], target[j:][:side]
            )
            total += block.sum()
            sums += ((rows @ block) * counts[:, j : j + side].to(target)).sum(1)
    value = total / n**2
    replicates = sums / n**2
    return KernelDistance(value.item(), (replicates - replicates.mean() + value).cpu())


def _discrepancy(features_a: Tensor, target_a: Tensor, features_b: Tensor, target_b: Tensor) -> Tensor:
    """(n, m): k(x, x') + k(y, y') - k(x, y') - k(y, x') of pictures a and b, averaged over their composites."""

    def kernel(x: Tensor, y: Tensor) -> Tensor:
        """(n, g, d) and (m, h, d) to (n, m)."""
        products = x.flatten(0, 1) @ y.flatten(0, 1).T / x.shape[2]
        return (products + 1).pow(3).unflatten(0, x.shape[:2]).unflatten(2, y.shape[:2]).mean((1, 3))

    ya, yb = target_a[:, None], target_b[:, None]
    return kernel(features_a, features_b) + kernel(ya, yb) - kernel(features_a, yb) - kernel(ya, features_b)
