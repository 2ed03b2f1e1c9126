"""Which offset every cell of a hole is copied along, in a picture small enough to weigh all of them at once.

Most patches of a photograph are alike to others along a few offsets (He and Sun, Statistics of Patch Offsets for Image
Completion, ECCV 2012). These, and those that the guide asks for, are the labels. A cell's label is the shift along
which it is copied (Pritch et al., Shift-Map Image Editing, ICCV 2009); two neighbours with different shifts cost what
is seen at the seam. The sum is made small by belief propagation, whose messages sweep over rows and columns.
"""

import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor

from temperfill.synthesis.detail import RIM, expected_detail
from temperfill.synthesis.filters import blur, gradients
from temperfill.synthesis.patches import describe, patch_basis, whole_patches

FREQUENT = 60
"""Offsets that known patches have in common most often."""
WANTED = 30
"""Offsets that the cells of the hole ask for by the guide."""
SAMPLED = 1500
"""Known patches whose offsets are counted."""
SEARCHED = 15_000
"""Known patches, at most, among which the most alike is searched."""
SWEEPS = 3
"""Passes of messages down, up, right and left."""
MOST_APART = 0.05
"""Squared distance of colours from the guide above which it is counted no further."""
SMOOTH = 1.5
"""Deviation, pixels, of the blur in which copies are compared with the guide."""
DETAIL = 0.015
"""Cost of a source with e times the detail that is expected, in mean square; with a part of it likewise."""
MOST_DETAIL = 4.0
"""Squared logarithm of that ratio above which it is counted no further."""
FORBIDDEN = 10.0
"""Cost of a label that would copy what is not known."""
BLOCK = 256
"""Cells whose seams are weighed at once."""
_SIDE = 7
_DIMENSIONS = 16


def label(image: Tensor, hole: Tensor, usable: Tensor, detail: Tensor, generator: torch.Generator) -> Tensor:
    """Chooses an offset for every cell of the hole.

    Args:
        image: (1, 3, h, w) in [0, 1], the guide in the hole.
        hole: (h, w) bool.
        usable: (h, w) bool, what may be copied from; nothing of the hole.
        detail: (h, w) of :func:`temperfill.synthesis.detail.detail_of_cells`.
        generator: draws the patches that are looked at.

    Returns:
        (h, w, 2) of rows and columns to go from a cell to its source; zero outside the hole.
    """
    smooth = blur(image, torch.ones_like(image[:, :1]), SMOOTH)
    offsets = _offsets(image, smooth, hole, usable, generator)
    cells = hole.nonzero()
    costs, seams = _costs(image, smooth, hole, usable, cells, offsets)
    costs += _lack_of_detail(detail, hole, cells, offsets)
    chosen = _propagate(costs, seams, _neighbours(hole, cells), cells)
    result = torch.zeros(*hole.shape, 2, dtype=torch.long)
    result[hole] = offsets[chosen]
    return result


def _offsets(image: Tensor, smooth: Tensor, hole: Tensor, usable: Tensor, generator: torch.Generator) -> Tensor:
    """(K, 2) candidates: the most frequent between known patches near the hole, and what the guide asks for."""
    width = hole.shape[1]
    sources = whole_patches(usable, _SIDE).flatten().nonzero()[:, 0]
    cells = hole.flatten().nonzero()[:, 0]
    rows, columns = cells // width, cells % width
    size = int(max(rows.max() - rows.min(), columns.max() - columns.min())) + 1
    reach = size // 2
    apart = torch.from_numpy(ndimage.distance_transform_cdt(~hole.numpy(), "chessboard"))
    near = apart.flatten()[sources] <= reach
    asked = _some(sources[near], SAMPLED, generator)
    known = _some(sources, SEARCHED, generator)

    described = describe(image, patch_basis(image, sources, _SIDE, _DIMENSIONS, generator))
    found = _nearest(described[asked], described[known], asked, known, width, max(6, size // 5))
    frequent = _peaks(asked, known[found], hole.shape, FREQUENT)
    described = describe(smooth, patch_basis(smooth, sources, _SIDE, _DIMENSIONS, generator))
    found = _nearest(described[cells], described[known], cells, known, width, 0)
    guided = _peaks(cells, known[found], hole.shape, WANTED)
    return torch.unique(torch.cat([frequent, guided]), dim=0)


def _some(items: Tensor, most: int, generator: torch.Generator) -> Tensor:
    return items if len(items) <= most else items[torch.randperm(len(items), generator=generator)[:most]]


def _nearest(queries: Tensor, keys: Tensor, asked: Tensor, known: Tensor, width: int, banned: int) -> Tensor:
    """For every query the key at the smallest distance that lies ``banned`` pixels away or more; blockwise."""
    squares, transposed = (keys * keys).sum(1) / 2, keys.T.contiguous()
    found = []
    for some, places in zip(queries.split(64), asked.split(64), strict=True):
        score = torch.addmm(-squares, some, transposed)
        if banned:
            rows = (known // width - places[:, None] // width).abs()
            columns = (known % width - places[:, None] % width).abs()
            score.masked_fill_((rows < banned) & (columns < banned), -torch.inf)
        found.append(score.argmax(1))
    return torch.cat(found) if found else asked


def _peaks(places: Tensor, sources: Tensor, shape: torch.Size, number: int) -> Tensor:
    """(n, 2) offsets from places to sources that are most frequent, the counts smoothed over two pixels."""
    height, width = shape
    rows, columns = sources // width - places // width, sources % width - places % width
    side = 2 * width + 1
    counts = torch.bincount((rows + height) * side + columns + width, minlength=(2 * height + 1) * side)
    kernel = torch.tensor([1.0, 2, 4, 2, 1]) / 10
    grid = F.conv2d(counts.float().view(1, 1, -1, side), kernel.view(1, 1, 1, -1), padding=(0, 2))
    grid = F.conv2d(grid, kernel.view(1, 1, -1, 1), padding=(2, 0))
    peak = torch.where(grid == F.max_pool2d(grid, 5, 1, 2), grid, 0).flatten()
    best = peak.topk(min(number, int((peak > 0).sum()))).indices
    return torch.stack([best // side - height, best % side - width], 1)


def _costs(
    image: Tensor, smooth: Tensor, hole: Tensor, usable: Tensor, cells: Tensor, offsets: Tensor
) -> tuple[Tensor, Tensor]:
    """(N, K) of labels alone, and (N, K, K) of what a cell shows of a seam between two labels."""
    features = torch.cat([image, *gradients(image)], 1)[0].flatten(1).T
    source, inside = _at(cells[:, None] + offsets, hole.shape)
    copyable = inside & whole_patches(usable, 3).flatten()[source]
    seams = image.new_empty(len(cells), len(offsets), len(offsets))
    for some, found in zip(seams.split(BLOCK), source.split(BLOCK), strict=True):
        copies = features[found]  # (n, K, 9)
        squares = (copies * copies).sum(-1)
        torch.baddbmm(squares[:, :, None] + squares[:, None, :], copies, copies.transpose(1, 2), alpha=-2, out=some)
        some.clamp_min_(0)
    wanted = smooth[0].flatten(1).T
    offered = blur(image, usable[None, None].to(image), SMOOTH)[0].flatten(1).T
    place = cells[:, 0] * hole.shape[1] + cells[:, 1]
    apart = ((offered[source] - wanted[place][:, None]) ** 2).sum(-1).clamp_max(MOST_APART)
    costs = torch.where(copyable, apart, FORBIDDEN)
    for step in ((0, 1), (0, -1), (1, 0), (-1, 0)):
        rim, within = _at(cells + torch.tensor(step), hole.shape)
        known = within & ~hole.flatten()[rim]
        beyond, _ = _at(cells[:, None] + torch.tensor(step) + offsets, hole.shape)
        colours = image[0].flatten(1).T
        costs += 2 * ((colours[beyond] - colours[rim][:, None]) ** 2).sum(-1) * known[:, None]
    return costs, seams


def _lack_of_detail(detail: Tensor, hole: Tensor, cells: Tensor, offsets: Tensor) -> Tensor:
    """(N, K): without it, smooth sources win, as they have the smallest seams and are like a smooth guide."""
    near = torch.from_numpy(ndimage.distance_transform_edt(~hole.numpy())) <= RIM
    expected = expected_detail(detail, near & ~hole, cells)[:, None]
    source, _ = _at(cells[:, None] + offsets, hole.shape)
    apart = (detail.flatten()[source] - expected).square().clamp_max(MOST_DETAIL)
    return DETAIL * apart.nan_to_num(0)


def _at(places: Tensor, shape: torch.Size) -> tuple[Tensor, Tensor]:
    """Numbers of places (..., 2), clamped to the picture, and which of them lie in it."""
    height, width = shape
    rows, columns = places.unbind(-1)
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    return rows.clamp(0, height - 1) * width + columns.clamp(0, width - 1), inside


def _neighbours(hole: Tensor, cells: Tensor) -> list[Tensor]:
    """For every cell the number of the one above, below, left and right; the number of cells where there is none."""
    numbers = torch.full((hole.shape[0] + 2, hole.shape[1] + 2), len(cells))
    numbers[1:-1, 1:-1][hole] = torch.arange(len(cells))
    rows, columns = (cells + 1).unbind(1)
    return [numbers[rows + down, columns + right] for down, right in ((-1, 0), (1, 0), (0, -1), (0, 1))]


def _propagate(costs: Tensor, seams: Tensor, neighbours: list[Tensor], cells: Tensor) -> Tensor:
    """(N,) labels of a small sum of costs and seams: min-sum belief propagation, sweeping to and fro."""
    number, labels = costs.shape
    messages = torch.zeros(4, number + 1, labels)  # from above, below, left and right; the last cell is no cell
    orders = []
    for axis in (0, 1):
        lines = cells[:, axis].argsort(stable=True).split(torch.bincount(cells[:, axis]).tolist())
        lines = tuple(line for line in lines if len(line))
        orders += [lines, lines[::-1]]
    for _ in range(SWEEPS):
        for direction, lines in enumerate(orders):
            incoming = [way for way in range(4) if way != direction ^ 1]
            for line in lines:
                there = neighbours[direction][line] < number
                to = line[there]
                if not len(to):
                    continue
                sender = neighbours[direction][to]
                belief = costs[sender] + messages[incoming][:, sender].sum(0)
                message = (belief[:, :, None] + seams[sender] + seams[to]).amin(1)
                messages[direction, to] = message - message.amin(1, keepdim=True)
    return (costs + messages[:, :number].sum(0)).argmin(1)
