"""Time of a forward pass of the whole model with MHTMA and with ATMA, over batch sizes (the paper's Fig. 7).

python benchmarks/forward.py --output forward.json
python benchmarks/forward.py --device cuda --gpus 1 2 --output forward-cuda.json
python benchmarks/forward.py --quick --output quick.json

mhtma is our network; atma is the system of comparison: DeepFillv2's network with batch normalisation and ATMA, here
batched, and picture by picture in atma-looped, as its paper computes it; ours-atma and ours-atma-looped are our network
with that attention, which differ from mhtma in nothing else. Weights are random, everything is computed (not only what
the hole needs). Each cell runs in a process of its own; times are means of --repeats calls (500 on CUDA, as in the
paper; 10 on a CPU), or of as many as --seconds allow, which the table states. With several GPUs the batch is that of
each GPU.
"""

import argparse
import json
from itertools import product
from pathlib import Path
from typing import Any

from measuring import FLAG, measure, plot, run_cell, save

MODELS = ("mhtma", "atma", "atma-looped", "ours-atma", "ours-atma-looped")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=MODELS)
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 2, 4, 8, 16])
    parser.add_argument("--size", type=int, default=256, help="side of the pictures, pixels")
    parser.add_argument("--width", type=int, default=24, help="channels at full resolution")
    parser.add_argument("--precisions", nargs="+", default=["fp32"], choices=["fp32", "bf16"])
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--gpus", nargs="+", type=int, default=[1], help="numbers of GPUs; only with --device cuda")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=120.0, help="for the calls of one cell")
    parser.add_argument("--quick", action="store_true", help="width 4, 64 pixels, batches 1 and 2, two repeats")
    parser.add_argument("--output", type=Path, default=Path("forward.json"))
    parser.add_argument(FLAG, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.cell:
        print(json.dumps(measure_cell(json.loads(arguments.cell))))
        return
    if arguments.quick:
        arguments.batches, arguments.size, arguments.width, arguments.repeats = [1, 2], 64, 4, 2
    repeats = arguments.repeats or (500 if arguments.device == "cuda" else 10)
    fixed = {name: getattr(arguments, name) for name in ("size", "width", "device", "threads", "seconds")}
    gpus = arguments.gpus if arguments.device == "cuda" else [0]
    rows: list[dict[str, Any]] = []
    print("| model | precision | GPUs | batch | s (mean) | of calls | fastest | peak MiB |")
    print("|---|---|---:|---:|---:|---:|---:|---:|")
    for model, precision, number, batch in product(arguments.models, arguments.precisions, gpus, arguments.batches):
        cell = {"model": model, "precision": precision, "gpus": number, "batch": batch, "repeats": repeats} | fixed
        rows.append(cell | run_cell(__file__, cell, 6 * arguments.seconds + 60))
        print(line(rows[-1]), flush=True)
        save(arguments.output, rows, arguments.device)
    panels: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for row in (r for r in rows if "mean" in r):
        title = f"{row['precision']}" + (f", {row['gpus']} GPU" if row["gpus"] else "")
        panels.setdefault(title, {}).setdefault(row["model"], []).append((row["batch"], row["mean"]))
    plot(panels, arguments.output.with_suffix(".png"), "batch size", "s for a forward pass", log=False)


def line(row: dict[str, Any]) -> str:
    head = [str(row[name]) for name in ("model", "precision", "gpus", "batch")]
    if "failed" in row:
        return "| " + " | ".join([*head, row["failed"], "", "", ""]) + " |"
    shown = [f"{row['mean']:.4f}", str(row["calls"]), f"{row['fastest']:.4f}", f"{row['megabytes']:.0f}"]
    return "| " + " | ".join([*head, *shown]) + " |"


def measure_cell(cell: dict[str, Any]) -> dict[str, Any]:
    import torch

    torch.set_flush_denormal(True)
    torch.set_num_threads(cell["threads"])
    torch.manual_seed(0)
    device, size = cell["device"], cell["size"]
    if cell["gpus"] > torch.cuda.device_count():
        return {"failed": f"there are {torch.cuda.device_count()} GPUs"}
    batch = cell["batch"] * max(cell["gpus"], 1)
    model: Any = build(cell["model"], cell["width"]).eval().to(device, memory_format=torch.channels_last)
    if cell["gpus"] > 1:
        model = torch.nn.DataParallel(model, list(range(cell["gpus"])))
    image = torch.rand(batch, 3, size, size).to(device, memory_format=torch.channels_last)
    mask = torch.zeros(batch, 1, size, size, device=device)
    mask[:, :, size // 4 : 5 * size // 8, size // 4 : 5 * size // 8] = 1
    autocast = torch.autocast(device, torch.bfloat16, enabled=cell["precision"] == "bf16")

    def work() -> None:
        with torch.inference_mode(), autocast:
            model(image, mask)

    found = measure(work, device, cell["repeats"], cell["seconds"])
    return {"mean": found.pop("seconds"), "calls": found.pop("repeats")} | found


def build(name: str, width: int) -> Any:
    from looped_attention import LoopedAttention

    from temperfill.config import GeneratorConfig
    from temperfill.systems.atma import ATMAConfig
    from temperfill.systems.building import build as network

    if name.startswith("atma"):
        model: Any = network(ATMAConfig(width=width))
        if name.endswith("-looped"):
            model.refinement.attention = LoopedAttention(model.refinement.attention)
        return model
    attention = "mhtma" if name == "mhtma" else "atma"
    model = network(GeneratorConfig(width=width, head_dim=min(width, 24), attention=attention))
    if name.endswith("-looped"):
        branch = model.refinement.attention_branch
        branch.attention = LoopedAttention(branch.attention)
    return model


if __name__ == "__main__":
    main()
