"""The networks of LPIPS (Zhang et al. 2018), from weights that the user gives: AlexNet or VGG-16, and linear heads."""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from temperfill.nets.weights_file import read_tensors

NETWORK_HINT = (
    "LPIPS needs torchvision's AlexNet (alexnet-owt-7be5be79.pth) or VGG-16 (vgg16-397923af.pth), both from "
    "https://download.pytorch.org/models/"
)
HEADS_HINT = (
    "LPIPS needs the linear heads of the package lpips 0.1.4: lpips/weights/v0.1/alex.pth or vgg.pth of "
    "https://github.com/richzhang/PerceptualSimilarity"
)
# Of each convolution in torchvision's `features`: index, channels in and out, side, stride, padding.
_ALEXNET = (
    (0, 3, 64, 11, 4, 2),
    (3, 64, 192, 5, 1, 2),
    (6, 192, 384, 3, 1, 1),
    (8, 384, 256, 3, 1, 1),
    (10, 256, 256, 3, 1, 1),
)
_VGG16_OUT = {0: 64, 2: 64, 5: 128, 7: 128, 10: 256, 12: 256, 14: 256, 17: 512, 19: 512, 21: 512}
_VGG16_OUT |= {24: 512, 26: 512, 28: 512}
_VGG16 = tuple((i, c, out, 3, 1, 1) for (i, out), c in zip(_VGG16_OUT.items(), [3, *_VGG16_OUT.values()], strict=False))
# Pools before a convolution (side 3 in AlexNet, 2 in VGG-16), and convolutions whose activations are compared.
_POOL_BEFORE = {"alexnet": (3, 6), "vgg16": (5, 10, 17, 24)}
_TAPS = {"alexnet": (0, 3, 6, 8, 10), "vgg16": (2, 7, 14, 21, 28)}
# Torchvision's classifiers belong to the published files; they are known, and not used.
_UNUSED = "classifier."
MINIMUM = 31
"""Smallest side of a picture, pixels: below it AlexNet's second pooling has no window."""


class LPIPSFeatures(nn.Module):
    """Five activations of AlexNet or VGG-16, and the weights of their channels. Weights are frozen.

    Args:
        network: torchvision's state dict of AlexNet or VGG-16; its first convolution says which.
        heads: state dict with ``lin0.model.1.weight`` to ``lin4.model.1.weight``.

    Attributes:
        kind: alexnet or vgg16.

    Raises:
        ValueError: a tensor is missing, unknown or of another shape.
    """

    shift: Tensor
    scale: Tensor

    def __init__(self, network: dict[str, Tensor], heads: dict[str, Tensor]) -> None:
        super().__init__()
        first = network.get("features.0.weight", torch.empty(0))
        self.kind = "alexnet" if tuple(first.shape[2:]) == (11, 11) else "vgg16"
        self.layers = _ALEXNET if self.kind == "alexnet" else _VGG16
        used = {name: tensor for name, tensor in network.items() if not name.startswith(_UNUSED)}
        shapes: dict[str, tuple[int, ...]] = {}
        for index, channels, out, side, _, _ in self.layers:
            shapes |= {f"features.{index}.weight": (out, channels, side, side), f"features.{index}.bias": (out,)}
        _check(used, shapes, f"LPIPS network ({self.kind})", NETWORK_HINT)
        out_of = {index: out for index, _, out, *_ in self.layers}
        expected: dict[str, tuple[int, ...]]
        expected = {f"lin{i}.model.1.weight": (1, out_of[t], 1, 1) for i, t in enumerate(_TAPS[self.kind])}
        _check(heads, expected, f"heads of LPIPS for {self.kind}", HEADS_HINT)
        for name in shapes:
            self.register_buffer(name.replace(".", "_"), used[name].float(), persistent=False)
        for i, name in enumerate(expected):
            self.register_buffer(f"head_{i}", heads[name].float().flatten(), persistent=False)
        self.register_buffer("shift", torch.tensor([-0.030, -0.088, -0.188]).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("scale", torch.tensor([0.458, 0.448, 0.450]).view(1, 3, 1, 1), persistent=False)

    @classmethod
    def from_files(cls, network: Path, heads: Path) -> "LPIPSFeatures":
        """Loads weights from .pth or .safetensors files.

        Raises:
            OSError: a file is missing.
            ValueError: not weights files, or not these weights.
        """
        tensors = read_tensors(network, "LPIPS network weights", NETWORK_HINT)
        weights = read_tensors(heads, "LPIPS heads weights", HEADS_HINT)
        try:
            return cls(tensors, weights)
        except ValueError as error:
            raise ValueError(f"{network}, {heads}: {error}") from None

    @property
    def heads(self) -> list[Tensor]:
        """Weights (C,) of the channels of each activation."""
        return [getattr(self, f"head_{i}") for i in range(len(_TAPS[self.kind]))]

    def forward(self, image: Tensor) -> list[Tensor]:
        """(B, 3, H, W) in [0, 1] to five maps.

        Raises:
            ValueError: a side is below 31 pixels.
        """
        if min(image.shape[2:]) < MINIMUM:
            height, width = image.shape[2:]
            raise ValueError(f"LPIPS needs pictures of at least {MINIMUM}x{MINIMUM} pixels, got {height}x{width}")
        x = (image.float() * 2 - 1 - self.shift) / self.scale
        taps = []
        for index, _, _, _, stride, padding in self.layers:
            if index in _POOL_BEFORE[self.kind]:
                x = F.max_pool2d(x, 3 if self.kind == "alexnet" else 2, 2)
            weight, bias = getattr(self, f"features_{index}_weight"), getattr(self, f"features_{index}_bias")
            x = F.relu(F.conv2d(x, weight, bias, stride=stride, padding=padding))
            if index in _TAPS[self.kind]:
                taps.append(x)
        return taps


def _check(tensors: dict[str, Tensor], shapes: dict[str, tuple[int, ...]], what: str, hint: str) -> None:
    missing, unknown = sorted(shapes.keys() - tensors.keys()), sorted(tensors.keys() - shapes.keys())
    if missing or unknown:
        raise ValueError(
            f"{what} lacks {missing[:3] or 'nothing'} and holds unknown {unknown[:3] or 'nothing'}; {hint}"
        )
    for name, shape in shapes.items():
        if tuple(tensors[name].shape) != shape:
            raise ValueError(f"{what}: {name} must have shape {shape}, got {tuple(tensors[name].shape)}; {hint}")
