"""A field of nearest patches at one size of the picture: carried from the size before, improved, and voted.

Every patch that touches the hole (a target) has a source, a patch that is wholly known. Good sources are handed on to
neighbours, and each target looks around its own (Barnes et al., PatchMatch, SIGGRAPH 2009). All patches that cover a
pixel say what it should be, good ones with more weight (Wexler et al., Space-Time Completion of Video, 2007), its
gradients as well as its colours (Darabi et al., Image Melding, SIGGRAPH 2012).
"""

from collections.abc import Callable, Iterator

import numpy as np

from temperfill.arrays import Array
from temperfill.distances import nearest_known, nothing
from temperfill.synthesis.draws import Draws, Numbers
from temperfill.synthesis.filters import gradients
from temperfill.synthesis.patches import (
    Mask,
    around,
    describe,
    own_places,
    patch_basis,
    whole_patches,
)

SIDE = 7
"""Of a patch, pixels."""
DIMENSIONS = 20
"""Of what is compared of a patch."""
REACH = 2
"""Pixels around its source that a target looks at."""
DECIDED = 3.0
"""How much more a better patch says: its distance over twice the median is multiplied by it in the exponent."""
PART = 4096
"""Patches or pixels that are worked on at once, so that they stay in the cache."""
_RADIUS = SIDE // 2
_INNER = (slice(_RADIUS, -_RADIUS), slice(_RADIUS, -_RADIUS))


class PatchField:
    """Sources for the patches that touch the hole of a picture.

    Pixels are numbered row by row in the picture with a border of half a patch, so that steps within a patch never
    leave it.

    Attributes:
        near: rows and columns of the part of the picture (h, w) that holds the hole and all patches that touch it.

    Args:
        image: (3, H, W) in [0, 1]; what it has in the hole does not matter.
        hole: (H, W) bool, not empty.
        usable: (H, W) bool, what may be copied from; none of the hole, at least one patch with a pixel around it.
        draws: of what is looked at.
        beat: called now and then; what it raises ends the work.
    """

    def __init__(
        self,
        image: Array,
        hole: Mask,
        usable: Mask,
        draws: Draws,
        beat: Callable[[], None] = nothing,
    ) -> None:
        self.hole, self._image, self._draws, self._beat = hole, image, draws, beat
        self.near = around(hole, SIDE)
        self._width = hole.shape[1] + 2 * _RADIUS
        # One pixel more than a patch, as the gradient at its rim needs it.
        whole = whole_patches(usable, SIDE + 2)
        self._whole = _bordered(whole).ravel()
        untouched = whole_patches(np.pad(~hole, _RADIUS, constant_values=True), SIDE)[_INNER]
        self._targets = np.flatnonzero(_bordered(~untouched))
        # With the known pixels to the left and above, as a difference across the rim belongs to them.
        before = np.zeros_like(hole)
        before[:, :-1] = hole[:, 1:]
        before[:-1] |= hole[1:]
        self._pixels = np.flatnonzero(_bordered(hole | before))
        self._known = _bordered(before & ~hole).ravel()[self._pixels]
        self._number = np.full(self._whole.size, -1)
        self._number[self._targets] = np.arange(len(self._targets))
        step = np.arange(SIDE) - _RADIUS
        self._steps = (step[:, None] * self._width + step).ravel()
        self._basis = patch_basis(image, np.flatnonzero(whole), SIDE, DIMENSIONS, draws)
        self._described = self._describe(image)
        self._source = np.empty(0, np.int64)
        self._distance = np.empty(0, np.float32)

    def begin(self, offsets: Numbers) -> None:
        """Sources along offsets (H, W, 2); a target outside the hole takes that of the nearest pixel of the hole."""
        rows, columns = self._places(self._targets)
        _, nearest_rows, nearest_columns = nearest_known(~self.hole)
        offset = offsets[nearest_rows[rows, columns], nearest_columns[rows, columns]]
        self._adopt(rows + offset[:, 0], columns + offset[:, 1])

    def carry(self, before: "PatchField") -> None:
        """Sources of a field at half the size, so that what was copied in one piece stays in one piece."""
        rows, columns = self._places(self._targets)
        number = np.maximum(before._number[before._at(rows // 2, columns // 2)], 0)
        source_rows, source_columns = before._places(before._source[number])
        self._adopt(2 * source_rows + rows % 2, 2 * source_columns + columns % 2)

    def improve(self, target: Array) -> None:
        """Takes over neighbours' sources, and looks around its own, where the patch is more like the target's.

        Args:
            target: (3, h, w), the picture as it was voted.
        """
        rows, columns = self._places(self._targets)
        rows, columns = rows - self.near[0].start + _RADIUS, columns - self.near[1].start + _RADIUS
        wanted = self._describe(target)[rows * (target.shape[2] + 2 * _RADIUS) + columns]
        self._distance = self._distances(self._source, wanted)
        for step in (1, self._width, -1, -self._width):
            beside = self._number[self._targets + step]
            self._take(np.where(beside >= 0, self._source[beside] - step, self._source), wanted)
        rows, columns = self._draws.numbers(-REACH, REACH + 1, (2, len(self._source)))
        self._take(self._source + rows * self._width + columns, wanted)

    def vote(self, with_gradients: bool = False) -> Array:
        """What the patches say of each pixel of the hole, over the picture.

        Returns:
            (3, h, w) colours, or (9, h, w): colours and differences to the pixel on the right and the one below,
            across the rim of the hole too.
        """
        planes = np.concatenate([self._image, *gradients(self._image)]) if with_gradients else self._image
        depth = len(planes)
        bordered = np.pad(planes.transpose(1, 2, 0), ((_RADIUS,) * 2, (_RADIUS,) * 2, (0, 0)), "edge")
        values = bordered.reshape(-1, depth)
        middle = (len(self._distance) - 1) // 2
        scale = max(float(np.partition(self._distance, middle)[middle]), 1e-6)
        # One more, without weight, for pixels whose neighbours are no targets.
        weight = np.append(np.exp(self._distance * np.float32(-DECIDED / 2 / scale)) + np.float32(1e-6), np.float32(0))
        source = np.append(self._source, self._targets[:1])
        total = np.empty((len(self._pixels), depth), np.float32)
        for some in self._parts(len(self._pixels)):
            number = self._number[self._pixels[some, None] - self._steps]
            own = weight[number]
            own /= np.maximum(own.sum(1, keepdims=True), np.float32(1e-12))
            total[some] = (own[:, None] @ values[source[number] + self._steps])[:, 0]
        inner = bordered[_INNER]
        result = inner[self.near].copy()
        rows, columns = self._places(self._pixels)
        place = rows - self.near[0].start, columns - self.near[1].start
        total[self._known, :3] = result[place][self._known, :3]
        result[place] = total
        return np.ascontiguousarray(result.transpose(2, 0, 1))

    def single(self) -> Array:
        """(6, h, w): differences to the pixel on the right and the one below, each pixel copied from one source."""
        rows, columns = self.sources()[self.near].transpose(2, 0, 1)
        return np.concatenate([steps[:, rows, columns] for steps in gradients(self._image)])

    def sources(self) -> Numbers:
        """(H, W, 2) row and column that each pixel of the hole is copied from; of other pixels, their own."""
        found = own_places(self.hole)
        pixels = np.flatnonzero(_bordered(self.hole))
        found[self.hole] = np.stack(self._places(self._source[self._number[pixels]]), -1)
        return found

    def _describe(self, image: Array) -> Array:
        border = ((0, 0), (_RADIUS, _RADIUS), (_RADIUS, _RADIUS))
        return describe(np.pad(image, border, "edge"), self._basis, self._beat)

    def _parts(self, number: int) -> Iterator[slice]:
        for start in range(0, number, PART):
            self._beat()
            yield slice(start, start + PART)

    def _places(self, numbers: Numbers) -> tuple[Numbers, Numbers]:
        rows = numbers // self._width
        return rows - _RADIUS, numbers - rows * self._width - _RADIUS

    def _at(self, rows: Numbers, columns: Numbers) -> Numbers:
        height, width = self.hole.shape
        return (rows.clip(0, height - 1) + _RADIUS) * self._width + columns.clip(0, width - 1) + _RADIUS

    def _adopt(self, rows: Numbers, columns: Numbers) -> None:
        """Takes sources at rows and columns; where they are not whole patches, a neighbour's, in the end any."""
        source = self._at(rows, columns)
        bad = ~self._whole[source]
        for step in (1, self._width, -1, -self._width) * 12:
            asking = np.flatnonzero(bad)
            if not len(asking):
                break
            self._beat()
            beside = self._number[self._targets[asking] + step]
            asking, beside = asking[beside >= 0], beside[beside >= 0]
            found = source[beside] - step
            good = ~bad[beside] & self._whole[found]
            source[asking[good]] = found[good]
            bad[asking[good]] = False
        if bad.any():
            known = np.flatnonzero(self._whole)
            source[bad] = known[self._draws.numbers(0, len(known), int(bad.sum()))]
        self._source, self._distance = source, np.ones(len(source), np.float32)

    def _take(self, found: Numbers, wanted: Array) -> None:
        """Sources that are better than those that are had; most neighbours offer the same."""
        other = np.flatnonzero((found != self._source) & self._whole[found])
        found = found[other]
        distance = self._distances(found, wanted, other)
        better = distance < self._distance[other]
        self._source[other[better]] = found[better]
        self._distance[other[better]] = distance[better]

    def _distances(self, source: Numbers, wanted: Array, asking: Numbers | None = None) -> Array:
        """Of sources that are whole patches to what is wanted, of some targets or all."""
        found = np.empty(len(source), np.float32)
        for some in self._parts(len(source)):
            apart = self._described[source[some]]
            apart -= wanted[some] if asking is None else wanted[asking[some]]
            found[some] = np.einsum("nd,nd->n", apart, apart)
        return found


def _bordered(plane: Mask) -> Mask:
    return np.pad(plane, _RADIUS)
