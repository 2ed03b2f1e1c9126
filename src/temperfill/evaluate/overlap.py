"""Pictures that are both trained on and measured on: found by place, by content and by looks."""

import hashlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from temperfill import images
from temperfill.config import Overlap
from temperfill.data import list_pictures, local_path
from temperfill.data.indexed import Joined, open_indexed

_SIDE, _FREQUENCIES = 32, 12
NEAR = 0.16
"""Share of differing bits up to which two pictures are nearly the same. Measured: docs/decisions.md."""
_PLAIN = 2.0  # grey levels; the root mean square of a picture's low frequencies, below which they are noise
_NAMED = 5


@dataclass(frozen=True)
class Shared:
    """A picture of training that is measured on, too.

    Attributes:
        training: its name among the pictures of training.
        held_out: its path among the others.
        how: what is the same.
    """

    training: str
    held_out: Path
    how: str


@dataclass(frozen=True)
class Checked:
    """What was compared, and what was found.

    Attributes:
        training: pictures of training.
        held_out: pictures that training must not see.
        left_out: pictures that cannot be read, or are too plain to be compared by their looks.
        shared: what both have.
    """

    training: int
    held_out: int
    left_out: int
    shared: list[Shared]

    def __str__(self) -> str:
        count = len({found.held_out for found in self.shared})
        text = (
            f"{self.held_out:,} held-out pictures were compared with {self.training:,} of training by path, by SHA-256 "
            f"and by a perceptual hash (also mirrored, and their centre squares): {count or 'none'} in common"
        )
        named = [f"{found.held_out} is {found.how} as {found.training}" for found in self.shared[:_NAMED]]
        more = [f"and {len(self.shared) - _NAMED} more pairs"] if len(self.shared) > _NAMED else []
        text += f" ({'; '.join([*named, *more])})" if named else ""
        return text + (f"; {self.left_out} are unreadable or too plain for the hash" if self.left_out else "") + "."


def check_overlap(
    train: Sequence[str | Path], held_out: Sequence[Path], overlap: Overlap, progress: bool = True
) -> str:
    """What a report says of pictures that are in training and outside it.

    Args:
        train: folders of training pictures or of shards, or URLs of either.
        held_out: files that training must not see.
        overlap: "refuse" stops where there are any, "allow" names them, "unchecked" does not look.
        progress: show it.

    Raises:
        ValueError: there are any and they are refused; or as :func:`find_overlap`.
        OSError: as :func:`find_overlap`.
    """
    if overlap == "unchecked":
        return "Whether training saw held-out pictures was not checked (overlap unchecked)."
    found = find_overlap(train, held_out, progress)
    if found.shared and overlap == "refuse":
        raise ValueError(f"training would see held-out pictures: {found} Choose other folders, or --overlap allow")
    return str(found)


def pictures_of(folders: Sequence[Path]) -> list[Path]:
    """All pictures of folders.

    Raises:
        OSError: no such folder.
        ValueError: no picture in one.
    """
    return [path for folder in folders for path in list_pictures(folder)]


def find_overlap(train: Sequence[str | Path], held_out: Sequence[Path], progress: bool = True) -> Checked:
    """Compares every picture of training with every held-out one. About 2 ms for a small JPEG file.

    Args:
        train: folders of training pictures or of shards, or URLs of either.
        held_out: picture files.
        progress: show it.

    Raises:
        OSError: a folder is missing, a held-out picture or a remote place cannot be read.
        ValueError: a folder without pictures, or damaged shards.
    """
    from temperfill.progress import tracked

    known = _HeldOut(held_out)
    pictures = Joined([open_indexed(entry) for entry in train])
    local = np.repeat([local_path(entry) is not None for entry in train], np.diff(pictures.bounds))
    shared = []
    for number in tracked(range(len(pictures)), "compare with held-out pictures", progress):
        name = pictures.name(number)
        try:
            content = pictures.read(number)
        except ConnectionError:
            raise
        except (OSError, ValueError):
            known.left_out += 1
            continue
        shared += [Shared(name, path, how) for path, how in known.like(Path(name) if local[number] else None, content)]
    return Checked(len(pictures), len(held_out), known.left_out, shared)


class _HeldOut:
    """Held-out pictures by their places, contents and looks; counts what has no looks to compare."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = paths
        self.left_out = 0
        self.by_place = {path.resolve(): path for path in paths}
        self.by_content: dict[str, Path] = {}
        bits, owners = [], []
        for number, path in enumerate(paths):
            content = path.read_bytes()
            self.by_content.setdefault(hashlib.sha256(content).hexdigest(), path)
            for looks in self._looks(content, mirrored=True):
                bits.append(looks)
                owners.append(number)
        self.bits = np.array(bits, bool).reshape(-1, _FREQUENCIES**2 - 1)
        self.owners = np.array(owners, int)

    def like(self, place: Path | None, content: bytes) -> Iterator[tuple[Path, str]]:
        """The held-out pictures that a picture of training is, and how it is like them."""
        same = self.by_place.get(place.resolve()) if place else None
        if same is not None:
            yield same, "the same file"
            return
        same = self.by_content.get(hashlib.sha256(content).hexdigest())
        if same is not None:
            yield same, "the same bytes"
            return
        near: set[int] = set()
        for looks in self._looks(content):
            near |= set(self.owners[(self.bits != looks).mean(1) <= NEAR].tolist())
        for number in sorted(near):
            yield self.paths[number], "nearly the same picture"

    def _looks(self, content: bytes, mirrored: bool = False) -> list[NDArray[np.bool_]]:
        try:
            grey = images.read_small(io.BytesIO(content), 2 * _SIDE)
        except (ValueError, OSError):
            self.left_out += 1
            return []
        found = list(perceptual_hashes(grey))
        self.left_out += not found
        return found + (list(perceptual_hashes(grey[:, ::-1])) if mirrored else [])


def perceptual_hashes(grey: NDArray[np.uint8]) -> Iterator[NDArray[np.bool_]]:
    """What the whole of a picture and its centre square look like; nothing of plain ones.

    The signs of the low frequencies of a cosine transform about their median (as in pHash; Zauner 2010).

    Args:
        grey: (H, W).

    Returns:
        One or two arrays of 143 bits.
    """
    height, width = grey.shape
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    parts = [grey] if height == width else [grey, grey[top : top + side, left : left + side]]
    for part in parts:
        small = images.resize_grey(part, _SIDE)
        low = fft.dctn(small, norm="ortho")[:_FREQUENCIES, :_FREQUENCIES].ravel()[1:]
        if np.sqrt((low**2).mean()) * _FREQUENCIES / _SIDE >= _PLAIN:
            yield low > np.median(low)
