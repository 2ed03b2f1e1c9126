"""The U-net of partial convolutions (Liu et al. 2018, arXiv 1804.07723)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from temperfill.geometry import SizeRule
from temperfill.nets.layers import double
from temperfill.nets.network import GeneratorOutput, Network
from temperfill.systems.partialconv import PartialConvConfig
from temperfill.tensors import as_plane

# Channels in units of the width, kernel size; every layer of the encoder halves the size.
ENCODER = ((1, 7), (2, 5), (4, 5), (8, 3), (8, 3), (8, 3), (8, 3))
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet, in [0, 1]: the network reads and gives images minus the one, divided by the other."""


class PartialConv2d(nn.Module):
    """A convolution of the valid inputs alone, scaled up by the share of them, and the mask of where there were any.

    The valid inputs of a window are counted by average pooling, as every channel of a map has the same mask; the
    original convolves masks with ones of all channels. Zero padding counts as not valid.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the result.
        kernel_size: odd side of the kernel.
        stride: of the convolution.
        bias: whether there is one; it is added after scaling, where anything is valid.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, stride: int = 1, bias: bool = False
    ) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(in_channels, out_channels, kernel_size, stride, kernel_size // 2, bias=False)
        nn.init.kaiming_normal_(self.convolution.weight, nonlinearity="relu")
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None

    def forward(self, x: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """Eqs. 1 and 2 of the paper.

        Args:
            x: (B, C, H, W), zero where it is not valid.
            valid: (B, 1, H, W), share of the channels that are valid at each position.

        Returns:
            (B, out_channels, H/stride, W/stride), zero where nothing was valid, and (B, 1, H/stride, W/stride), 1 where
            anything was.
        """
        size, stride = self.convolution.kernel_size[0], self.convolution.stride[0]
        share = F.avg_pool2d(valid, size, stride, size // 2)
        known = (share > 0).to(share.dtype)
        x = self.convolution(x) * (known / share.clamp(min=1e-8))
        return (x if self.bias is None else x + self.bias[:, None, None] * known), known


class Layer(nn.Module):
    """Partial convolution, batch normalisation if wanted, activation (slope of the negative part)."""

    def __init__(self, convolution: PartialConv2d, normalised: bool, slope: float) -> None:
        super().__init__()
        self.partial = convolution
        self.norm = nn.BatchNorm2d(convolution.convolution.out_channels) if normalised else nn.Identity()
        self.slope = slope

    def forward(self, x: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, H, W) and (B, 1, H, W) to features and mask."""
        x, valid = self.partial(x, valid)
        # Normalisation would move zeros where nothing is known; they are taken for nothing by the next layer.
        return F.leaky_relu(self.norm(x), self.slope) * valid, valid


class PartialConvUNet(Network):
    """Image and mask to an image; features and masks of the encoder skip to the decoder.

    Sizes need not be multiples of 128: the encoder rounds halves up, and the decoder cuts what it doubles to the size
    of the skipped features, which changes nothing where they are multiples.

    Args:
        config: width and switches.
    """

    SIZE_RULE = SizeRule()
    config: PartialConvConfig
    mean: Tensor
    std: Tensor

    def __init__(self, config: PartialConvConfig) -> None:
        super().__init__()
        self.config = config
        widths = [3, *(config.width * multiple for multiple, _ in ENCODER)]
        self.encoder = nn.ModuleList(
            Layer(PartialConv2d(widths[i], widths[i + 1], size, stride=2), normalised=i > 0, slope=0.0)
            for i, (_, size) in enumerate(ENCODER)
        )
        inner = [
            Layer(PartialConv2d(widths[i + 1] + widths[i], widths[i], 3), normalised=True, slope=0.2)
            for i in range(len(ENCODER) - 1, 0, -1)
        ]
        last = Layer(PartialConv2d(widths[1] + 3, 3, 3, bias=True), normalised=False, slope=1.0)
        nn.init.normal_(last.partial.convolution.weight, std=0.02)
        self.decoder = nn.ModuleList([*inner, last])
        for name, values in (("mean", MEAN), ("std", STD)):
            self.register_buffer(name, torch.tensor(values).view(1, 3, 1, 1), persistent=False)

    def train(self, mode: bool = True) -> "PartialConvUNet":
        """Like every module's, but batch normalisation of the encoder stays as it is if the configuration says so."""
        super().train(mode)
        if self.config.freeze_encoder_norm:
            for layer in self.encoder:
                layer.norm.eval().requires_grad_(False)  # type: ignore[union-attr]
        return self

    def forward(self, image: Tensor, mask: Tensor) -> GeneratorOutput:
        """Completes images of any size.

        Args:
            image: (B, 3, H, W) in [0, 1].
            mask: (B, 1, H, W) or (B, H, W), 1 or True = missing.

        Returns:
            The same image as coarse and refined, and no temperatures; in training mode it may leave [0, 1].
        """
        mask = as_plane(mask, image.dtype)
        valid = 1 - mask
        x = torch.where(mask > 0.5, 0, (image - self.mean) / self.std)
        skipped = []
        for layer in self.encoder:
            skipped.append((x, valid))
            x, valid = layer(x, valid)
        for layer, (skip, skip_valid) in zip(self.decoder, reversed(skipped), strict=True):
            x, valid = (double(y)[:, :, : skip.shape[2], : skip.shape[3]] for y in (x, valid))
            # Of the concatenated channels, the share that is valid at each position.
            share = (x.shape[1] * valid + skip.shape[1] * skip_valid) / (x.shape[1] + skip.shape[1])
            x, valid = layer(torch.cat([x, skip], 1), share)
        result = x.to(image.dtype) * self.std + self.mean
        result = result if self.training else result.clamp(0, 1)
        return GeneratorOutput(result, result, result.new_zeros(len(result), 0))
