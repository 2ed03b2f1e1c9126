"""Controlled runs on what the paper leaves open: one change of the recipe at a time, for equal time.

python benchmarks/recipe.py --train photos/*/train --val photos/*/val --masks MASKS --vgg VGG --minutes 6 --output DIR

Every variant is trained from the start for --minutes on the same pictures with the same seed, so that its masks are
those of the others for as many steps as it makes; the recipe itself with --seeds, which shows what chance does. --jobs
run side by side, each on one core. Then all are measured on the stored masks by ``temperfill compare``, and
``recipe.md`` has the mean difference of each from the recipe with the first seed, over the same pictures of all kinds,
with a 95 % bootstrap interval; bold where it excludes zero. ``recipe.jpg`` shows what each makes of one photograph.
Interrupted, the same command goes on: finished runs are used again, and others begin anew, since their time would not
be that of the others.
"""

import argparse
import json
import os
import queue
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from temperfill.inpainter import Inpainter
from temperfill.report.bootstrap import bootstrap_interval
from temperfill.report.run_log import read_log
from temperfill.report.sheets import contact_sheet

RECIPE = (
    *("--batch-size", "4", "--learning-rate", "4e-4", "--precision", "bf16", "--ema-decay", "0.99"),
    *("--warmup-steps", "20", "--num-steps", "100000", "--log-every", "10", "--sample-every", "100000"),
    *("--data.crop-size", "128", "--data.resize", "192", "--data.mask-scale", "0.55", "--data.balanced"),
    *("--machine.threads", "1", "--machine.workers", "0"),
)
"""Beside the losses and the carried detail of the preset base: the crops of the bundled model's first part."""
STEPS = "STEPS"
"""In a variant: the steps that the recipe makes in the time; STEPS/2 is half of them."""
VARIANTS = {
    "no VGG distance": ("--loss.perceptual-weight", "0"),
    "VGG distance 0.05": ("--loss.perceptual-weight", "0.05"),
    "VGG distance of the coarse output": ("--loss.perceptual-on", "coarse"),
    "VGG distance of both outputs": ("--loss.perceptual-on", "both"),
    "VGG distance of relu1_2 and relu2_2": ("--loss.perceptual-layers", "1", "2"),
    "VGG distance of relu3_1": ("--loss.perceptual-layers", "3"),
    "VGG distance of the whole crop": ("--loss.no-perceptual-local",),
    "no adversarial loss": ("--loss.adversarial-weight", "0"),
    "adversarial loss 0.06": ("--loss.adversarial-weight", "0.06"),
    "adversarial loss in the second half": ("--loss.adversarial-start", f"{STEPS}/2"),
    "no texture loss": ("--loss.texture-weight", "0"),
    "no weight on the hole": ("--loss.hole-weight", "1"),
    "no carried detail": ("--generator.no-detail",),
    "width 16": ("--generator.width", "16", "--generator.head-dim", "16"),
    "width 16, crops of 192": (
        *("--generator.width", "16", "--generator.head-dim", "16", "--data.crop-size", "192", "--data.resize", "256"),
        *("--data.mask-scale", "0.85", "--batch-size", "2"),
    ),
    "crops of 192": (
        *("--data.crop-size", "192", "--data.resize", "256", "--data.mask-scale", "0.85", "--batch-size", "2"),
    ),
    "1 head": ("--generator.heads", "1"),
    "4 heads": ("--generator.heads", "4", "--generator.head-dim", "12"),
    "patches of 1 cell": ("--generator.patch-size", "1"),
    "patches of 5 cells": ("--generator.patch-size", "5"),
    "temperatures from 0.05 on": ("--generator.temperature-floor", "0.05"),
    "temperatures from 0.001 on": ("--generator.temperature-floor", "0.001"),
    "temperatures begin at 0.5": ("--generator.temperature-init", "0.5"),
    "masked score over temperature": ("--generator.masked-score-scaled",),
    "learning rate 1e-4": ("--learning-rate", "1e-4"),
    "learning rate along a cosine": ("--schedule", "cosine", "--num-steps", STEPS),
    "averages over 1,000 steps": ("--ema-decay", "0.999"),
    "kinds as often as they are": ("--data.no-balanced",),
    "larger masks": ("--data.mask-scale", "0.85"),
    "smaller masks": ("--data.mask-scale", "0.35"),
    "smaller masks in the first half": ("--data.mask-scale", "0.35"),  # its second half goes on with the recipe's
}
TWO_PARTS = "smaller masks in the first half"
MEASURES = {"psnr": "PSNR, dB", "mae": "MAE, %", "ssim": "SSIM", "vgg": "VGG distance", "sharp": "sharpness"}
DECIMALS = (2, 3, 4, 3, 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", nargs="+", type=Path, required=True)
    parser.add_argument("--val", nargs="+", type=Path, required=True)
    parser.add_argument("--masks", type=Path, required=True)
    parser.add_argument("--groups", nargs="+", default=["paper-0"])
    parser.add_argument("--limit", type=int, default=25, help="most pictures of each folder to measure; 0 for all")
    parser.add_argument("--vgg", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=6.0)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--only", nargs="+", choices=list(VARIANTS), help="variants to train; all if not given")
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    names = arguments.only or list(VARIANTS)
    common = ["--data.train", *map(str, arguments.train), "--machine.perceptual-path", str(arguments.vgg), *RECIPE]
    cores: queue.Queue[int] = queue.Queue()
    for core in range(arguments.jobs):
        cores.put(core)

    def train(label: str, options: tuple[str, ...], seed: int, minutes: float, folder: Path) -> None:
        if (folder / "finished").exists():
            return
        shutil.rmtree(folder, ignore_errors=True)
        command = [sys.executable, "-m", "temperfill", "train", "base", *common, *options, "--seed", str(seed)]
        command += ["--machine.max-minutes", str(minutes), "--run-dir", str(folder)]
        print(f"{label}, seed {seed}", flush=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        with folder.with_suffix(".txt").open("w") as told:
            environment, core = os.environ | {"OMP_NUM_THREADS": "1"}, cores.get()
            try:
                subprocess.run(
                    ["taskset", "-c", str(core), *command], stdout=told, stderr=told, env=environment, check=True
                )
            finally:
                cores.put(core)
        (folder / "finished").touch()

    def train_variant(name: str, steps: int) -> None:
        folder, seed = place(arguments.output, name, arguments.seeds[0]), arguments.seeds[0]
        numbers = {STEPS: str(steps), f"{STEPS}/2": str(steps // 2)}
        options = tuple(numbers.get(word, word) for word in VARIANTS[name])
        if name != TWO_PARTS:
            train(name, options, seed, arguments.minutes, folder)
            return
        first = folder.with_name(f"{folder.name}-first")
        train(name, options, seed, arguments.minutes / 2, first)
        train(name, ("--init-path", str(first)), seed, arguments.minutes / 2, folder)

    with ThreadPoolExecutor(arguments.jobs) as pool:
        recipes = [place(arguments.output, "recipe", seed) for seed in arguments.seeds]
        seeded = zip(arguments.seeds, recipes, strict=True)
        for done in [pool.submit(train, "recipe", (), seed, arguments.minutes, folder) for seed, folder in seeded]:
            done.result()
    steps = int(steps_of(recipes[0]))
    with ThreadPoolExecutor(arguments.jobs) as pool:
        for done in [pool.submit(train_variant, name, steps) for name in names]:
            done.result()
    sources = ["recipe=" + ",".join(map(str, recipes))]
    folders = [place(arguments.output, name, arguments.seeds[0]) for name in names]
    sources += [f"{folder.parent.name}={folder}" for folder in folders]
    command = [sys.executable, "-m", "temperfill", "compare", "--methods", *sources, "--pictures"]
    command += [*map(str, arguments.val), "--masks", str(arguments.masks), "--groups", *arguments.groups]
    command += ["--limit", str(arguments.limit), "--vgg", str(arguments.vgg)]
    subprocess.run([*command, "--output", str(arguments.output / "report")], check=True)
    text = table(json.loads((arguments.output / "report" / "rows.json").read_text()), recipes, folders)
    (arguments.output / "recipe.md").write_text(text)
    print(text)
    sheet({"recipe": recipes[0]} | dict(zip(names, folders, strict=True)), arguments.output / "recipe.jpg")


def sheet(folders: dict[str, Path], path: Path, columns: int = 6, side: int = 256, around: int = 24) -> None:
    """What every run makes of the hole in the photograph of the package, at twice its size."""
    samples = files("temperfill") / "samples"
    with (samples / "photo.jpg").open("rb") as photo_file, (samples / "mask.png").open("rb") as mask_file:
        photo, mask = (Image.open(file).convert(mode) for file, mode in ((photo_file, "RGB"), (mask_file, "L")))
    photo, mask = (picture.resize((side, side), Image.Resampling.BOX) for picture in (photo, mask))
    hole = np.asarray(mask) > 0
    shown = {"hole": np.where(hole[..., None], np.uint8(255), np.asarray(photo))}
    for name, folder in folders.items():
        inpainter = Inpainter.from_pretrained(folder / "generator.safetensors", precision="fp32")
        shown[name] = inpainter(photo, hole, output_type="np")
    rows, cols = (np.flatnonzero(hole.any(axis)) for axis in (1, 0))
    window = tuple(slice(max(line[0] - around, 0), line[-1] + around) for line in (rows, cols))
    cut = {name: picture[window].repeat(2, 0).repeat(2, 1) for name, picture in shown.items()}
    blank = np.full_like(cut["hole"], 255)
    strips = []
    for first in range(0, len(cut), columns):
        strip = {name: [picture] for name, picture in list(cut.items())[first : first + columns]}
        strip |= {" " * (i + 1): [blank] for i in range(columns - len(strip))}  # cells of one width in all strips
        contact_sheet(strip, path)
        with Image.open(path) as drawn:
            strips.append(drawn.copy())
    whole = Image.new("RGB", (strips[0].width, sum(strip.height for strip in strips)), "white")
    for number, strip_drawn in enumerate(strips):
        whole.paste(strip_drawn, (0, number * strips[0].height))
    whole.save(path, quality=85)


def table(rows: list[dict[str, Any]], recipes: list[Path], folders: list[Path]) -> str:
    """Every run against the first one of the recipe."""
    base = figures(rows, "recipe", recipes[0].name)
    means = [f"{mean:.{decimals}f}" for mean, decimals in zip(base.mean(0), DECIMALS, strict=True)]
    lines = [
        "| | steps | " + " | ".join(MEASURES.values()) + " |",
        "|---|---:|" + "---:|" * len(MEASURES),
        f"| recipe | {steps_of(recipes[0])} | " + " | ".join(means) + " |",
    ]
    others = [(f"recipe, {folder.name}", "recipe", folder) for folder in recipes[1:]]
    names = {slug(name): name for name in VARIANTS}
    others += [(names[folder.parent.name], folder.parent.name, folder) for folder in folders]
    for name, label, folder in others:
        differences = figures(rows, label, folder.name if label == "recipe" else None) - base
        low, high = bootstrap_interval(differences)
        cells = []
        for mean, least, most, decimals in zip(differences.mean(0), low, high, DECIMALS, strict=True):
            text = f"{mean:+.{decimals}f} [{least:+.{decimals}f}, {most:+.{decimals}f}]"
            cells.append(f"**{text}**" if least > 0 or most < 0 else text)
        lines.append(f"| {name} | {steps_of(folder)} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def figures(rows: list[dict[str, Any]], method: str, run: str | None) -> NDArray[np.float64]:
    """(pictures and groups, measures) of a run, in the order of pictures."""
    found = [row for row in rows if row["method"] == method and (run is None or row.get("run", run) == run)]
    found.sort(key=lambda row: (row["kind"], row["group"], row["stem"]))
    return np.array([[row[measure] for measure in MEASURES] for row in found])


def steps_of(folder: Path) -> str:
    return str(read_log(folder / "log.jsonl").steps[-1]["step"])


def place(output: Path, name: str, seed: int) -> Path:
    return output / "runs" / slug(name) / f"seed-{seed}"


def slug(name: str) -> str:
    return name.replace(" ", "-").replace(",", "")


if __name__ == "__main__":
    main()
