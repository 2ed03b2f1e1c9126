"""How near one small fill comes to the truth: the guide of thick holes by itself, before it is refined or copied over.

python benchmarks/guide.py PHOTOS MASKS --models base open runs/new/generator.safetensors --guides 64 64c 64+64m

MASKS/GROUP/NAME.png are masks, white = missing, of the centre squares of the photographs, resized to 1024x1024. The
picture is shrunk until the largest circle in the hole is 64 pixels across, filled once by the network, brought to the
tone of its rim, enlarged, and its hole pasted. PSNR is that of the whole picture, in bytes; sharpness is the gradient
in the hole over the truth's. A guide is the mean of fills joined by ``+``, each named by the pixels across and letters:

``m``  filled mirrored, so that ``64+64m`` is the mean over the picture and its mirror image
``c``  what the coarse network drew, not refined
``g``  the hole grown by two pixels of the small picture, which are not pasted
``r``  raw, without matching the tone

The first model and guide is the one that the others are compared with: means of the differences over pictures, with
95 % bootstrap intervals. Seconds are of the processor, for all fills of a guide.
"""

import argparse
import re
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from texture import mask, square
from torch import Tensor

from temperfill import images, regions
from temperfill.distances import deepest
from temperfill.inpainter import fill, load_method
from temperfill.inpainter.devices import choose_precision
from temperfill.inpainter.tone import match_tone
from temperfill.methods.contract import ArrayMethod, Method
from temperfill.metrics import psnr, sharpness
from temperfill.report.bootstrap import bootstrap_interval
from temperfill.tensors import composite

SIDE = 1024
CELL = 4
GROWN = 2
Values = dict[str, list[float]]
"""Measure to the values of all pictures."""


class Part(NamedTuple):
    """One fill: pixels across its hole, and letters for how it is made."""

    across: int
    how: str = ""

    @classmethod
    def parse(cls, word: str) -> "Part":
        found = re.fullmatch(r"(\d+)([mcgr]*)", word)
        if found is None:
            raise argparse.ArgumentTypeError(f"{word!r} is no number of pixels with letters of m, c, g and r")
        return cls(int(found[1]), found[2])


class Case(NamedTuple):
    """A photograph (1, 3, H, H) in [0, 1] and its hole (1, 1, H, H), 1 = missing."""

    truth: Tensor
    mask: Tensor


def guide(word: str) -> tuple[Part, ...]:
    return tuple(Part.parse(part) for part in word.split("+"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("masks", type=Path)
    parser.add_argument("--groups", nargs="+", default=["object-0", "object-1"], help="folders in MASKS")
    parser.add_argument("--models", nargs="+", default=["base"], help="names of models, or .safetensors files")
    parser.add_argument("--guides", nargs="+", type=guide, default=[guide("64")])
    parser.add_argument("--precision", default="auto", choices=["auto", "fp32", "bf16"])
    arguments = parser.parse_args()
    methods = {name: load_method(name, "cpu") for name in arguments.models}
    bf16 = choose_precision(arguments.precision, "cpu") == "bf16"
    photos = sorted(path for path in arguments.photos.iterdir() if path.suffix in images.SUFFIXES)
    print(
        "| holes | model | guide | PSNR, dB | more than the first | sharpness | s |\n|---|---|---|---:|---|---:|---:|"
    )
    torch.set_flush_denormal(True)
    for group in arguments.groups:
        cases = [case_of(path, arguments.masks / group / f"{path.stem}.png") for path in photos]
        first: Values | None = None
        for name, method in methods.items():
            with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                found = measure(method, cases, arguments.guides)
            for parts, values in found.items():
                first = first or values
                print(line(group, name, parts, values, first), flush=True)


def measure(
    method: Method | ArrayMethod, cases: list[Case], guides: list[tuple[Part, ...]]
) -> dict[tuple[Part, ...], Values]:
    """Of each guide, what every case gave; a fill that several guides have is made once."""
    found: dict[tuple[Part, ...], Values] = {parts: {"psnr": [], "sharp": [], "seconds": []} for parts in guides}
    for case in cases:
        filled: dict[Part, Tensor] = {}
        seconds: dict[Part, float] = {}
        for part in dict.fromkeys(part for parts in guides for part in parts):
            start = time.process_time()
            filled[part] = small_fill(method, case, part)
            seconds[part] = time.process_time() - start
        for parts, values in found.items():
            result = paste(torch.stack([filled[part] for part in parts]).mean(0), case)
            values["psnr"].append(float(psnr(result, case.truth.double())))
            values["sharp"].append(float(sharpness(result, case.truth.double(), case.mask)))
            values["seconds"].append(sum(seconds[part] for part in parts))
    return found


def small_fill(method: Method | ArrayMethod, case: Case, part: Part) -> Tensor:
    """What was drawn at the size at which the hole is so many pixels across, (1, 3, H, H)."""
    image, hole = shrunk(case, part.across)
    if "g" in part.how:
        hole = torch.from_numpy(regions.dilate(hole[0, 0].numpy() > 0.5, GROWN)[None, None]).float()
    if "m" in part.how:
        image, hole = image.flip(3), hole.flip(3)
    small = coarse(method, image, hole) if "c" in part.how else fill(method, image, hole)
    small = small.float()
    if "r" not in part.how:
        small = toned(small, hole)
    if "m" in part.how:
        small = small.flip(3)
    return F.interpolate(small, case.mask.shape[2:], mode="bicubic", align_corners=False)


def coarse(method: Method | ArrayMethod, image: Tensor, hole: Tensor) -> Tensor:
    network = method.abilities.network
    if network is None:
        raise SystemExit(f"{method.name} has no network, so nothing of it is coarse")
    return composite(network(image, hole).coarse.clamp(0, 1), image, hole)


def toned(small: Tensor, hole: Tensor) -> Tensor:
    """As the tool brings a fill to the tone of its surroundings."""
    pixels, inside = np.ascontiguousarray(small[0].permute(1, 2, 0).numpy()), hole[0, 0].numpy() > 0.5
    match_tone(pixels, inside, ~inside)
    return torch.from_numpy(pixels).permute(2, 0, 1)[None]


def shrunk(case: Case, across: int) -> tuple[Tensor, Tensor]:
    """Image and mask as the network sees them: means of known pixels, and missing what holds any of the hole."""
    scale = min(1.0, across / (2 * deepest(np.pad(case.mask[0, 0].numpy() > 0.5, 1))))
    size = max(2 * CELL, round(case.mask.shape[3] * scale / CELL) * CELL)
    known = 1 - case.mask
    share = F.interpolate(known, (size, size), mode="area")
    image = F.interpolate(case.truth * known, (size, size), mode="area") / share.clamp(min=1e-6)
    hole = (share < 0.999).float()
    return torch.where(hole > 0.5, 0.5, image).clamp(0, 1), hole


def paste(drawn: Tensor, case: Case) -> Tensor:
    """The picture as a file would have it, in float64."""
    return composite((drawn.clamp(0, 1) * 255).round().double() / 255, case.truth.double(), case.mask.double())


def line(group: str, name: str, parts: tuple[Part, ...], values: Values, first: Values) -> str:
    more = np.array(values["psnr"]) - np.array(first["psnr"])
    low, high = (bound[0] for bound in bootstrap_interval(more[:, None]))
    compared = "" if values is first else f"{more.mean():+.2f} [{low:+.2f}, {high:+.2f}]"
    words = "+".join(f"{part.across}{part.how}" for part in parts)
    measured = f"{np.mean(values['psnr']):.2f} | {compared} | {np.mean(values['sharp']):.2f}"
    return f"| {group} | {Path(name).stem} | {words} | {measured} | {np.mean(values['seconds']):.2f} |"


def case_of(photo: Path, mask_path: Path) -> Case:
    pixels, missing = square(photo, SIDE), mask(mask_path)
    return Case(
        torch.from_numpy(pixels.transpose(2, 0, 1).copy())[None] / 255, torch.from_numpy(missing)[None, None].float()
    )


if __name__ == "__main__":
    main()
