"""Fixed SqueezeNet 1.1 features (Iandola et al. 2016), from weights that the user gives.

They judge results: no loss, early stop or choice of hyper-parameters may use them.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

_HINT = (
    "give the SqueezeNet 1.1 features of github.com/DeepCognition/keras-squeezenet as a safetensors file with "
    "torchvision's names (features.N...) and without the classifier"
)
# Index of each fire module in torchvision's `features`: (channels in, squeezed, of each expansion).
_FIRES = {
    3: (64, 16, 64),
    4: (128, 16, 64),
    6: (128, 32, 128),
    7: (256, 32, 128),
    9: (256, 48, 192),
    10: (384, 48, 192),
    11: (384, 64, 256),
    12: (512, 64, 256),
}
_POOL_BEFORE = (3, 6, 9)
_TAPS = (4, 7, 12)
_MEAN_BGR = (103.939, 116.779, 123.68)
MINIMUM = 31
"""Smallest side of a picture, pixels: below it the last pooling has no window."""


def _shapes() -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {"features.0.weight": (64, 3, 3, 3), "features.0.bias": (64,)}
    for index, (channels, squeezed, expanded) in _FIRES.items():
        for name, shape in (
            ("squeeze", (squeezed, channels, 1, 1)),
            ("expand1x1", (expanded, squeezed, 1, 1)),
            ("expand3x3", (expanded, squeezed, 3, 3)),
        ):
            shapes[f"features.{index}.{name}.weight"] = shape
            shapes[f"features.{index}.{name}.bias"] = shape[:1]
    return shapes


class SqueezeNetFeatures(nn.Module):
    """Activations after the second, fourth and eighth fire module. Weights are frozen.

    The weights take BGR bytes minus the mean colour, and the convolutions and poolings drop incomplete windows, as in
    the network they come from; torchvision's own weights expect another input and are refused by their classifier.

    Args:
        tensors: state dict with torchvision's names ``features.N.weight``, ``features.N.squeeze.weight``, ...

    Raises:
        ValueError: a tensor is missing, unknown or of the wrong shape.
    """

    mean: Tensor

    def __init__(self, tensors: dict[str, Tensor]) -> None:
        super().__init__()
        expected = _shapes()
        missing, unknown = sorted(expected.keys() - tensors.keys()), sorted(tensors.keys() - expected.keys())
        if missing or unknown:
            raise ValueError(f"SqueezeNet weights lack {missing[:3]} and hold unknown {unknown[:3]}; {_HINT}")
        for name, shape in expected.items():
            if tuple(tensors[name].shape) != shape:
                raise ValueError(
                    f"SqueezeNet weight {name} must have shape {shape}, got {tuple(tensors[name].shape)}; {_HINT}"
                )
            self.register_buffer(name.replace(".", "_"), tensors[name].float(), persistent=False)
        self.register_buffer("mean", torch.tensor(_MEAN_BGR).view(1, 3, 1, 1), persistent=False)

    @classmethod
    def from_file(cls, path: Path) -> "SqueezeNetFeatures":
        """Loads weights from a .safetensors file.

        Raises:
            OSError: no such file.
            ValueError: not a safetensors file, or not these weights.
        """
        if not path.is_file():
            raise FileNotFoundError(f"no SqueezeNet weights at {path}; {_HINT}")
        try:
            tensors = load_file(path)
        except SafetensorError as error:
            raise ValueError(f"{path} is not a readable safetensors file ({error}); {_HINT}") from None
        try:
            return cls(tensors)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None

    def forward(self, image: Tensor) -> list[Tensor]:
        """(B, 3, H, W) in [0, 1] to three maps with 128, 256 and 512 channels at about 1/4, 1/8 and 1/16 of the size.

        Raises:
            ValueError: a side is below 31 pixels.
        """
        if min(image.shape[2:]) < MINIMUM:
            height, width = image.shape[2:]
            raise ValueError(f"SqueezeNet needs pictures of at least {MINIMUM}x{MINIMUM} pixels, got {height}x{width}")
        x = self._convolution("0", image.float().flip(1) * 255 - self.mean, stride=2)
        taps = []
        for index in _FIRES:
            if index in _POOL_BEFORE:
                x = F.max_pool2d(x, 3, 2)
            squeezed = self._convolution(f"{index}_squeeze", x)
            branches = [
                self._convolution(f"{index}_expand1x1", squeezed),
                self._convolution(f"{index}_expand3x3", squeezed, padding=1),
            ]
            x = torch.cat(branches, 1)
            if index in _TAPS:
                taps.append(x)
        return taps

    def _convolution(self, name: str, x: Tensor, padding: int = 0, stride: int = 1) -> Tensor:
        weight, bias = getattr(self, f"features_{name}_weight"), getattr(self, f"features_{name}_bias")
        return F.relu(F.conv2d(x, weight, bias, padding=padding, stride=stride))
