"""The Inception network of the Fréchet inception distance (FID, Heusel et al. 2017), from weights that the user gives.

It is Inception-v3 (Szegedy et al. 2015) as TensorFlow's archive of 2015-12-05 has it: average pools that leave their
padding out of the mean, and a maximum pool in the last block.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from temperfill.nets.weights_file import read_tensors

HINT = (
    "FID needs pt_inception-2015-12-05-6726825d.pth from https://github.com/mseitzer/pytorch-fid/releases/download/"
    "fid_weights/ (or a safetensors file with its tensors)"
)
_SIDE = 299  # pixels that the network sees
_EPSILON = 1e-3  # of its batch normalisation
_UNUSED = ("fc.weight", "fc.bias")
_COUNTER = ".bn.num_batches_tracked"  # in files of newer versions of torch; without a use
_STATISTICS = ("weight", "bias", "running_mean", "running_var")

Side = int | tuple[int, int]
Layer = tuple[str, int, int, Side]
"""Name, channels in and out, and kernel of a convolution."""


def _block_a(name: str, channels: int, pooled: int) -> list[Layer]:
    return [
        (f"{name}.branch1x1", channels, 64, 1),
        *_chain(f"{name}.branch5x5", channels, (48, 1), (64, 5)),
        *_chain(f"{name}.branch3x3dbl", channels, (64, 1), (96, 3), (96, 3)),
        (f"{name}.branch_pool", channels, pooled, 1),
    ]


def _block_c(name: str, c: int) -> list[Layer]:
    row, column = (1, 7), (7, 1)
    return [
        (f"{name}.branch1x1", 768, 192, 1),
        *_chain(f"{name}.branch7x7", 768, (c, 1), (c, row), (192, column)),
        *_chain(f"{name}.branch7x7dbl", 768, (c, 1), (c, column), (c, row), (c, column), (192, row)),
        (f"{name}.branch_pool", 768, 192, 1),
    ]


def _block_e(name: str, channels: int) -> list[Layer]:
    return [
        (f"{name}.branch1x1", channels, 320, 1),
        (f"{name}.branch3x3_1", channels, 384, 1),
        *_crossed(f"{name}.branch3x3_2"),
        *_chain(f"{name}.branch3x3dbl", channels, (448, 1), (384, 3)),
        *_crossed(f"{name}.branch3x3dbl_3"),
        (f"{name}.branch_pool", channels, 192, 1),
    ]


def _chain(name: str, channels: int, *layers: tuple[int, Side]) -> list[Layer]:
    """Convolutions one after the other, numbered from 1."""
    found: list[Layer] = []
    for i, (out, side) in enumerate(layers, 1):
        found.append((f"{name}_{i}", channels, out, side))
        channels = out
    return found


def _crossed(name: str) -> list[Layer]:
    """A row and a column beside each other."""
    return [(f"{name}a", 384, 384, (1, 3)), (f"{name}b", 384, 384, (3, 1))]


_LAYERS: list[Layer] = [
    ("Conv2d_1a_3x3", 3, 32, 3),
    ("Conv2d_2a_3x3", 32, 32, 3),
    ("Conv2d_2b_3x3", 32, 64, 3),
    ("Conv2d_3b_1x1", 64, 80, 1),
    ("Conv2d_4a_3x3", 80, 192, 3),
    *_block_a("Mixed_5b", 192, 32),
    *_block_a("Mixed_5c", 256, 64),
    *_block_a("Mixed_5d", 288, 64),
    ("Mixed_6a.branch3x3", 288, 384, 3),
    *_chain("Mixed_6a.branch3x3dbl", 288, (64, 1), (96, 3), (96, 3)),
    *_block_c("Mixed_6b", 128),
    *_block_c("Mixed_6c", 160),
    *_block_c("Mixed_6d", 160),
    *_block_c("Mixed_6e", 192),
    *_chain("Mixed_7a.branch3x3", 768, (192, 1), (320, 3)),
    *_chain("Mixed_7a.branch7x7x3", 768, (192, 1), (192, (1, 7)), (192, (7, 1)), (192, 3)),
    *_block_e("Mixed_7b", 1280),
    *_block_e("Mixed_7c", 2048),
]
_REDUCING = (
    "Conv2d_1a_3x3",
    "Mixed_6a.branch3x3",
    "Mixed_6a.branch3x3dbl_3",
    "Mixed_7a.branch3x3_2",
    "Mixed_7a.branch7x7x3_4",
)
"""Convolutions of stride 2, without padding."""
_BARE = ("Conv2d_2a_3x3", "Conv2d_4a_3x3")
"""Convolutions of stride 1 without padding; all others keep the size."""


class InceptionFeatures(nn.Module):
    """The averages of the last maps, 2,048 for each picture. Weights are frozen.

    Pictures are resized to 299x299 pixels (bilinear, half-pixel centres, no smoothing) and scaled to [-1, 1], as
    pytorch-fid does; TensorFlow's own resizing gives slightly other figures.

    Args:
        tensors: state dict with the names of torchvision's Inception-v3 without its auxiliary output.

    Raises:
        ValueError: a tensor is missing, unknown or of another shape.
    """

    def __init__(self, tensors: dict[str, Tensor]) -> None:
        super().__init__()
        shapes: dict[str, tuple[int, ...]] = {}
        for name, channels, out, side in _LAYERS:
            kernel = side if isinstance(side, tuple) else (side, side)
            shapes[f"{name}.conv.weight"] = (out, channels, *kernel)
            shapes |= {f"{name}.bn.{statistic}": (out,) for statistic in _STATISTICS}
        known = {n: t for n, t in tensors.items() if n not in _UNUSED and not n.endswith(_COUNTER)}
        missing, unknown = sorted(shapes.keys() - known.keys()), sorted(known.keys() - shapes.keys())
        if missing or unknown:
            found = f"lack {missing[:3] or 'nothing'} and hold unknown {unknown[:3] or 'nothing'}"
            raise ValueError(f"Inception weights {found}; {HINT}")
        for name, shape in shapes.items():
            if tuple(known[name].shape) != shape:
                raise ValueError(f"Inception weight {name} must have shape {shape}, got {tuple(known[name].shape)}")
        for name, *_ in _LAYERS:
            gain, offset, mean, variance = (known[f"{name}.bn.{statistic}"].double() for statistic in _STATISTICS)
            # Batch normalisation with fixed statistics is part of the convolution.
            scale = gain / (variance + _EPSILON).sqrt()
            weight = known[f"{name}.conv.weight"].double() * scale[:, None, None, None]
            self.register_buffer(_weight(name), weight.float(), persistent=False)
            self.register_buffer(_bias(name), (offset - mean * scale).float(), persistent=False)

    @classmethod
    def from_file(cls, path: Path) -> "InceptionFeatures":
        """Loads weights from a .pth or .safetensors file.

        Raises:
            OSError: no such file.
            ValueError: not a weights file, or not these weights.
        """
        tensors = read_tensors(path, "Inception weights", HINT)
        try:
            return cls(tensors)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) in [0, 1] to (B, 2048)."""
        x = F.interpolate(image.float(), (_SIDE, _SIDE), mode="bilinear", align_corners=False) * 2 - 1
        x = self._chain(x, "Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3")
        x = self._chain(F.max_pool2d(x, 3, 2), "Conv2d_3b_1x1", "Conv2d_4a_3x3")
        x = F.max_pool2d(x, 3, 2)
        for name in ("Mixed_5b", "Mixed_5c", "Mixed_5d"):
            x = self._branches(x, name, ["branch1x1"], _numbered("branch5x5", 2), _numbered("branch3x3dbl", 3))
        x = self._reduced(x, "Mixed_6a", ["branch3x3"], _numbered("branch3x3dbl", 3))
        for name in ("Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e"):
            x = self._branches(x, name, ["branch1x1"], _numbered("branch7x7", 3), _numbered("branch7x7dbl", 5))
        x = self._reduced(x, "Mixed_7a", _numbered("branch3x3", 2), _numbered("branch7x7x3", 4))
        x = self._last_block(x, "Mixed_7b", _average(x))
        x = self._last_block(x, "Mixed_7c", F.max_pool2d(x, 3, 1, 1))
        return x.mean((2, 3))

    def _branches(self, x: Tensor, name: str, *branches: Sequence[str]) -> Tensor:
        results = [self._chain(x, *(f"{name}.{layer}" for layer in branch)) for branch in branches]
        return torch.cat([*results, self._chain(_average(x), f"{name}.branch_pool")], 1)

    def _reduced(self, x: Tensor, name: str, *branches: Sequence[str]) -> Tensor:
        results = [self._chain(x, *(f"{name}.{layer}" for layer in branch)) for branch in branches]
        return torch.cat([*results, F.max_pool2d(x, 3, 2)], 1)

    def _last_block(self, x: Tensor, name: str, pooled: Tensor) -> Tensor:
        single = self._chain(x, f"{name}.branch3x3_1")
        double = self._chain(x, f"{name}.branch3x3dbl_1", f"{name}.branch3x3dbl_2")
        crossed = [(single, "branch3x3_2"), (double, "branch3x3dbl_3")]
        results = [self._chain(y, f"{name}.{layer}{side}") for y, layer in crossed for side in "ab"]
        return torch.cat([self._chain(x, f"{name}.branch1x1"), *results, self._chain(pooled, f"{name}.branch_pool")], 1)

    def _chain(self, x: Tensor, *names: str) -> Tensor:
        for name in names:
            weight, bias = getattr(self, _weight(name)), getattr(self, _bias(name))
            height, width = weight.shape[2:]
            bare = name in _REDUCING or name in _BARE
            padding = (0, 0) if bare else (height // 2, width // 2)
            x = F.relu(F.conv2d(x, weight, bias, stride=2 if name in _REDUCING else 1, padding=padding))
        return x


def _numbered(name: str, count: int) -> list[str]:
    return [f"{name}_{i}" for i in range(1, count + 1)]


def _average(x: Tensor) -> Tensor:
    return F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)


def _weight(name: str) -> str:
    return name.replace(".", "_") + "_weight"


def _bias(name: str) -> str:
    return name.replace(".", "_") + "_bias"
