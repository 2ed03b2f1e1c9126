"""Peak memory and seconds of an exported model in onnxruntime, each size in a process of its own.

python benchmarks/onnx_memory.py model.onnx --sizes 256 512 1024 --share 0.1

The picture is random, the hole a square of --share of it; --share 1 puts small holes everywhere, so that every query of
the attention is needed. Memory is the peak of the whole process, runtime and weights included. CPU seconds say more
than seconds where other programs run.
"""

import argparse
import resource
import subprocess
import sys
import time

import numpy as np


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--sizes", nargs="+", type=int, default=[256, 512, 1024])
    parser.add_argument("--share", type=float, default=0.1)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    if len(arguments.sizes) == 1:
        measure(arguments.model, arguments.sizes[0], arguments.share, arguments.threads)
        return
    print("| size | peak GiB | s | CPU s |\n|---|---|---|---|", flush=True)
    for size in arguments.sizes:
        options = ["--sizes", str(size), "--share", str(arguments.share), "--threads", str(arguments.threads)]
        subprocess.run([sys.executable, __file__, arguments.model, *options], check=True)


def measure(model: str, size: int, share: float, threads: int) -> None:
    """Prints one line for a size."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    image = np.random.default_rng(0).random((1, 3, size, size), dtype=np.float32)
    mask = np.zeros((1, 1, size, size), np.float32)
    if share < 1:
        side = round(size * share**0.5)
        start = (size - side) // 2
        mask[:, :, start : start + side, start : start + side] = 1
    else:
        mask[:, :, ::16, ::16] = 1
    wall, processor = time.perf_counter(), time.process_time()
    (composite,) = session.run(None, {"image": image, "mask": mask})
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    known = np.broadcast_to(mask == 0, image.shape)
    if not (np.isfinite(composite).all() and np.array_equal(composite[known], image[known])):
        raise SystemExit("the result is wrong")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"| {size} | {peak:.2f} | {wall:.1f} | {processor:.1f} |", flush=True)


if __name__ == "__main__":
    main()
