"""Seconds and memory of engines beside each other: the package with torch, and the exported file in onnxruntime.

python benchmarks/engines.py model.onnx                 # all sizes, one and two threads; prints the table
python benchmarks/engines.py model.onnx --sizes 256x256 --threads 1
python benchmarks/engines.py model.onnx --runtime web/runtime    # and in WebAssembly, by onnxruntime-web in node

Each cell is a process of its own. The picture is smooth with noise, the hole a square of a tenth of it, at most 300
pixels wide, and no texture is copied. torch computes in float32, as onnxruntime does. The first filling is not
counted; of those that follow the median is. Memory is the peak of the whole process. ``web/build.py --only-runtime``
fetches the runtime for WebAssembly.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

SIZES = ("256x256", "512x512", "1024x1024", "4096x3072")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--sizes", nargs="+", default=SIZES)
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--runtime", type=Path, help="folder of onnxruntime-web, which is then measured, too")
    parser.add_argument("--engine", choices=["torch", "onnxruntime", "wasm"], help="measure one, in this process")
    arguments = parser.parse_args()
    if arguments.engine:
        size = tuple(map(int, arguments.sizes[0].split("x")))
        work = in_node if arguments.engine == "wasm" else measure
        print(work(arguments, *picture(*size), arguments.threads[0]))
        return
    engines = ["torch", "onnxruntime", *(["wasm"] if arguments.runtime else [])]
    print("| picture | threads |" + "".join(f" {engine}: s | CPU s | peak GiB |" for engine in engines))
    print("|---|---|" + "---|" * 3 * len(engines), flush=True)
    for size in arguments.sizes:
        for threads in arguments.threads:
            print(f"| {size} | {threads} ", end="", flush=True)
            for engine in engines:
                if engine == "wasm" and threads > 1:  # which node cannot start in this runtime
                    print("| - | - | - ", end="")
                    continue
                options = ["--sizes", size, "--threads", str(threads), "--engine", engine]
                command = [sys.executable, __file__, *sys.argv[1:], *options]
                cell = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
                print(f"| {cell.stdout.strip()} ", end="", flush=True)
            print("|", flush=True)


def measure(arguments: argparse.Namespace, image: np.ndarray, hole: np.ndarray, threads: int) -> str:
    """Seconds, CPU seconds and GiB."""
    fill = (with_torch if arguments.engine == "torch" else with_onnxruntime)(arguments.model, threads)
    fill(*(plane[:256, :256] for plane in (image, hole | (np.indices(hole.shape).sum(0) % 97 == 0))))
    taken = []
    for _ in range(arguments.repeats):
        wall, processor = time.perf_counter(), time.process_time()
        filled = fill(image, hole)
        taken.append((time.perf_counter() - wall, time.process_time() - processor))
        check(image, hole, filled)
    wall, processor = map(statistics.median, zip(*taken, strict=True))
    return f"{wall:.1f} | {processor:.1f} | {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f}"


def in_node(arguments: argparse.Namespace, image: np.ndarray, hole: np.ndarray, threads: int) -> str:
    """The same of a process of node."""
    opaque = np.dstack([image, np.full_like(image[..., :1], 255)])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        opaque.tofile(folder / "image")
        (hole * np.uint8(255)).tofile(folder / "mask")
        numbers = map(str, (threads, *hole.shape, arguments.repeats))
        script = [str(Path(__file__).with_suffix(".mjs")), str(arguments.runtime.resolve()), arguments.model, name]
        printed = subprocess.run(["node", *script, *numbers], check=True, stdout=subprocess.PIPE, text=True).stdout
        check(opaque, hole, np.fromfile(folder / "filled", np.uint8).reshape(opaque.shape))
    return printed.strip().splitlines()[-1]


def check(image: np.ndarray, hole: np.ndarray, filled: np.ndarray) -> None:
    if not np.array_equal(filled[~hole], image[~hole]) or np.array_equal(filled[hole], image[hole]):
        raise SystemExit("known pixels changed, or the hole did not")


def picture(width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 256, (12, 16, 3), np.uint8)).resize((width, height))
    image = (
        (np.asarray(coarse).astype(np.int16) + rng.integers(-6, 7, (height, width, 3))).clip(0, 255).astype(np.uint8)
    )
    hole, side = np.zeros((height, width), bool), min(round((width * height / 10) ** 0.5), 300)
    top, left = (height - side) // 2, (width - side) // 2
    hole[top : top + side, left : left + side] = True
    return image, hole


def with_torch(_: str, threads: int) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    import torch

    from temperfill import Inpainter

    torch.set_num_threads(threads)
    inpainter = Inpainter.from_pretrained("base", "cpu", "fp32")
    return lambda image, hole: np.asarray(inpainter(Image.fromarray(image), Image.fromarray(hole), texture="network"))


def with_onnxruntime(model: str, threads: int) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    import onnxruntime

    from temperfill.export import host

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return lambda image, hole: host.fill(lambda given: session.run(None, dict(given))[0], image, hole * np.uint8(255))


if __name__ == "__main__":
    main()
