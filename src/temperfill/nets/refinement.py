"""The refinement network: a convolution branch, an attention branch, and their decoder (paper, section III-A)."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from temperfill.attention import ATMA, MHTMA, ContextualAttention, Tempered
from temperfill.config import GeneratorConfig
from temperfill.geometry import Box
from temperfill.nets.layers import GatedConv2d, Widths, encoder, gated_chain, last_width, plain_output
from temperfill.nets.parts import Interval, Part, crop, inputs_of

STRIDE = 4
"""Pixels between features."""

Attended = Callable[[Box | None, Tensor | None], tuple[Tensor, Tensor | None]]
"""Box in cells (None for all) and needed cells to the attention's features there and the carried detail."""


class AttentionBranch(nn.Module):
    """Gated convolutions, attention, gated convolutions: captures distant context.

    The features that the attention sees keep their width, as its projections and its temperature network build on it.
    """

    def __init__(self, in_channels: int, config: GeneratorConfig, widths: Widths) -> None:
        super().__init__()
        w = config.width
        table: list[tuple[int, dict[str, Any]]] = [
            (w, {"kernel_size": 5, "gain": 1.0}),
            (w, {"stride": 2}),
            (2 * w, {}),
            (4 * w, {"stride": 2}),
            (4 * w, {}),
            (4 * w, {}),
        ]
        self.before = nn.Sequential(*gated_chain(in_channels, table, widths))
        if last_width(self.before) != 4 * w:
            raise ValueError(f"widths: the attention needs {4 * w} channels, got {last_width(self.before)}")
        self.attention = ATTENTIONS[config.attention](config)
        self.after = nn.Sequential(*gated_chain(4 * w, [(4 * w, {}), (4 * w, {})], widths))

    def temperatures(self, features: Tensor) -> Tensor:
        """(B, heads) of features (B, 4w, h, w); (B, 0) where the attention has none."""
        if isinstance(self.attention, Tempered):
            return self.attention.temperatures(features)
        return features.new_zeros(features.shape[0], 0, dtype=torch.float32)  # as learned ones are under autocast

    def attended(
        self,
        features: Tensor,
        mask: Tensor,
        temperatures: Tensor,
        detail: Tensor | None,
        avoid: Tensor | None,
        weighty_only: bool,
    ) -> Attended:
        """The attention's result, to be had part by part.

        Args:
            features: (B, 4w, h, w).
            mask: (B, 1, h, w), 1 = missing.
            temperatures: (B, heads).
            detail: (B, E, h, w) to carry along the attention's weights, or None.
            avoid: (B, 1, h, w), 1 = known, but nothing is copied from here; or None.
            weighty_only: leave out keys without weight.

        Raises:
            ValueError: something to avoid for an attention other than MHTMA.
        """
        attention = self.attention
        if isinstance(attention, MHTMA):
            memory = attention.memorise(features, mask, detail, avoid, weighty_only)
            return lambda box, needed: attention.look_up(memory, temperatures, box, needed)
        if avoid is not None:
            raise ValueError("only a generator with the attention mhtma can avoid a part of the picture")
        if isinstance(attention, Tempered):
            result = attention(features, mask, temperatures)
        else:
            result = features if attention is None else attention(features, mask)
        return lambda box, needed: (result if box is None else crop(result, box), None)


def _mhtma(config: GeneratorConfig) -> MHTMA:
    return MHTMA(
        4 * config.width,
        config.heads,
        config.head_dim,
        config.patch_size,
        config.key_stride,
        config.masked_score,
        config.masked_score_scaled,
        config.temperature_init,
        config.temperature_floor,
        temperature=config.temperature,
        temperature_end=config.temperature_end,
        temperature_steps=config.temperature_steps,
    )


ATTENTIONS: dict[str, Callable[[GeneratorConfig], nn.Module | None]] = {
    "mhtma": _mhtma,
    "atma": lambda config: ATMA(4 * config.width, config.heads, config.temperature_init),
    "contextual": lambda config: ContextualAttention(),
    "none": lambda config: None,
}
"""How each value of ``GeneratorConfig.attention`` is built, for features of 4 * width channels."""


class Decoder(nn.Module):
    """Five gated convolutions and a plain one.

    With ``detail_maps`` the carried high frequencies of each head enter the last gated convolution, and the plain
    convolution also gives one gate per head, by which they are added to the image.
    """

    def __init__(self, in_channels: int, w: int, detail_maps: int, widths: Widths) -> None:
        super().__init__()
        table: list[tuple[int, dict[str, Any]]] = [(4 * w, {}), (4 * w, {}), (2 * w, {"up": True}), (w, {"up": True})]
        self.up = nn.Sequential(*gated_chain(in_channels, table, widths))
        self.last = GatedConv2d(last_width(self.up) + 3 * detail_maps, widths.take(w // 2))
        self.output = plain_output(self.last.width, 3 + detail_maps)

    def forward(self, features: Tensor, detail: Tensor | None) -> Tensor:
        """Features (B, C, h, w) and detail (B, heads, 3, 4h, 4w) or None to an image (B, 3, 4h, 4w) in [-1, 1]."""
        x = self.up(features)
        if detail is None:
            return torch.tanh(self.output(self.last(x)))
        # Joined to another layout, the result would be in that one, and both halves of the next layer would reorder it.
        detail_maps = detail.flatten(1, 2).contiguous(memory_format=torch.channels_last)
        x = self.output(self.last(torch.cat([x, detail_maps], 1)))
        gates = torch.sigmoid(x[:, 3:, None] - 1)  # mostly closed at the start
        return torch.tanh(x[:, :3]) + (gates * detail).sum(1)


class RefinementNetwork(nn.Module):
    """Two parallel encoders and one decoder."""

    def __init__(self, in_channels: int, config: GeneratorConfig, widths: Widths) -> None:
        super().__init__()
        w = config.width
        self.convolution_branch = nn.Sequential(*encoder(in_channels, w, widths)) if config.convolution_branch else None
        self.attention_branch = AttentionBranch(in_channels, config, widths) if config.attention_branch else None
        ends = [] if self.convolution_branch is None else [self.convolution_branch]
        ends += [] if self.attention_branch is None else [self.attention_branch.after]
        self.decoder = Decoder(sum(map(last_width, ends)), w, config.heads if config.detail else 0, widths)
        self.detail = config.detail

    def forward(
        self,
        x: Tensor,
        mask: Tensor,
        temperature_scale: float,
        parts: list[Part] | None,
        avoid: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Refines the pasted picture.

        Args:
            x: (B, 4 or 5, H, W), the pasted image first.
            mask: (B, 1, h, w) at feature size.
            temperature_scale: factor on the learned temperatures.
            parts: what is wanted, as from ``parts``; None for the whole picture.
            avoid: (B, 1, h, w) at feature size, 1 = known, but the attention copies nothing from here; or None.

        Returns:
            The refined image in [-1, 1], without meaning outside the holes of the parts, and (B, heads) temperatures.
        """
        temperatures, attended = x.new_zeros(x.shape[0], 0), None
        if self.attention_branch is not None:
            features = self.attention_branch.before(x)
            temperatures = self.attention_branch.temperatures(features)
            # Detached: only known pixels are carried, which have no gradient.
            detail = F.pixel_unshuffle(high_frequencies(x[:, :3].detach()), STRIDE) if self.detail else None
            heat = temperatures * temperature_scale
            # A whole picture is computed without looking at values, so that it can be recorded and exported.
            weighty_only = parts is not None
            attended = self.attention_branch.attended(features, mask, heat, detail, avoid, weighty_only)
        elif avoid is not None:
            raise ValueError("only a generator with the attention mhtma can avoid a part of the picture")
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

    def reach(self) -> int:
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
        reach = self.reach()
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
