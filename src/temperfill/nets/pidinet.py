"""PiDiNet, an edge detector of pixel-difference convolutions (Su et al. 2021, configuration ``carv4``).

The difference convolutions are linear in their weights, so that each is computed as one plain convolution. Names of
tensors are our own; :func:`published_names` maps them to those of the authors' files.
"""

from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from temperfill.nets.weights_file import read_tensors

Difference = Literal["cd", "ad", "rd", "cv"]

PARAMETERS = {60: 710_149, 30: 183_763, 20: 84_477}
"""Number of parameters by channels: the full network, the small and the tiny one."""
MULTIPLE = 8
"""Sides of pictures, in pixels, that lose no row or column in the poolings are multiples of it."""
REACH = 192
"""Pixels beyond which nothing changes an output, a multiple of ``MULTIPLE``."""
_HINT = "give table5_pidinet (or -small, -tiny) of github.com/hellozhuo/pidinet, or an edge network of this package"
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_DILATIONS = (5, 7, 9, 11)
# Width of each stage in channels, and the differences of its blocks; a pooling stands before all stages but the first.
_STAGES: tuple[tuple[int, tuple[Difference, ...]], ...] = (
    (1, ("ad", "rd", "cv")),
    (2, ("cd", "ad", "rd", "cv")),
    (4, ("cd", "ad", "rd", "cv")),
    (4, ("cd", "ad", "rd", "cv")),
)
# Neighbour, in a 3x3 window row by row, that the angular difference subtracts from each pixel.
_CLOCKWISE = (3, 0, 1, 6, 4, 2, 7, 8, 5)
# Places in a 5x5 window of the eight weights of the radial difference: the outer ring, and the inner one, subtracted.
_OUTER, _INNER = (0, 2, 4, 10, 14, 20, 22, 24), (6, 7, 8, 11, 13, 16, 17, 18)


def plain_weight(weight: Tensor, difference: Difference) -> Tensor:
    """The weight of the plain convolution that computes a difference convolution.

    Args:
        weight: (n, m, 3, 3).
        difference: "cv" none; "cd" central: the middle pixel is subtracted from each; "ad" angular: from each its
            neighbour on the ring; "rd" radial: from eight pixels on the ring of a 5x5 window those on the ring inside,
            with the last eight of the nine weights.

    Returns:
        (n, m, 3, 3), or (n, m, 5, 5) for "rd".
    """
    if difference == "cv":
        return weight
    flat = weight.flatten(2)
    if difference == "cd":
        middle = torch.zeros(9, dtype=weight.dtype, device=weight.device)
        middle[4] = 1
        return (flat - flat.sum(2, keepdim=True) * middle).view_as(weight)
    if difference == "ad":
        return (flat - flat[:, :, list(_CLOCKWISE)]).view_as(weight)
    ring = flat[:, :, 1:]
    wide = flat.new_zeros(*flat.shape[:2], 25)
    places = torch.tensor(_OUTER + _INNER, device=flat.device)
    return wide.index_copy(2, places, torch.cat([ring, -ring], 2)).view(*flat.shape[:2], 5, 5)


class DifferenceBlock(nn.Module):
    """[2x2 max pooling] - depthwise difference convolution - ReLU - 1x1 convolution, plus the input.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        difference: of the depthwise convolution.
        pool: halve the size first; the input is then added through a 1x1 convolution.
    """

    def __init__(self, in_channels: int, out_channels: int, difference: Difference, pool: bool) -> None:
        super().__init__()
        self.difference: Difference = difference
        self.depthwise = nn.Conv2d(in_channels, in_channels, 3, groups=in_channels, bias=False)
        self.pointwise = nn.Conv2d(in_channels, out_channels, 1, bias=False)
        self.shortcut = nn.Conv2d(in_channels, out_channels, 1) if pool else None

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, H, W) to (B, out_channels, H, W), or half of the size."""
        if self.shortcut is not None:
            x = F.max_pool2d(x, 2)
        weight = plain_weight(self.depthwise.weight, self.difference)
        y = F.conv2d(x, weight, padding=weight.shape[-1] // 2, groups=len(weight))
        return self.pointwise(F.relu(y)) + (x if self.shortcut is None else self.shortcut(x))


class EdgeHead(nn.Module):
    """Compact dilation module, compact spatial attention, and 1x1 convolution to one map.

    Args:
        in_channels: of the stage.
        channels: inside the head.
    """

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(in_channels, channels, 1)
        self.dilated = nn.ModuleList(
            nn.Conv2d(channels, channels, 3, padding=d, dilation=d, bias=False) for d in _DILATIONS
        )
        self.attend_in = nn.Conv2d(channels, 4, 1)
        self.attend_out = nn.Conv2d(4, 1, 3, padding=1, bias=False)
        self.edges = nn.Conv2d(channels, 1, 1)
        nn.init.zeros_(self.attend_in.bias)  # type: ignore[arg-type]
        nn.init.zeros_(self.edges.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, H, W) to logits (B, 1, H, W)."""
        x = self.reduce(F.relu(x))
        x = torch.stack([convolution(x) for convolution in self.dilated]).sum(0)
        return self.edges(x * torch.sigmoid(self.attend_out(self.attend_in(F.relu(x)))))


class PiDiNet(nn.Module):
    """RGB to edge probabilities.

    Args:
        channels: of the first stage: 60 (full), 30 (small), 20 (tiny).

    Raises:
        ValueError: another number of channels.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, channels: int = 60) -> None:
        super().__init__()
        if channels not in PARAMETERS:
            raise ValueError(f"PiDiNet has {', '.join(map(str, PARAMETERS))} channels, got {channels}")
        self.channels = channels
        self.register_buffer("mean", torch.tensor(_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(_STD).view(1, 3, 1, 1), persistent=False)
        self.stem = nn.Conv2d(3, channels, 3, bias=False)
        self.stages, self.heads = nn.ModuleList(), nn.ModuleList()
        before = channels
        for i, (width, differences) in enumerate(_STAGES):
            blocks = nn.Sequential()
            for j, difference in enumerate(differences):
                blocks.append(DifferenceBlock(before, width * channels, difference, pool=i > 0 and j == 0))
                before = width * channels
            self.stages.append(blocks)
            self.heads.append(EdgeHead(before, 2 * channels // 5))
        self.fusion = nn.Conv2d(4, 1, 1)
        nn.init.constant_(self.fusion.weight, 0.25)
        nn.init.zeros_(self.fusion.bias)  # type: ignore[arg-type]

    def logits(self, image: Tensor) -> Tensor:
        """The maps of the four stages and the fused one before their sigmoids, (B, 5, H, W), for images as below."""
        x = F.conv2d((image - self.mean) / self.std, plain_weight(self.stem.weight, "cd"), padding=1)
        sides = []
        for stage, head in zip(self.stages, self.heads, strict=True):
            x = stage(x)
            side = head(x)
            if side.shape[2:] != image.shape[2:]:
                side = F.interpolate(side, image.shape[2:], mode="bilinear", align_corners=False)
            sides.append(side)
        joined = torch.cat(sides, 1)
        return torch.cat([joined, self.fusion(joined)], 1)

    def forward(self, image: Tensor) -> Tensor:
        """Edge probability (B, 1, H, W) of images (B, 3, H, W) in [0, 1], both sides at least ``MULTIPLE``."""
        return torch.sigmoid(self.logits(image)[:, 4:])


def published_names() -> dict[str, str]:
    """Our name of every tensor to the one it has in the authors' files; the same for any number of channels."""
    names = {"stem.weight": "init_block.weight"}
    for i, (_, differences) in enumerate(_STAGES):
        for j in range(len(differences)):
            ours, theirs = f"stages.{i}.{j}", f"block{i + 1}_{j + 1}"
            names |= {f"{ours}.depthwise.weight": f"{theirs}.conv1.weight"}
            names |= {f"{ours}.pointwise.weight": f"{theirs}.conv2.weight"}
            if i > 0 and j == 0:
                names |= {f"{ours}.shortcut.{kind}": f"{theirs}.shortcut.{kind}" for kind in ("weight", "bias")}
        for k in range(len(_DILATIONS)):
            names[f"heads.{i}.dilated.{k}.weight"] = f"dilations.{i}.conv2_{k + 1}.weight"
        names[f"heads.{i}.attend_out.weight"] = f"attentions.{i}.conv2.weight"
        for kind in ("weight", "bias"):
            names[f"heads.{i}.reduce.{kind}"] = f"dilations.{i}.conv1.{kind}"
            names[f"heads.{i}.attend_in.{kind}"] = f"attentions.{i}.conv1.{kind}"
            names[f"heads.{i}.edges.{kind}"] = f"conv_reduces.{i}.conv.{kind}"
    return names | {f"fusion.{kind}": f"classifier.{kind}" for kind in ("weight", "bias")}


def from_published(tensors: dict[str, Tensor]) -> PiDiNet:
    """The network with the tensors of one of the authors' files, in float32 and evaluation mode.

    Args:
        tensors: with their names, which may begin with ``module.``; the channels follow from ``init_block.weight``.

    Raises:
        ValueError: a tensor is missing, unknown, of another shape or not finite; names it.
    """
    found = {name.removeprefix("module."): tensor for name, tensor in tensors.items()}
    names = published_names()
    missing, unknown = sorted(set(names.values()) - found.keys()), sorted(found.keys() - set(names.values()))
    if missing or unknown:
        lacks = f"lack {missing[:3] or 'nothing'} and hold unknown {unknown[:3] or 'nothing'}"
        raise ValueError(f"PiDiNet weights {lacks}; {_HINT}")
    channels = len(found["init_block.weight"]) if found["init_block.weight"].ndim else 0
    if channels not in PARAMETERS:
        raise ValueError(
            f"PiDiNet weights have {channels} channels, known are {', '.join(map(str, PARAMETERS))}; {_HINT}"
        )
    network = PiDiNet(channels)
    for name, parameter in network.state_dict().items():
        theirs, expected = names[name], tuple(parameter.shape)
        if tuple(found[theirs].shape) != expected:
            raise ValueError(f"{theirs} must have shape {expected}, got {tuple(found[theirs].shape)}; {_HINT}")
        if not found[theirs].isfinite().all():
            raise ValueError(f"{theirs} holds values that are not finite; {_HINT}")
    network.load_state_dict({name: found[theirs].float() for name, theirs in names.items()}, strict=True)
    return network.eval().requires_grad_(False)


def from_file(path: Path) -> PiDiNet:
    """The network of one of the authors' files, .safetensors or .pth (whose tensors may stand under ``state_dict``).

    Raises:
        OSError: no such file.
        ValueError: not a weights file, or other weights.
    """
    tensors = read_tensors(path, "edge network", _HINT, under="state_dict")
    try:
        return from_published(tensors)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
