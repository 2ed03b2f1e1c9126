"""Time of a training step, and where it goes.

python benchmarks/train_step.py --size 256 --batch-size 16 --precision bf16 --compile --vgg VGG.safetensors --profile

Pictures are random: loading them is left out. Prints images/s over --steps steps after two that are not counted, peak
memory of the process or the device, and with --profile the operators that took most of a step.
"""

import argparse
import math
import platform
import resource
import time
from dataclasses import replace
from pathlib import Path

import torch
from lightning_fabric import Fabric
from measuring import measure

from temperfill.config import DataConfig, MachineConfig
from temperfill.data import Batch
from temperfill.presets import PRESETS
from temperfill.train.networks import Networks
from temperfill.train.step import Stepper


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="base", choices=list(PRESETS))
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--precision", default="bf16", choices=["fp32", "bf16"])
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--vgg", type=Path, help="weights for the perceptual loss; without them it is left out")
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--profile", action="store_true")
    arguments = parser.parse_args()

    torch.set_flush_denormal(True)
    preset = PRESETS[arguments.preset]
    config = replace(
        preset,
        precision=arguments.precision,
        batch_size=arguments.batch_size,
        data=DataConfig(crop_size=arguments.size, resize=arguments.size),
        machine=MachineConfig(compile=arguments.compile, perceptual_path=arguments.vgg),
        loss=preset.loss if arguments.vgg else replace(preset.loss, perceptual_weight=0.0),
    )
    fabric = Fabric(
        accelerator=arguments.device,
        devices=1,
        precision="bf16-mixed" if arguments.precision == "bf16" else "32-true",
    )
    stepper = Stepper(config, Networks(config).to(fabric.device), fabric)
    batch = random_batch(arguments.batch_size, arguments.size, fabric.device)

    start = time.perf_counter()
    stepper(batch, 0)
    print(f"first step {time.perf_counter() - start:.1f} s")
    found = measure(lambda: stepper(batch, 1), arguments.device, arguments.steps, math.inf)
    seconds = found["seconds"]
    if arguments.device == "cuda":
        peak = torch.cuda.max_memory_allocated() / 1e9
    else:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    rate = arguments.batch_size / seconds
    print(f"{seconds:.2f} s a step, {rate:.2f} images/s, {60 / seconds:.1f} batches a minute, peak {peak:.1f} GB")
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {platform.machine()}, {arguments}")
    if arguments.profile:
        with torch.profiler.profile() as profile:
            stepper(batch, 0)
        print(profile.key_averages().table(sort_by="self_cpu_time_total", row_limit=20, max_name_column_width=50))


def random_batch(size: int, side: int, device: torch.device) -> Batch:
    """Random pictures with a square hole of 3/8 of their side, as the paper's at 256."""
    generator = torch.Generator().manual_seed(0)
    mask = torch.zeros(size, 1, side, side)
    mask[:, :, side // 4 : side // 4 + 3 * side // 8, side // 4 : side // 4 + 3 * side // 8] = 1
    return Batch(
        torch.rand(size, 3, side, side, generator=generator).to(device, memory_format=torch.channels_last),
        mask.to(device),
        torch.full((size, 2), side // 3),
        torch.full((size,), -1),
        torch.arange(size),
        torch.zeros(size, 0, side, side, device=device),
    )


if __name__ == "__main__":
    main()
