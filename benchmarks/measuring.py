"""What the programs that time share: cells in processes of their own, the machine, tables and plots."""

import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

FLAG = "--cell"


def run_cell(program: str, cell: dict[str, Any], limit: float) -> dict[str, Any]:
    """Measures a cell in a process of its own; ``failed`` says why there is no figure."""
    environment = os.environ | {"OMP_NUM_THREADS": str(cell["threads"])}
    try:
        done = subprocess.run(
            [sys.executable, program, FLAG, json.dumps(cell)],
            capture_output=True,
            text=True,
            timeout=limit,
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {"failed": f"above {limit:.0f} s"}
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        memory = done.returncode == -9 or "alloc" in last.lower() or "memory" in last.lower()
        return {"failed": "out of memory" if memory else last[:100]}
    return json.loads(done.stdout.splitlines()[-1])  # type: ignore[no-any-return]


def limit_memory(gigabytes: float) -> None:
    """Makes allocations beyond a size fail, so that a cell that is too large fails by itself and harms nothing else."""
    if gigabytes and sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_DATA, (int(gigabytes * 2**30),) * 2)


def measure(work: Callable[[], object], device: str, repeats: int, seconds: float) -> dict[str, Any]:
    """Times a call: one that is not counted, then ``repeats``, or as many as ``seconds`` allow, at least one.

    Memory is the peak of the process on a CPU, and of the device on CUDA, beyond what was held before the first call.
    """
    import torch

    cuda = device.startswith("cuda")

    def wait() -> None:
        if cuda:
            for index in range(torch.cuda.device_count()):
                torch.cuda.synchronize(index)

    before = torch.cuda.memory_allocated() if cuda else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    times: list[float] = []
    start = time.perf_counter()
    while len(times) < repeats + 1 and (len(times) < 2 or time.perf_counter() - start < seconds):
        wait()
        began = time.perf_counter()
        work()
        wait()
        times.append(time.perf_counter() - began)
    peak = torch.cuda.max_memory_allocated() if cuda else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    counted = times[1:]
    return {
        "seconds": sum(counted) / len(counted),
        "fastest": min(counted),
        "repeats": len(counted),
        "megabytes": (peak - before) / 2**20,
    }


def machine(device: str) -> dict[str, Any]:
    import torch

    name = platform.processor()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        rows = cpuinfo.read_text(encoding="utf-8").splitlines()
        name = next((row.split(":")[1].strip() for row in rows if row.startswith("model name")), name)
    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())] if device == "cuda" else []
    versions = {"torch": torch.__version__, "python": sys.version.split()[0]}
    return {"cpu": name, "cores": os.cpu_count(), "gpus": gpus} | versions


def save(path: Path, rows: list[dict[str, Any]], device: str) -> None:
    """Writes what is measured so far, so that an interruption loses nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = {"machine": machine(device), "command": sys.argv, "rows": rows}
    path.write_text(json.dumps(data, indent=1), encoding="utf-8")


def plot(
    panels: dict[str, dict[str, list[tuple[float, float]]]], path: Path, xlabel: str, ylabel: str, log: bool = True
) -> None:
    """Panels of lines (x, y) by label; left out, with a word, where there is no matplotlib."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        print("no plot: matplotlib is not installed")
        return
    panels = {title: lines for title, lines in panels.items() if any(lines.values())}
    if not panels:
        print("no plot: nothing was measured")
        return
    columns = min(len(panels), 3)
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(5 * columns, 3.6 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    labels = list(dict.fromkeys(label for lines in panels.values() for label in lines))
    for axis, (title, lines) in zip(axes, panels.items(), strict=False):
        for label, points in lines.items():
            if points:
                axis.plot(*zip(*points, strict=True), marker="o", color=f"C{labels.index(label) % 10}", label=label)
        axis.set(title=title, xlabel=xlabel, ylabel=ylabel)
        if log:
            axis.set_xscale("log", base=2)
            axis.set_yscale("log")
        ticks = sorted({x for points in lines.values() for x, _ in points})
        axis.set_xticks(ticks, [f"{x:g}" for x in ticks])
        axis.minorticks_off() if log else None
        axis.grid(alpha=0.3)
        axis.legend(fontsize="small")
    for axis in axes[len(panels) :]:
        axis.remove()
    figure.savefig(path, dpi=120)
