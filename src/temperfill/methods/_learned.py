"""What the trained methods of comparison share: weights from a file, and calls on batches."""

from pathlib import Path

import torch
from torch import Tensor

from temperfill.nets.building import Network
from temperfill.tensors import SizeRule
from temperfill.weights_files import load_generator


class LearnedMethod:
    """A generator of a method of comparison as a method.

    Args:
        generator: in evaluation mode.
        name: of the method.
        size_rule: sizes it takes.

    Attributes:
        name: of the method.
        size_rule: sizes it takes.
        tone_drifts: that what it fills may be a little lighter or darker than its surroundings.
    """

    tone_drifts = True

    def __init__(self, generator: Network, name: str, size_rule: SizeRule) -> None:
        self.generator = generator
        self.name = name
        self.size_rule = size_rule

    @torch.inference_mode()
    def __call__(self, image: Tensor, mask: Tensor) -> Tensor:
        """Fills the holes of a batch.

        Args:
            image: (B, 3, H, W) in [0, 1], on any device; content of the hole does not matter.
            mask: (B, 1, H, W), 1 = missing; each picture has its own.

        Returns:
            (B, 3, H, W) in [0, 1], not pasted, in dtype and on the device of ``image``.
        """
        parameter = next(self.generator.parameters())
        return self.generator(image.to(parameter), mask.to(parameter)).refined.to(image)


def load_learned(name: str, size_rule: SizeRule, device: str, path: Path | None) -> LearnedMethod:
    """A trained method of comparison.

    Args:
        name: of the method.
        size_rule: sizes it takes.
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
    return LearnedMethod(generator, name, size_rule)
