"""A field of nearest patches at one size of the picture: carried from the size before, improved, and voted.

Every patch that touches the hole (a target) has a source, a patch that is wholly known. Good sources are handed on to
neighbours, and each target looks around its own (Barnes et al., PatchMatch, SIGGRAPH 2009). All patches that cover a
pixel say what it should be, good ones with more weight (Wexler et al., Space-Time Completion of Video, 2007), its
gradients as well as its colours (Darabi et al., Image Melding, SIGGRAPH 2012).
"""

import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor

from temperfill.synthesis.filters import gradients
from temperfill.synthesis.patches import around, describe, patch_basis, whole_patches

SIDE = 7
"""Of a patch, pixels."""
DIMENSIONS = 20
"""Of what is compared of a patch."""
REACH = 2
"""Pixels around its source that a target looks at."""
DECIDED = 3.0
"""How much more a better patch says: its distance over twice the median is multiplied by it in the exponent."""
_RADIUS = SIDE // 2


class PatchField:
    """Sources for the patches that touch the hole of a picture.

    Pixels are numbered row by row in the picture with a border of half a patch, so that steps within a patch never
    leave it.

    Attributes:
        near: rows and columns of the part of the picture (h, w) that holds the hole and all patches that touch it.

    Args:
        image: (1, 3, H, W) in [0, 1]; what it has in the hole does not matter.
        hole: (H, W) bool, not empty.
        usable: (H, W) bool, what may be copied from; none of the hole, at least one patch with a pixel around it.
        generator: draws what is looked at.
    """

    def __init__(self, image: Tensor, hole: Tensor, usable: Tensor, generator: torch.Generator) -> None:
        self.hole, self._generator = hole, generator
        self.near = around(hole, SIDE)
        self._width = hole.shape[1] + 2 * _RADIUS
        # One pixel more than a patch, as the gradient at its rim needs it.
        whole = whole_patches(usable, SIDE + 2)
        touched = F.max_pool2d(hole[None, None].float(), SIDE, 1, _RADIUS)[0, 0] > 0
        self._whole = _bordered(whole).flatten()
        self._targets = _bordered(touched).flatten().nonzero()[:, 0]
        # With the known pixels to the left and above, as a difference across the rim belongs to them.
        before = F.pad(hole[:, 1:], (0, 1)) | F.pad(hole[1:], (0, 0, 0, 1))
        self._pixels = _bordered(hole | before).flatten().nonzero()[:, 0]
        self._known = _bordered(before & ~hole).flatten()[self._pixels]
        self._number = torch.full((self._whole.numel(),), -1)
        self._number[self._targets] = torch.arange(len(self._targets))
        step = torch.arange(SIDE) - _RADIUS
        self._steps = (step[:, None] * self._width + step).flatten().tolist()
        self._basis = patch_basis(image, whole.flatten().nonzero()[:, 0], SIDE, DIMENSIONS, generator)
        self._described = self._describe(image)
        values = F.pad(torch.cat([image, *gradients(image)], 1), (_RADIUS,) * 4, mode="replicate")
        self._values = values[0].flatten(1).T.contiguous()
        self._source = torch.empty(0, dtype=torch.long)
        self._distance = torch.empty(0)

    def begin(self, offsets: Tensor) -> None:
        """Sources along offsets (H, W, 2); a target outside the hole takes that of the nearest pixel of the hole."""
        rows, columns = self._places(self._targets)
        nearest = torch.from_numpy(
            ndimage.distance_transform_edt(~self.hole.numpy(), return_distances=False, return_indices=True)
        )
        offset = offsets[nearest[0][rows, columns], nearest[1][rows, columns]]
        self._adopt(rows + offset[:, 0], columns + offset[:, 1])

    def carry(self, before: "PatchField") -> None:
        """Sources of a field at half the size, so that what was copied in one piece stays in one piece."""
        rows, columns = self._places(self._targets)
        number = before._number[before._at(rows // 2, columns // 2)].clamp_min(0)
        source_rows, source_columns = before._places(before._source[number])
        self._adopt(2 * source_rows + rows % 2, 2 * source_columns + columns % 2)

    def improve(self, target: Tensor) -> None:
        """Takes over neighbours' sources, and looks around its own, where the patch is more like the target's.

        Args:
            target: (1, 3, h, w), the picture as it was voted.
        """
        rows, columns = self._places(self._targets)
        rows, columns = rows - self.near[0].start + _RADIUS, columns - self.near[1].start + _RADIUS
        wanted = self._describe(target)[rows * (target.shape[3] + 2 * _RADIUS) + columns]
        self._distance = self._distances(self._source, wanted)
        for step in (1, self._width, -1, -self._width):
            beside = self._number[self._targets + step]
            found = torch.where(beside >= 0, self._source[beside.clamp_min(0)] - step, self._source)
            self._take(found, wanted)
        around = torch.randint(-REACH, REACH + 1, (2, len(self._source)), generator=self._generator)
        self._take(self._source + around[0] * self._width + around[1], wanted)

    def vote(self, with_gradients: bool = False) -> Tensor:
        """What the patches say of each pixel of the hole, over the picture.

        Returns:
            (1, 3, h, w) colours, or (1, 9, h, w): colours and differences to the pixel on the right and the one below,
            across the rim of the hole too.
        """
        depth = 9 if with_gradients else 3
        values = self._values[:, :depth]
        scale = self._distance.median().clamp_min(1e-6)
        weight = torch.exp(-DECIDED / 2 * self._distance / scale) + 1e-6
        total, share = torch.zeros(len(self._pixels), depth), torch.zeros(len(self._pixels), 1)
        for step in self._steps:
            number = self._number[self._pixels - step]
            own = torch.where(number >= 0, weight[number], 0)[:, None]
            total.addcmul_(values[self._source[number] + step], own)
            share += own
        result = values.view(-1, self._width, depth)[_RADIUS:-_RADIUS, _RADIUS:-_RADIUS][self.near].clone()
        rows, columns = self._places(self._pixels)
        rows, columns = rows - self.near[0].start, columns - self.near[1].start
        known = result[rows, columns, :3]
        result[rows, columns] = total / share.clamp_min(1e-12)
        result[rows, columns, :3] = torch.where(self._known[:, None], known, result[rows, columns, :3])
        return result.permute(2, 0, 1)[None].contiguous()

    def sources(self) -> Tensor:
        """(H, W, 2) row and column that each pixel of the hole is copied from; of other pixels, their own."""
        height, width = self.hole.shape
        found = torch.stack(torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij"), -1)
        pixels = _bordered(self.hole).flatten().nonzero()[:, 0]
        found[self.hole] = torch.stack(self._places(self._source[self._number[pixels]]), -1)
        return found

    def _describe(self, image: Tensor) -> Tensor:
        return describe(F.pad(image, (_RADIUS,) * 4, mode="replicate"), self._basis)

    def _places(self, numbers: Tensor) -> tuple[Tensor, Tensor]:
        return numbers // self._width - _RADIUS, numbers % self._width - _RADIUS

    def _at(self, rows: Tensor, columns: Tensor) -> Tensor:
        height, width = self.hole.shape
        return (rows.clamp(0, height - 1) + _RADIUS) * self._width + columns.clamp(0, width - 1) + _RADIUS

    def _adopt(self, rows: Tensor, columns: Tensor) -> None:
        """Takes sources at rows and columns; where they are not whole patches, a neighbour's, in the end any."""
        source = self._at(rows, columns)
        bad = ~self._whole[source]
        for step in (1, self._width, -1, -self._width) * 12:
            if not bad.any():
                break
            beside = self._number[self._targets + step]
            found = source[beside.clamp_min(0)] - step
            good = bad & (beside >= 0) & ~bad[beside.clamp_min(0)] & self._whole[found]
            source, bad = torch.where(good, found, source), bad & ~good
        if bad.any():
            known = self._whole.nonzero()[:, 0]
            source[bad] = known[torch.randint(len(known), (int(bad.sum()),), generator=self._generator)]
        self._source, self._distance = source, torch.ones(len(source))

    def _take(self, found: Tensor, wanted: Tensor) -> None:
        distance = self._distances(found, wanted)
        better = distance < self._distance
        self._source = torch.where(better, found, self._source)
        self._distance = torch.where(better, distance, self._distance)

    def _distances(self, source: Tensor, wanted: Tensor) -> Tensor:
        apart = (self._described[source] - wanted).square_().sum(1)
        return torch.where(self._whole[source], apart, torch.inf)


def _bordered(plane: Tensor) -> Tensor:
    return F.pad(plane, (_RADIUS,) * 4)
