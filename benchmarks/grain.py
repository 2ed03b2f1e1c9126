"""Does the grain of a picture go on in what is filled? Pictures with added noise, the hole against what is around it.

python benchmarks/grain.py PICTURES --limit 24

Grain is added to centre squares of --size, and a round hole in the middle is filled with the bundled model, with grain
continued and without. Power is measured in blocks of 16 pixels that are plain without grain: those of the hole as they
are drawn, those around it in the clean picture. It is pooled over the pictures in which grain was found. Prints their
number and, for each band, the hole's power against that around it, in dB.
"""

import argparse
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from texture import square

from temperfill import images
from temperfill.inpainter import Inpainter, texture

SIDE = 16
LIMITS = (1 / 8, 2 / 8, 3 / 8, 1.0)
"""Cycles per pixel between which bands lie."""
PLAIN = 0.4
"""Deviation of detail, as a share of that of the grain, up to which a block counts as plain."""
GRAINS = {"white, 5 levels": (5.0, 0.0, 3), "soft and grey, 8 levels": (8.0, 0.7, 1)}
"""Deviation in levels, that of the blur in pixels, and channels."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--limit", type=int, default=24)
    arguments = parser.parse_args()

    inpainter, add = Inpainter.from_pretrained("base"), texture.continue_noise
    paths = sorted(path for path in arguments.pictures.rglob("*") if path.suffix in images.SUFFIXES)
    paths = paths[:: -(-len(paths) // arguments.limit)]
    rows, columns = np.mgrid[: arguments.size, : arguments.size] - arguments.size / 2
    hole = np.hypot(rows, columns) < 0.2 * arguments.size
    print("| grain | found in | filled | " + " | ".join(f"{a:.3f} to {b:.3f}" for a, b in bands()) + " |")
    print("|---|---:|---|" + "---:|" * len(bands()))
    for kind, (deviation, soft, channels) in GRAINS.items():
        powers: dict[str, list[Any]] = {}
        found = 0
        for number, path in enumerate(paths):
            truth = square(path, arguments.size)
            grainy = truth + grain(truth.shape, deviation, soft, channels, number)
            grainy = grainy.clip(0, 255).round().astype(np.uint8)
            results = {}
            for name, way in (("as drawn", lambda *_: None), ("grain continued", add)):
                texture.continue_noise = way
                results[name] = inpainter(grainy, hole, output_type="np")
            if np.array_equal(results["as drawn"], results["grain continued"]):
                continue
            found += 1
            plain = results["as drawn"]
            for name, filled in results.items():
                powers.setdefault(name, []).extend(measured(filled, plain, hole, deviation * PLAIN))
            powers.setdefault("around", []).extend(measured(grainy, truth, ~hole, deviation * PLAIN))
        for name in ("as drawn", "grain continued"):
            apart = 10 * np.log10(np.mean(powers[name], 0) / np.mean(powers["around"], 0))
            print(f"| {kind} | {found} of {len(paths)} | {name} | " + " | ".join(f"{x:+.1f}" for x in apart) + " |")


def bands() -> list[tuple[float, float]]:
    return list(itertools.pairwise(LIMITS))


def grain(shape: tuple[int, ...], deviation: float, soft: float, channels: int, seed: int) -> Any:
    noise = torch.randn(1, channels, *shape[:2], generator=torch.Generator().manual_seed(seed))
    if soft:
        kernel = torch.exp(-(torch.arange(-3.0, 4) ** 2) / (2 * soft**2))
        kernel = (kernel[:, None] * kernel).expand(channels, 1, 7, 7)
        noise = F.conv2d(F.pad(noise, (3,) * 4, mode="reflect"), kernel, groups=channels)
    noise = noise / noise.std() * deviation
    return noise[0].expand(3, -1, -1).permute(1, 2, 0).numpy()


def measured(image: Any, drawn: Any, where: Any, most: float) -> Iterator[Any]:
    """Powers in bands of blocks of an image that lie wholly in a place, and have little detail as they were drawn."""
    window = np.hanning(SIDE + 1)[:-1]
    window = window[:, None] * window
    row = np.fft.fftfreq(SIDE)
    radius = np.hypot(row[:, None], row)
    for top in range(0, where.shape[0] - SIDE + 1, SIDE // 2):
        for left in range(0, where.shape[1] - SIDE + 1, SIDE // 2):
            block = np.s_[top : top + SIDE, left : left + SIDE]
            if where[block].all() and power(drawn[block], window)[radius >= LIMITS[0]].mean() < most**2:
                shown = power(image[block], window)
                yield [shown[(radius >= low) & (radius < high)].mean() for low, high in bands()]


def power(block: Any, window: Any) -> Any:
    level = (block - block.mean((0, 1))) * window[..., None]
    return (np.abs(np.fft.fft2(level, axes=(0, 1))) ** 2).mean(2) / (window**2).sum()


if __name__ == "__main__":
    main()
