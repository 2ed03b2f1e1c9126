"""Seconds and peak memory of filling a picture, for our networks and any other, in one run.

python benchmarks/inference.py --output inference.json
python benchmarks/inference.py --models base telea package.module:callable --sizes 256 512 --threads 1 2

Each cell runs in a process of its own, on one random picture of size x size pixels and a mask drawn with --seed. A
model is a name or path that temperfill takes; base!, large!, partialconv!, deepfillv2!, atma! or wavefill! for a
network of that preset or system with random weights; or package.module:callable: a function or an object that is made
by calling it, taking (image, mask) tensors as our methods do. Masks: paper is strokes and a square, compact a square of
--share of the picture. Memory is the peak of the process (CPU) or of the device (CUDA), less what it held before the
first call (CPU) or all of it (CUDA).

The floor is the arithmetic of convolutions and attention, counted while the network runs, over the rate of large matrix
products measured in the same process: no faster implementation of the same arithmetic on the same cores is possible.
"""

import argparse
import importlib
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from itertools import product
from pathlib import Path
from typing import Any

FIXED = ("share", "whole", "compile", "device", "repeats", "seed")
"""What is the same for all cells."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=["base!", "large!"])
    parser.add_argument("--sizes", nargs="+", type=int, default=[256, 512, 1024, 2048])
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 8])
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--precisions", nargs="+", default=["fp32", "bf16"], choices=["fp32", "bf16"])
    parser.add_argument("--masks", nargs="+", default=["paper"], choices=["paper", "compact"])
    parser.add_argument("--share", type=float, default=0.05, help="of the picture under a compact mask")
    parser.add_argument("--whole", action="store_true", help="compute everything, not only what the hole depends on")
    parser.add_argument("--compile", action="store_true", help="torch.compile the network")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=float, default=120.0, help="seconds after which a cell is given up")
    parser.add_argument("--output", type=Path, help="JSON file")
    parser.add_argument("--cell", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.cell:
        print(json.dumps(measure(json.loads(arguments.cell))))
        return
    fixed = {name: getattr(arguments, name) for name in FIXED}
    cells = [
        {"model": m, "size": s, "batch": b, "threads": t, "precision": p, "mask": k} | fixed
        for m, k, p, t, s, b in product(
            arguments.models,
            arguments.masks,
            arguments.precisions,
            arguments.threads,
            arguments.sizes,
            arguments.batches,
        )
    ]
    rows = []
    print("| model | mask | precision | threads | size | batch | s/image | peak MB | GFLOP/image | floor s/image |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for cell in cells:
        row = cell | run(cell, arguments.limit)
        rows.append(row)
        print(line(row), flush=True)
        if arguments.output:
            arguments.output.write_text(json.dumps({"machine": machine(), "command": sys.argv, "rows": rows}, indent=1))


def line(row: dict[str, Any]) -> str:
    head = [row[name] for name in ("model", "mask", "precision", "threads", "size", "batch")]
    if "failed" in row:
        return "| " + " | ".join(map(str, [*head, row["failed"], "", "", ""])) + " |"
    floor = "" if row["gflop"] is None else f"{row['gflop'] / row['gflops']:.3f}"
    gflop = "" if row["gflop"] is None else f"{row['gflop']:.1f}"
    return "| " + " | ".join(map(str, [*head, f"{row['seconds']:.3f}", f"{row['mb']:.0f}", gflop, floor])) + " |"


def run(cell: dict[str, Any], limit: float) -> dict[str, Any]:
    """Measures a cell in a process of its own; ``failed`` says why there is no figure."""
    environment = os.environ | {"OMP_NUM_THREADS": str(cell["threads"])}
    command = [sys.executable, __file__, "--cell", json.dumps(cell)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit, env=environment, check=False)
    except subprocess.TimeoutExpired:
        return {"failed": f"above {limit:.0f} s"}
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["no message"]
        return {"failed": "out of memory" if done.returncode == -9 else last[0][:80]}
    return json.loads(done.stdout.splitlines()[-1])  # type: ignore[no-any-return]


def measure(cell: dict[str, Any]) -> dict[str, Any]:
    import torch

    from temperfill.cli.memory import keep_freed_memory

    keep_freed_memory()  # as every command does
    torch.set_flush_denormal(True)
    torch.set_num_threads(cell["threads"])
    device = cell["device"]
    method = build(cell)
    image, mask = inputs(cell)
    image, mask = image.to(device), mask.to(device)
    autocast = torch.autocast(device, torch.bfloat16, enabled=cell["precision"] == "bf16")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    times = []
    with torch.inference_mode(), autocast:
        for _ in range(cell["repeats"] + 1):
            start = time.perf_counter()
            method(image, mask)
            if device == "cuda":
                torch.cuda.synchronize()
            times.append(time.perf_counter() - start)
        peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        if device == "cuda":
            peak = torch.cuda.max_memory_allocated() / 2**20
        flop = None if cell["compile"] else count(method, image, mask)
    rate = matrix_rate(device, cell["precision"])
    return {
        "seconds": statistics.median(times[-cell["repeats"] :]) / cell["batch"],
        "first": times[0] / cell["batch"],
        "mb": peak,
        "gflop": None if flop is None else flop / 1e9 / cell["batch"],
        "gflops": rate / 1e9,
    }


def build(cell: dict[str, Any]) -> Any:
    import torch

    from temperfill.methods import bundled, load
    from temperfill.methods.ours import Ours
    from temperfill.nets.generator import Generator
    from temperfill.presets import PRESETS
    from temperfill.systems.building import build
    from temperfill.systems.table import SYSTEMS, published

    name, device = cell["model"], cell["device"]
    special = [option for option in ("whole", "compile") if cell[option]]
    ours = name in bundled() or name.endswith(".safetensors") or (name.endswith("!") and name[:-1] in PRESETS)
    if special and not ours:
        raise SystemExit(f"--{special[0]} is for our network only")
    if ":" in name:
        module, attribute = name.split(":")
        found = getattr(importlib.import_module(module), attribute)
        return found() if isinstance(found, type) else found
    if name.endswith("!") and name[:-1] in SYSTEMS:
        torch.manual_seed(0)
        network = build(published(name[:-1]).generator).eval().to(device)
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return lambda image, mask: network(image, mask).refined
    if name.endswith("!"):
        torch.manual_seed(0)
        generator = Generator(PRESETS[name[:-1]].generator).eval().to(device)
        method: Any = Ours(generator.to(memory_format=torch.channels_last))  # type: ignore[call-overload]
    else:
        method = load(name, device)
    if cell["compile"]:
        method.generator.compile()
    if cell["whole"]:
        generator = method.generator
        return lambda image, mask: generator(image, mask).refined
    return method


def inputs(cell: dict[str, Any]) -> Any:
    import numpy as np
    import torch

    from temperfill import masks

    rng = np.random.default_rng(cell["seed"])
    size, batch = cell["size"], cell["batch"]
    image = torch.from_numpy(rng.random((batch, 3, size, size), np.float32))
    if cell["mask"] == "paper":
        holes = [masks.free_form_square(size, size, rng) for _ in range(batch)]
    else:
        side = round(size * cell["share"] ** 0.5)
        hole = np.zeros((size, size), bool)
        hole[(size - side) // 2 :][:side, (size - side) // 2 :][:, :side] = True
        holes = [hole] * batch
    return image, torch.from_numpy(np.stack(holes)[:, None].astype(np.float32))


def count(method: Any, image: Any, mask: Any) -> float | None:
    """Floating point operations of convolutions, products and attention in a call; None for what torch does not run."""
    import torch
    import torch.nn.functional as F
    from torch.utils.flop_counter import FlopCounterMode

    plain, attention = F.scaled_dot_product_attention, 0

    def counted(q: Any, k: Any, v: Any, **rest: Any) -> Any:
        nonlocal attention
        attention += 2 * q.shape[:-1].numel() * k.shape[-2] * (q.shape[-1] + v.shape[-1])
        return q.new_zeros(*q.shape[:-1], v.shape[-1])

    F.scaled_dot_product_attention = counted
    try:
        # In inference mode the counter keeps parametrised weights, such as WaveFill's, from being computed.
        with torch.inference_mode(False), torch.no_grad(), FlopCounterMode(display=False) as counter:
            method(image, mask)
    finally:
        F.scaled_dot_product_attention = plain
    total = counter.get_total_flops() + attention
    return float(total) if total else None


def matrix_rate(device: str, precision: str) -> float:
    """Operations a second of a product of large matrices."""
    import torch

    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    side = 8192 if device == "cuda" else 1536
    a, b = (torch.rand(side, side, device=device).to(dtype) for _ in range(2))
    best = float("inf")
    for _ in range(4):
        start = time.perf_counter()
        a @ b
        if device == "cuda":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - start)
    return 2 * side**3 / best


def machine() -> dict[str, Any]:
    import torch

    name = platform.processor()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        found = [row.split(":")[1].strip() for row in cpuinfo.read_text().splitlines() if row.startswith("model name")]
        name = found[0] if found else name
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {
        "cpu": name,
        "cores": os.cpu_count(),
        "gpu": gpu,
        "torch": torch.__version__,
        "python": sys.version.split()[0],
    }


if __name__ == "__main__":
    main()
