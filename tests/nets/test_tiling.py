"""Networks in tiles: sizes, seams, and what a tile is given."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from temperfill.nets.tiling import in_tiles


def blur() -> nn.Module:
    """A network that looks 4 pixels far."""
    torch.manual_seed(0)
    return nn.Conv2d(3, 1, 9, padding=4).requires_grad_(False)


@pytest.mark.parametrize("size", [(1, 1), (7, 30), (61, 24)])
def test_tiles_leave_no_seams(size: tuple[int, int]) -> None:
    rgb = np.random.default_rng(0).random((*size, 3), np.float32)
    seen: list[tuple[int, int]] = []

    def network(image: Tensor) -> Tensor:
        seen.append((image.shape[2], image.shape[3]))
        return convolution(image)

    convolution = blur()
    tiled = in_tiles(network, rgb, multiple=2, reach=4, tile=8)
    assert tiled.shape == size
    assert tiled.dtype == np.float32
    assert max(side for sides in seen for side in sides) <= 8 + 2 * 4
    assert all(side % 2 == 0 for sides in seen for side in sides)
    whole = in_tiles(convolution, rgb, multiple=2, reach=4, tile=1000)
    # Behind the end of an odd side stands a repeated pixel, in both.
    np.testing.assert_allclose(tiled, whole, atol=1e-6)
