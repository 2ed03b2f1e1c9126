"""Pictures whose hole has one right answer, or several that are equally good."""

import torch
from torch import Tensor


def stripes(height: int = 96, width: int = 112, period: int = 8) -> Tensor:
    """(3, H, W): a sawtooth along rows, with colours of its own in each channel."""
    column = torch.arange(width) % period / period
    return torch.stack([0.2 + 0.5 * column, 0.8 - 0.5 * column, column**2]).expand(height, 3, width).transpose(0, 1)


def noise(height: int = 96, width: int = 112) -> Tensor:
    """(3, H, W): grains of one kind all over."""
    return 0.3 + 0.4 * torch.rand(3, height, width, generator=torch.Generator().manual_seed(3))


def middle(picture: Tensor, share: float = 0.35) -> Tensor:
    """(H, W) bool: a box in the middle."""
    height, width = picture.shape[1:]
    rows, columns = int(height * share / 2), int(width * share / 2)
    hole = torch.zeros(height, width, dtype=torch.bool)
    hole[height // 2 - rows : height // 2 + rows, width // 2 - columns : width // 2 + columns] = True
    return hole


def plain(picture: Tensor, hole: Tensor) -> Tensor:
    """A guide without any detail: the mean of what is known, everywhere."""
    return picture[:, ~hole].mean(1)[:, None, None].expand_as(picture).clone()
