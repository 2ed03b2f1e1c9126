"""What a session leaves for the next: averaged weights, and both networks with their optimisers, in small files.

Weights are kept in half precision. Of Adam, the root of the second moment is kept in eight bits (e5m2, scaled by its
largest value; an error of an eighth at most) and the first moment not at all: at its decay of 0.5 it is made anew in
three steps. No tensor is divided among files, so files of two different saves still fit together.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save as save_bytes
from torch import Tensor, nn

from temperfill.files import atomic_write
from temperfill.train.networks import Networks
from temperfill.weights_files import load_generator, load_tensors, save_generator
from temperfill.weights_reading import read_metadata

LIMIT = int(15.5 * 2**20)
"""Bytes of a file of the state, at most."""
GENERATOR = "generator.safetensors"
_LARGEST = 57344.0  # of e5m2


def save(folder: Path, networks: Networks, step: int, seconds: float, total: float, origin: Path) -> None:
    """Writes the averaged generator, then the state.

    Args:
        folder: exists.
        networks: with their optimisers.
        step: steps done.
        seconds: of training so far.
        total: seconds of the whole training.
        origin: the weights file that training began from, whose terms of use stay.

    Raises:
        OSError: cannot be written.
        ValueError: a weight is not finite; what was written before stays.
    """
    done = {"step": str(step), "seconds": f"{seconds:.3f}", "total": f"{total:.3f}"}
    terms = {key: value for key, value in read_metadata(origin).items() if key == "terms"}
    save_generator(folder / GENERATOR, networks.ema, extra_metadata=done | terms, dtype=torch.float16)
    for number, tensors in enumerate(_files(_packed(networks))):
        content = save_bytes(tensors, done)
        atomic_write(folder / f"state-{number}.safetensors", lambda file, content=content: file.write(content))


def load(folder: Path, networks: Networks) -> tuple[int, float, float]:
    """Gives the networks, on their device, what another session left.

    Returns:
        Steps done, seconds of training so far, and those of the whole.

    Raises:
        OSError: a file is missing.
        ValueError: damaged, or of other networks.
    """
    averaged = load_generator(folder / GENERATOR)
    load_tensors(networks.ema, averaged.state_dict(), str(folder / GENERATOR))
    found: dict[str, Tensor] = {}
    for path in sorted(folder.glob("state-*.safetensors")):
        read_metadata(path)
        with safe_open(path, "pt") as file:
            found |= {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    if not found:
        raise FileNotFoundError(f"no state-*.safetensors in {folder}; start from {GENERATOR} with --weights")
    done = read_metadata(folder / GENERATOR)
    step, seconds, total = int(done["step"]), float(done["seconds"]), float(done["total"])
    for name, network, optimizer in _parts(networks):
        start = f"{name}.weight."
        weights = {key.removeprefix(start): _whole(x) for key, x in found.items() if key.startswith(start)}
        load_tensors(network, weights, f"{folder}: {name}")
        for key, parameter in network.named_parameters():
            if f"{name}.root.{key}" in found:
                root = found[f"{name}.root.{key}"].float() * found[f"{name}.scale.{key}"] / _LARGEST
                optimizer.state[parameter] = {
                    "step": torch.tensor(float(step)),
                    "exp_avg": torch.zeros_like(parameter),
                    "exp_avg_sq": torch.zeros_like(parameter).copy_(root.square()),
                }
    return step, seconds, total


def _parts(networks: Networks) -> Iterator[tuple[str, nn.Module, torch.optim.Optimizer]]:
    yield "generator", networks.generator, networks.generator_optimizer
    if networks.discriminator is not None and networks.discriminator_optimizer is not None:
        yield "discriminator", networks.discriminator, networks.discriminator_optimizer


def _packed(networks: Networks) -> dict[str, Tensor]:
    packed: dict[str, Tensor] = {}
    for name, network, optimizer in _parts(networks):
        for key, weight in network.state_dict().items():
            packed[f"{name}.weight.{key}"] = weight.half() if weight.is_floating_point() else weight
        for key, parameter in network.named_parameters():
            kept: dict[str, Any] = optimizer.state.get(parameter, {})
            if kept:
                root = kept["exp_avg_sq"].sqrt()
                scale = root.max().clamp(min=1e-30)
                packed[f"{name}.root.{key}"] = (root / scale * _LARGEST).to(torch.float8_e5m2)
                packed[f"{name}.scale.{key}"] = scale
    return {key: tensor.detach().cpu().contiguous() for key, tensor in packed.items()}


def _files(tensors: dict[str, Tensor]) -> Iterator[dict[str, Tensor]]:
    """The tensors in files below the limit."""
    lengths = {name: tensor.nbytes + 256 for name, tensor in tensors.items()}  # with its place in the header
    count = -(-sum(lengths.values()) // LIMIT)
    parts: list[dict[str, Tensor]] = [{} for _ in range(count)]
    sizes = [0] * count
    # The largest first, each into the file that is shortest by then: as few files as there can be, and as even.
    for name in sorted(lengths, key=lambda name: -lengths[name]):
        shortest = sizes.index(min(sizes))
        parts[shortest][name] = tensors[name]
        sizes[shortest] += lengths[name]
    yield from parts


def _whole(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.is_floating_point() else tensor
