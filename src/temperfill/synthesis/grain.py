"""Grain: the noise around a hole goes on in it.

What a network draws is smoother than film or a sensor gives it, and a mean of copies is smoother than each. The power
spectrum of the noise is measured in blocks around the hole that hold nothing else. Over the hole, noise of this
spectrum is added, block by block and band by band, as far as it is lacking. Where no noise is found, nothing changes.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from temperfill.synthesis.patches import around, whole_patches

SIDE = 32
"""Of a block, pixels; blocks overlap by half."""
BANDS = (0.0, 0.125, 0.25, 0.375)
"""Lower limits, cycles per pixel, of the bands in which noise is compared; the lowest holds structure, too."""
CLEAN = 0.8 / 255
"""Deviation of noise below which a picture counts as clean; that of rounding to bytes is 0.29 / 255."""
LOUD = 13 / 255
"""Deviation above which it is texture and no noise."""
ALIKE = 1.5
"""How much more fine power than the quietest twentieth a block may have that counts as noise alone."""
LEAST = 0.18
"""Share of the blocks that must be noise alone; where texture is everywhere, it hides any noise."""
FEWEST = 8
"""Blocks without which nothing is measured."""
ASKED = 3000
"""Blocks around the hole that are looked at, at most."""
DARKEST, BRIGHTEST = 0.03, 0.97
"""Means of blocks beyond which noise may be cut off."""
_HALF = SIDE // 2
_ROWS = 8  # of blocks that are worked on at once


@dataclass(frozen=True)
class Noise:
    """What is known of noise.

    Attributes:
        power: (3, SIDE, SIDE), variance of each channel by frequency, as of torch.fft; its mean is that of a pixel.
        mixing: (3, 3), makes independent channels as alike as those of the noise.
    """

    power: Tensor
    mixing: Tensor


def continue_grain(image: Tensor, hole: Tensor, known: Tensor, seed: int = 0) -> Tensor:
    """Adds to a filled hole what it lacks of the noise around it.

    Args:
        image: (3, H, W) in [0, 1], some dozens of pixels around the hole.
        hole: (H, W) bool, True = was filled.
        known: (H, W) bool, True = noise is measured here.
        seed: of what is added.

    Returns:
        (3, H, W), the same bits outside the hole, and everywhere if there is no noise around it.
    """
    if min(hole.shape) < SIDE or not hole.any():
        return image
    noise = measure(image, known)
    if noise is None:
        return image
    near = around(hole, SIDE)
    filled = image.clone()
    filled[:, *near] += _lacking(image[:, *near], hole[near], noise, torch.Generator().manual_seed(seed))
    return torch.where(hole, filled.clamp(0, 1), image)


def measure(image: Tensor, known: Tensor) -> Noise | None:
    """The noise of a picture (3, H, W) where it is known (H, W); None where it is clean or all texture."""
    whole = whole_patches(known, SIDE + 1)[:: _HALF // 2, :: _HALF // 2].nonzero() * (_HALF // 2) - _HALF
    whole = whole[:: -(-len(whole) // ASKED) or 1]
    step = torch.arange(SIDE)
    rows, columns = (whole[:, axis, None] + step for axis in (0, 1))
    blocks = image[:, rows[:, :, None], columns[:, None, :]].transpose(0, 1)
    tone = blocks.mean((1, 2, 3))
    blocks = blocks[(tone > DARKEST) & (tone < BRIGHTEST)]
    if len(blocks) < FEWEST:
        return None
    found = _spectra(blocks)
    fine = _in_bands(found.abs().square().mean(1))[:, 1:].mean(1)
    alone = fine <= ALIKE * fine.quantile(0.05)
    if int(alone.sum()) < max(FEWEST, LEAST * len(blocks)) or not CLEAN**2 < float(fine[alone].mean()) < LOUD**2:
        return None
    found = found[alone]
    fine_bins = found[..., _band_of_bins() > 0]
    together = torch.einsum("ncf,ndf->cd", fine_bins, fine_bins.conj()).real
    deviation = together.diagonal().sqrt()
    alike = together / (deviation[:, None] * deviation) + 1e-3 * torch.eye(3)
    return Noise(found.abs().square().mean(0), torch.linalg.cholesky(alike / (1 + 1e-3)))


def _lacking(part: Tensor, hole: Tensor, noise: Noise, generator: torch.Generator) -> Tensor:
    """(3, h, w) to be added around a hole."""
    height, width = hole.shape
    border = (_HALF, -width % _HALF + _HALF, _HALF, -height % _HALF + _HALF)
    shown = F.pad(part[None], border, mode="reflect")[0]
    weight = _window().square()
    inside = F.pad(hole[None, None].to(part), border)
    covered = F.conv2d(inside, (weight / weight.sum())[None, None], stride=_HALF)[0, 0]
    usual = _in_bands(noise.power.mean(0))
    shares = [_in_bands(_spectra(blocks).abs().square().mean(2)) / usual for blocks in _rows_of_blocks(shown)]
    # As much may be too much by chance; more is texture, which is no reason to take noise away from its neighbours.
    lacking = torch.cat([covered[None], (1 - torch.cat(shares).permute(2, 0, 1)).clamp_min(-0.2)])
    # A single block tells its own noise badly; what is around the hole lacks nothing.
    covered, lacking = F.avg_pool2d(lacking, 3, 1, 1, count_include_pad=False).split((1, len(BANDS)))
    gain = (lacking / covered.clamp_min(1e-3)).clamp(0, 1).sqrt()
    gain[0] = gain[1]
    gain = gain[_band_of_bins()].permute(2, 3, 0, 1)  # (rows, columns, SIDE, SIDE)
    white = torch.randn(shown.shape, generator=generator)
    taper, result = _window().sqrt(), torch.zeros_like(shown)
    for number, blocks in enumerate(_rows_of_blocks(white)):
        some = slice(number * _ROWS, number * _ROWS + len(blocks))
        mixed = torch.einsum("cd,rkdyx->rkcyx", noise.mixing, blocks) * taper
        coloured = torch.fft.fft2(mixed) * (noise.power.sqrt() * gain[some][:, :, None])
        added = (torch.fft.ifft2(coloured).real * taper).permute(2, 3, 4, 0, 1).flatten(0, 2).flatten(1)[None]
        size = ((len(blocks) + 1) * _HALF, shown.shape[2])
        top = number * _ROWS * _HALF
        result[:, top : top + size[0]] += F.fold(added, size, SIDE, stride=_HALF)[0]
    return result[:, _HALF : _HALF + height, _HALF : _HALF + width]


def _rows_of_blocks(image: Tensor) -> tuple[Tensor, ...]:
    """(rows, columns, 3, SIDE, SIDE) of overlapping blocks, some rows at a time."""
    return image.unfold(1, SIDE, _HALF).unfold(2, SIDE, _HALF).permute(1, 2, 0, 3, 4).split(_ROWS)


def _window() -> Tensor:
    """(SIDE, SIDE); overlapping ones sum to one."""
    row = torch.hann_window(SIDE)
    return row[:, None] * row


def _spectra(blocks: Tensor) -> Tensor:
    """Spectra of blocks (..., SIDE, SIDE), apart from their tone and its slope; squares are variances of a pixel."""
    ramp = torch.arange(SIDE) - (SIDE - 1) / 2
    ramp = ramp / ramp.square().sum().sqrt()
    level = blocks - blocks.mean((-2, -1), keepdim=True)
    down = (level.mean(-1) * ramp).sum(-1)[..., None, None] * ramp[:, None]
    along = (level.mean(-2) * ramp).sum(-1)[..., None, None] * ramp
    window = _window()
    return torch.fft.fft2((level - down - along) * window) / window.square().sum().sqrt()


def _band_of_bins() -> Tensor:
    """(SIDE, SIDE), the number of the band of every frequency."""
    row = torch.fft.fftfreq(SIDE)
    return torch.bucketize((row[:, None].square() + row.square()).sqrt(), torch.tensor(BANDS), right=True) - 1


def _in_bands(power: Tensor) -> Tensor:
    """Means (..., bands) of powers (..., SIDE, SIDE)."""
    bands = _band_of_bins()
    return torch.stack([power[..., bands == band].mean(-1) for band in range(len(BANDS))], -1)
