"""Is what fills a thick hole of the right kind? Copied texture beside the network alone and other methods.

python benchmarks/texture.py PHOTOS MASKS --squeezenet SQUEEZENET.safetensors --output report/

MASKS/GROUP/NAME.png are masks, white = missing, of the centre squares of the photographs, resized to --size. Each
method fills each hole at that size: ``auto`` and ``network`` are the bundled model with texture copied or not,
``gmic`` is G'MIC's patch inpainting, where that program is installed, another name is that method. Judged
over the whole square: PSNR, SqueezeNet distance, and texture: the distance of the statistics (mean and standard
deviation of every channel, unit vectors of the second and fourth fire module) inside the hole between the result and
the truth. It asks whether the hole has the right kind of detail, not whether that lies at its place: blur, hatching and
dots raise it, as copies of the wrong material do. No training may use it. Writes rows.json and sheets.
"""

import argparse
import json
import shutil
import subprocess
import tempfile
import time
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

OURS = ("auto", "network")
GMIC = "inpaint[0] [1],7,16,0.1,1,1.2,0,0.05,10,1"
"""Patches of 7 pixels and blending, as its plug-in sets them; its multi-scale way was further off on three of four."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("masks", type=Path)
    parser.add_argument("--methods", nargs="+", default=["auto", "network", "telea", "patchmatch"])
    parser.add_argument("--model", default="base")
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--squeezenet", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()

    network = SqueezeNetFeatures.from_file(arguments.squeezenet)
    usual = Inpainter.from_pretrained(arguments.model)
    if "gmic" in arguments.methods and shutil.which("gmic") is None:
        parser.error("the program gmic is not installed; leave it out of --methods")
    fillers: dict[str, Any] = {
        name: usual if name in OURS else gmic if name == "gmic" else Inpainter.from_pretrained(name)
        for name in arguments.methods
    }
    rows: dict[str, dict[str, list[dict[str, float]]]] = {}
    for group in sorted(path for path in arguments.masks.iterdir() if path.is_dir()):
        columns: dict[str, list[Any]] = {name: [] for name in ("truth", "input", *fillers)}
        for path in sorted(p for p in arguments.photos.iterdir() if p.suffix in images.SUFFIXES):
            truth, hole = square(path, arguments.size), mask(group / f"{path.stem}.png")
            columns["truth"].append(truth)
            columns["input"].append(np.where(hole[..., None], np.uint8(128), truth))
            for name, inpainter in fillers.items():
                options: dict[str, Any] = {"texture": name} if name in OURS else {"strategy": "full"}
                start = time.perf_counter()
                result = inpainter(truth, hole, output_type="np", **options)
                seconds = time.perf_counter() - start
                row = judged(network, truth, result, hole) | {"seconds": seconds}
                rows.setdefault(group.name, {}).setdefault(name, []).append(row)
                columns[name].append(result)
                print(group.name, path.name, name, {key: round(value, 3) for key, value in row.items()}, flush=True)
        arguments.output.mkdir(parents=True, exist_ok=True)
        contact_sheet(columns, arguments.output / f"{group.name}.png")
    (arguments.output / "rows.json").write_text(json.dumps(rows, indent=1))
    print("\n".join(table(rows)))


def gmic(image: Any, hole: Any, **_: Any) -> Any:
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


def table(rows: dict[str, dict[str, list[dict[str, float]]]]) -> list[str]:
    lines = ["| group | method | texture | SqueezeNet distance | PSNR, dB | s |", "|---|---|---:|---:|---:|---:|"]
    for group, methods in rows.items():
        for name, found in methods.items():
            means = {key: np.mean([row[key] for row in found]) for key in found[0]}
            values = (
                f"{means['texture']:.3f} | {means['squeezenet']:.4f} | {means['psnr']:.2f} | {means['seconds']:.1f}"
            )
            lines.append(f"| {group} | {name} | {values} |")
    return lines


if __name__ == "__main__":
    main()
