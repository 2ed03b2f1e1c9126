"""Detail carried along given sources."""

import pytest
import torch

from attention import contextual_unfold
from temperfill.inpainter import transfer

CELL = 8


def carry_detail(
    detail: torch.Tensor, cells: torch.Tensor, weights: torch.Tensor, sources: torch.Tensor, cell: int
) -> torch.Tensor:
    """That of the package, for tensors."""
    return torch.from_numpy(transfer.carry_detail(*(each.numpy() for each in (detail, cells, weights, sources)), cell))


def test_each_cell_from_itself_gives_the_detail_back() -> None:
    """The windows of all cells add up to 1 everywhere but at the rim, where neighbours are missing."""
    detail = torch.rand(1, 3, 5 * CELL, 7 * CELL)
    cells = torch.arange(35)
    carried = carry_detail(detail, cells, torch.ones(35, 1), cells[:, None], CELL)
    inner = (..., slice(CELL // 2, -CELL // 2), slice(CELL // 2, -CELL // 2))
    torch.testing.assert_close(carried[inner], detail[inner])


def test_a_shift_is_copied_exactly_inside() -> None:
    detail = torch.rand(1, 1, 8 * CELL, 8 * CELL)
    rows, columns = torch.meshgrid(torch.arange(1, 4), torch.arange(1, 4), indexing="ij")
    cells = (rows * 8 + columns).flatten()
    sources = ((rows + 3) * 8 + columns + 2).flatten()[:, None]
    carried = carry_detail(detail, cells, torch.full((9, 1), 0.3), sources, CELL)
    low, high = 3 * CELL // 2, 7 * CELL // 2
    expected = detail[..., low + 3 * CELL : high + 3 * CELL, low + 2 * CELL : high + 2 * CELL]
    torch.testing.assert_close(carried[..., low:high, low:high], expected)
    assert carried[..., 5 * CELL :, :].abs().max() == 0


def test_sources_are_averaged_by_their_weights() -> None:
    detail = torch.zeros(1, 1, 6 * CELL, 6 * CELL)
    detail[..., : 3 * CELL, :] = 1.0
    cells = torch.tensor([14, 15, 20, 21])
    weights = torch.tensor([[3.0, 1.0]]).expand(4, 2)
    sources = torch.tensor([[7, 28]]).expand(4, 2)
    carried = carry_detail(detail, cells, weights, sources, CELL)
    centre = carried[..., 5 * CELL // 2 : 7 * CELL // 2, 5 * CELL // 2 : 7 * CELL // 2]
    torch.testing.assert_close(centre, torch.full_like(centre, 0.75))
    torch.testing.assert_close(carry_detail(detail, cells, weights * 0, sources, CELL), torch.zeros_like(detail))


@pytest.mark.parametrize("cell", [4, 16])
def test_it_is_what_unfold_and_fold_give(cell: int) -> None:
    random = torch.Generator().manual_seed(0)
    rows, columns = 5, 7
    detail = torch.randn(1, 3, rows * cell, columns * cell, generator=random)
    cells = torch.randperm(rows * columns, generator=random)[:20]
    weights = torch.rand(20, 4, generator=random)
    sources = torch.randint(rows * columns, (20, 4), generator=random)
    expected = contextual_unfold.carry(detail, cells, weights, sources, cell)
    torch.testing.assert_close(carry_detail(detail, cells, weights, sources, cell), expected, atol=1e-6, rtol=0)
