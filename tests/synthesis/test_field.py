"""A field of sources: carried without breaking pieces, improved, and voted."""

import torch

from synthesis.pictures import middle, noise, stripes
from temperfill.synthesis.field import PatchField


def field(picture: torch.Tensor, hole: torch.Tensor) -> PatchField:
    return PatchField(picture[None], hole, ~hole, torch.Generator().manual_seed(0))


def voted(found: PatchField, picture: torch.Tensor, with_gradients: bool = False) -> torch.Tensor:
    """Over the whole picture; zero where nothing was voted."""
    result = torch.zeros(9 if with_gradients else 3, *picture.shape[1:])
    result[:3] = picture
    result[:, *found.near] = found.vote(with_gradients)[0]
    return result


def along(hole: torch.Tensor, rows: int, columns: int) -> torch.Tensor:
    return torch.tensor([rows, columns]).expand(*hole.shape, 2)


def test_patches_along_one_offset_vote_for_a_copy() -> None:
    picture = noise()
    hole = middle(picture, 0.25)
    found = field(torch.where(hole, 0, picture), hole)
    found.begin(along(hole, 0, 40))
    told = voted(found, picture, with_gradients=True)
    rows, columns = hole.nonzero().unbind(1)
    inside = (rows > 40) & (rows < 55) & (columns < 60)  # here all patches have their sources along the offset
    rows, columns = rows[inside], columns[inside]
    assert torch.allclose(told[:3, rows, columns], picture[:, rows, columns + 40], atol=1e-6)
    right = picture[:, rows, columns + 41] - picture[:, rows, columns + 40]
    assert torch.allclose(told[3:6, rows, columns], right, atol=1e-6)
    assert torch.equal(told[:3][:, ~hole], picture[:, ~hole])
    assert torch.equal(found.sources()[rows, columns], torch.stack([rows, columns + 40], 1))
    assert torch.equal(found.sources()[~hole], (~hole).nonzero())


def test_a_carried_piece_stays_in_one_piece() -> None:
    small = noise(48, 56)
    hole = middle(small, 0.25)
    before = field(small, hole)
    before.begin(along(hole, 0, 18))
    large, large_hole = noise(96, 112), hole.repeat_interleave(2, 0).repeat_interleave(2, 1)
    after = field(large, large_hole)
    after.carry(before)
    apart = after.sources()[large_hole] - large_hole.nonzero()
    assert (apart == torch.tensor([0, 36])).all(1).float().mean() > 0.9


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
    before = (voted(found, picture) - picture).abs().mean()
    for _ in range(4):
        found.improve(picture[None, :, *found.near])
    assert (voted(found, picture) - picture).abs().mean() < before / 10
