"""Grain: as strong in the hole as around it, in every band; nothing for a clean picture."""

import pytest
import torch
import torch.nn.functional as F

from synthesis.pictures import middle, noise
from temperfill.synthesis.grain import SIDE, continue_grain, measure


def shaded(height: int = 160, width: int = 176) -> torch.Tensor:
    """(3, H, W) without noise or edges."""
    rows, columns = torch.linspace(0, 1, height)[:, None], torch.linspace(0, 1, width)
    return torch.stack([0.3 + 0.2 * rows + 0 * columns, 0.4 + 0.2 * rows * columns, 0.5 - 0.1 * columns + 0 * rows])


def grain(soft: bool, grey: bool, deviation: float = 0.03) -> torch.Tensor:
    found = torch.randn(1, 1 if grey else 3, 160, 176, generator=torch.Generator().manual_seed(1))
    if soft:
        found = F.avg_pool2d(F.pad(found, (1, 1, 1, 1), mode="reflect"), 3, 1) * 2
    return deviation * found[0].expand(3, -1, -1)


def bands(image: torch.Tensor, box: tuple[slice, slice]) -> torch.Tensor:
    """Power of the noise in four rings of frequencies, by one transform of a whole box."""
    part = image[:, *box] - shaded()[:, *box]
    power = torch.fft.fft2(part * torch.hann_window(part.shape[1])[:, None] * torch.hann_window(part.shape[2]))
    row, column = (torch.fft.fftfreq(size) for size in part.shape[1:])
    ring = ((row[:, None].square() + column.square()).sqrt() * 8).long().clamp_max(3)
    return torch.stack([power.abs().square().mean(0)[ring == number].mean() for number in range(4)])


@pytest.mark.parametrize("grey", [False, True])
@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("left", [0.0, 0.6])
def test_every_band_is_as_strong_as_around_the_hole(soft: bool, grey: bool, left: float) -> None:
    """Whether the fill has no grain or some of its own."""
    grains = grain(soft, grey)
    image = shaded() + grains
    hole = torch.zeros(160, 176, dtype=torch.bool)
    hole[40:120, 50:130] = True
    box = (slice(44, 116), slice(54, 126))
    filled = continue_grain(torch.where(hole, shaded() + left * grains, image), hole, ~hole)
    apart = 10 * torch.log10(bands(filled, box) / bands(image, box))
    assert apart[1:].abs().max() < 1
    assert apart[0].abs() < 3  # here noise and shading cannot be told apart
    assert torch.equal(filled[:, ~hole], image[:, ~hole])
    alike = torch.corrcoef((filled - shaded())[:, hole])[0, 1]
    assert (alike > 0.9) if grey else (alike < 0.2)


def test_a_seed_gives_its_grain() -> None:
    image = shaded() + grain(False, False)
    hole = middle(image)
    first, again, other = (continue_grain(torch.where(hole, shaded(), image), hole, ~hole, seed) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("kind", ["smooth", "rounded", "texture", "sand", "black"])
def test_clean_pictures_stay_as_they_are(kind: str) -> None:
    image = {"smooth": shaded(), "rounded": (shaded() * 255).round() / 255, "black": 0 * shaded() + grain(True, False)}
    image["texture"] = (shaded() * (1 + noise(160, 176) * torch.linspace(0, 1, 176))).clamp(0, 1)
    image["sand"] = noise(160, 176)
    shown = image[kind].clamp(0, 1)
    hole = middle(shown)
    filled = torch.where(hole, shaded(), shown)
    assert continue_grain(filled, hole, ~hole) is filled


@pytest.mark.parametrize("size", [(1, 40), (40, 1), (SIDE, SIDE), (17, 90)])
@pytest.mark.parametrize("share", [0.4, 1.0])
def test_any_size_and_share(size: tuple[int, int], share: float) -> None:
    image = noise(*size)
    hole = torch.zeros(size, dtype=torch.bool)
    hole[:, : int(size[1] * share)] = True
    filled = continue_grain(image, hole, ~hole)
    assert torch.equal(filled[:, ~hole], image[:, ~hole])
    assert filled.isfinite().all()


def test_noise_is_measured_where_something_else_is_too() -> None:
    """Edges over half of the picture do not count as noise."""
    image = shaded() + grain(True, False)
    image[:, :, ::10] = 0.9
    image[:, :, 90:] = (shaded() + grain(True, False))[:, :, 90:]
    found = measure(image, torch.ones(image.shape[1:], dtype=torch.bool))
    assert found is not None
    wanted = grain(True, False).var()
    assert abs(float(found.power.mean() / wanted) - 1) < 0.15
