"""Pictures whose hole has one right answer, or several that are equally good."""

import numpy as np

from temperfill.arrays import Array
from temperfill.synthesis.patches import Mask


def stripes(height: int = 96, width: int = 112, period: int = 8) -> Array:
    """(3, H, W): a sawtooth along rows, with colours of its own in each channel."""
    column = np.arange(width) % period / period
    colours = np.stack([0.2 + 0.5 * column, 0.8 - 0.5 * column, column**2]).astype(np.float32)
    return np.repeat(colours[:, None], height, 1)


def noise(height: int = 96, width: int = 112) -> Array:
    """(3, H, W): grains of one kind all over."""
    return (0.3 + 0.4 * np.random.RandomState(3).rand(3, height, width)).astype(np.float32)


def middle(picture: Array, share: float = 0.35) -> Mask:
    """(H, W) bool: a box in the middle."""
    height, width = picture.shape[1:]
    rows, columns = int(height * share / 2), int(width * share / 2)
    hole = np.zeros((height, width), bool)
    hole[height // 2 - rows : height // 2 + rows, width // 2 - columns : width // 2 + columns] = True
    return hole


def plain(picture: Array, hole: Mask) -> Array:
    """A guide without any detail: the mean of what is known, everywhere."""
    return np.broadcast_to(picture[:, ~hole].mean(1)[:, None, None], picture.shape).copy()


def smoothed(picture: Array, radius: int) -> Array:
    """(3, H, W): means of squares around every pixel; edges are repeated."""
    padded = np.pad(picture, ((0, 0), (radius, radius), (radius, radius)), "edge")
    return np.lib.stride_tricks.sliding_window_view(padded, (2 * radius + 1,) * 2, (1, 2)).mean((3, 4))
