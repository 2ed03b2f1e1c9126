"""The Haar transform: its formula, PyWavelets, its inverse, and its energy."""

import numpy as np
import pytest
import torch

from temperfill.systems.wavefill.wavelet import haar, unhaar


def test_bands_of_a_block() -> None:
    """a b / c d: half the sum, rows, columns, diagonals."""
    low, high = haar(torch.tensor([[[[1.0, 2.0], [4.0, 16.0]]]]))
    assert low.flatten().tolist() == [11.5]
    assert high.flatten().tolist() == [(1 + 2 - 4 - 16) / 2, (1 - 2 + 4 - 16) / 2, (1 - 2 - 4 + 16) / 2]


def test_equals_pywavelets() -> None:
    pywt = pytest.importorskip("pywt")
    x = np.random.default_rng(0).standard_normal((2, 3, 12, 20))
    low, high = haar(torch.from_numpy(x))
    expected_low, bands = pywt.dwt2(x, "haar")
    np.testing.assert_allclose(low, expected_low, atol=1e-12)
    for i, band in enumerate(bands):
        np.testing.assert_allclose(high.unflatten(1, (3, 3))[:, :, i], band, atol=1e-12)


def test_inverse_is_exact_and_energy_is_kept() -> None:
    # Bytes over 256 have room for all sums in float32, so that nothing is rounded.
    x = torch.randint(0, 257, (2, 5, 8, 12)).float() / 256
    low, high = haar(x)
    assert (low.shape, high.shape) == ((2, 5, 4, 6), (2, 15, 4, 6))
    assert torch.equal(unhaar(low, high), x)
    torch.testing.assert_close(low.square().sum() + high.square().sum(), x.square().sum())


def test_low_band_alone_is_the_mean_of_blocks() -> None:
    x = torch.rand(1, 3, 8, 8)
    low, high = haar(x)
    blocks = torch.nn.functional.avg_pool2d(x, 2).repeat_interleave(2, 2).repeat_interleave(2, 3)
    torch.testing.assert_close(unhaar(low, torch.zeros_like(high)), blocks)
