"""What travels to the GPU: squares of training pictures in shards, pictures and masks to judge by, weights."""

import io
import json
import math
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from temperfill import images
from temperfill.data.indexed import Joined, open_indexed
from temperfill.data.tars import write_shard
from temperfill.evaluate.inputs import choose

SIDE = 256
"""Side of the squares, pixels."""
_BLOCK, _RECORD = 512, 10240  # of a tar file
_SHARD = "000000.tar"
_ORDER = 5  # stream of the seed


@dataclass(frozen=True)
class Sources:
    """What inputs are made from.

    Attributes:
        train: folders of pictures or of shards.
        sketches: of the same pictures (temperfill sketch), a folder for each of ``train``; or none.
        val: folders of pictures to judge by, which are copied as they are.
        masks: folder of their masks, GROUP/KIND/STEM.png.
        groups: of masks.
        limit: most pictures of each folder of ``val``; 0 for all.
        weights: files for the perceptual loss and the judges.
    """

    train: tuple[Path, ...]
    sketches: tuple[Path, ...] = ()
    val: tuple[Path, ...] = ()
    masks: Path | None = None
    groups: tuple[str, ...] = ()
    limit: int = 0
    weights: tuple[Path, ...] = ()


def prepare(sources: Sources, output: Path, mebibytes: float, quality: int = 80, seed: int = 0) -> dict[str, float]:
    """Writes the inputs: first what is copied, then as many training pictures, in random order, as there is room for.

    Args:
        sources: what they are made from.
        output: folder; new or empty.
        mebibytes: size of all of it.
        quality: of the WebP files in which training pictures are kept.
        seed: of the order.

    Returns:
        How many pictures of how many, and their MiB.

    Raises:
        OSError: cannot be read or written.
        ValueError: the output is not empty, sketches do not fit the pictures, or there is no room for pictures.
    """
    output.mkdir(parents=True, exist_ok=True)
    if any(output.iterdir()):
        raise ValueError(f"{output} is not empty; name a new folder")
    _copy(sources, output)
    pictures = Joined([open_indexed(entry) for entry in sources.train])
    lines = Joined([open_indexed(entry) for entry in sources.sketches]) if sources.sketches else None
    if lines is not None and len(lines) != len(pictures):
        raise ValueError(f"{len(lines)} sketches of {len(pictures)} pictures; draw them anew")
    # Two shards, each with its end and its index, and a few lines of JSON.
    room = int(mebibytes * 2**20) - _size(output) - 2 * (_RECORD + 2 * _BLOCK) - _BLOCK
    kept: list[tuple[bytes, bytes]] = []
    for index in np.random.default_rng([seed, _ORDER]).permutation(len(pictures)):
        pair = _pair(pictures, lines, int(index), quality)
        room -= sum(_in_tar(content) for content in pair if content)
        if room < 0:
            break
        kept.append(pair)
    if not kept:
        raise ValueError(f"there is no room for training pictures in {mebibytes:g} MiB; allow more")
    _write(output / "train", [(f"{i:06d}.webp", picture) for i, (picture, _) in enumerate(kept)])
    if lines is not None:
        _write(output / "sketches", [(f"{i:06d}.png", drawn) for i, (_, drawn) in enumerate(kept)])
    made = {"pictures": len(kept), "of": len(pictures), "mebibytes": _size(output) / 2**20}
    (output / "inputs.json").write_text(json.dumps(made | {"quality": quality, "seed": seed}), encoding="utf-8")
    return made


def load(folder: Path, threads: int = 8) -> tuple[Tensor, NDArray[np.uint8]]:
    """The training pictures of prepared inputs, decoded, and their sketches.

    Args:
        folder: from :func:`prepare`.
        threads: that decode.

    Returns:
        Bytes (N, 3, S, S), and the bits of the lines (N, S, S / 8), as ``numpy.packbits`` packs them; (0, S, S / 8)
        without sketches.

    Raises:
        OSError: cannot be read.
        ValueError: a damaged picture.
    """
    pictures = open_indexed(folder / "train")
    with ThreadPoolExecutor(threads) as pool:
        decoded = list(pool.map(lambda i: images.read_rgb(io.BytesIO(pictures.read(i))), range(len(pictures))))
        stacked = torch.from_numpy(np.stack(decoded)).permute(0, 3, 1, 2).contiguous()
        side = stacked.shape[-1]
        if not (folder / "sketches").is_dir():
            return stacked, np.zeros((0, side, side // 8), np.uint8)
        drawn = open_indexed(folder / "sketches")
        lines = list(pool.map(lambda i: _lines(drawn.read(i)), range(len(drawn))))
    return stacked, np.packbits(np.stack(lines), -1)


def centre_square(pixels: NDArray[np.uint8], side: int = SIDE) -> NDArray[np.uint8]:
    """The middle (side, side, ...) of a picture; raises ValueError for a smaller one."""
    if min(pixels.shape[:2]) < side:
        raise ValueError(f"expected at least {side}x{side} pixels, got {pixels.shape[1]}x{pixels.shape[0]}")
    top, left = ((length - side) // 2 for length in pixels.shape[:2])
    return np.ascontiguousarray(pixels[top : top + side, left : left + side])


def _copy(sources: Sources, output: Path) -> None:
    for path in sources.weights:
        _copied(path, output / "weights" / path.name)
    if not sources.val:
        return
    for kind, paths in choose(sources.val, sources.limit).items():
        for path in paths:
            _copied(path, output / "val" / kind / path.name)
            for group in sources.groups if sources.masks is not None else ():
                name = f"{group}/{kind}/{path.stem}.png"
                _copied(Path(str(sources.masks)) / name, output / "masks" / name)


def _copied(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _size(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _pair(pictures: Joined, lines: Joined | None, index: int, quality: int) -> tuple[bytes, bytes]:
    """The square of a picture as WebP and that of its sketch as PNG; the second is empty without sketches."""
    picture = images.read_rgb(io.BytesIO(pictures.read(index)))
    picture = images.resize_short_side(picture, SIDE)
    square = _encoded(Image.fromarray(centre_square(picture)), "WEBP", quality=quality)
    if lines is None:
        return square, b""
    drawn = images.read_rgb(io.BytesIO(lines.read(index)))[..., 0]
    if drawn.shape != picture.shape[:2]:
        raise ValueError(f"{lines.name(index)} has another size than its picture at a short side of {SIDE}")
    plane = Image.fromarray(np.where(centre_square(drawn) > 127, np.uint8(255), np.uint8(0))).convert("1")
    return square, _encoded(plane, "PNG", optimize=True)


def _encoded(image: Image.Image, kind: str, **options: int | bool) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def _in_tar(content: bytes) -> int:
    """Bytes that a file takes in a shard, its place in the index included."""
    return (1 + math.ceil(len(content) / _BLOCK)) * _BLOCK + 32


def _write(folder: Path, files: Sequence[tuple[str, bytes]]) -> None:
    folder.mkdir()
    write_shard(folder / _SHARD, files)


def _lines(content: bytes) -> NDArray[np.bool_]:
    """(S, S), True = line, of a stored sketch."""
    found: NDArray[np.bool_] = images.read_rgb(io.BytesIO(content))[..., 0] > 127
    return found
