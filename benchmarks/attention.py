"""Seconds and peak memory of the attentions alone: MHTMA, contextual attention, ATMA; forward and with backward.

python benchmarks/attention.py --output attention.json
python benchmarks/attention.py --device cuda --output attention-cuda.json
python benchmarks/attention.py --quick --output quick.json

Each cell (module, pass, precision, batch, side of the square feature map) runs in a process of its own, on random
features with --channels channels and a square hole of 3/8 of the side. mhtma-fused and mhtma-reference are the two
implementations of MHTMA; contextual and atma are batched, contextual-looped and atma-looped go picture by picture with
patches as convolution kernels, as their papers do. bf16 is autocast; the batched contextual attention and ATMA compute
in float32 whatever is around them. A cell that is expected above --limit seconds (the quadratic cost of a smaller cell
of the same row, scaled) is skipped, and marked so; so are cells that cannot allocate. --memory bounds the process on a
CPU. Writes the rows as JSON, and a plot beside it; prints a table, and what MHTMA gains over the looped ATMA, each at
its best precision.
"""

import argparse
import json
from itertools import product
from pathlib import Path
from typing import Any

from measuring import FLAG, limit_memory, measure, plot, run_cell, save

MODULES = ("mhtma-fused", "mhtma-reference", "contextual", "contextual-looped", "atma", "atma-looped")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--modules", nargs="+", default=list(MODULES), choices=MODULES)
    parser.add_argument("--passes", nargs="+", default=["forward", "both"], choices=["forward", "both"])
    parser.add_argument("--precisions", nargs="+", default=["fp32", "bf16"], choices=["fp32", "bf16"])
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 2, 4, 8, 16])
    parser.add_argument("--sides", nargs="+", type=int, default=[32, 64, 128, 256], help="of the feature map")
    parser.add_argument("--channels", type=int, default=96)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--limit", type=float, default=120.0, help="seconds of one call above which a cell is skipped")
    parser.add_argument(
        "--memory", type=float, default=0.0, help="GiB that a CPU process may hold; 0: all that is free"
    )
    parser.add_argument("--quick", action="store_true", help="sides 16 and 32, batches 1 and 2, one repeat")
    parser.add_argument("--output", type=Path, default=Path("attention.json"))
    parser.add_argument(FLAG, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.cell:
        print(json.dumps(measure_cell(json.loads(arguments.cell))))
        return
    if arguments.quick:
        arguments.sides, arguments.batches, arguments.repeats = [16, 32], [1, 2], 1
    rows = measure_all(arguments)
    for text in gains(rows):
        print(text)
    for name, figure, unit in (("seconds", "time", "s"), ("megabytes", "memory", "MiB")):
        path = arguments.output.with_name(f"{arguments.output.stem}-{figure}.png")
        plot(panels(rows, name), path, "side of the feature map", f"{figure}, {unit}")


def measure_all(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    fixed = {name: getattr(arguments, name) for name in ("channels", "device", "threads", "repeats", "limit")}
    fixed["memory"] = arguments.memory or free_memory()
    rows: list[dict[str, Any]] = []
    print("| module | pass | precision | batch | side | s | repeats | peak MiB |")
    print("|---|---|---|---:|---:|---:|---:|---:|")
    # By size last, so that smaller cells of a row are known when a larger one is to be foretold.
    for module, way, precision in product(arguments.modules, arguments.passes, arguments.precisions):
        for side, batch in product(sorted(arguments.sides), sorted(arguments.batches)):
            cell = {"module": module, "pass": way, "precision": precision, "batch": batch, "side": side} | fixed
            expected = foretell(rows, cell)
            if expected > arguments.limit:
                found: dict[str, Any] = {"failed": f"skipped: expected {expected:.0f} s", "expected": expected}
            else:
                found = run_cell(__file__, cell, 6 * arguments.limit + 60)
            rows.append(cell | found)
            print(line(rows[-1]), flush=True)
            save(arguments.output, rows, arguments.device)
    return rows


def free_memory() -> float:
    """GiB that are free now, less a tenth."""
    text = Path("/proc/meminfo")
    if not text.is_file():
        return 0.0
    found = [row for row in text.read_text(encoding="utf-8").splitlines() if row.startswith("MemAvailable")]
    return 0.9 * int(found[0].split()[1]) / 2**20


def foretell(rows: list[dict[str, Any]], cell: dict[str, Any]) -> float:
    """Seconds that a call will take, by the largest cell of its kind: linear in the batch, quadratic in positions."""
    alike = [r for r in rows if "seconds" in r and all(r[n] == cell[n] for n in ("module", "pass", "precision"))]
    if not alike:
        return 0.0
    last = max(alike, key=lambda r: r["batch"] * r["side"] ** 4)
    return float(last["seconds"] * cell["batch"] / last["batch"] * (cell["side"] / last["side"]) ** 4)


def line(row: dict[str, Any]) -> str:
    head = [str(row[name]) for name in ("module", "pass", "precision", "batch", "side")]
    failed = [row.get("failed", ""), "", ""]
    shown = failed if "failed" in row else [f"{row['seconds']:.4f}", str(row["repeats"]), f"{row['megabytes']:.0f}"]
    return "| " + " | ".join([*head, *shown]) + " |"


def gains(rows: list[dict[str, Any]]) -> list[str]:
    """How much faster the fused MHTMA is than the looped ATMA, each at its best precision."""
    best: dict[tuple[str, str, int, int], dict[str, Any]] = {}
    for row in (r for r in rows if "seconds" in r):
        place = (row["module"], row["pass"], row["side"], row["batch"])
        if place not in best or row["seconds"] < best[place]["seconds"]:
            best[place] = row
    lines = []
    for (module, way, side, batch), ours in best.items():
        theirs = best.get(("atma-looped", way, side, batch))
        if module == "mhtma-fused" and theirs:
            ratio = theirs["seconds"] / ours["seconds"]
            times = [f"{row['seconds']:.4f} s in {row['precision']}" for row in (ours, theirs)]
            place = f"{way}, {side}x{side}, batch {batch}"
            lines.append(f"{place}: fused MHTMA {times[0]}, looped ATMA {times[1]}: {ratio:.2f} times")
    return lines


def panels(rows: list[dict[str, Any]], name: str) -> dict[str, dict[str, list[tuple[float, float]]]]:
    """Pass, precision and batch to module to points."""
    found: dict[str, dict[str, list[tuple[float, float]]]] = {}
    batches = sorted({row["batch"] for row in rows})
    for row in rows:
        if name in row and row["batch"] in (batches[0], batches[-1]) and row[name] > 0:
            title = f"{row['pass']}, {row['precision']}, batch {row['batch']}"
            found.setdefault(title, {}).setdefault(row["module"], []).append((row["side"], row[name]))
    return found


def measure_cell(cell: dict[str, Any]) -> dict[str, Any]:
    import torch

    torch.set_flush_denormal(True)
    torch.set_num_threads(cell["threads"])
    device, side, batch = cell["device"], cell["side"], cell["batch"]
    if device == "cpu":
        limit_memory(cell["memory"])
    torch.manual_seed(0)
    module = build(cell["module"], cell["channels"]).to(device)
    features = torch.randn(batch, cell["channels"], side, side).to(device)
    mask = torch.zeros(batch, 1, side, side, device=device)
    hole = slice(side // 4, side // 4 + 3 * side // 8)
    mask[:, :, hole, hole] = 1
    backward = cell["pass"] == "both"
    features.requires_grad_(backward)
    autocast = torch.autocast(device, torch.bfloat16, enabled=cell["precision"] == "bf16")

    def work() -> None:
        with torch.set_grad_enabled(backward), autocast:
            result = module(features, mask)
        if backward:
            result.float().square().mean().backward()

    return measure(work, device, cell["repeats"], cell["limit"])


def build(name: str, channels: int) -> Any:
    from looped_attention import LoopedAttention

    from temperfill.attention import ATMA, MHTMA, ContextualAttention

    kind, _, form = name.partition("-")
    if kind == "mhtma":
        return MHTMA(channels, implementation="fused" if form == "fused" else "reference")
    module = ATMA(channels) if kind == "atma" else ContextualAttention()
    return LoopedAttention(module) if form == "looped" else module


if __name__ == "__main__":
    main()
