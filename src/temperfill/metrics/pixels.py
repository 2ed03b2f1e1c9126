"""Metrics of pixels, one value per picture; images are (B, C, H, W) in [0, 1], values (B,) float64."""

import torch
import torch.nn.functional as F
from torch import Tensor

SSIM_SIGMA = 1.5
"""Standard deviation of SSIM's Gaussian window, pixels (Wang et al. 2004)."""
SSIM_RADIUS = 5
"""Radius of SSIM's window, pixels; the window has 11 taps."""
MAX_PSNR = 100.0
"""PSNR of equal pictures, dB; reached at a mean squared error of 1e-10."""
MAX_SHARPNESS = 3.0
"""Largest value of the sharpness."""
_BLOCK = 64  # values of an axis that one product of matrices filters
_LEAST_GRADIENT = 1e-6 / 255  # 1e-6 in units of bytes; keeps a flat truth from dividing by zero


def _check_pair(pred: Tensor, target: Tensor) -> None:
    if pred.ndim != 4 or pred.shape != target.shape or 0 in pred.shape:
        advice = "resize them to one size first" if pred.shape != target.shape else "add a batch axis: pred[None]"
        raise ValueError(
            f"pred and target must have one shape (B, C, H, W) without empty axes, got {tuple(pred.shape)} "
            f"and {tuple(target.shape)}; {advice}"
        )
    if not (pred.is_floating_point() and target.is_floating_point()):
        raise ValueError(
            f"pred and target must be floating point in [0, 1], got {pred.dtype} and {target.dtype}; "
            "divide bytes by 255"
        )


def mae(pred: Tensor, target: Tensor) -> Tensor:
    """Mean absolute error over all pixels and channels, in percent of the range; lower is better.

    Args:
        pred: (B, C, H, W) in [0, 1].
        target: like ``pred``.

    Returns:
        (B,) in [0, 100].

    Raises:
        ValueError: shapes differ, are empty or have other than four axes, or a tensor is not floating point.
    """
    _check_pair(pred, target)
    return (pred.double() - target.double()).abs().flatten(1).mean(1) * 100


def psnr(pred: Tensor, target: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of each picture, in dB; higher is better, 100 for equal pictures.

    10 log10(1 / MSE) with the MSE over all pixels and channels, at least 1e-10. A batch's value is the mean of its
    pictures' values, not the value of the pooled MSE.

    Args:
        pred: (B, C, H, W) in [0, 1].
        target: like ``pred``.

    Returns:
        (B,), at most 100.

    Raises:
        ValueError: as :func:`mae`.
    """
    _check_pair(pred, target)
    error = (pred.double() - target.double()).square().flatten(1).mean(1)
    return -10 * error.clamp(min=10 ** (-MAX_PSNR / 10)).log10()


def ssim(pred: Tensor, target: Tensor) -> Tensor:
    """Structural similarity of each picture; higher is better, 1 for equal pictures.

    Wang et al. 2004: Gaussian window of 11 x 11 taps with sigma 1.5, K1 = 0.01, K2 = 0.03, population covariance, mean
    over channels. Only windows that lie inside the picture count, which is what scikit-image's
    ``structural_similarity`` with ``gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1``
    averages: it filters with reflection and then crops the window's radius.

    Args:
        pred: (B, C, H, W) in [0, 1].
        target: like ``pred``.

    Returns:
        (B,) in [-1, 1].

    Raises:
        ValueError: as :func:`mae`, or a side is below 11 pixels.
    """
    _check_pair(pred, target)
    side = 2 * SSIM_RADIUS + 1
    if min(pred.shape[2:]) < side:
        height, width = pred.shape[2:]
        raise ValueError(
            f"SSIM needs pictures of at least {side}x{side} pixels, got {height}x{width}; use larger pictures"
        )
    x, y = pred.double(), target.double()
    # one filtering for the five local moments
    mean_x, mean_y, mean_xx, mean_yy, mean_xy = _window_mean(torch.cat([x, y, x * x, y * y, x * y])).chunk(5)
    product, squares = mean_x * mean_y, mean_x.square() + mean_y.square()
    luminance = (2 * product + 0.01**2) / (squares + 0.01**2)
    structure = (2 * (mean_xy - product) + 0.03**2) / (mean_xx + mean_yy - squares + 0.03**2)
    return (luminance * structure).flatten(1).mean(1)


def _window_mean(x: Tensor) -> Tensor:
    """Gaussian-weighted means (B, C, H - 10, W - 10) of the windows inside ``x``."""
    position = torch.arange(-SSIM_RADIUS, SSIM_RADIUS + 1, dtype=x.dtype, device=x.device)
    taps = torch.exp(-(position**2) / (2 * SSIM_SIGMA**2))
    taps = taps / taps.sum()
    return _filtered(_filtered(x, taps).mT, taps).mT


def _filtered(x: Tensor, taps: Tensor) -> Tensor:
    """The last axis filtered where all taps lie inside: n values become n - taps + 1.

    By products of matrices: a convolution in float64 takes two to four times the time on a CPU.
    """
    more, size = len(taps) - 1, x.shape[-1] - len(taps) + 1
    blocks = -(-size // _BLOCK)
    tap = torch.arange(_BLOCK + more, device=x.device)[:, None] - torch.arange(_BLOCK, device=x.device)
    band = taps[tap.clamp(0, more)] * ((tap >= 0) & (tap <= more))
    windows = F.pad(x, (0, blocks * _BLOCK - size)).unfold(-1, _BLOCK + more, _BLOCK)
    return (windows @ band).flatten(-2)[..., :size]


def sharpness(pred: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Gradient magnitude summed over the hole, over that of the truth: a blur is far below 1, noise above.

    The gradient is that of the mean of the channels, by central differences (one-sided at the border).

    Args:
        pred: (B, C, H, W) in [0, 1].
        target: like ``pred``; the truth.
        mask: (B, 1, H, W), 1 = missing.

    Returns:
        (B,) in [0, 3]; 1 for an empty hole and for equal pictures.

    Raises:
        ValueError: as :func:`mae`, a side is below 2 pixels, or the mask does not fit.
    """
    _check_pair(pred, target)
    expected = (pred.shape[0], 1, *pred.shape[2:])
    if tuple(mask.shape) != expected:
        raise ValueError(f"mask must have shape {expected} to match the images, got {tuple(mask.shape)}")
    if min(pred.shape[2:]) < 2:
        raise ValueError(
            f"sharpness needs at least 2x2 pixels, got {pred.shape[2]}x{pred.shape[3]}; use larger pictures"
        )
    hole = mask[:, 0] > 0.5

    def total(image: Tensor) -> Tensor:
        down, right = torch.gradient(image.double().mean(1), dim=(1, 2))
        return (torch.hypot(down, right) * hole).flatten(1).sum(1).clamp(min=_LEAST_GRADIENT)

    ratio = (total(pred) / total(target)).clamp(max=MAX_SHARPNESS)
    return torch.where(hole.flatten(1).any(1), ratio, torch.ones_like(ratio))
