"""Which candidates are dust: figures for all of them, and a small network on the surroundings of the likely ones.

The network is small enough for NumPy: three poolings, two dense layers. Where it is in doubt, it looks at the mirrored
surroundings as well. ``python -m tools.dust`` trains it; the page docs/use/dust.md lists where its pictures come from.
"""

import hashlib
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path

import numpy as np
import safetensors
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from temperfill.dust.candidates import FEATURES, Candidate, Picture

FORMAT = "temperfill-dust-1"
"""Value of the metadata key ``format`` of its weights file."""
SIDE = 32
"""Side of a view, pixels. One view is of the size of the picture, one of half of it."""
CHANNELS = 8
"""Of the views of a candidate: both in RGB, then the candidate in both."""
_EDGE = 48  # pixels that are mirrored around a picture; even, at least a view of half size
DOUBT = (-1.5, 6.5)
"""Log odds between which a candidate is looked at again, mirrored."""
_AT_ONCE = 256  # candidates, for memory
Tensors = Mapping[str, NDArray[np.float32]]
Plane = NDArray[np.float32]


class Views:
    """Cuts the surroundings of candidates out of a picture.

    Args:
        picture: (H, W, 3), 8 bits.
    """

    def __init__(self, picture: Picture) -> None:
        height, width = picture.shape[:2]
        margins = ((_EDGE, _EDGE + height % 2), (_EDGE, _EDGE + width % 2), (0, 0))
        self._whole = np.pad(picture, margins, "symmetric" if min(height, width) <= _EDGE else "reflect")
        self._half = halved(self._whole)

    def of(self, candidate: Candidate) -> Picture:
        """(SIDE, SIDE, CHANNELS), 8 bits."""
        row, column = ((place + _EDGE) // 2 * 2 for place in candidate.centre)
        near, wide = SIDE // 2, SIDE
        view = np.zeros((SIDE, SIDE, CHANNELS), np.uint8)
        view[..., :3] = self._whole[row - near : row + near, column - near : column + near]
        view[..., 3:6] = self._half[row // 2 - near : row // 2 + near, column // 2 - near : column // 2 + near]
        part = np.zeros((2 * wide, 2 * wide), np.uint8)
        top, left = candidate.top + _EDGE - (row - wide), candidate.left + _EDGE - (column - wide)
        first, start = max(top, 0), max(left, 0)
        shown = candidate.part[first - top : 2 * wide - top, start - left : 2 * wide - left]
        part[first : first + shown.shape[0], start : start + shown.shape[1]] = shown
        view[..., 6] = part[near : near + SIDE, near : near + SIDE] * 255
        view[..., 7] = part.reshape(SIDE, 2, SIDE, 2).mean((1, 3)) * 255
        return view


def halved(picture: Picture) -> Picture:
    """Half its size, means of 2x2 pixels; an odd last row or column is left out."""
    even = picture[: picture.shape[0] // 2 * 2, : picture.shape[1] // 2 * 2]
    four = np.stack([even[row::2, column::2] for row in (0, 1) for column in (0, 1)])
    return ((four.sum(0, dtype=np.uint16) + 2) // 4).astype(np.uint8)


class DustNetwork:
    """Judges candidates.

    Args:
        tensors: by name, as ``tools.dust.training`` writes them.

    Raises:
        ValueError: tensors are missing, or of other shapes.
    """

    def __init__(self, tensors: Tensors) -> None:
        self._tensors = {name: tensor.astype(np.float32) for name, tensor in tensors.items()}
        for name, shape in SHAPES.items():
            found = self._tensors[name].shape if name in self._tensors else None
            if found != shape:
                raise ValueError(f"the weights for dust have {name} of shape {found} instead of {shape}")

    def glance(self, figures: Plane) -> Plane:
        """(N, FEATURES) to (N,): log odds from figures alone."""
        hidden = self._normal(figures, "glance")
        hidden = self._dense(self._dense(hidden, "glance1"), "glance2")
        return self._dense(hidden, "glance3", is_last=True)[:, 0]

    @property
    def worth(self) -> float:
        """Log odds of a glance below which a candidate is not looked at."""
        return float(self._tensors["worth"][0])

    def look(self, views: Sequence[Picture], figures: Plane) -> Plane:
        """Log odds of candidates, (N,), from their views and their figures, (N, FEATURES).

        They are the means of four looks, mirrored in both ways, where the first one leaves a doubt (``DOUBT``).
        """
        odds = self._look_once(views, figures)
        doubtful = np.flatnonzero((odds > DOUBT[0]) & (odds < DOUBT[1]))
        for rows, columns in ((1, -1), (-1, 1), (-1, -1)):
            mirrored = [views[index][::rows, ::columns] for index in doubtful.tolist()]
            odds[doubtful] += self._look_once(mirrored, figures[doubtful])
        odds[doubtful] /= 4
        return odds

    def _look_once(self, views: Sequence[Picture], figures: Plane) -> Plane:
        answers = [np.zeros(0, np.float32)]
        for start in range(0, len(views), _AT_ONCE):
            some = slice(start, start + _AT_ONCE)
            maps: Plane = np.stack(views[some]).astype(np.float32) / np.float32(255) - np.float32(0.5)
            maps = _pool(self._convolve(maps, "look1"))
            maps = _pool(self._convolve(self._convolve(maps, "look2"), "look3"))
            maps = _pool(self._convolve(maps, "look4"))
            known = np.concatenate([maps.reshape(len(maps), -1), self._normal(figures[some], "look")], 1)
            answers.append(self._dense(self._dense(known, "look5"), "look6", is_last=True)[:, 0])
        return np.concatenate(answers)

    def _normal(self, figures: Plane, name: str) -> Plane:
        return (figures - self._tensors[f"{name}.mean"]) / self._tensors[f"{name}.deviation"]

    def _dense(self, values: Plane, name: str, is_last: bool = False) -> Plane:
        sums = values @ self._tensors[f"{name}.weight"] + self._tensors[f"{name}.bias"]
        return sums if is_last else np.maximum(sums, 0)

    def _convolve(self, maps: Plane, name: str) -> Plane:
        """3x3 with a zero around (N, H, W, C), and the positive part."""
        height, width = maps.shape[1:3]
        around = np.pad(maps, ((0, 0), (1, 1), (1, 1), (0, 0)))
        shifted = [around[:, y : y + height, x : x + width] for y in range(3) for x in range(3)]
        return self._dense(np.concatenate(shifted, 3), name)


def _pool(maps: Plane) -> Plane:
    """The largest of 2x2, (N, H, W, C)."""
    count, height, width, channels = maps.shape
    return maps.reshape(count, height // 2, 2, width // 2, 2, channels).max((2, 4))


def _dense_shapes(name: str, inner: int, outer: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (inner, outer), f"{name}.bias": (outer,)}


SHAPES: dict[str, tuple[int, ...]] = {
    "worth": (1,),
    **{f"{name}.{what}": (FEATURES,) for name in ("glance", "look") for what in ("mean", "deviation")},
    **_dense_shapes("glance1", FEATURES, 32),
    **_dense_shapes("glance2", 32, 32),
    **_dense_shapes("glance3", 32, 1),
    **_dense_shapes("look1", 9 * CHANNELS, 16),
    **_dense_shapes("look2", 9 * 16, 32),
    **_dense_shapes("look3", 9 * 32, 32),
    **_dense_shapes("look4", 9 * 32, 48),
    **_dense_shapes("look5", 4 * 4 * 48 + FEATURES, 64),
    **_dense_shapes("look6", 64, 1),
}
"""Of all tensors; weights of 3x3 have their nine places row by row, each with all channels."""


def digest(tensors: Mapping[str, NDArray[np.floating]]) -> str:
    """SHA-256 of all tensors with their names, types and shapes."""
    total = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        total.update(f"{name} {tensor.dtype} {tensor.shape}".encode() + np.ascontiguousarray(tensor).tobytes())
    return total.hexdigest()


def load_network(path: Path | None = None) -> DustNetwork:
    """The network of a weights file, or the one that comes with the package.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is damaged, or of another kind.
    """
    if path is None:
        path = Path(str(resources.files("temperfill") / "weights" / "dust" / "dust.safetensors"))
    if not path.is_file():
        raise FileNotFoundError(f"no weights file at {path}")
    try:
        with safetensors.safe_open(path, "numpy") as file:
            metadata = file.metadata() or {}
        tensors = load_file(path)
    except SafetensorError as error:
        raise ValueError(f"{path} is not a safetensors file or is damaged ({error})") from None
    if metadata.get("format") != FORMAT:
        raise ValueError(f"{path} has no weights for dust (format {metadata.get('format', 'none')}, expected {FORMAT})")
    if metadata.get("sha256") != digest(tensors):
        raise ValueError(f"{path} is damaged: its content does not match its SHA-256; copy it again")
    return DustNetwork(tensors)
