"""What cheaper arithmetic would gain and cost: bf16, keys two cells apart, factorised patch similarity.

python benchmarks/cheaper_matching.py PICTURES... --masks MASKS --group paper-0 --output report.json

PICTURES are folders named KIND/val; MASKS/GROUP/KIND/STEM.png, white = missing, are their masks. Every picture, its
centre square at 256 pixels, is filled by the model in fp32, in bf16, and in fp32 with keys two cells apart. The table
has mean PSNR and SSIM, the difference of PSNR to fp32 with its 95 % interval (bootstrap over pictures), and seconds.

The similarity of two k x k patches is a sum of k * k similarities of cells along a diagonal, and so is what they copy:
k * k times fewer multiplications, but every sum goes through memory. The last lines time the attention of one
64x64 map both ways, with the largest difference of their results.
"""

import argparse
import contextlib
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from temperfill import images
from temperfill.attention import MHTMA
from temperfill.inpainter import fill
from temperfill.methods import load
from temperfill.metrics import psnr, ssim


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", nargs="+", type=Path)
    parser.add_argument("--masks", type=Path, required=True)
    parser.add_argument("--group", default="paper-0")
    parser.add_argument("--model", type=Path, help="weights; the bundled ones if not given")
    parser.add_argument("--limit", type=int, default=0, help="most pictures of each folder, spread over it; 0 for all")
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    torch.set_flush_denormal(True)
    rows: dict[str, list[tuple[float, float, float]]] = {"fp32": [], "bf16": [], "fp32, key stride 2": []}
    for folder in arguments.pictures:
        masks = arguments.masks / arguments.group / folder.parent.name
        paths = sorted(masks.glob("*.png"))
        step = max(len(paths) // arguments.limit, 1) if arguments.limit else 1
        for path in paths[::step]:
            image, mask = read(folder, path)
            for name, found in rows.items():
                found.append(measured(arguments.model, name, image, mask))
    table = ["| arithmetic | PSNR, dB | SSIM | PSNR over fp32 | s/picture |", "|---|---:|---:|---:|---:|"]
    for name, found in rows.items():
        values = np.array(found)
        more = values[:, 0] - np.array(rows["fp32"])[:, 0]
        means = np.random.default_rng(0).choice(more, (10_000, len(more))).mean(1)
        low, high = np.quantile(means, [0.025, 0.975])
        mean = values.mean(0)
        over = f"{more.mean():+.4f} ({low:+.4f} to {high:+.4f})"
        table.append(f"| {name} | {mean[0]:.3f} | {mean[1]:.4f} | {over} | {np.median(values[:, 2]):.3f} |")
    print("\n".join(table), f"\n{len(values)} pictures")
    report = {"command": sys.argv, "rows": rows, "attention": compare_attentions()}
    arguments.output.write_text(json.dumps(report, indent=1))


def read(folder: Path, mask_path: Path) -> tuple[Tensor, Tensor]:
    pixels = images.read_rgb(next(folder.glob(f"{mask_path.stem}.*")))
    side = min(pixels.shape[:2])
    top, left = ((length - side) // 2 for length in pixels.shape[:2])
    pixels = images.resize_short_side(np.ascontiguousarray(pixels[top : top + side, left : left + side]), 256)
    hole = images.to_mask(mask_path, (256, 256))
    return torch.from_numpy(pixels.transpose(2, 0, 1).copy())[None].float() / 255, torch.from_numpy(hole)[
        None, None
    ].float()


METHODS: dict[str, Any] = {}


def measured(path: Path | None, name: str, image: Tensor, mask: Tensor) -> tuple[float, float, float]:
    """PSNR, SSIM and seconds."""
    if name not in METHODS:
        METHODS[name] = load("ours" if path is None else str(path), "cpu")
        if "stride" in name:
            METHODS[name].generator.refinement.attention_branch.attention.key_stride = 2
    arithmetic = torch.autocast("cpu", torch.bfloat16) if name == "bf16" else contextlib.nullcontext()
    start = time.perf_counter()
    with arithmetic:
        filled = fill(METHODS[name], image, mask)
    seconds = time.perf_counter() - start
    filled = (filled * 255).round() / 255
    return psnr(filled, image).item(), ssim(filled, image).item(), seconds


def factorised(per_head: Tensor, temperature: float, k: int = 3, block: int = 8) -> Tensor:
    """Attention of one head without a mask, (c, h, w) to (c, h, w), block by block of rows of queries."""
    c, h, w = per_head.shape
    half = k // 2
    padded = F.pad(per_head, (half, half, half, half))
    ph, pw = h + 2 * half, w + 2 * half
    lengths = F.conv2d(padded.square().sum(0)[None, None], torch.ones(1, 1, k, k))[0, 0]
    inverse = torch.rsqrt(lengths + 1e-8)  # of all query patches; those that lie inside are the keys
    key_inverse = inverse[half : h - half, half : w - half]
    total = torch.zeros(c, ph, pw)
    for top in range(0, h, block):
        rows = min(block, h - top)
        strip = padded[:, top : top + rows + 2 * half]
        cells = torch.einsum("cij,ckl->ijkl", strip, per_head)
        s = sum_along(sum_along(cells, k, 0, 2), k, 1, 3)  # (rows, w, h - k + 1, w - k + 1)
        s = s * (inverse[top : top + rows, :, None, None] * key_inverse / temperature)
        a = torch.softmax(s.flatten(2), -1).view_as(s)
        spread = torch.zeros(rows + 2 * half, pw, h, w)
        for i in range(k):
            for j in range(k):
                spread[i : i + rows, j : j + w, i : i + a.shape[2], j : j + a.shape[3]] += a
        total[:, top : top + rows + 2 * half] += torch.einsum("ijkl,ckl->cij", spread, per_head)
    count = F.conv_transpose2d(torch.ones(1, 1, h, w), torch.ones(1, 1, k, k))[0, 0]
    return (total / count)[:, half : half + h, half : half + w]


def sum_along(x: Tensor, k: int, query: int, key: int) -> Tensor:
    """Sums k elements along the diagonal of a query axis and a key axis."""
    lengths = [x.shape[axis] - k + 1 for axis in (query, key)]
    parts = [x.narrow(query, i, lengths[0]).narrow(key, i, lengths[1]) for i in range(k)]
    result = parts[0].clone()
    for part in parts[1:]:
        result += part
    return result


@torch.inference_mode()
def compare_attentions(side: int = 64, c: int = 24) -> dict[str, float]:
    torch.manual_seed(0)
    attention = MHTMA(c, 1, c)
    torch.nn.init.eye_(attention.project_in.weight[:, :, 0, 0])
    torch.nn.init.eye_(attention.project_out.weight[:, :, 0, 0])
    for layer in (attention.project_in, attention.project_out):
        torch.nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    features = torch.randn(1, c, side, side)
    temperature = torch.tensor([[0.1]])
    functions = {
        "fused": lambda: attention(features, torch.zeros(1, 1, side, side), temperature)[0],
        "factorised": lambda: factorised(features[0], 0.1),
    }
    results, seconds = {}, {}
    for name, function in functions.items():
        times = []
        for _ in range(4):
            start = time.perf_counter()
            results[name] = function()
            times.append(time.perf_counter() - start)
        seconds[name] = min(times)
    difference = (results["fused"] - results["factorised"]).abs().max().item()
    print(
        f"{side}x{side}, one head, fp32: " + ", ".join(f"{k} {v:.3f} s" for k, v in seconds.items()),
        f"({difference:.1e})",
    )
    return seconds | {"difference": difference}


if __name__ == "__main__":
    main()
