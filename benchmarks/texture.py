"""Is what fills a thick hole of the right kind? Copied texture beside the network alone and other methods.

python benchmarks/texture.py PHOTOS MASKS --squeezenet SQUEEZENET.safetensors --output report/ \
    --methods auto auto-1 network telea patchmatch gmic

MASKS/GROUP/NAME.png are masks, white = missing, of the centre squares of the photographs, resized to --size. Each
method fills each hole at that size: ``auto`` and ``network`` are the bundled model with texture copied or not,
``gmic`` is G'MIC's patch inpainting, where that program is installed, another name is that method. Judged
over the whole square: PSNR, SqueezeNet distance, and texture: the distance of the statistics (mean and standard
deviation of every channel, unit vectors of the second and fourth fire module) inside the hole between the result and
the truth. It asks whether the hole has the right kind of detail, not whether that lies at its place: blur, hatching and
dots raise it, as copies of the wrong material do. No training may use it.

Methods that are not networks fill the whole square at once: in windows that are made small for a network's sake they
are further off. ``auto-1`` is ``auto`` with seed 1. Writes METHOD/GROUP-NAME.png, rows.json and a sheet for each group;
what is there already is judged and not filled again, so a run can be broken off, and methods added. Seconds are of the
processor.
"""

import argparse
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from temperfill import images
from temperfill.inpainter import Inpainter
from temperfill.metrics import psnr, squeeze_distance
from temperfill.nets.squeezenet import SqueezeNetFeatures
from temperfill.report import contact_sheet

Rows = dict[str, dict[str, dict[str, dict[str, float]]]]
"""Of each group, method and picture: the measures."""
OURS = ("auto", "network")
GMIC = "inpaint[0] [1],7,16,0.1,1,1.2,0,0.05,10,1"
"""Patches of 7 pixels and blending, as its plug-in sets them; its multi-scale way was further off on three of four."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("masks", type=Path)
    parser.add_argument("--methods", nargs="+", default=["auto", "network", "telea", "patchmatch"])
    parser.add_argument("--groups", nargs="+", help="of those in MASKS; all by default")
    parser.add_argument("--model", default="base")
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--squeezenet", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    if "gmic" in arguments.methods and shutil.which("gmic") is None:
        parser.error("the program gmic is not installed; leave it out of --methods")
    network = SqueezeNetFeatures.from_file(arguments.squeezenet)
    fill = Fill(arguments.model)
    photos = sorted(path for path in arguments.photos.iterdir() if path.suffix in images.SUFFIXES)
    kept = arguments.output / "rows.json"
    rows: Rows = json.loads(kept.read_text()) if kept.exists() else {}
    groups = arguments.groups or sorted(path.name for path in arguments.masks.iterdir() if path.is_dir())
    for name in arguments.methods:
        (arguments.output / name).mkdir(parents=True, exist_ok=True)
        for group in groups:
            found = rows.setdefault(group, {}).setdefault(name, {})
            for path in photos:
                truth, hole = square(path, arguments.size), mask(arguments.masks / group / f"{path.stem}.png")
                written = arguments.output / name / f"{group}-{path.stem}.png"
                if not written.exists() or path.stem not in found:
                    start = processor()
                    Image.fromarray(fill(name, truth, hole)).save(written)
                    seconds = processor() - start
                    found[path.stem] = judged(network, truth, read(written), hole) | {"seconds": seconds}
                    kept.write_text(json.dumps(rows, indent=1))
                    print(group, path.stem, name, {k: round(v, 3) for k, v in found[path.stem].items()}, flush=True)
    for group in groups:
        sheet(arguments, group, photos)
    print("\n".join(table({group: rows[group] for group in groups}, arguments.methods)))


class Fill:
    """Fills a picture by the name of a method."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._inpainters: dict[str, Inpainter] = {}

    def __call__(self, name: str, image: Any, hole: Any) -> Any:
        if name == "gmic":
            return gmic(image, hole)
        texture, _, seed = name.partition("-")
        model = self._model if texture in OURS else name
        inpainter = self._inpainters.get(model) or self._inpainters.setdefault(model, Inpainter.from_pretrained(model))
        if texture in OURS:
            return inpainter(image, hole, output_type="np", texture=texture, seed=int(seed or 0))
        return inpainter(image, hole, output_type="np", strategy="full")


def sheet(arguments: argparse.Namespace, group: str, photos: list[Path]) -> None:
    truths = [square(path, arguments.size) for path in photos]
    holes = [mask(arguments.masks / group / f"{path.stem}.png")[..., None] for path in photos]
    columns: dict[str, list[Any]] = {
        "truth": truths,
        "input": [np.where(hole, np.uint8(128), truth) for truth, hole in zip(truths, holes, strict=True)],
    }
    for name in arguments.methods:
        columns[name] = [read(arguments.output / name / f"{group}-{path.stem}.png") for path in photos]
    contact_sheet(columns, arguments.output / f"{group}.png")


def processor() -> float:
    """Seconds of this process and of the programs that it called."""
    return sum(os.times()[:4])


def read(path: Path) -> Any:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def gmic(image: Any, hole: Any) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        given, marked, result = (str(Path(folder, f"{name}.png")) for name in ("image", "mask", "result"))
        Image.fromarray(np.where(hole[..., None], np.uint8(0), image)).save(given)
        Image.fromarray((hole * 255).astype(np.uint8)).save(marked)
        command = ["gmic", "-v", "-1", given, marked, *GMIC.split(" "), "keep[0]", "output", result]
        subprocess.run(command, check=True, capture_output=True)
        with Image.open(result) as picture:
            return np.where(hole[..., None], np.asarray(picture.convert("RGB")), image)


def square(path: Path, size: int) -> Any:
    with Image.open(path) as picture:
        side = min(picture.size)
        left, top = (picture.width - side) // 2, (picture.height - side) // 2
        cut = picture.convert("RGB").crop((left, top, left + side, top + side))
        return np.asarray(cut.resize((size, size), Image.Resampling.LANCZOS))


def mask(path: Path) -> Any:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("L")) > 127


@torch.inference_mode()
def judged(network: SqueezeNetFeatures, truth: Any, result: Any, hole: Any) -> dict[str, float]:
    target, image = (torch.from_numpy(a.transpose(2, 0, 1).copy())[None] / 255 for a in (truth, result))
    features = network(target), network(image)
    inside = torch.from_numpy(hole)[None, None].float()
    texture = 0.0
    for one, other in zip(features[0][:2], features[1][:2], strict=True):
        within = F.interpolate(inside, one.shape[2:], mode="area")[0, 0] > 0.9
        if int(within.sum()) >= 8:
            wanted, found = (F.normalize(maps, dim=1, eps=1e-6)[0][:, within] for maps in (one, other))
            texture += float((wanted.mean(1) - found.mean(1)).square().sum())
            texture += float((wanted.std(1) - found.std(1)).square().sum())
    return {
        "texture": texture,
        "squeezenet": float(squeeze_distance(*features)),
        "psnr": float(psnr(image.double(), target.double())),
    }


def table(rows: Rows, methods: list[str]) -> list[str]:
    lines = ["| group | method | texture | SqueezeNet distance | PSNR, dB | s |", "|---|---|---:|---:|---:|---:|"]
    for group, found in rows.items():
        for name in methods:
            pictures = list(found[name].values())
            means = {key: np.mean([row[key] for row in pictures]) for key in pictures[0]}
            values = (
                f"{means['texture']:.3f} | {means['squeezenet']:.4f} | {means['psnr']:.2f} | {means['seconds']:.1f}"
            )
            lines.append(f"| {group} | {name} | {values} |")
    return lines


if __name__ == "__main__":
    main()
