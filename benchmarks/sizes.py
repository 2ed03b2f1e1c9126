"""Parameters of weights files, and the CPU time of a forward pass at 256x256 with a hole in a quarter of the picture.

CPU time of one thread, not of the clock, so that other work on the machine counts little; the least of several passes.

    python benchmarks/sizes.py base half.safetensors --passes 5
"""

import argparse
import time

import torch

from temperfill.methods.finding import find_weights
from temperfill.weights_files import load_generator


def main() -> None:
    """Prints a line for each file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", nargs="+", help="bundled names, weights files or run folders")
    parser.add_argument("--passes", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    image, mask = torch.rand(1, 3, 256, 256), torch.zeros(1, 1, 256, 256)
    mask[:, :, 64:192, 64:192] = 1
    paths = [find_weights(name) for name in arguments.weights]
    generators = [load_generator(path) for path in paths]
    seconds: list[list[float]] = [[] for _ in paths]
    with torch.inference_mode():
        for _ in range(arguments.passes + 1):  # in turns, as the machine may be busy for a while
            for generator, found in zip(generators, seconds, strict=True):
                start = time.process_time()
                generator(image, mask)
                found.append(time.process_time() - start)
    for name, path, generator, found in zip(arguments.weights, paths, generators, seconds, strict=True):
        millions = sum(parameter.numel() for parameter in generator.parameters()) / 1e6
        print(f"{name}: {millions:.2f} M parameters, {min(found[1:]):.3f} s, {path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
