"""Systems of comparison as methods: weights from a file, and calls on batches."""

from pathlib import Path

import torch
from torch import Tensor

from temperfill.methods.contract import PlainMethod
from temperfill.nets.network import Network
from temperfill.weights_files import load_generator
from temperfill.weights_reading import method_in


class LearnedMethod(PlainMethod):
    """A generator of a system of comparison as a method.

    Args:
        generator: in evaluation mode.
        name: of the method.

    Attributes:
        generator: the network.
    """

    def __init__(self, generator: Network, name: str) -> None:
        super().__init__(self._fill, name, generator.SIZE_RULE, tone_drifts=True, colours_stray=True, network=generator)
        self.generator = generator

    @torch.inference_mode()
    def _fill(self, image: Tensor, mask: Tensor) -> Tensor:
        parameter = next(self.generator.parameters())
        return self.generator(image.to(parameter), mask.to(parameter)).refined.to(image)


def load(device: str, path: Path) -> LearnedMethod:
    """A system of comparison with its weights; the file says which one.

    Args:
        device: such as cpu or cuda:0.
        path: of its weights.

    Raises:
        OSError: no such file, or it cannot be read.
        ValueError: a damaged file, or no generator of this package.
    """
    generator = load_generator(path, device)
    generator.to(memory_format=torch.channels_last)
    return LearnedMethod(generator, method_in(path))
