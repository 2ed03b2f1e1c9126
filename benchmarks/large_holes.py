"""Strategies for large holes in large photographs, in numbers and as a sheet.

python benchmarks/large_holes.py PHOTOS --hole 700 --vgg VGG.safetensors --output report/

Cuts a square hole of --hole pixels, its corners rounded and its place drawn with --seed, into every photograph, fills
it with each strategy, and judges the part of the picture up to half a hole around it. ``carried`` is multiscale without
refinement: the small result, enlarged, with detail that is carried along the attention; ``enlarged`` is without that
too. ``context`` is auto, but all of the picture is copied from. ``network`` calls the network once, on all of the
picture. All of these match the tone. The name of another method, such as telea, fills with that one. The last column is
the 95 % interval (bootstrap over photographs) of each strategy's PSNR over that of the first. Writes figures.json,
figures.md and sheet.png.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch

from temperfill import images, regions
from temperfill.config import MetricsConfig
from temperfill.evaluate import Scorer
from temperfill.inpainter import Inpainter, load_method
from temperfill.methods.contract import Abilities, Method
from temperfill.methods.table import METHODS
from temperfill.options import FillOptions, Strategy
from temperfill.report import contact_sheet


class Enlarged:
    """A method that refines nothing and does not tell where it copies from."""

    def __init__(self, method: Method) -> None:
        self.method, self.name, self.size_rule = method, method.name, method.size_rule
        self.abilities = Abilities(tone_drifts=True)

    def __call__(self, image: torch.Tensor, mask: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
        return self.method(image, mask)


class Carried(Enlarged):
    """A method that refines nothing."""

    def __init__(self, method: Method) -> None:
        super().__init__(method)
        self.abilities = Abilities(tone_drifts=True, sources=method.abilities.sources)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--model", default="base")
    parser.add_argument("--strategies", nargs="+", default=["full", "crop", "enlarged", "multiscale"])
    parser.add_argument("--hole", type=int, default=700, help="side, pixels")
    parser.add_argument("--limit", type=int, default=0, help="most photographs, spread over the folder; 0 for all")
    parser.add_argument("--vgg", type=Path)
    parser.add_argument("--precision", default="auto", choices=["auto", "fp32", "bf16"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()

    arguments.output.mkdir(parents=True, exist_ok=True)
    paths = sorted(path for path in arguments.photos.iterdir() if path.suffix in images.SUFFIXES)
    paths = paths[:: max(len(paths) // arguments.limit, 1)][: arguments.limit] if arguments.limit else paths
    method, scorer = load_method(arguments.model), Scorer(MetricsConfig(vgg=arguments.vgg))
    classes = {"enlarged": Enlarged, "carried": Carried}
    plain = {name: Inpainter(cls(method), precision=arguments.precision) for name, cls in classes.items()}
    plain |= {name: Inpainter.from_pretrained(name) for name in arguments.strategies if name in METHODS}
    usual = Inpainter(method, precision=arguments.precision)
    values: dict[str, list[dict[str, float]]] = {name: [] for name in arguments.strategies}
    columns: dict[str, list[Any]] = {name: [] for name in ("input", *arguments.strategies, "truth")}
    for number, path in enumerate(paths):
        picture = images.open_picture(path)
        rng = np.random.default_rng((arguments.seed, number))
        hole = rounded_square(picture.size, arguments.hole, rng)
        around = surroundings(hole, arguments.hole // 2)
        truth = images.to_rgb(picture)
        columns["input"].append(to_bytes(np.where(hole[..., None], 1, truth)[around]))
        columns["truth"].append(to_bytes(truth[around]))
        for name in arguments.strategies:
            start = time.perf_counter()
            whole = name == "network" or name in METHODS
            strategy = "full" if whole else "multiscale" if name in classes else name
            strategy = strategy if strategy in get_args(Strategy) else "auto"
            options = FillOptions(strategy=strategy, context="full" if name == "context" else "auto")
            filled = plain.get(name, usual).complete(picture, hole, None, options)
            seconds = time.perf_counter() - start
            result = images.to_rgb(filled)
            columns[name].append(to_bytes(result[around]))
            values[name].append(judged(scorer, result[around], truth[around], hole[around]) | {"seconds": seconds})
            print(path.name, name, {key: round(value, 3) for key, value in values[name][-1].items()}, flush=True)
    names = list(values[arguments.strategies[0]][0])
    table = [f"| strategy | {' | '.join(names)} | PSNR over the first |", "|---" * (len(names) + 2) + "|"]
    for name, rows in values.items():
        cells = [f"{np.mean([row[key] for row in rows]):.3f}" for key in names]
        table.append(f"| {name} | {' | '.join(cells)} | {interval(rows, values[arguments.strategies[0]])} |")
    print("\n".join(table))
    (arguments.output / "figures.md").write_text("\n".join(table) + "\n")
    (arguments.output / "figures.json").write_text(json.dumps(values, indent=1))
    contact_sheet(columns, arguments.output / "sheet.png")


def interval(rows: list[dict[str, float]], first: list[dict[str, float]]) -> str:
    more = np.array([row["psnr"] - other["psnr"] for row, other in zip(rows, first, strict=True)])
    means = np.random.default_rng(0).choice(more, (10_000, len(more))).mean(1)
    low, high = np.quantile(means, [0.025, 0.975])
    return f"{more.mean():+.3f} ({low:+.3f} to {high:+.3f})"


def rounded_square(size: tuple[int, int], side: int, rng: np.random.Generator) -> Any:
    side = min(side, *(length * 3 // 4 for length in size))
    hole = np.zeros(size, bool)
    top, left = (int(rng.integers(length // 16, length - side - length // 16 + 1)) for length in size)
    radius = side // 6
    hole[top + radius : top + side - radius, left + radius : left + side - radius] = True
    return regions.dilate(hole, radius)


def surroundings(hole: Any, margin: int) -> tuple[slice, slice]:
    top, left, bottom, right = regions.bounds(hole)
    return slice(max(top - margin, 0), bottom + margin), slice(max(left - margin, 0), right + margin)


def to_bytes(values: Any) -> Any:
    return (np.clip(values, 0, 1) * 255).round().astype(np.uint8)


def judged(scorer: Scorer, result: Any, truth: Any, hole: Any) -> dict[str, float]:
    def tensor(array: Any) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(array.transpose(2, 0, 1)))[None].float()

    image, target, mask = tensor(result), tensor(truth), torch.from_numpy(hole)[None, None].float()
    with torch.inference_mode():
        found = scorer.values(image, scorer.features(image), target, scorer.features(target), mask)
    return {name: float(value) for name, value in found.items()}


if __name__ == "__main__":
    main()
