"""Fixed VGG features for the perceptual loss and the VGG distance, from weights that the user gives."""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from temperfill.nets.weights_file import read_tensors

_HINT = (
    "give torchvision's VGG-16 (vgg16-397923af.pth) or a VGG-19 safetensors file with the layers up to conv3_1, "
    "or set the perceptual weight to 0"
)
# Index of each convolution in torchvision's `features`, and whether its activation is given out.
_VGG19 = ((0, False), (2, True), (5, False), (7, True), (10, True))
_VGG19_DEEP = (*((i, i in (2, 7, 12, 21, 30)) for i in (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30)),)
_VGG16 = ((0, False), (2, False), (5, False), (7, False), (10, False), (12, False), (14, False))
_CHANNELS = {0: 64, 2: 64, 5: 128, 7: 128, 10: 256, 12: 256, 14: 256, 16: 256}
_DEEP_CHANNELS = 512
_POOL_AFTER = (2, 7, 14)
_POOL_AFTER_DEEP = (2, 7, 16, 25)
# Only a whole VGG-19 has it: what tells it from VGG-16, whose third block is shorter.
_VGG19_LAST = "features.34.weight"
_DEEP_FILE = "torchvision's vgg19-dcbb9e9d.pth"
_FULL_WIDTH = _CHANNELS[0]


class VGGFeatures(nn.Module):
    """Three activations of VGG, or five.

    From torchvision's VGG-16: pool1, pool2, pool3 (the perceptual loss, Eq. 3). From a VGG-19, which may end at
    conv3_1: relu1_2, relu2_2, relu3_1; ``deep``: relu1_2, relu2_2, relu3_2, relu4_2, relu5_2. Weights are frozen.

    Args:
        tensors: state dict with torchvision's names ``features.N.weight``; with ``preprocess.weight`` the input goes
            through that 1x1 convolution, without it through ImageNet's mean and standard deviation.
        deep: five activations; needs a VGG-19 down to conv5_2.
        narrow: also take a network of this form with fewer channels: half of each, say. Such a one is trained on
            photographs alone (``tools/learn_features.py``), and its distance is not VGG's.

    Raises:
        ValueError: a tensor is missing or of another shape.
    """

    preprocess_weight: Tensor
    preprocess_bias: Tensor

    def __init__(self, tensors: dict[str, Tensor], deep: bool = False, narrow: bool = False) -> None:
        super().__init__()
        if deep and _VGG19_LAST not in tensors:
            raise ValueError(f"VGG weights lack {_VGG19_LAST}; five layers need a whole VGG-19 ({_DEEP_FILE})")
        self.vgg16 = "features.14.weight" in tensors and _VGG19_LAST not in tensors
        self.layers = _VGG19_DEEP if deep else _VGG16 if self.vgg16 else _VGG19
        self.pool_after = _POOL_AFTER_DEEP if deep else _POOL_AFTER
        channels = 3
        first = tensors.get("features.0.weight")
        width = len(first) if narrow and first is not None else _FULL_WIDTH
        for index, _ in self.layers:
            out = _CHANNELS.get(index, _DEEP_CHANNELS) * width // _FULL_WIDTH
            for kind, shape in (("weight", (out, channels, 3, 3)), ("bias", (out,))):
                tensor = _checked(tensors, f"features.{index}.{kind}", shape)
                self.register_buffer(f"{kind}_{index}", tensor, persistent=False)
            channels = out
        if "preprocess.weight" in tensors:
            weight = _checked(tensors, "preprocess.weight", (3, 3, 1, 1))
            bias = _checked(tensors, "preprocess.bias", (3,))
        else:
            mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
            weight, bias = torch.diag(1 / std)[:, :, None, None], -mean / std
        self.register_buffer("preprocess_weight", weight, persistent=False)
        self.register_buffer("preprocess_bias", bias, persistent=False)

    @classmethod
    def from_file(cls, path: Path, deep: bool = False, narrow: bool = False) -> "VGGFeatures":
        """Loads weights from a .safetensors or .pth file; ``deep`` and ``narrow`` as for the class.

        Raises:
            OSError: no such file.
            ValueError: not a weights file, or tensors are missing.
        """
        tensors = read_tensors(path, "VGG weights", _HINT)
        try:
            return cls(tensors, deep, narrow)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None

    def forward(self, image: Tensor, count: int = 5) -> list[Tensor]:
        """(B, 3, H, W) in [0, 1] to three maps at full, half and quarter size (VGG-16: half, quarter, eighth).

        ``deep`` gives five, at full size down to a sixteenth. Of them only the first ``count`` are computed.
        """
        x = F.conv2d(image, self.preprocess_weight, self.preprocess_bias)
        taps = []
        for index, tap in self.layers:
            x = F.relu(F.conv2d(x, getattr(self, f"weight_{index}"), getattr(self, f"bias_{index}"), padding=1))
            if tap:
                taps.append(x)
            if index in self.pool_after:
                x = F.max_pool2d(x, 2)
                if self.vgg16:
                    taps.append(x)
            if len(taps) == count:
                break
        return taps


def _checked(tensors: dict[str, Tensor], name: str, shape: tuple[int, ...]) -> Tensor:
    """The named tensor in float32; raises ValueError if it is missing or of another shape."""
    if name not in tensors:
        raise ValueError(f"VGG weights lack {name}; {_HINT}")
    if tuple(tensors[name].shape) != shape:
        raise ValueError(f"VGG weight {name} must have shape {shape}, got {tuple(tensors[name].shape)}; {_HINT}")
    return tensors[name].float()
