"""Colour profiles of curves and primaries, in floating point: the way of deep pictures to sRGB and back.

Pillow's colour management computes with 8 bits for each colour. Layout and curves: ICC.1:2022, clauses 7.2, 7.3, 10.6
(curv) and 10.18 (para).
"""

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Colours = NDArray[np.float32]

# Linear sRGB to XYZ as profiles mean it, adapted to D50 (IEC 61966-2-1, Bradford).
_SRGB = np.array(
    [[0.4360747, 0.3850649, 0.1430804], [0.2225045, 0.7168786, 0.0606169], [0.0139322, 0.0971045, 0.7141733]]
)
_ROWS = 1 << 18  # pixels that are converted at once
# How many numbers a parametric curve of each kind has.
_NUMBERS = (1, 3, 4, 5, 7)


@dataclass(frozen=True)
class Curve:
    """A curve from stored values to light, both in [0, 1]: (ax + b)^g + e from d on, cx + f below; or a table.

    Attributes:
        numbers: g, a, b, c, d, e, f.
        table: light at evenly spaced values, rising; instead of the numbers.
    """

    numbers: tuple[float, ...] = (1, 1, 0, 0, 0, 0, 0)
    table: NDArray[np.float64] | None = None

    def light(self, values: NDArray[Any]) -> NDArray[Any]:
        """Of stored values."""
        if self.table is not None:
            return np.interp(values, np.linspace(0, 1, len(self.table)), self.table)
        g, a, b, c, d, e, f = self.numbers
        return np.where(values >= d, np.maximum(a * values + b, 0) ** g + e, c * values + f)

    def values(self, light: NDArray[Any]) -> NDArray[Any]:
        """To be stored for some light."""
        if self.table is not None:
            return np.interp(light, self.table, np.linspace(0, 1, len(self.table)))
        g, a, b, c, d, e, f = self.numbers
        curved = (np.maximum(light - e, 0) ** (1 / g) - b) / a
        return np.where(light >= max(a * d + b, 0) ** g + e, curved, (light - f) / c if c else d)


SRGB_CURVE = Curve((2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045, 0, 0))
"""That of sRGB (IEC 61966-2-1)."""


@dataclass(frozen=True)
class Profile:
    """What a profile says of the colours of a picture.

    Attributes:
        curves: one for each channel, 1 or 3.
        matrix: (3, 3) from its linear colours to those of sRGB; of no matter for one channel.
    """

    curves: tuple[Curve, ...]
    matrix: NDArray[np.float64]

    def to_srgb(self, values: Colours) -> Colours:
        """(N, C) stored values in [0, 1] as (N, 3) sRGB in [0, 1]; what sRGB does not hold is cut off."""
        result = np.empty((len(values), 3), np.float32)
        for part in _parts(len(values)):
            light = np.stack([curve.light(values[part, c]) for c, curve in enumerate(self.curves)], -1)
            light = light @ self.matrix.T if len(self.curves) == 3 else light.repeat(3, -1)
            result[part] = SRGB_CURVE.values(light.clip(0, 1)).clip(0, 1)
        return result

    def from_srgb(self, colours: Colours) -> Colours:
        """(N, 3) sRGB in [0, 1] as (N, C) values to be stored, in [0, 1]."""
        result = np.empty((len(colours), len(self.curves)), np.float32)
        back = np.linalg.inv(self.matrix).T
        for part in _parts(len(colours)):
            light = SRGB_CURVE.light(colours[part])
            light = light @ back if len(self.curves) == 3 else (light @ _SRGB[1])[:, None]
            light = light.clip(0, 1)
            result[part] = np.stack([curve.values(light[:, c]) for c, curve in enumerate(self.curves)], -1).clip(0, 1)
        return result


def read_profile(data: bytes) -> Profile:
    """Reads a profile.

    Args:
        data: of the ICC profile.

    Raises:
        ValueError: damaged, or not one of grey or RGB that has curves and primaries alone.
    """
    try:
        tags = _tags(data)
        if data[16:20] == b"GRAY":
            return Profile((_curve(tags[b"kTRC"]),), np.eye(3))
        if data[16:20] != b"RGB " or b"A2B0" in tags:
            raise ValueError("only profiles of curves and primaries are used for more than 8 bits")
        curves = tuple(_curve(tags[name]) for name in (b"rTRC", b"gTRC", b"bTRC"))
        primaries = [np.array(struct.unpack(">3i", tags[name][8:20])) for name in (b"rXYZ", b"gXYZ", b"bXYZ")]
        matrix = np.linalg.inv(_SRGB) @ np.stack(primaries, -1) / 65536
        if abs(np.linalg.det(matrix)) < 1e-6:
            raise ValueError("its primaries lie on a line")
    except (LookupError, struct.error, ArithmeticError) as error:
        raise ValueError(f"it is damaged: {error}") from None
    return Profile(curves, matrix)


def _tags(data: bytes) -> dict[bytes, bytes]:
    (count,) = struct.unpack_from(">I", data, 128)
    found = {}
    for number in range(min(count, 200)):
        name, start, size = struct.unpack_from(">4sII", data, 132 + 12 * number)
        found[name] = data[start : start + size]
    return found


def _curve(tag: bytes) -> Curve:
    if tag[:4] == b"para":
        (kind,) = struct.unpack_from(">H", tag, 8)
        n = [value / 65536 for value in struct.unpack_from(f">{_NUMBERS[kind]}i", tag, 12)]
        numbers = _seven(kind, n)
        if numbers[0] <= 0 or numbers[1] <= 0:
            raise ValueError("a curve of it does not rise")
        return Curve(numbers)
    if tag[:4] != b"curv":
        raise ValueError("it has curves of an unknown kind")
    (count,) = struct.unpack_from(">I", tag, 8)
    if count == 0:
        return Curve()
    values = np.frombuffer(tag, ">u2", count, 12)
    if count == 1:
        if not values[0]:
            raise ValueError("a curve of it does not rise")
        return Curve((values[0] / 256, 1, 0, 0, 0, 0, 0))
    table = np.maximum.accumulate(values / 65535)
    if table[0] == table[-1]:
        raise ValueError("a curve of it does not rise")
    return Curve(table=table)


def _seven(kind: int, n: list[float]) -> tuple[float, ...]:
    """All numbers of a parametric curve, of those which its kind has."""
    if kind == 0:
        return (n[0], 1, 0, 0, 0, 0, 0)
    if kind in (1, 2):
        offset = n[3] if kind == 2 else 0
        return (n[0], n[1], n[2], 0, -n[2] / (n[1] or 1), offset, offset)
    return (*n, 0, 0) if kind == 3 else tuple(n)


def _parts(length: int) -> list[slice]:
    return [slice(start, start + _ROWS) for start in range(0, length, _ROWS)]
