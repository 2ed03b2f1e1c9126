"""Where copies are better than the guide: told from both pictures, without knowing the truth."""

import torch
from torch import Tensor

from temperfill.synthesis.filters import blur, gradients

AROUND = 8.0
"""Deviation, pixels, of the surroundings that are looked at."""
BLURRED = (0.6, 0.9)
"""Share of the copies' gradients up to which a guide counts as blurred, and from which on as sharp."""
PLAIN = 0.01
"""Root mean square difference of neighbours below which a place is plain: a copy is smoother there than any drawing."""
APART = 0.2
"""Difference of colours at which a copy is trusted by a third."""


def share_of_copies(copies: Tensor, guide: Tensor, hole: Tensor) -> Tensor:
    """How far each pixel of the hole should be a copy.

    A guide with detail that is as sharp as the copies is right more often than they are; copies whose colours are
    others show other things.

    Args:
        copies: (1, 3, H, W) in [0, 1].
        guide: (1, 3, H, W) in [0, 1].
        hole: (H, W) bool.

    Returns:
        (1, 1, H, W) in [0, 1].
    """
    inside = hole[None, None].to(copies.dtype)
    drawn, copied = (
        blur(torch.cat(gradients(picture), 1).square().mean(1, keepdim=True), inside, AROUND)
        for picture in (guide, copies)
    )
    sharp = (drawn / copied.clamp_min(1e-8)).sqrt()
    blurred = ((BLURRED[1] - sharp) / (BLURRED[1] - BLURRED[0])).clamp(0, 1)
    blurred = torch.maximum(blurred, (1 - drawn.sqrt() / PLAIN).clamp(0, 1))
    apart = blur(copies - guide, inside, AROUND).square().mean(1, keepdim=True)
    return blurred * torch.exp(-apart / APART**2)
