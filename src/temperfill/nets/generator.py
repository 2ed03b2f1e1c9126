"""The coarse-to-fine generator (paper, section III-A, Fig. 2).

Widths are channels after gating; w is the width at full resolution, features are 4w wide at a quarter of it.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from temperfill.attention import ATMA, MHTMA, ContextualAttention
from temperfill.attention.patches import reduce_mask
from temperfill.config import GeneratorConfig
from temperfill.nets.layers import GatedConv2d, UpGatedConv2d
from temperfill.nets.parts import Interval, Part, crop, inputs_of, surround
from temperfill.tensors import Box, composite

# Mean colour of ImageNet in [0, 1], with which the hole is filled before the first convolution.
HOLE_COLOUR = (0.485, 0.456, 0.406)
STRIDE = 4


class GeneratorOutput(NamedTuple):
    """What the generator gives.

    Attributes:
        coarse: (B, 3, H, W) in [0, 1], output of the coarse network, not pasted.
        refined: (B, 3, H, W) in [0, 1], output of the refinement network, not pasted; in training mode a generator
            with ``detail`` may leave the range, so that the loss can pull it back.
        temperatures: (B, heads) of the attention; (B, 0) without one.
    """

    coarse: Tensor
    refined: Tensor
    temperatures: Tensor


def _encoder(in_channels: int, w: int) -> list[nn.Module]:
    """The table through the dilated block, shared by the coarse network and the convolution branch."""
    return [
        GatedConv2d(in_channels, w, 5, gain=1.0),
        GatedConv2d(w, 2 * w, stride=2),
        GatedConv2d(2 * w, 2 * w),
        GatedConv2d(2 * w, 4 * w, stride=2),
        GatedConv2d(4 * w, 4 * w),
        GatedConv2d(4 * w, 4 * w),
        *(GatedConv2d(4 * w, 4 * w, dilation=rate) for rate in (2, 4, 8, 16)),
    ]


def _plain_output(in_channels: int, out_channels: int) -> nn.Conv2d:
    """The last 3x3 convolution, with small weights so that training starts from a grey image."""
    convolution = nn.Conv2d(in_channels, out_channels, 3, padding=1)
    nn.init.normal_(convolution.weight, std=0.02)
    nn.init.zeros_(convolution.bias)  # type: ignore[arg-type]
    return convolution


class CoarseNetwork(nn.Sequential):
    """Gated convolutions at both ends, dilated ones in the middle; input to an image in [-1, 1]."""

    def __init__(self, in_channels: int, w: int) -> None:
        super().__init__(
            *_encoder(in_channels, w),
            GatedConv2d(4 * w, 4 * w),
            GatedConv2d(4 * w, 4 * w),
            UpGatedConv2d(4 * w, 2 * w),
            GatedConv2d(2 * w, 2 * w),
            UpGatedConv2d(2 * w, w),
            GatedConv2d(w, w // 2),
            _plain_output(w // 2, 3),
            nn.Tanh(),
        )


Attended = Callable[[Box | None, Tensor | None], tuple[Tensor, Tensor | None]]
"""Box in cells (None for all) and needed cells to the attention's features there and the carried detail."""


class AttentionBranch(nn.Module):
    """Gated convolutions, attention, gated convolutions: captures distant context."""

    def __init__(self, in_channels: int, config: GeneratorConfig) -> None:
        super().__init__()
        w = config.width
        self.before = nn.Sequential(
            GatedConv2d(in_channels, w, 5, gain=1.0),
            GatedConv2d(w, w, stride=2),
            GatedConv2d(w, 2 * w),
            GatedConv2d(2 * w, 4 * w, stride=2),
            GatedConv2d(4 * w, 4 * w),
            GatedConv2d(4 * w, 4 * w),
        )
        self.attention = _attention(config)
        self.after = nn.Sequential(GatedConv2d(4 * w, 4 * w), GatedConv2d(4 * w, 4 * w))

    def attended(self, features: Tensor, mask: Tensor, temperatures: Tensor, detail: Tensor | None) -> "Attended":
        """The attention's result, to be had part by part.

        Args:
            features: (B, 4w, h, w).
            mask: (B, 1, h, w), 1 = missing.
            temperatures: (B, heads).
            detail: (B, E, h, w) to carry along the attention's weights, or None.
        """
        attention = self.attention
        if isinstance(attention, MHTMA):
            memory = attention.memorise(features, mask, detail)
            return lambda box, needed: attention.look_up(memory, temperatures, box, needed)
        result = features if attention is None else attention(features, mask, temperatures)
        return lambda box, needed: (result if box is None else crop(result, box), None)


def _attention(config: GeneratorConfig) -> MHTMA | ATMA | ContextualAttention | None:
    channels = 4 * config.width
    if config.attention == "mhtma":
        return MHTMA(
            channels,
            config.heads,
            config.head_dim,
            config.patch_size,
            config.key_stride,
            config.masked_score,
            config.masked_score_scaled,
            config.temperature_init,
            config.temperature_floor,
        )
    if config.attention == "atma":
        return ATMA(channels, config.heads, config.temperature_init)
    return ContextualAttention() if config.attention == "contextual" else None


class Decoder(nn.Module):
    """Five gated convolutions and a plain one.

    With ``detail_maps`` the carried high frequencies of each head enter the last gated convolution, and the plain
    convolution also gives one gate per head, by which they are added to the image.
    """

    def __init__(self, in_channels: int, w: int, detail_maps: int) -> None:
        super().__init__()
        self.up = nn.Sequential(
            GatedConv2d(in_channels, 4 * w),
            GatedConv2d(4 * w, 4 * w),
            UpGatedConv2d(4 * w, 2 * w),
            UpGatedConv2d(2 * w, w),
        )
        self.last = GatedConv2d(w + 3 * detail_maps, w // 2)
        self.output = _plain_output(w // 2, 3 + detail_maps)

    def forward(self, features: Tensor, detail: Tensor | None) -> Tensor:
        """Features (B, C, h, w) and detail (B, heads, 3, 4h, 4w) or None to an image (B, 3, 4h, 4w) in [-1, 1]."""
        x = self.up(features)
        if detail is None:
            return torch.tanh(self.output(self.last(x)))
        x = self.output(self.last(torch.cat([x, detail.flatten(1, 2)], 1)))
        gates = torch.sigmoid(x[:, 3:, None] - 1)  # mostly closed at the start
        return torch.tanh(x[:, :3]) + (gates * detail).sum(1)


class RefinementNetwork(nn.Module):
    """Two parallel encoders and one decoder."""

    def __init__(self, in_channels: int, config: GeneratorConfig) -> None:
        super().__init__()
        w = config.width
        self.convolution_branch = nn.Sequential(*_encoder(in_channels, w)) if config.convolution_branch else None
        self.attention_branch = AttentionBranch(in_channels, config) if config.attention_branch else None
        branches = config.convolution_branch + config.attention_branch
        self.decoder = Decoder(4 * w * branches, w, config.heads if config.detail else 0)
        self.detail = config.detail

    def forward(
        self, x: Tensor, mask: Tensor, temperature_scale: float, parts: list[Part] | None
    ) -> tuple[Tensor, Tensor]:
        """Refines the pasted picture.

        Args:
            x: (B, 4 or 5, H, W), the pasted image first.
            mask: (B, 1, h, w) at feature size.
            temperature_scale: factor on the learned temperatures.
            parts: what is wanted, as from ``parts``; None for the whole picture.

        Returns:
            The refined image in [-1, 1], without meaning outside the holes of the parts, and (B, heads) temperatures.
        """
        temperatures, attended = x.new_zeros(len(x), 0), None
        if self.attention_branch is not None:
            features = self.attention_branch.before(x)
            if self.attention_branch.attention is not None:
                temperatures = self.attention_branch.attention.temperatures(features)
            # Detached: only known pixels are carried, which have no gradient.
            detail = F.pixel_unshuffle(high_frequencies(x[:, :3].detach()), STRIDE) if self.detail else None
            attended = self.attention_branch.attended(features, mask, temperatures * temperature_scale, detail)
        if parts is None:
            return self._decode(x, attended, None, None), temperatures
        refined = torch.zeros_like(x[:, :3])
        for part in parts:
            needed = None if attended is None else self._needed(mask, part)
            decoded = self._decode(crop(x, part.around), attended, part.cells(STRIDE), needed)
            crop(refined, part.hole).copy_(crop(decoded, part.inner))
        return refined, temperatures

    def _decode(self, x: Tensor, attended: Attended | None, cells: Box | None, needed: Tensor | None) -> Tensor:
        branches, maps = [], None
        if self.convolution_branch is not None:
            branches.append(self.convolution_branch(x))
        if self.attention_branch is not None and attended is not None:
            features, carried = attended(cells, needed)
            branches.append(self.attention_branch.after(features))
            maps = None if carried is None else F.pixel_shuffle(carried, STRIDE)
        return self.decoder(torch.cat(branches, 1), maps)

    def _reach(self) -> int:
        """Cells around the hole's cells whose attended features the hole's pixels depend on."""
        assert self.attention_branch is not None
        low, high = self._cells((0, STRIDE - 1))
        low, high = inputs_of(self.attention_branch.after, (low, high))
        return max(-low, high)

    def _cells(self, pixels: Interval) -> Interval:
        """The features that a range of pixels depends on through the decoder."""
        last = inputs_of(self.decoder.last, inputs_of(self.decoder.output, pixels))
        low, high = inputs_of(self.decoder.up, last)
        return min(low, last[0] // STRIDE), max(high, last[1] // STRIDE)  # the second by the carried detail

    def _needed(self, mask: Tensor, part: Part) -> Tensor:
        """(B, 1, h, w), 1 = the hole within a part depends on the attention's result at this cell."""
        inside = torch.zeros_like(mask)
        top, left, bottom, right = part.hole
        box = (top // STRIDE, left // STRIDE, -(-bottom // STRIDE), -(-right // STRIDE))
        crop(inside, box).copy_(crop(mask, box))
        reach = self._reach()
        return F.max_pool2d(inside, 2 * reach + 1, 1, reach)

    def surroundings(self, pixels: Interval) -> Interval:
        """The pixels of the pasted picture that a range of refined pixels depends on, other than through attention."""
        cells = self._cells(pixels)
        branches = [self.convolution_branch] if self.convolution_branch is not None else []
        if self.attention_branch is not None:
            # The attention's result is known everywhere, but only whole cells are cut out.
            low, high = inputs_of(self.attention_branch.after, cells)
            reached = [(low * STRIDE, high * STRIDE + STRIDE - 1)]
        else:
            reached = []
        reached += [inputs_of(branch, cells) for branch in branches]
        return min(low for low, _ in reached), max(high for _, high in reached)


def high_frequencies(image: Tensor) -> Tensor:
    """What is left of an image when its average over STRIDE x STRIDE cells, enlarged bilinearly, is taken away."""
    low = F.avg_pool2d(image, STRIDE)
    return image - F.interpolate(low, scale_factor=float(STRIDE), mode="bilinear", align_corners=False)


class Generator(nn.Module):
    """Image and mask to a coarse and a refined image.

    The hole's content is replaced before anything looks at it, so no caller can leak the answer.

    Args:
        config: sizes and switches.
    """

    SIZE_MULTIPLE = STRIDE
    hole_colour: Tensor

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.config = config
        in_channels = 5 if config.sketch else 4
        self.coarse = CoarseNetwork(in_channels, config.width)
        self.refinement = RefinementNetwork(in_channels, config)
        self.register_buffer("hole_colour", torch.tensor(HOLE_COLOUR).view(1, 3, 1, 1), persistent=False)

    def forward(
        self,
        image: Tensor,
        mask: Tensor,
        sketch: Tensor | None = None,
        temperature_scale: float = 1.0,
        holes: Sequence[Box] | None = None,
    ) -> GeneratorOutput:
        """Completes images.

        Args:
            image: (B, 3, H, W) in [0, 1]; H and W multiples of SIZE_MULTIPLE.
            mask: (B, 1, H, W), 1 = missing.
            sketch: (B, 1, H, W), 1 = line; used inside the hole if the generator takes a sketch.
            temperature_scale: factor on the learned temperatures.
            holes: boxes that together hold every missing pixel of the batch. Only what the pixels of the hole depend on
                is computed, each box by itself: the composite is the same and takes less time; ``coarse`` and
                ``refined`` have no meaning outside the hole. None computes all.

        Raises:
            ValueError: a sketch for a generator that takes none, or a size that is no multiple of SIZE_MULTIPLE.
        """
        if image.shape[2] % STRIDE or image.shape[3] % STRIDE:
            raise ValueError(f"height and width must be multiples of {STRIDE}, got {tuple(image.shape[2:])}; pad first")
        if sketch is not None and not self.config.sketch:
            raise ValueError("this generator takes no sketch; build it with sketch=True")
        conditions = [mask]
        if self.config.sketch:
            conditions.append(torch.zeros_like(mask) if sketch is None else sketch * mask)
        known = torch.where(mask > 0.5, self.hole_colour.to(image.dtype), image) * 2 - 1
        coarse = self._coarse(torch.cat([known, *conditions], 1), holes)
        pasted = composite(coarse, known, mask)
        size = (image.shape[2], image.shape[3])
        small_mask = reduce_mask(mask, (size[0] // STRIDE, size[1] // STRIDE))
        parts = (
            None if holes is None else [surround(hole, self.refinement.surroundings, size, STRIDE) for hole in holes]
        )
        x = torch.cat([pasted, *conditions], 1)
        refined, temperatures = self.refinement(x, small_mask, temperature_scale, parts)
        coarse, refined = ((x.to(image.dtype) + 1) / 2 for x in (coarse, refined))
        return GeneratorOutput(coarse, refined.clamp(0, 1) if not self.training else refined, temperatures)

    def _coarse(self, x: Tensor, holes: Sequence[Box] | None) -> Tensor:
        """The coarse image in [-1, 1]; where ``holes`` are given, only in them."""
        if holes is None:
            return self.coarse(x)
        coarse = torch.zeros_like(x[:, :3])
        for hole in holes:
            part = surround(hole, partial(inputs_of, self.coarse), (x.shape[2], x.shape[3]), STRIDE)
            crop(coarse, hole).copy_(crop(self.coarse(crop(x, part.around)), part.inner))
        return coarse
