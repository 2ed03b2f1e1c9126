"""Metrics against scikit-image, and their invariants."""

import numpy as np
import pytest
import torch
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio, structural_similarity

from temperfill import metrics

SIZES = [(11, 11), (12, 31), (33, 47), (64, 64)]
PAIRWISE = [metrics.mae, metrics.psnr, metrics.ssim]


def pair(height: int, width: int, seed: int = 0, batch: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Two batches of uint8 pictures (B, H, W, 3): smooth ones, and the same with noise of another strength each."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width] / max(height, width)
    waves = [np.sin(2 * np.pi * (x * rng.uniform(1, 4) + y * rng.uniform(1, 4)))[..., None] for _ in range(batch)]
    truth = np.stack([127 + 90 * wave * rng.uniform(0.4, 1, 3) for wave in waves])
    noisy = truth + rng.normal(size=truth.shape) * np.array([2, 15, 60])[:batch, None, None, None]
    return tuple(np.clip(a, 0, 255).round().astype(np.uint8) for a in (truth, noisy))  # type: ignore[return-value]


def tensor(pictures: np.ndarray, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).to(dtype) / 255


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_ssim_equals_scikit_image(height: int, width: int, dtype: torch.dtype) -> None:
    truth, noisy = pair(height, width)
    expected = [
        structural_similarity(a, b, channel_axis=-1, gaussian_weights=True, sigma=1.5, use_sample_covariance=False)
        for a, b in zip(truth, noisy, strict=True)
    ]
    got = metrics.ssim(tensor(noisy, dtype), tensor(truth, dtype))
    assert got.shape == (3,)
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-10 if dtype == torch.float64 else 1e-5)


def test_ssim_of_flat_pictures_equals_scikit_image() -> None:
    """Cancellation in the variances is worst where nothing varies."""
    truth, other = np.full((1, 20, 20, 3), 250, np.uint8), np.full((1, 20, 20, 3), 240, np.uint8)
    expected = structural_similarity(
        truth[0], other[0], channel_axis=-1, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    for dtype in (torch.float32, torch.float64):
        assert metrics.ssim(tensor(truth, dtype), tensor(other, dtype)).item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_ssim_takes_any_number_of_channels(channels: int) -> None:
    a, b = torch.rand(2, channels, 13, 17).double(), torch.rand(2, channels, 13, 17).double()
    expected = [
        structural_similarity(
            x.numpy(),
            y.numpy(),
            channel_axis=0,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=1,
        )
        for x, y in zip(a, b, strict=True)
    ]
    np.testing.assert_allclose(metrics.ssim(a, b), expected, atol=1e-10)


@pytest.mark.parametrize(("height", "width"), [(10, 64), (64, 10), (1, 1)])
def test_ssim_below_the_window_says_so(height: int, width: int) -> None:
    x = torch.rand(1, 3, height, width)
    with pytest.raises(ValueError, match=rf"at least 11x11 pixels, got {height}x{width}"):
        metrics.ssim(x, x)


@pytest.mark.parametrize(("height", "width"), [(1, 1), *SIZES])
def test_psnr_and_mae_equal_scikit_image_and_numpy(height: int, width: int) -> None:
    truth, noisy = pair(height, width, seed=4)
    psnr, mae = metrics.psnr(tensor(noisy), tensor(truth)), metrics.mae(tensor(noisy), tensor(truth))
    for i, (t, n) in enumerate(zip(truth, noisy, strict=True)):
        if mean_squared_error(t, n) > 0:
            assert psnr[i].item() == pytest.approx(peak_signal_noise_ratio(t, n), abs=1e-9)
        assert mae[i].item() == pytest.approx(np.abs(t.astype(float) - n).mean() / 255 * 100, abs=1e-9)


def test_psnr_is_per_picture_not_pooled() -> None:
    truth, noisy = (tensor(a) for a in pair(32, 32))
    alone = torch.cat([metrics.psnr(noisy[i : i + 1], truth[i : i + 1]) for i in range(3)])
    assert torch.equal(metrics.psnr(noisy, truth), alone)
    pooled = 10 * torch.log10(1 / (noisy - truth).square().mean())
    assert (alone.mean() - pooled).abs() > 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
def test_equal_pictures_are_perfect(dtype: torch.dtype) -> None:
    x = torch.rand(2, 3, 24, 19).to(dtype)
    x[1] = x[1, 0, 0, 0]  # a flat one
    mask = (torch.rand(2, 1, 24, 19) > 0.5).to(dtype)
    assert torch.equal(metrics.mae(x, x), torch.zeros(2, dtype=torch.float64))
    assert torch.equal(metrics.psnr(x, x), torch.full((2,), 100.0, dtype=torch.float64))
    torch.testing.assert_close(metrics.ssim(x, x), torch.ones(2, dtype=torch.float64), rtol=0, atol=1e-10)
    assert torch.equal(metrics.sharpness(x, x, mask), torch.ones(2, dtype=torch.float64))
    features = [torch.rand(2, 8, 6, 5), torch.zeros(2, 16, 3, 2)]
    assert torch.equal(metrics.vgg_distance(features, features), torch.zeros(2, dtype=torch.float64))
    assert torch.equal(metrics.squeeze_distance(features, features), torch.zeros(2, dtype=torch.float64))


@pytest.mark.parametrize("metric", PAIRWISE)
def test_symmetric_and_equivariant_to_the_order_of_the_batch(metric) -> None:
    truth, noisy = (tensor(a) for a in pair(20, 21))
    order = torch.tensor([2, 0, 1])
    torch.testing.assert_close(metric(truth, noisy), metric(noisy, truth), rtol=0, atol=1e-12)
    torch.testing.assert_close(metric(truth[order], noisy[order]), metric(truth, noisy)[order], rtol=0, atol=1e-12)


@pytest.mark.parametrize("metric", PAIRWISE)
def test_more_noise_is_worse(metric) -> None:
    truth, noisy = (tensor(a) for a in pair(40, 40))
    steps = metric(noisy, truth).diff()
    assert (steps > 0).all() if metric is metrics.mae else (steps < 0).all()


@pytest.mark.parametrize("metric", PAIRWISE)
@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        (torch.rand(1, 3, 12, 12), torch.rand(1, 3, 12, 13), "one shape.*resize them"),
        (torch.rand(3, 12, 12), torch.rand(3, 12, 12), "add a batch axis"),
        (torch.rand(0, 3, 12, 12), torch.rand(0, 3, 12, 12), "without empty axes"),
        (torch.zeros(1, 3, 12, 12).byte(), torch.zeros(1, 3, 12, 12).byte(), "divide bytes by 255"),
    ],
)
def test_unfit_tensors_are_refused(metric, a: torch.Tensor, b: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        metric(a, b)


def plain_sharpness(truth: np.ndarray, result: np.ndarray, mask: np.ndarray) -> float:
    """The definition on bytes, through numpy's gradient."""

    def gradient(a: np.ndarray) -> float:
        y, x = np.gradient(a.astype(np.float64).mean(-1))
        return np.hypot(x, y)[mask].sum()

    return min(gradient(result) / max(gradient(truth), 1e-6), 3)


@pytest.mark.parametrize(("height", "width"), [(2, 2), (2, 9), (31, 30)])
def test_sharpness_is_its_definition_on_bytes(height: int, width: int) -> None:
    truth, noisy = pair(height, width, seed=2)
    mask = np.random.default_rng(1).random((3, height, width)) < 0.6
    mask[:, 0, 0] = True
    got = metrics.sharpness(
        tensor(noisy, torch.float32), tensor(truth, torch.float32), torch.from_numpy(mask)[:, None].float()
    )
    np.testing.assert_allclose(got, [plain_sharpness(*a) for a in zip(truth, noisy, mask, strict=True)], atol=1e-5)


def test_sharpness_tells_blur_from_noise_and_sees_the_hole_only() -> None:
    truth = torch.rand(1, 3, 32, 32)
    mask = torch.zeros(1, 1, 32, 32)
    mask[..., 8:24, 8:24] = 1
    flat = truth * (1 - mask) + 0.5 * mask
    assert metrics.sharpness(flat, truth, mask).item() < 0.3
    assert metrics.sharpness(truth, flat, mask).item() > 2
    outside = truth.clone()
    outside[..., :6, :6] = 0  # two pixels away from the hole, beyond the reach of its gradient
    assert metrics.sharpness(outside, truth, mask).item() == 1
    assert metrics.sharpness(flat, truth, mask * 0).item() == 1
    assert metrics.sharpness(truth, truth * 0, mask).item() == metrics.MAX_SHARPNESS


def test_sharpness_refuses_foreign_masks_and_lines() -> None:
    x = torch.rand(2, 3, 8, 8)
    with pytest.raises(ValueError, match=r"mask must have shape \(2, 1, 8, 8\)"):
        metrics.sharpness(x, x, torch.ones(1, 1, 8, 8))
    with pytest.raises(ValueError, match="at least 2x2"):
        metrics.sharpness(x[..., :1, :], x[..., :1, :], torch.ones(2, 1, 1, 8))


def test_feature_distances_by_hand() -> None:
    a = [torch.tensor([3.0, 4.0]).view(1, 2, 1, 1), torch.ones(1, 1, 2, 2)]
    b = [torch.tensor([4.0, -3.0]).view(1, 2, 1, 1), torch.ones(1, 1, 2, 2) * torch.tensor([1.0, 5.0])]
    assert metrics.vgg_distance(a, b).item() == pytest.approx(4 + 2)
    # right angle: squared distance 2; vectors of one channel have the same unit vector
    assert metrics.squeeze_distance(a, b).item() == pytest.approx(2, abs=1e-5)


@pytest.mark.parametrize("distance", [metrics.vgg_distance, metrics.squeeze_distance])
def test_feature_distances_are_per_picture(distance) -> None:
    a, b = ([torch.rand(3, 4, 6, 5), torch.rand(3, 8, 3, 2)] for _ in range(2))
    alone = [distance([f[i : i + 1] for f in a], [f[i : i + 1] for f in b]).item() for i in range(3)]
    np.testing.assert_allclose(distance(a, b), alone, atol=1e-12)
    np.testing.assert_allclose(distance(b, a), alone, atol=1e-12)


@pytest.mark.parametrize("distance", [metrics.vgg_distance, metrics.squeeze_distance])
def test_feature_lists_must_match(distance) -> None:
    f = torch.rand(1, 4, 3, 3)
    for a, b in (([f], [f, f]), ([f], [f[..., :2]]), ([], []), ([f[0]], [f[0]])):
        with pytest.raises(ValueError, match="same shapes"):
            distance(a, b)
