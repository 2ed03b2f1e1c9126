"""A field of sources: carried without breaking pieces, improved, and voted."""

import numpy as np

from synthesis.pictures import middle, noise, stripes
from temperfill.arrays import Array
from temperfill.synthesis.draws import Draws, Numbers
from temperfill.synthesis.field import PatchField
from temperfill.synthesis.patches import Mask


def field(picture: Array, hole: Mask) -> PatchField:
    return PatchField(picture, hole, ~hole, Draws(0))


def voted(found: PatchField, picture: Array, with_gradients: bool = False) -> Array:
    """Over the whole picture; zero where nothing was voted."""
    result = np.zeros((9 if with_gradients else 3, *picture.shape[1:]), np.float32)
    result[:3] = picture
    result[:, *found.near] = found.vote(with_gradients)
    return result


def along(hole: Mask, rows: int, columns: int) -> Numbers:
    return np.broadcast_to([rows, columns], (*hole.shape, 2))


def test_patches_along_one_offset_vote_for_a_copy() -> None:
    picture = noise()
    hole = middle(picture, 0.25)
    found = field(np.where(hole, 0, picture), hole)
    found.begin(along(hole, 0, 40))
    told = voted(found, picture, with_gradients=True)
    rows, columns = np.nonzero(hole)
    inside = (rows > 40) & (rows < 55) & (columns < 60)  # here all patches have their sources along the offset
    rows, columns = rows[inside], columns[inside]
    assert np.allclose(told[:3, rows, columns], picture[:, rows, columns + 40], atol=1e-6)
    right = picture[:, rows, columns + 41] - picture[:, rows, columns + 40]
    assert np.allclose(told[3:6, rows, columns], right, atol=1e-6)
    assert np.array_equal(told[:3][:, ~hole], picture[:, ~hole])
    assert np.array_equal(found.sources()[rows, columns], np.stack([rows, columns + 40], 1))
    assert np.array_equal(found.sources()[~hole], np.argwhere(~hole))


def test_a_carried_piece_stays_in_one_piece() -> None:
    small = noise(48, 56)
    hole = middle(small, 0.25)
    before = field(small, hole)
    before.begin(along(hole, 0, 18))
    large, large_hole = noise(96, 112), hole.repeat(2, 0).repeat(2, 1)
    after = field(large, large_hole)
    after.carry(before)
    apart = after.sources()[large_hole] - np.argwhere(large_hole)
    assert (apart == [0, 36]).all(1).mean() > 0.9


def test_sources_are_known_wherever_offsets_lead() -> None:
    picture = noise()
    hole = middle(picture)
    for rows, columns in ((0, 3), (-200, 0), (5, 400)):
        found = field(picture, hole)
        found.begin(along(hole, rows, columns))
        found.improve(found.vote())
        source = found.sources()[hole]
        assert (~hole)[source[:, 0], source[:, 1]].all()


def test_improving_finds_the_stripes() -> None:
    """Sources that are a pixel off are mended by looking around."""
    picture = stripes()
    hole = middle(picture, 0.25)
    found = field(picture, hole)
    found.begin(along(hole, 0, 33))
    before = np.abs(voted(found, picture) - picture).mean()
    for _ in range(4):
        found.improve(picture[:, *found.near])
    assert np.abs(voted(found, picture) - picture).mean() < before / 10
