"""Networks that look at a bounded surrounding, on pictures of any size."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@torch.inference_mode()
def in_tiles(
    network: Callable[[Tensor], Tensor],
    rgb: NDArray[np.float32],
    multiple: int,
    reach: int,
    tile: int,
    device: torch.device | str = "cpu",
) -> NDArray[np.float32]:
    """One plane of values from a network that keeps the size of its picture.

    Sides are padded to multiples by repeating the border. Larger pictures are computed in tiles, each with all the
    pixels around it that can change it, so that tiles leave no seams; memory is bounded by the tile.

    Args:
        network: (1, 3, H, W) to (1, 1, H, W), sides multiples of ``multiple``.
        rgb: (H, W, 3) in [0, 1].
        multiple: of the sides, in pixels.
        reach: pixels beyond which nothing changes an output, a multiple of ``multiple``.
        tile: side of the parts of pictures with a side above ``tile + 2 * reach``, a multiple of ``multiple``.
        device: of the network.

    Returns:
        (H, W).
    """
    height, width = rgb.shape[:2]
    if height % multiple or width % multiple:
        rgb = np.pad(rgb, ((0, -height % multiple), (0, -width % multiple), (0, 0)), "edge")
    values = np.empty(rgb.shape[:2], np.float32)
    for top, bottom in _spans(rgb.shape[0], tile, reach):
        for left, right in _spans(rgb.shape[1], tile, reach):
            above, before = max(top - reach, 0), max(left - reach, 0)
            part = rgb[above : bottom + reach, before : right + reach]
            image = torch.from_numpy(np.ascontiguousarray(part.transpose(2, 0, 1)))[None].to(device)
            found = network(image)[0, 0, top - above : bottom - above, left - before : right - before]
            values[top:bottom, left:right] = found.float().cpu().numpy()
    return values[:height, :width]


def _spans(length: int, tile: int, reach: int) -> Iterator[tuple[int, int]]:
    """Start and end of the tiles along one side."""
    step = length if length <= tile + 2 * reach else tile
    return ((start, min(start + step, length)) for start in range(0, length, step))
