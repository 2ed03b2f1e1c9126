"""Seconds and memory of both engines beside each other: the package with torch, and the exported file in onnxruntime.

python benchmarks/engines.py model.onnx                 # all sizes, one and two threads; prints the table
python benchmarks/engines.py model.onnx --sizes 256x256 --threads 1

Each cell is a process of its own. The picture is smooth with noise, the hole a square of a tenth of it, at most 300
pixels wide, and no texture is copied. torch computes in float32, as onnxruntime does. The first filling is not
counted, the second is; memory is the peak of the whole process.
"""

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
from PIL import Image

SIZES = ("256x256", "512x512", "1024x1024", "4096x3072")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--sizes", nargs="+", default=SIZES)
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--engine", choices=["torch", "onnxruntime"], help="measure one, in this process")
    arguments = parser.parse_args()
    if arguments.engine:
        measure(arguments.model, arguments.engine, arguments.sizes[0], arguments.threads[0])
        return
    print("| picture | threads | torch: s | CPU s | peak GiB | onnxruntime: s | CPU s | peak GiB |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    for size in arguments.sizes:
        for threads in arguments.threads:
            options = [arguments.model, "--sizes", size, "--threads", str(threads), "--engine"]
            cells = [
                subprocess.run(
                    [sys.executable, __file__, *options, engine], check=True, stdout=subprocess.PIPE, text=True
                )
                for engine in ("torch", "onnxruntime")
            ]
            print(f"| {size} | {threads} | {' | '.join(cell.stdout.strip() for cell in cells)} |", flush=True)


def measure(model: str, engine: str, size: str, threads: int) -> None:
    """Prints seconds, CPU seconds and GiB."""
    image, hole = picture(*map(int, size.split("x")))
    fill = (with_torch if engine == "torch" else with_onnxruntime)(model, threads)
    fill(*(plane[:256, :256] for plane in (image, hole | (np.indices(hole.shape).sum(0) % 97 == 0))))
    wall, processor = time.perf_counter(), time.process_time()
    filled = fill(image, hole)
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    if not np.array_equal(filled[~hole], image[~hole]):
        raise SystemExit("known pixels changed")
    print(f"{wall:.1f} | {processor:.1f} | {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f}")


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
