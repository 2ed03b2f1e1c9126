"""Pictures and masks of an evaluation: chosen, drawn and checked before any work."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from temperfill import images, masks, report
from temperfill.data import list_pictures

Bytes = NDArray[np.uint8]
Hole = NDArray[np.bool_]
T = TypeVar("T")

FREE_FORM_SQUARE = "free-form-square"
"""Name of drawn masks: strokes united with a square, as in training."""
_RATIO = re.compile(r"ratio-(\d*\.?\d+)-(\d*\.?\d+)")
_SPLITS = ("train", "val", "valid", "validation", "test")
_HINT = (
    "masks stand in <group>/<kind>/<stem>.png, kind being the folder of the picture; without a folder they are drawn"
)


@dataclass(frozen=True)
class Item:
    """One picture with its masks.

    Attributes:
        kind: name of the folder of pictures.
        path: of the picture.
        masks: group to file of the mask.
    """

    kind: str
    path: Path
    masks: dict[str, Path]


def evenly(members: Sequence[T], count: int) -> list[T]:
    """``count`` of the members (at most as many as there are), evenly spread, the first among them."""
    return [members[i * len(members) // count] for i in range(count)]


def choose(folders: Sequence[Path], limit: int) -> dict[str, list[Path]]:
    """Kind to pictures.

    Args:
        folders: one kind each, named after the folder, or after its parent if it is called train, val, test, ...
        limit: at most this many pictures of each, evenly spread; 0 takes all.

    Raises:
        OSError: a folder is missing.
        ValueError: no folder, no pictures in one, or two kinds or two pictures of one kind with the same name.
    """
    if not folders:
        raise ValueError("no pictures: name at least one folder")
    chosen: dict[str, list[Path]] = {}
    for folder in folders:
        resolved = folder.resolve()
        kind = resolved.parent.name if resolved.name in _SPLITS else resolved.name
        if not kind or kind in (*chosen, report.ALL):
            raise ValueError(
                f"{folder}: its kind would be called {kind!r}, which is empty or already used; rename the folder"
            )
        paths = list_pictures(folder)
        by_stem: dict[str, Path] = {}
        for path in paths:
            other = by_stem.setdefault(path.stem, path)
            if other != path:
                raise ValueError(
                    f"{other} and {path} have the same stem, so their composites would collide; rename one"
                )
        chosen[kind] = evenly(paths, limit) if 0 < limit < len(paths) else paths
    return chosen


def with_masks(
    chosen: dict[str, list[Path]],
    stored: Path | None,
    groups: Sequence[str],
    kinds: dict[str, tuple[float, float] | None],
    drawn_dir: Path,
    size: int,
    seed: int,
) -> list[Item]:
    """Every picture with its masks, which exist, can be read and have the size.

    Args:
        chosen: kind to pictures.
        stored: folder of stored masks; None draws them.
        groups: of stored masks; none means all.
        kinds: of drawn masks, from :func:`mask_kinds`.
        drawn_dir: drawn masks are written there.
        size: side of the masks, pixels.
        seed: of drawn masks.

    Raises:
        OSError: the folder or a mask is missing, or a drawn mask cannot be written.
        ValueError: unknown group, damaged mask, one of another size, or a ratio bin that cannot be drawn.
    """
    if stored is None and groups:
        raise ValueError("groups choose among stored masks; name their folder, or the kinds of masks to draw")
    names = list(kinds) if stored is None else _stored_groups(stored, groups)
    items = []
    for kind, paths in chosen.items():
        for path in paths:
            files = {group: (stored or drawn_dir) / group / kind / f"{path.stem}.png" for group in names}
            for group, file in files.items():
                if stored is None:
                    _draw(file, kinds[group], seed, size)
                elif not file.is_file():
                    raise FileNotFoundError(f"no mask {file} for the picture {path}; {_HINT}")
                else:
                    images.to_mask(file, (size, size))
            items.append(Item(kind, path, files))
    return items


def mask_kinds(text: str) -> dict[str, tuple[float, float] | None]:
    """Kinds of masks to draw, joined by commas, to ratio bins; None for strokes and square.

    Raises:
        ValueError: an unknown kind.
    """
    kinds: dict[str, tuple[float, float] | None] = {}
    for name in text.split(","):
        match = _RATIO.fullmatch(name)
        if match is None and name != FREE_FORM_SQUARE:
            raise ValueError(f"unknown kind of masks {name!r}; known are {FREE_FORM_SQUARE} and ratio-LOW-HIGH")
        kinds[name] = (float(match[1]), float(match[2])) if match else None
    return kinds


def _stored_groups(folder: Path, groups: Sequence[str]) -> list[str]:
    if not folder.is_dir():
        raise NotADirectoryError(f"no folder of masks at {folder}; {_HINT}")
    stored = sorted(path.name for path in folder.iterdir() if path.is_dir())
    unknown = [group for group in groups if group not in stored]
    if unknown or not stored:
        raise ValueError(f"{folder} holds the groups of masks {stored}, not {unknown or 'any'}; {_HINT}")
    return [name for name in stored if not groups or name in groups]


def _draw(path: Path, ratio: tuple[float, float] | None, seed: int, size: int) -> None:
    hole = drawn(path.parts[-3], f"{path.parent.name}/{path.name}", ratio, seed, size)
    path.parent.mkdir(parents=True, exist_ok=True)
    images.save_picture(path, images.open_picture(hole.astype(np.uint8) * 255))


def drawn(group: str, place: str, ratio: tuple[float, float] | None, seed: int, size: int) -> Hole:
    """A mask (size, size), which depends on these alone, so that other pictures do not change it.

    Args:
        group: name of the kind of masks.
        place: KIND/STEM.png.
        ratio: bin of the hole's share of the picture; None for strokes and square.
        seed: of the set of masks.
        size: side, pixels.
    """
    rng = np.random.default_rng([seed, *hashlib.sha256(f"{group}/{place}".encode()).digest()])
    return masks.by_ratio(size, size, *ratio, rng) if ratio else masks.free_form_square(size, size, rng)


class MaskSets:
    """The masks of an evaluation by group: how many there are, and a SHA-256 over all of them."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[int, Any]] = {}

    def add(self, group: str, item: Item, hole: Hole) -> None:
        """Takes the next mask of a group."""
        count, digest = self._found.get(group, (0, hashlib.sha256()))
        digest.update(f"{item.kind}/{item.path.stem} {hole.shape}".encode() + np.packbits(hole).tobytes())
        self._found[group] = count + 1, digest

    def summary(self) -> dict[str, dict[str, int | str]]:
        """Group to ``masks``, their number, and ``sha256``."""
        return {group: {"masks": count, "sha256": sha.hexdigest()} for group, (count, sha) in self._found.items()}


def square(path: Path, size: int, squash: bool = False) -> Bytes:
    """Centre square of a picture file, or with ``squash`` all of it, Lanczos to (size, size, 3) bytes."""
    picture = images.read_rgb(path)
    if squash:
        return images.resize_short_side(picture, size, squash)
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return images.resize_short_side(picture[top : top + side, left : left + side], size)
