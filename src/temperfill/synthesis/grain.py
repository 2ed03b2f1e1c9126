"""Grain: the noise around a hole goes on in it.

What a network draws is smoother than film or a sensor gives it, and a mean of copies is smoother than each. The power
spectrum of the noise is measured in blocks around the hole that hold nothing else. Over the hole, noise of this
spectrum is added, block by block and band by band, as far as it is lacking. Where no noise is found, nothing changes.
"""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from temperfill.arrays import Array
from temperfill.synthesis.draws import Draws
from temperfill.synthesis.patches import Mask, around, whole_patches

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
MOST = 3.0
"""Power of the lowest band against the next one, at most: noise is about level there, more is structure."""
LITTLE = 0.1
"""Share of the noise that makes no block plainer than another."""
NOTHING = 1e-12
"""Least strength of a channel's noise, so that one without any can be compared with the others."""
LEAST = 0.18
"""Share of the blocks that must be noise alone; where texture is everywhere, it hides any noise."""
FEWEST = 8
"""Blocks without which nothing is measured."""
ASKED = 3000
"""Blocks around the hole that are looked at, at most."""
DARKEST, BRIGHTEST = 0.03, 0.97
"""Means of blocks beyond which noise may be cut off."""
Spectra = NDArray[np.complex64]
_HALF = SIDE // 2
_ROWS = 8  # of blocks that are worked on at once
_WAVES = np.fft.fft(np.eye(SIDE)).astype(
    np.complex64
)  # Fourier's matrix: faster on small blocks than his fast transform


@dataclass(frozen=True)
class Noise:
    """What is known of noise.

    Attributes:
        power: (3, SIDE, SIDE), variance of each channel by frequency, as of numpy.fft; its mean is that of a pixel.
        mixing: (3, 3), makes independent channels as alike as those of the noise.
    """

    power: Array
    mixing: Array


def continue_grain(image: Array, hole: Mask, known: Mask, seed: int = 0) -> Array:
    """Adds to a filled hole what it lacks of the noise around it.

    Args:
        image: (3, H, W), float32 in [0, 1], some dozens of pixels around the hole.
        hole: (H, W) bool, True = was filled.
        known: (H, W) bool, True = noise is measured here.
        seed: of what is added; the lowest 32 bits count.

    Returns:
        (3, H, W), the same bits outside the hole, and everywhere if there is no noise around it.
    """
    if min(hole.shape) < SIDE or not hole.any():
        return image
    noise = measure(image, known)
    if noise is None:
        return image
    near = around(hole, SIDE)
    filled = image.copy()
    filled[:, *near] += _lacking(image[:, *near], hole[near], noise, Draws(seed))
    return np.where(hole, filled.clip(0, 1), image)


def measure(image: Array, known: Mask) -> Noise | None:
    """The noise of a picture (3, H, W) where it is known (H, W); None where it is clean or all texture."""
    whole = np.argwhere(whole_patches(known, SIDE + 1)[:: _HALF // 2, :: _HALF // 2]) * (_HALF // 2) - _HALF
    whole = whole[:: -(-len(whole) // ASKED) or 1]
    blocks = sliding_window_view(image, (SIDE, SIDE), (1, 2))[:, whole[:, 0], whole[:, 1]].transpose(1, 0, 2, 3)
    tone = blocks.mean((1, 2, 3))
    blocks = blocks[(tone > DARKEST) & (tone < BRIGHTEST)]
    if len(blocks) < FEWEST:
        return None
    found = _spectra(blocks)
    fine = _in_bands(_power(found).mean(1))[:, 1:].mean(1)
    alone = fine <= ALIKE * np.quantile(fine, 0.05)
    if int(alone.sum()) < max(FEWEST, LEAST * len(blocks)) or not CLEAN**2 < float(fine[alone].mean()) < LOUD**2:
        return None
    found = found[alone]
    fine_bins = found[..., _band_of_bins() > 0]
    together = (fine_bins @ fine_bins.conj().transpose(0, 2, 1)).real.sum(0, dtype=np.float64)
    deviation = np.sqrt(together.diagonal()).clip(NOTHING)
    alike = together / (deviation[:, None] * deviation) + 1e-3 * np.eye(3)
    return Noise(_plainest(_power(found)), np.linalg.cholesky(alike / (1 + 1e-3)).astype(np.float32))


def _lacking(part: Array, hole: Mask, noise: Noise, draws: Draws) -> Array:
    """(3, h, w) to be added around a hole."""
    height, width = hole.shape
    border = ((_HALF, -height % _HALF + _HALF), (_HALF, -width % _HALF + _HALF))
    shown = np.pad(part, ((0, 0), *border), "reflect")
    weight = np.square(_window())
    inside = _blocks(np.pad(hole, border)[None].astype(np.float32))
    covered = np.concatenate([(some[:, :, 0] * (weight / weight.sum())).sum((2, 3)) for some in inside])
    usual = _in_bands(noise.power.mean(0))
    shares = np.concatenate([_in_bands(_power(_spectra(some)).mean(2)) / usual for some in _blocks(shown)])
    gain = np.sqrt(_lacking_among(shares.transpose(2, 0, 1), covered))
    gain[0] = gain[1]
    gain = gain[_band_of_bins()].transpose(2, 3, 0, 1)  # (rows, columns, SIDE, SIDE)
    white = draws.normal(shown.shape)
    taper, result = np.sqrt(_window()), np.zeros_like(shown)
    for number, blocks in enumerate(_blocks(white)):
        some = slice(number * _ROWS, number * _ROWS + len(blocks))
        mixed = np.einsum("cd,rkdyx->rkcyx", noise.mixing, blocks) * taper
        coloured = _transformed(mixed, _WAVES) * (np.sqrt(noise.power) * gain[some][:, :, None])
        added = _transformed(coloured, _WAVES.conj()).real * (taper / np.float32(SIDE**2))
        added = added.transpose(2, 0, 3, 1, 4)  # (3, rows, SIDE, columns, SIDE)
        top = number * _ROWS * _HALF
        for down in (0, _HALF):
            for across in (0, _HALF):
                piece = added[:, :, down : down + _HALF, :, across : across + _HALF]
                rows, columns = len(blocks) * _HALF, blocks.shape[1] * _HALF
                result[:, top + down : top + down + rows, across : across + columns] += piece.reshape(3, rows, columns)
    return result[:, _HALF : _HALF + height, _HALF : _HALF + width]


def _blocks(image: Array) -> list[Array]:
    """(rows, columns, C, SIDE, SIDE) of overlapping blocks of planes (C, H, W), some rows at a time."""
    blocks = sliding_window_view(image, (SIDE, SIDE), (1, 2))[:, ::_HALF, ::_HALF].transpose(1, 2, 0, 3, 4)
    return [blocks[top : top + _ROWS] for top in range(0, len(blocks), _ROWS)]


def _lacking_among(shares: Array, covered: Array) -> Array:
    """What the hole lacks of the noise, 0 to 1, in each band and block.

    The plainest of the blocks around say most: structure hides what is lacking beneath it.

    Args:
        shares: (bands, h, w), power of what is shown against that of the noise.
        covered: (h, w), share of a block that lies in the hole; what is around it lacks nothing.

    Returns:
        (bands, h, w).
    """
    weight = covered / (shares + np.float32(LITTLE)) ** 3
    both = np.stack([weight * (1 - shares), weight * covered])
    near = sliding_window_view(np.pad(both, ((0, 0), (0, 0), (1, 1), (1, 1))), (3, 3), (2, 3)).sum((4, 5))
    found: Array = (near[0] / np.maximum(near[1], np.float32(NOTHING))).clip(0, 1)
    return found


def _plainest(power: Array) -> Array:
    """Mean (C, SIDE, SIDE) of the powers of blocks (N, C, SIDE, SIDE), in each band mostly of those with the least."""
    bands = _in_bands(power.mean(1))
    weight = 1 / bands.clip(NOTHING)
    weight[:, 0] = np.square(weight[:, 0])  # structure is in most blocks there
    weight /= weight.sum(0)
    usual = (weight * bands).sum(0)
    weight[:, 0] *= min(1.0, MOST * float(usual[1] / usual[0]))
    found: Array = np.einsum("ncyx,nyx->cyx", power, weight[:, _band_of_bins()])
    return found


def _window() -> Array:
    """(SIDE, SIDE); overlapping ones sum to one."""
    row = 0.5 - 0.5 * np.cos(2 * np.pi / SIDE * np.arange(SIDE))
    return (row[:, None] * row).astype(np.float32)


def _spectra(blocks: Array) -> Spectra:
    """Spectra of blocks (..., SIDE, SIDE), apart from their tone and its slope; squares are variances of a pixel."""
    ramp = (np.arange(SIDE) - (SIDE - 1) / 2).astype(np.float32)
    ramp /= np.sqrt(np.square(ramp).sum())
    level = blocks - blocks.mean((-2, -1), keepdims=True)
    down, along = ((level.mean(axis) * ramp).sum(-1)[..., None] * ramp for axis in (-1, -2))
    level -= down[..., None]
    level -= along[..., None, :]
    window = _window()
    level *= window / np.sqrt(np.square(window).sum())
    return _transformed(level, _WAVES)


def _transformed(blocks: Array | Spectra, waves: Spectra) -> Spectra:
    """Transforms blocks (..., SIDE, SIDE) along both axes."""
    found: Spectra = waves @ (blocks @ waves)
    return found


def _power(spectra: Spectra) -> Array:
    return np.square(spectra.real) + np.square(spectra.imag)


def _band_of_bins() -> NDArray[np.int64]:
    """(SIDE, SIDE), the number of the band of every frequency."""
    row = np.fft.fftfreq(SIDE)
    return np.digitize(np.hypot(row[:, None], row), BANDS) - 1


def _in_bands(power: Array) -> Array:
    """Means (..., bands) of powers (..., SIDE, SIDE)."""
    bands = _band_of_bins()
    return np.stack([power[..., bands == band].mean(-1) for band in range(len(BANDS))], -1)
