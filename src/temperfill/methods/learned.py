"""Systems of comparison as methods: weights from a file, and calls on batches."""

from pathlib import Path

import torch
from torch import Tensor

from temperfill.methods.contract import PlainMethod
from temperfill.nets.network import Network
from temperfill.weights_files import load_generator


class LearnedMethod(PlainMethod):
    """A generator of a system of comparison as a method.

    Args:
        generator: in evaluation mode.
        name: of the method.

    Attributes:
        generator: the network.
    """

    def __init__(self, generator: Network, name: str) -> None:
        super().__init__(self._fill, name, generator.SIZE_RULE, tone_drifts=True)
        self.generator = generator

    @torch.inference_mode()
    def _fill(self, image: Tensor, mask: Tensor) -> Tensor:
        parameter = next(self.generator.parameters())
        return self.generator(image.to(parameter), mask.to(parameter)).refined.to(image)


def load_learned(name: str, device: str, path: Path | None) -> LearnedMethod:
    """A system of comparison with its weights.

    Args:
        name: of the method.
        device: such as cpu or cuda:0.
        path: of its weights.

    Raises:
        OSError: no such file, or it cannot be read.
        ValueError: no path, a damaged file, or one of another method.
    """
    if path is None:
        raise ValueError(
            f"no weights of {name} come with this package: train it with temperfill train {name} --run-dir DIR, and "
            "give DIR/generator.safetensors instead of its name"
        )
    generator = load_generator(path, device, name)
    generator.to(memory_format=torch.channels_last)
    return LearnedMethod(generator, name)
