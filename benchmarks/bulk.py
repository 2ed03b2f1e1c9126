"""Images per second of filling a folder, against a loop that fills its pictures one after the other.

python benchmarks/bulk.py PICTURES --limit 48 --output bulk.json

PICTURES is a folder; each picture is cropped to a square and brought to 256, 384 or 512 pixels by turns, as PNG or as
JPEG by turns, with a drawn mask. Both ways read the same files, write the same results, and use the same threads of the
processor:

loop   loads the model once; then for each picture open, mask, Inpainter.complete, save
bulk   temperfill.bulk.run, as temperfill inpaint FOLDER calls it, which loads the model once too

They take turns, --repeats times, after one picture to warm up. Processor seconds are those of this process, waiting
threads that spin included. Results are compared: bulk must write what the loop writes, up to rounding.
"""

import argparse
import contextlib
import json
import os
import platform
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from temperfill import bulk, images, masks
from temperfill.data import list_pictures
from temperfill.inpainter import Inpainter

SIDES = (256, 384, 512)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--limit", type=int, default=48)
    parser.add_argument("--sides", type=int, nargs="+", default=SIDES)
    parser.add_argument("--model", default="base")
    parser.add_argument("--precision", default="auto", choices=["auto", "fp32", "bf16"])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of the processor, for both ways")
    parser.add_argument("--workers", type=int, default=0, help="pictures at once in bulk; 0 is its own choice")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--output", type=Path, help="JSON file")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        number = prepare(arguments.pictures, root, arguments.limit, arguments.sides)
        rows = compare(root, number, arguments)
    report = {"command": sys.argv, "machine": machine(), "pictures": number, "rows": rows} | summarise(rows)
    print(json.dumps({k: v for k, v in report.items() if k != "rows"}, indent=1))
    if arguments.output:
        arguments.output.write_text(json.dumps(report, indent=1))


def prepare(folder: Path, root: Path, limit: int, sides: list[int]) -> int:
    """Writes pictures and masks below ``root``; gives their number."""
    for name in ("in", "masks"):
        (root / name).mkdir()
    paths = list_pictures(folder)
    for number in range(limit):
        side, suffix = sides[number % len(sides)], (".png", ".jpg")[number // len(sides) % 2]
        rgb = images.resize_short_side(images.read_rgb(paths[number % len(paths)]), side)
        Image.fromarray(rgb[:side, :side]).save(root / "in" / f"{number:03}{suffix}", quality=95)
        hole = masks.free_form_square(side, side, np.random.default_rng(number), side / 256)
        Image.fromarray(hole.astype(np.uint8) * 255).save(root / "masks" / f"{number:03}.png")
    return limit


def compare(root: Path, number: int, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Both ways in turns; a row for each."""
    paths = sorted((root / "in").iterdir())
    loop(root, root / "warm", paths[:1], arguments)
    rows = []
    for repeat in range(arguments.repeats):
        rows.append(timed("loop", number, lambda: loop(root, root / "loop", paths, arguments)))
        rows.append(timed("bulk", number, lambda: run_bulk(root, arguments)))
        rows[-1]["largest_difference"], rows[-1]["mean_difference"] = difference(root)
        for row in rows[-2:]:
            print(f"{repeat} {row['way']}: {row['images_per_second']:.2f} images/s", file=sys.stderr, flush=True)
        for name in ("loop", "bulk"):
            shutil.rmtree(root / name)
    return rows


def loop(root: Path, output: Path, paths: list[Path], arguments: argparse.Namespace) -> None:
    output.mkdir(exist_ok=True)
    inpainter = Inpainter.from_pretrained(arguments.model, "cpu", arguments.precision)
    for path in paths:
        picture = images.open_picture(path)
        hole = images.to_mask((root / "masks" / path.name).with_suffix(".png"), picture.size)
        images.save_picture(output / path.name, inpainter.complete(picture, hole))


def run_bulk(root: Path, arguments: argparse.Namespace) -> None:
    settings = bulk.Settings(model=arguments.model, precision=arguments.precision)
    folders = (str(root / name) for name in ("in", "masks", "bulk"))
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stderr(nowhere):
        summary = bulk.run(bulk.Request(*folders, settings, device="cpu", workers=arguments.workers))
    if summary.failed:
        raise SystemExit(f"failed: {summary.failures}")


def timed(way: str, number: int, work: Callable[[], None]) -> dict[str, Any]:
    wall, processor = time.monotonic(), time.process_time()
    work()
    wall, processor = time.monotonic() - wall, time.process_time() - processor
    return {"way": way, "seconds": wall, "processor_seconds": processor, "images_per_second": number / wall}


def difference(root: Path) -> tuple[int, float]:
    """Largest and mean difference of bytes between the lossless results of both ways."""
    largest, means = 0, []
    for path in (root / "loop").glob("*.png"):
        with Image.open(path) as one, Image.open(root / "bulk" / path.name) as other:
            off = np.abs(np.asarray(one).astype(np.int16) - np.asarray(other).astype(np.int16))
        largest = max(largest, int(off.max()))
        means.append(float(off.mean()))
    return largest, statistics.mean(means)


def summarise(rows: list[dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for way in ("loop", "bulk"):
        own = [row for row in rows if row["way"] == way]
        found[way] = {
            "images_per_second": statistics.median(row["images_per_second"] for row in own),
            "processor_seconds": statistics.median(row["processor_seconds"] for row in own),
        }
    found["ratio"] = found["bulk"]["images_per_second"] / found["loop"]["images_per_second"]
    found["largest_difference"] = max(row.get("largest_difference", 0) for row in rows)
    found["mean_difference"] = max(row.get("mean_difference", 0) for row in rows)
    return found


def machine() -> dict[str, Any]:
    load = os.getloadavg() if hasattr(os, "getloadavg") else ()
    return {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count(), "load": load} | {
        "threads": torch.get_num_threads(),
        "torch": str(torch.__version__),
    }


if __name__ == "__main__":
    main()
