"""Gradients and Gaussian means of planes."""

import numpy as np

from temperfill.arrays import Array

_BLOCK = 64  # rows or columns of a mean that are computed at once, as a product of matrices


def gradients(image: Array) -> tuple[Array, Array]:
    """Differences to the pixel on the right and to the one below, zero at the end: (C, H, W) each."""
    right, below = np.zeros_like(image), np.zeros_like(image)
    np.subtract(image[..., 1:], image[..., :-1], out=right[..., :-1])
    np.subtract(image[..., 1:, :], image[..., :-1, :], out=below[..., :-1, :])
    return right, below


def blur(image: Array, weight: Array, deviation: float) -> Array:
    """Gaussian means (C, H, W) of what has weight (1, H, W)."""
    radius = int(3 * deviation + 0.5)
    kernel = np.exp(-(np.arange(-radius, radius + 1) ** 2) / (2 * deviation**2))
    band = np.zeros((_BLOCK + 2 * radius, _BLOCK), np.float32)
    for column in range(_BLOCK):
        band[column : column + len(kernel), column] = kernel / kernel.sum()

    def spread(planes: Array) -> Array:
        padded = np.pad(planes, ((0, 0), (radius, radius), (radius, radius)), "edge")
        wide = np.empty((*padded.shape[:2], planes.shape[2]), np.float32)
        for left in range(0, planes.shape[2], _BLOCK):
            part = padded[:, :, left : left + len(band)]
            wide[:, :, left : left + _BLOCK] = part @ band[: part.shape[2], : part.shape[2] - 2 * radius]
        found = np.empty_like(planes)
        for top in range(0, planes.shape[1], _BLOCK):
            part = wide[:, top : top + len(band)]
            found[:, top : top + _BLOCK] = band[: part.shape[1], : part.shape[1] - 2 * radius].T @ part
        return found

    found = spread(image * weight)
    found /= np.maximum(spread(weight), np.float32(1e-4))
    return found
