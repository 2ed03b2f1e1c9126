"""Picture quality: functions first, and sums that add up exactly in any order.

Metrics of pictures are functions of (B, 3, H, W) images in [0, 1] or of their feature maps, one float64 value each; all
sums run in float64, so that the values agree with scikit-image's. Metrics of sets compare all pictures with all others.
"""

from temperfill.metrics.features import lpips, squeeze_distance, vgg_distance
from temperfill.metrics.pixels import (
    MAX_PSNR,
    MAX_SHARPNESS,
    SSIM_RADIUS,
    SSIM_SIGMA,
    mae,
    psnr,
    sharpness,
    ssim,
)
from temperfill.metrics.sets import KernelDistance, frechet_distance, kernel_distance
from temperfill.metrics.sums import ExactSum, Moments

__all__ = [
    "MAX_PSNR",
    "MAX_SHARPNESS",
    "SSIM_RADIUS",
    "SSIM_SIGMA",
    "ExactSum",
    "KernelDistance",
    "Moments",
    "frechet_distance",
    "kernel_distance",
    "lpips",
    "mae",
    "psnr",
    "sharpness",
    "squeeze_distance",
    "ssim",
    "vgg_distance",
]
