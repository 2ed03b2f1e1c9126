"""Distances of sets: the Fréchet distance against scipy's matrix root, the kernel distance against its definition."""

import numpy as np
import pytest
import scipy.linalg
import torch
from numpy.typing import NDArray

from temperfill.metrics import Moments, frechet_distance, kernel_distance


def moments(values: NDArray[np.float64]) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.from_numpy(values.mean(0)), torch.from_numpy(np.cov(values, rowvar=False))


def by_scipy(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """The formula with the principal root of the product of both covariances."""
    cov_a, cov_b = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = scipy.linalg.sqrtm(cov_a @ cov_b)
    return float(((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(cov_a + cov_b) - 2 * np.trace(root).real)


@pytest.mark.parametrize(("pictures", "dimension"), [(500, 64), (100, 64), (2, 3)])
def test_frechet_equals_the_formula(pictures: int, dimension: int) -> None:
    rng = np.random.default_rng(pictures)
    mix = rng.normal(size=(dimension, dimension)) / 8
    a, b = rng.normal(size=(pictures, dimension)), rng.normal(size=(pictures, dimension)) @ mix + 0.3
    assert frechet_distance(*moments(a), *moments(b)) == pytest.approx(by_scipy(a, b), rel=1e-6)


def test_frechet_of_singular_covariances() -> None:
    """Fewer pictures than features: exact by the small matrix that has the same eigenvalues."""
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(20, 96)), rng.normal(size=(30, 96)) * 2
    centred_a, centred_b = (x - x.mean(0) for x in (a, b))
    # sqrt(A B) has the singular values of Ya Yb^T / sqrt((n - 1)(m - 1)), A = Ya^T Ya / (n - 1).
    roots = scipy.linalg.svdvals(centred_a @ centred_b.T).sum() / np.sqrt(19 * 29)
    traces = (centred_a**2).sum() / 19 + (centred_b**2).sum() / 29
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum() + traces - 2 * roots
    assert frechet_distance(*moments(a), *moments(b)) == pytest.approx(expected, rel=1e-6)
    assert frechet_distance(*moments(a), *moments(a)) == pytest.approx(0, abs=1e-5)
    assert frechet_distance(*moments(b), *moments(a)) == pytest.approx(expected, rel=1e-6)


def test_frechet_of_streamed_sums() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.random((60, 16)), rng.random((60, 16)) + 0.1
    sums = []
    for values in (a, b):
        found = Moments(16)
        for start in range(0, 60, 7):
            found.add(torch.from_numpy(values[start : start + 7]))
        sums.append(found.mean_covariance())
    assert frechet_distance(*sums[0], *sums[1]) == pytest.approx(by_scipy(a, b), abs=1e-4)


def test_frechet_refuses() -> None:
    mean, covariance = moments(np.random.default_rng(0).normal(size=(9, 4)))
    with pytest.raises(ValueError, match=r"\(d,\) and covariances"):
        frechet_distance(mean, covariance, mean[:3], covariance)
    with pytest.raises(ValueError, match="finite"):
        frechet_distance(mean, covariance * float("nan"), mean, covariance)


def draw(n: int, g: int = 1, d: int = 6, shift: float = 0.5) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(n + g)
    target = rng.random((n, d))
    return torch.from_numpy(target[:, None] + shift * rng.random((n, g, d))), torch.from_numpy(target)


def draws(n: int, resamples: int = 40) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).integers(0, n, (resamples, n)))


def counts(n: int) -> torch.Tensor:
    return torch.stack([torch.bincount(row, minlength=n) for row in draws(n)])


def plain(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    def kernel(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
        return float(((a @ b.T / a.shape[1] + 1) ** 3).mean())

    return kernel(x, x) + kernel(y, y) - 2 * kernel(x, y)


@pytest.mark.parametrize("g", [1, 3])
def test_kernel_distance_is_its_definition(g: int, monkeypatch: pytest.MonkeyPatch) -> None:
    features, target = draw(11, g)
    monkeypatch.setattr("temperfill.metrics.sets._BLOCK", 4)  # several blocks
    found = kernel_distance(features, target, counts(11))
    assert found.value == pytest.approx(plain(features.flatten(0, 1).numpy(), target.numpy()), rel=1e-9)
    resampled = [plain(features[i].flatten(0, 1).numpy(), target[i].numpy()) for i in draws(11)]
    moved = np.array(resampled) - np.mean(resampled) + found.value
    np.testing.assert_allclose(found.replicates, moved, rtol=1e-9)


def test_kernel_distance_of_equal_sets_is_zero_and_grows() -> None:
    features, target = draw(20)
    assert kernel_distance(target[:, None], target, counts(20)).value == pytest.approx(0, abs=1e-12)
    near, far = (kernel_distance(target[:, None] + s, target, counts(20)).value for s in (0.1, 0.3))
    assert 0 < near < far
    with pytest.raises(ValueError, match=r"\(n, g, d\)"):
        kernel_distance(features[:5], target, counts(20))
