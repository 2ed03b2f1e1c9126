"""How temperatures and the attention's entropy drift with the size of the picture, and whether a correction would help.

python benchmarks/size_drift.py PHOTOS --sizes 256 512 1024 2048 --scales 0.5 1 2 --output drift.json

Every photograph's centre square is resized to each size and gets a square hole of a quarter of its side at a place
drawn with --seed; all of the picture is in sight and filled at its size. Printed for each size: the mean temperature of
each head, the mean entropy, in nats, of what 64 queries of the hole copy from, and the mean PSNR with the learned
temperatures times each scale.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

from temperfill import images
from temperfill.attention import MHTMA
from temperfill.inpainter import Inpainter


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--model", default="base")
    parser.add_argument("--sizes", nargs="+", type=int, default=[256, 512, 1024, 2048])
    parser.add_argument("--scales", nargs="+", type=float, default=[0.5, 1.0, 2.0])
    parser.add_argument("--limit", type=int, default=0, help="most photographs, spread over the folder; 0 for all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    paths = sorted(path for path in arguments.photos.iterdir() if path.suffix in images.SUFFIXES)
    paths = paths[:: max(len(paths) // arguments.limit, 1)][: arguments.limit] if arguments.limit else paths
    inpainter = Inpainter.from_pretrained(arguments.model)
    seen = Watch(inpainter.method)
    report = []
    heads = range(seen.attention.heads)
    columns = [f"{what} {head}" for what in ("temperature", "entropy") for head in heads]
    columns += [f"PSNR at {scale:g}" for scale in arguments.scales]
    print("| size | photographs | " + " | ".join(columns) + " |\n|" + "---:|" * (len(columns) + 2))
    for size in arguments.sizes:
        rows = []
        for number, path in enumerate(paths):
            picture, hole = prepared(path, size, np.random.default_rng((arguments.seed, number)))
            truth = images.to_rgb(picture)
            quality = []
            for scale in arguments.scales:
                seen.watching = scale == 1
                filled = inpainter.complete(picture, hole, temperature=scale, strategy="full", context="full")
                error = float(np.mean((images.to_rgb(filled) - truth)[hole].astype(np.float64) ** 2))
                quality.append(-10 * np.log10(max(error * hole.mean(), 1e-12)))
            rows.append([*seen.temperatures, *seen.entropies, *quality])
        report.append({"size": size, "rows": rows})
        means = " | ".join(f"{value:.3f}" for value in np.mean(rows, 0))
        print(f"| {size} | {len(rows)} | {means} |", flush=True)
        arguments.output.write_text(json.dumps({"command": sys.argv, "columns": columns, "sizes": report}, indent=1))


def prepared(path: Path, size: int, rng: np.random.Generator) -> Any:
    picture = images.read_rgb(path)
    side = min(picture.shape[:2])
    if side < size:
        print(f"{path.name} is enlarged from {side} to {size}", file=sys.stderr)
    top, left = ((length - side) // 2 for length in picture.shape[:2])
    square = images.resize_short_side(np.ascontiguousarray(picture[top : top + side, left : left + side]), size)
    hole = np.zeros((size, size), bool)
    row, column = (int(place * size) for place in rng.uniform(0.125, 0.625, 2))
    hole[row : row + size // 4, column : column + size // 4] = True
    return images.open_picture(square), hole


class Watch:
    """Looks at the attention of a method while it works."""

    def __init__(self, method: Any) -> None:
        attention = method.generator.refinement.attention_branch.attention
        assert isinstance(attention, MHTMA)
        self.attention, self.look_up = attention, attention.look_up
        self.watching = False
        self.temperatures: list[float] = []
        self.entropies: list[float] = []
        attention.look_up = self  # type: ignore[method-assign, assignment]

    def __call__(self, memory: Any, temperatures: torch.Tensor, box: Any = None, needed: Any = None) -> Any:
        if self.watching:
            cells = needed.amax(0).flatten().nonzero().squeeze(1)
            queries = cells[torch.linspace(0, len(cells) - 1, 64).long()]
            with torch.autocast("cpu", enabled=False):
                weights, _ = self.attention.matches(memory, temperatures, queries, memory.keys.shape[2])
            entropies = torch.special.entr(weights).sum(-1).mean((0, 2))
            self.temperatures, self.entropies = temperatures[0].tolist(), entropies.tolist()
        return self.look_up(memory, temperatures, box, needed)


if __name__ == "__main__":
    main()
