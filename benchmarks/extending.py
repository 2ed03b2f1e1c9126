"""How well pictures are extended: a border is cut off, and what is drawn there is compared with what stood there.

python benchmarks/extending.py FOLDER ... [--size 256] [--pictures 20] [--borders 32 64]
    [--models base telea patchmatch] [--squeezenet SQUEEZENET.safetensors]

Pictures are brought to --size pixels of the shorter side. Each loses one side, drawn from its number. ``NAME, cut``
sees the canvas without what stands mirrored behind the new part.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from temperfill import images
from temperfill.data import list_pictures
from temperfill.images import Picture
from temperfill.inpainter import Inpainter
from temperfill.metrics import squeeze_distance
from temperfill.nets.squeezenet import SqueezeNetFeatures

SIDES = ("left", "top", "right", "bottom")


def main() -> None:
    """Prints the mean absolute error (of 255) in the borders with its 95 % interval, for each model and border."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--size", type=int, default=256, help="shorter side, pixels")
    parser.add_argument("--pictures", type=int, default=20, help="of each folder, evenly spread")
    parser.add_argument("--borders", type=int, nargs="+", default=[32, 64], help="pixels that are cut off")
    parser.add_argument("--models", nargs="+", default=["base", "telea", "patchmatch"])
    parser.add_argument("--squeezenet", type=Path, help="weights: the distance of the whole pictures, too")
    options = parser.parse_args()
    network = None if options.squeezenet is None else SqueezeNetFeatures.from_file(options.squeezenet)
    paths = [path for folder in options.folders for path in spread(list_pictures(folder), options.pictures)]
    for name in options.models:
        inpainter = Inpainter.from_pretrained(name, "cpu")
        for border in options.borders:
            rows: dict[str, list[tuple[float, float]]] = {name: [], f"{name}, cut": []}
            for number, path in enumerate(paths):
                pixels = images.resize_short_side(images.read_rgb(path), options.size)
                side = SIDES[np.random.default_rng(number).integers(4)]
                canvas = images.extend(Picture(without(pixels, side, border), "RGB", {}), **{side: border})
                top, bottom, left, right = canvas.box
                new = canvas.hole[top:bottom, left:right]
                filled = inpainter.fill_canvas(canvas).pixels
                bare = inpainter.complete(canvas.cut(canvas.picture), new).pixels
                for row, result in zip(rows.values(), (filled, bare), strict=True):
                    error = np.abs(result[new].astype(float) - pixels[new]).mean()
                    row.append((error, np.nan if network is None else distance(network, result, pixels)))
            for label, row in rows.items():
                means, spreads = np.mean(row, 0), 1.96 * np.std(row, 0, ddof=1) / len(row) ** 0.5
                print(
                    f"{label:16} border {border:3}  MAE {means[0]:6.2f} +- {spreads[0]:.2f}  "
                    f"SqueezeNet {means[1]:.4f} +- {spreads[1]:.4f}  pictures {len(row)}",
                    flush=True,
                )


@torch.inference_mode()
def distance(network: SqueezeNetFeatures, result: np.ndarray, truth: np.ndarray) -> float:
    """SqueezeNet distance of two pictures (H, W, 3)."""
    pictures = (
        torch.from_numpy(picture.astype(np.float32).transpose(2, 0, 1) / 255)[None] for picture in (result, truth)
    )
    return float(squeeze_distance(*(network(picture) for picture in pictures)))


def spread(paths: list[Path], number: int) -> list[Path]:
    """So many of the paths, evenly spread."""
    return [paths[round(place)] for place in np.linspace(0, len(paths) - 1, min(number, len(paths)))]


def without(pixels: np.ndarray, side: str, border: int) -> np.ndarray:
    """(H, W, 3) without the outer pixels of a side."""
    rows = {"top": slice(border, None), "bottom": slice(None, -border)}.get(side, slice(None))
    columns = {"left": slice(border, None), "right": slice(None, -border)}.get(side, slice(None))
    return pixels[rows, columns]


if __name__ == "__main__":
    main()
