"""The way from a photograph with a hole and a guide to a filled one: labels, a field through all sizes, blending."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor

from temperfill.synthesis.blending import blend
from temperfill.synthesis.choosing import AROUND, PLAIN, share_of_copies
from temperfill.synthesis.detail import detail_of_cells
from temperfill.synthesis.field import SIDE, PatchField
from temperfill.synthesis.filters import blur, gradients
from temperfill.synthesis.labelling import label
from temperfill.synthesis.patches import around, whole_patches
from temperfill.tensors import Watched

ACROSS = 32
"""About the largest circle in the hole, pixels across, at the size at which cells are labelled."""
CELLS = 4000
"""Cells that are labelled at most."""
SCREENING = 0.003
"""Weight of the guide against the gradients of the copies, at full size."""
LEAST = 0.001
"""Share of the screening that a plain place keeps."""
EDGE = 0.15
"""Difference of colours across the rim that is an edge of the picture and no error of the guide's tone."""
LARGEST = 400_000
"""Pixels of a hole above which the picture is halved first; only the finest detail is then copied at its own size."""
WIDEST = 4_000_000
"""Pixels of a picture above which the same is done."""
FEWEST = 64
"""Whole patches without which nothing is copied."""


@dataclass(frozen=True)
class Synthesis:
    """A picture that was filled with pieces of itself.

    Attributes:
        image: (3, H, W) in [0, 1], known pixels as they were.
        sources: (H, W, 2), row and column that each pixel of the hole was copied from; of other pixels, their own.
        share: (H, W) in [0, 1], how far each pixel of the hole is a copy; the rest is the guide.
    """

    image: Tensor
    sources: Tensor
    share: Tensor


def _ignore(share: float) -> None:
    pass


def synthesise(
    image: Tensor,
    hole: Tensor,
    guide: Tensor,
    avoid: Tensor | None = None,
    seed: int = 0,
    on_step: Callable[[float], None] = _ignore,
) -> Synthesis | None:
    """Fills a hole with pieces of the picture, arranged as a guide says.

    Args:
        image: (3, H, W) in [0, 1]; what it has in the hole does not matter.
        hole: (H, W) bool, True = missing.
        guide: (3, H, W) in [0, 1], a picture of what the hole should show; its colours are followed, its lack of detail
            is not. Looked at in the hole only.
        avoid: (H, W) bool, True = known, but never copied from.
        seed: another one gives another result.
        on_step: called before every operation with the share of the work that is done; what it raises ends it.

    Returns:
        The filled picture, or None where too little is known to copy from.
    """
    if not hole.any():
        return None
    usable = ~hole if avoid is None else ~hole & ~avoid
    done = _Done(on_step)
    with Watched(done.tell):
        shown = torch.where(hole, guide, image)
        return _synthesised(shown, hole, usable, torch.Generator().manual_seed(seed), done)


def _synthesised(
    shown: Tensor, hole: Tensor, usable: Tensor, generator: torch.Generator, done: "_Done"
) -> Synthesis | None:
    """With a field of patches that is carried up to the size of the picture, unless that is large."""
    if int(hole.sum()) > LARGEST or hole.numel() > WIDEST:
        return _halved(shown, hole, usable, generator, done)
    sizes = [_Size(shown, hole, usable, 2**number) for number in range(_halvings(hole) + 1)]
    sizes = [size for size in sizes if int(whole_patches(size.usable, SIDE + 2).sum()) >= FEWEST]
    if not sizes or int(sizes[-1].hole.sum()) > 4 * CELLS:
        return None
    done.sizes = len(sizes)
    last = sizes[-1]
    detail = detail_of_cells(sizes[0].image, sizes[0].usable, last.factor)
    offsets = label(last.image, last.hole, last.usable, detail, generator)
    field = PatchField(last.image, last.hole, last.usable, generator)
    field.begin(offsets)
    field.improve(field.vote())
    for size in reversed(sizes[:-1]):
        done.advance()
        before, field = field, PatchField(size.image, size.hole, size.usable, generator)
        field.carry(before)
        field.improve(field.vote())
    done.advance()
    filled, share = shown.clone(), torch.zeros_like(shown[0])
    blended = _blended(field.vote(with_gradients=True), sizes[0], field.near)
    filled[:, *field.near], share[field.near] = blended[0][0], blended[1][0, 0]
    return Synthesis(torch.where(hole, filled.clamp(0, 1), shown), field.sources(), share * hole)


def _halved(shown: Tensor, hole: Tensor, usable: Tensor, generator: torch.Generator, done: "_Done") -> Synthesis | None:
    """At half the size, with the finest detail copied along its sources."""
    height, width = hole.shape
    small = _Size(shown, hole, usable, 2)
    found = _synthesised(small.image[0], small.hole, small.usable, generator, done)
    if found is None:
        return None
    rows, columns = hole.nonzero().unbind(1)
    source = 2 * found.sources[rows // 2, columns // 2] + torch.stack([rows % 2, columns % 2], 1)
    sources = torch.stack(torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij"), -1)
    sources[rows, columns] = source
    finest = shown - _doubled(small.image, hole.shape)
    filled = shown.clone()
    filled[:, rows, columns] = _doubled(found.image[None], hole.shape)[:, rows, columns]
    filled[:, rows, columns] += finest[:, source[:, 0], source[:, 1]]
    share = torch.zeros_like(shown[0])
    share[rows, columns] = found.share[rows // 2, columns // 2]
    return Synthesis(filled.clamp_(0, 1), sources, share)


def _doubled(image: Tensor, shape: torch.Size) -> Tensor:
    """(3, H, W) of (1, 3, h, w)."""
    large = F.interpolate(image, scale_factor=2.0, mode="bilinear", align_corners=False)
    return large[0, :, : shape[0], : shape[1]]


def _blended(voted: Tensor, size: "_Size", near: tuple[slice, slice]) -> tuple[Tensor, Tensor]:
    """(1, 3, h, w): gradients of copies or of the guide, whichever is better at each place, over the guide.

    And (1, 1, h, w), the share of the copies.
    """
    image, hole = size.image[:, :, *near], size.hole[near]
    own_right, own_below = gradients(image)
    own_right = _joined(own_right, hole ^ F.pad(hole[:, 1:], (0, 1)))
    own_below = _joined(own_below, hole ^ F.pad(hole[1:], (0, 0, 0, 1)))
    # The finest detail that a network draws may be hatching: it is no reason to keep the guide.
    guide = _softened(image)
    share = share_of_copies(voted[:, :3], guide, hole)
    right, below = torch.lerp(own_right, voted[:, 3:6], share), torch.lerp(own_below, voted[:, 6:], share)
    # Where nothing has detail, the guide knows the tone less well than the rim does.
    detail = blur(torch.cat([right, below], 1).square().mean(1, keepdim=True), hole[None, None].to(right), AROUND)
    screening = SCREENING * (detail / PLAIN**2).clamp(LEAST, 1)
    return blend(image, hole, guide, right, below, screening), share


@dataclass
class _Done:
    """How much of the work is done: each size takes about three times as long as the one before it."""

    on_step: Callable[[float], None]
    sizes: int = 1
    share: float = 0.0

    def tell(self) -> None:
        self.on_step(self.share)

    def advance(self) -> None:
        """A size is done, the smallest first."""
        self.sizes -= 1
        self.share = 3.0**-self.sizes * 0.7
        self.tell()


def _halvings(hole: Tensor) -> int:
    """How often the picture is halved until its hole can be labelled."""
    across = 2 * float(ndimage.distance_transform_edt(F.pad(hole[around(hole, 0)], (1,) * 4).numpy()).max())
    thin = max(round(math.log2(across / ACROSS)), 0)
    few = max(math.ceil(math.log2(float(hole.sum()) / CELLS) / 2), 0)
    return max(thin, few)


class _Size:
    """The picture, ``factor`` times shrunk, completed to whole cells of the largest factor by what is no hole."""

    def __init__(self, shown: Tensor, hole: Tensor, usable: Tensor, factor: int) -> None:
        height, width = hole.shape
        border = (0, -width % factor, 0, -height % factor)
        self.factor = factor
        shown = F.pad(shown[None], border, mode="replicate")
        self.image = F.avg_pool2d(shown, factor) if factor > 1 else shown
        self.hole = _any(F.pad(hole, border), factor)
        self.usable = ~_any(F.pad(~usable, border, value=True), factor)


def _any(plane: Tensor, factor: int) -> Tensor:
    return F.max_pool2d(plane[None, None].float(), factor)[0, 0] > 0 if factor > 1 else plane


def _softened(image: Tensor) -> Tensor:
    """The picture without the detail that is lost at half its size."""
    for _ in range(2):
        image = F.avg_pool2d(F.pad(image, (1,) * 4, mode="replicate"), 3, 1)
    return image


def _joined(steps: Tensor, rim: Tensor) -> Tensor:
    """Differences of the guide; across the rim none, unless they are so large that an edge must follow it."""
    is_edge = steps.abs().amax(1, keepdim=True) > EDGE
    return torch.where(rim & ~is_edge, 0, steps)
