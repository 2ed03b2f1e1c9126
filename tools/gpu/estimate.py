"""What a training step costs, counted on the CPU: products, bytes through memory, operators; and what that may take."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode, sdpa_backward_flop_count, sdpa_flop_count

from temperfill.config import TrainConfig
from temperfill.data import Batch
from temperfill.systems.table import load_run
from temperfill.train.networks import Networks
from temperfill.train.step import Stepper

from .compiling import fabric_on
from .training import configuration

RATES = {"H100": (800e12, 3.0e12), "H200": (800e12, 4.3e12)}
"""Products (bf16, of large matrices) and bytes a second, as measured on such devices."""
PART = 0.35
"""Share of the rate of large products that convolutions of 24 to 96 channels reach; a guess, to be measured."""
LAUNCH = 6e-6
"""Seconds that torch takes to start an operator."""
_BATCHES = (16, 32, 64)
_STEP = "the whole step"


class Bytes(TorchDispatchMode):
    """Counts operators that compute, and the bytes of what they read and write."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = self.operators = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        read = [x for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)]
        written = [x for x in tree_leaves(result) if isinstance(x, Tensor)]
        storages = {x.untyped_storage().data_ptr() for x in read}
        views = not func._schema.is_mutable and all(x.untyped_storage().data_ptr() in storages for x in written)
        if written and not views:
            self.operators += 1
            self.bytes += sum(x.nbytes for x in (*read, *written))
        return result


def _forward(query: Any, key: Any, value: Any, *_: Any, **__: Any) -> int:
    count: int = sdpa_flop_count(query, key, value)
    return count


def _backward(gradient: Any, query: Any, key: Any, value: Any, *_: Any, **__: Any) -> int:
    count: int = sdpa_backward_flop_count(gradient, query, key, value)
    return count


_ATTENTION = {
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _forward,
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward: _backward,
}
"""The attention kernel of CPUs, which torch does not count by itself."""


def count(work: Callable[[], object]) -> tuple[int, int, int]:
    """Floating-point operations of products (two for each), bytes, and operators of a call, gradients included."""
    flops, traffic = FlopCounterMode(display=False, custom_mapping=_ATTENTION), Bytes()
    with flops, traffic:
        work()
    return flops.get_total_flops(), traffic.bytes, traffic.operators


def estimate(vgg: Path | None, size: int, recipe: Path) -> str:
    """Tables of what a step costs and may take.

    Batches of one and of two pictures are counted: their difference is a picture's, the rest the step's own.

    Args:
        vgg: weights of the perceptual loss; None leaves it out.
        size: side of the pictures, pixels.
        recipe: file of the run.

    Raises:
        OSError: a file is missing.
        ValueError: a file is damaged, or of another method.
    """
    run = load_run(recipe)
    if not isinstance(run, TrainConfig):
        raise ValueError(f"{recipe} is a run of {run.method}; name one of ours")
    config = configuration(run, recipe, vgg, size)
    single, double = (_counted(replace(config, batch_size=number)) for number in (1, 2))
    lines = ["| part | GFLOP a picture | MB a picture | MB a step | operators |", "|---|---:|---:|---:|---:|"]
    for name, (flops, traffic, operators) in single.items():
        more = double[name]
        shown = (
            f"{(more[0] - flops) / 1e9:.1f} | {(more[1] - traffic) / 1e6:,.0f} | {(2 * traffic - more[1]) / 1e6:,.0f}"
        )
        lines.append(f"| {name} | {shown} | {operators:,} |")
    lines += ["", "| device | batch | products, ms | memory, ms | launches, ms | batches of 16 a minute |"]
    lines.append("|---|---:|---:|---:|---:|---:|")
    one, two = single[_STEP], double[_STEP]
    for device, (products, memory) in RATES.items():
        for number in _BATCHES:
            flops, traffic = (one[i] + (number - 1) * (two[i] - one[i]) for i in range(2))
            times = [flops / (PART * products), traffic / memory, one[2] * LAUNCH]
            # Products and traffic overlap little, layer by layer; launches overlap with both.
            step = max(times[0] + times[1], times[2])
            shown = " | ".join(f"{1000 * seconds:.0f}" for seconds in times)
            lines.append(f"| {device} | {number} | {shown} | {60 / step * number / 16:,.0f} |")
    return "\n".join(lines)


def _counted(config: TrainConfig) -> dict[str, tuple[int, int, int]]:
    """What :func:`count` gives for the parts of a step."""
    fabric = fabric_on("cpu", config.precision)
    stepper = Stepper(config, Networks(config), fabric)
    batch = _batch(config.batch_size, config.data.crop_size, config.generator.sketch)
    stepper(batch, 1)  # Adam's moments are made
    parts: dict[str, Callable[[], object]] = {
        "generator, forward": lambda: _generated(stepper, batch),
        "generator, forward and backward": lambda: fabric.backward(_generated(stepper, batch)),
        _STEP: lambda: stepper(batch, 1),
    }
    return {name: count(work) for name, work in parts.items()}


def _generated(stepper: Stepper, batch: Batch) -> Tensor:
    """A number that depends on all of the generator."""
    output = stepper.generator(*batch.given)
    return output.coarse.float().mean() + output.refined.float().mean()


def _batch(size: int, side: int, sketch: bool) -> Batch:
    """Random pictures with a square hole of 3/8 of their side."""
    mask = torch.zeros(size, 1, side, side)
    mask[:, :, side // 4 : 5 * side // 8, side // 4 : 5 * side // 8] = 1
    image = torch.rand(size, 3, side, side).contiguous(memory_format=torch.channels_last)
    lines = torch.zeros(size, int(sketch), side, side)
    return Batch(image, mask, torch.full((size, 2), side // 3), torch.full((size,), -1), torch.arange(size), lines)
