"""Multi-head temperature masked self-attention, MHTMA (paper, section III-C, Eqs. 7-12).

Two exact implementations of the same function: ``reference_attention`` writes the formulas plainly and holds the
(queries x keys) matrix; ``fused_attention`` goes through ``scaled_dot_product_attention`` and never holds it.
"""

from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from temperfill.attention.patches import key_mask, pad_to_patch, reduce_mask, roll, unroll_keys, unroll_queries
from temperfill.attention.temperature import TemperatureNetwork
from temperfill.tensors import Box, is_plain_inference


def normalise(patches: Tensor) -> Tensor:
    """Scales vectors along the last axis to unit L2 length; an all-zero patch stays zero."""
    return patches * _inverse_length(patches)


def _inverse_length(patches: Tensor) -> Tensor:
    """1 / L2 length along the last axis, which is kept.

    The constant under the root keeps the gradient finite at zero, where dividing by a clamped length would not.
    """
    return torch.rsqrt(torch.linalg.vecdot(patches, patches)[..., None] + 1e-8)


def reference_attention(
    queries: Tensor,
    keys: Tensor,
    values: Tensor,
    masked: Tensor,
    temperatures: Tensor,
    masked_score: float = -10000.0,
    masked_score_scaled: bool = False,
) -> Tensor:
    """Masked attention as the paper writes it (Eqs. 7-11).

    Args:
        queries: (B, heads, N, d), not normalised.
        keys: (B, heads, M, d), not normalised.
        values: (B, heads, M, e).
        masked: (B, M), 1 = the key touches the hole.
        temperatures: (B, heads), positive.
        masked_score: the constant lambda of Eq. 9.
        masked_score_scaled: divide lambda by the temperature too.

    Returns:
        (B, heads, N, e).
    """
    scale = 1 / temperatures[:, :, None, None]
    m = masked[:, None, None, :].to(queries.dtype)
    scores = normalise(queries) @ normalise(keys).transpose(-2, -1)
    # A softmax ignores what all keys share. Where every key is masked, lambda / T would only leave its rounding errors,
    # times lambda / T^2, in the gradient of T.
    constant = masked_score * (m - m.amin(-1, keepdim=True))
    if masked_score_scaled:
        constant = constant * scale
    return torch.softmax(scores * (1 - m) * scale + constant, -1) @ values


def fused_attention(
    queries: Tensor,
    keys: Tensor,
    values: Tensor,
    masked: Tensor,
    temperatures: Tensor,
    masked_score: float = -10000.0,
    masked_score_scaled: bool = False,
) -> Tensor:
    """Equals ``reference_attention`` in linear memory; same arguments and result.

    Masked keys are multiplied by 0, one more dimension carries lambda to the keys and 1 to the queries, and the
    temperature divides the other components of the queries. Exact, not an approximation.
    """
    scale = 1 / temperatures[:, :, None, None]
    m = masked[:, None, :, None].to(queries.dtype)
    value_dim = values.shape[-1]
    # One width, a multiple of 8, for all three: with a narrower value torch silently takes the path that holds the
    # whole score matrix.
    width = -(-max(queries.shape[-1] + 1, value_dim) // 8) * 8
    # Where every key is masked, lambda is the same for all of them and the softmax ignores it. Leaving it out there
    # keeps the kernel's log-sum-exp small: near -10000 its float32 rounding would cost three digits of the gradient.
    weight = masked_score * (m - m.amin(2, keepdim=True))
    device = values.device.type
    # The flash kernel of CUDA takes half precision only.
    dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else values.dtype
    carrier = scale if masked_score_scaled else torch.ones_like(scale)
    queries = _laid_out(queries, _inverse_length(queries) * scale, carrier, width, dtype)
    keys = _laid_out(keys, _inverse_length(keys) * (1 - m), weight, width, dtype)
    values = F.pad(values.to(dtype), (0, width - value_dim))
    return F.scaled_dot_product_attention(queries, keys, values, scale=1.0)[..., :value_dim]


def _laid_out(patches: Tensor, factor: Tensor, carrier: Tensor, width: int, dtype: torch.dtype) -> Tensor:
    """Patches (B, heads, N, d) times a factor, one carried number, and zeros: (B, heads, N, width)."""
    dim = patches.shape[-1]
    if not is_plain_inference():
        carried = carrier.expand(*patches.shape[:3], 1)
        return F.pad(torch.cat([patches * factor, carried], -1), (0, width - dim - 1)).to(dtype)
    # The same in one pass over memory, which is what bounds it.
    result = patches.new_empty(*patches.shape[:3], width, dtype=dtype)
    torch.mul(patches, factor, out=result[..., :dim])
    result[..., dim : dim + 1] = carrier
    result[..., dim + 1 :] = 0
    return result


class Memory(NamedTuple):
    """What all queries of a batch share.

    Attributes:
        per_head: (B * heads, c, h, w), the projected map.
        keys: (B, heads, M, d).
        values: (B, heads, M, d) or, with an extra map, (B, heads, M, d + E).
        masked: (B, M), 1 = the key touches the hole.
    """

    per_head: Tensor
    keys: Tensor
    values: Tensor
    masked: Tensor


class MHTMA(nn.Module):
    """Every head projects the features, matches k x k patches by cosine similarity, and copies what matches.

    Args:
        channels: C of the features.
        heads: heads, each with a projection and a learned temperature of its own.
        head_dim: channels c of each projection.
        patch_size: side k of the patches, odd or even.
        key_stride: distance between key patches.
        masked_score: lambda of Eq. 9.
        masked_score_scaled: divide lambda by the temperature.
        temperature_init: temperature at the start.
        temperature_floor: lower bound of the temperature.
        implementation: ``fused`` or ``reference``.

    Attributes:
        max_queries: most queries that are matched at once where no gradient is wanted; None for all. Fewer take less
            memory, and the result is the same.
    """

    def __init__(
        self,
        channels: int,
        heads: int = 2,
        head_dim: int = 24,
        patch_size: int = 3,
        key_stride: int = 1,
        masked_score: float = -10000.0,
        masked_score_scaled: bool = False,
        temperature_init: float = 0.1,
        temperature_floor: float = 0.01,
        implementation: Literal["fused", "reference"] = "fused",
    ) -> None:
        super().__init__()
        self.max_queries: int | None = None
        self.heads = heads
        self.patch_size = patch_size
        self.key_stride = key_stride
        self.masked_score = masked_score
        self.masked_score_scaled = masked_score_scaled
        self.attention = fused_attention if implementation == "fused" else reference_attention
        self.project_in = nn.Conv2d(channels, heads * head_dim, 1)
        self.project_out = nn.Conv2d(heads * head_dim, channels, 1)
        self.temperature = TemperatureNetwork(channels, heads, temperature_init, floor=temperature_floor)

    def temperatures(self, features: Tensor) -> Tensor:
        """(B, C, h, w) features to (B, heads) temperatures."""
        return self.temperature(features)

    def forward(self, features: Tensor, mask: Tensor, temperatures: Tensor | None = None) -> Tensor:
        """Refines features by what matches elsewhere in the known part.

        Args:
            features: (B, C, h, w).
            mask: (B, 1, H, W) with H >= h, W >= w; 1 = missing; reduced to (h, w) by maximum.
            temperatures: (B, heads) to use instead of the learned ones.

        Returns:
            (B, C, h, w).
        """
        return self.attend(features, mask, temperatures)[0]

    def attend(
        self,
        features: Tensor,
        mask: Tensor,
        temperatures: Tensor | None = None,
        extra: Tensor | None = None,
        needed: Tensor | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """Like ``forward``, and carries another map along the same attention weights.

        Args:
            features: (B, C, h, w).
            mask: (B, 1, H, W), 1 = missing.
            temperatures: (B, heads) or None.
            extra: (B, E, h, w) or None; each key carries its value at the patch's centre cell.
            needed: (B, 1, h, w), 1 = the result matters at this cell; None for all. Patches that touch no such cell in
                any image of the batch are not matched, and the result elsewhere has no meaning.

        Returns:
            (B, C, h, w) refined features, and (B, heads, E, h, w) carried maps or None.
        """
        if temperatures is None:
            temperatures = self.temperatures(features)
        memory = self.memorise(features, mask, extra)
        if is_plain_inference():
            memory = self.known_only(memory)
        return self.look_up(memory, temperatures, needed=needed)

    def memorise(self, features: Tensor, mask: Tensor, extra: Tensor | None = None) -> Memory:
        """What all queries of a batch share: the projected map, its keys and values; arguments as for ``attend``."""
        embedded = self.project_in(features)
        with torch.autocast(features.device.type, enabled=False):
            # Similarities and their normalisation stay in float32, like the temperatures.
            embedded = embedded.to(self.temperature.linear.weight.dtype)
            batch, _, height, width = embedded.shape
            per_head = embedded.reshape(batch * self.heads, -1, height, width)
            keys = unroll_keys(pad_to_patch(per_head, self.patch_size), self.patch_size, self.key_stride)
            small_mask = pad_to_patch(reduce_mask(mask, (height, width)).to(embedded.dtype), self.patch_size)
            masked = key_mask(small_mask, self.patch_size, self.key_stride)
        keys = keys.reshape(batch, self.heads, *keys.shape[1:])
        if extra is None:
            return Memory(per_head, keys, keys, masked)
        carried = self._centres(extra.to(keys.dtype))[:, None].expand(-1, self.heads, -1, -1)
        return Memory(per_head, keys, torch.cat([keys, carried], -1), masked)

    def known_only(self, memory: Memory) -> Memory:
        """The memory without the keys that touch the hole of every image: they have no weight, and cost time.

        Their weight underflows to nothing beside any key of the known part, unless the masked score is divided by the
        temperature; a memory without a key of the known part stays as it is.
        """
        known = (memory.masked.amin(0) < 0.5).nonzero().squeeze(1)
        some = (memory.masked < 0.5).any(1).all()
        if self.masked_score_scaled or self.masked_score > -1000 or not some:
            return memory
        keys = memory.keys[:, :, known]
        values = keys if memory.values is memory.keys else memory.values[:, :, known]
        return Memory(memory.per_head, keys, values, memory.masked[:, known])

    def look_up(
        self, memory: Memory, temperatures: Tensor, box: Box | None = None, needed: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Refines a part of the map from all keys.

        Args:
            memory: from ``memorise``.
            temperatures: (B, heads).
            box: top, left, bottom, right of the part in cells; None for the whole map.
            needed: as for ``attend``.

        Returns:
            Of the part, (B, C, height, width) refined features, and (B, heads, E, height, width) carried maps or None.
        """
        top, left, bottom, right = box = box or (0, 0, *memory.per_head.shape[2:])
        if self.max_queries is None or torch.is_grad_enabled() or (bottom - top) * (right - left) <= self.max_queries:
            return self._look_up(memory, temperatures, box, needed)
        rows = max(self.max_queries // (right - left), 1)
        strips = [(row, left, min(row + rows, bottom), right) for row in range(top, bottom, rows)]
        found = [self._look_up(memory, temperatures, strip, needed) for strip in strips]
        refined, carried = zip(*found, strict=True)
        return torch.cat(refined, 2), None if carried[0] is None else torch.cat(carried, 3)

    def _look_up(
        self, memory: Memory, temperatures: Tensor, box: Box, needed: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """``look_up`` in one piece."""
        size = tuple(memory.per_head.shape[2:])
        top, left, bottom, right = box
        # Every patch that covers a cell of the box.
        first = [max(low - self.patch_size // 2, 0) for low in (top, left)]
        last = [min(high + (self.patch_size - 1) // 2, side) for high, side in zip((bottom, right), size, strict=True)]
        rows, columns = slice(first[0], last[0]), slice(first[1], last[1])
        index: slice | Tensor = slice(None)
        if needed is not None:
            index = self._needed_patches(needed, rows, columns)
        batch, patch_dim = temperatures.shape[0], memory.keys.shape[-1]
        with torch.autocast(memory.per_head.device.type, enabled=False):
            queries = unroll_queries(memory.per_head, self.patch_size, rows, columns).reshape(
                batch, self.heads, -1, patch_dim
            )
        result = self.attention(
            queries[:, :, index],
            memory.keys,
            memory.values,
            memory.masked,
            temperatures,
            self.masked_score,
            self.masked_score_scaled,
        )
        if needed is not None:
            found, result = result, result.new_zeros(*queries.shape[:3], result.shape[-1])
            result[:, :, index] = found
        part = (last[0] - first[0], last[1] - first[1])
        inner = (..., slice(top - first[0], bottom - first[0]), slice(left - first[1], right - first[1]))
        # The average over overlapping patches is taken in float32; the maps then go on in the network's precision.
        rolled = roll(result[..., :patch_dim].flatten(0, 1).to(queries.dtype), part, self.patch_size)[inner]
        refined = self.project_out(rolled.reshape(batch, -1, *rolled.shape[2:]))
        if result.shape[-1] == patch_dim:
            return refined, None
        return refined, result[..., patch_dim:].transpose(-2, -1).unflatten(-1, part)[inner]

    def matches(
        self, memory: Memory, temperatures: Tensor, queries: Tensor, top: int, chunk: int = 2**24
    ) -> tuple[Tensor, Tensor]:
        """The keys that chosen queries copy from, with the weights of the softmax over all keys (Eq. 10).

        Args:
            memory: from ``memorise``.
            temperatures: (B, heads).
            queries: (N,) numbers of the query cells, row by row.
            top: largest weights to give, at most as many as there are keys.
            chunk: scores that are held at once.

        Returns:
            Weights (B, heads, N, top), largest first, and the centre cells of the keys (same shape), numbered row by
            row.
        """
        batch, heads, number, patch_dim = memory.keys.shape
        side = self.patch_size
        width = max(memory.per_head.shape[3], side)
        keys = normalise(memory.keys)
        patches = unroll_queries(memory.per_head, side).reshape(batch, heads, -1, patch_dim)
        masked = memory.masked[:, None, None, :].to(keys.dtype)
        found = []
        for part in queries.split(max(chunk // (batch * heads * number), 1)):
            scores = normalise(patches[:, :, part]) @ keys.transpose(-2, -1) * (1 - masked)
            scores = scores / temperatures[:, :, None, None]
            constant = self.masked_score * (masked - masked.amin(-1, keepdim=True))
            if self.masked_score_scaled:
                constant = constant / temperatures[:, :, None, None]
            found.append(torch.softmax(scores + constant, -1).topk(min(top, number), -1))
        weights, index = (torch.cat(list(x), 2) for x in zip(*found, strict=True))
        columns, before = (width - side) // self.key_stride + 1, (side - 1) // 2
        rows, columns_of = index // columns * self.key_stride + before, index % columns * self.key_stride + before
        last_row, last_column = (length - 1 for length in memory.per_head.shape[2:])
        return weights, rows.clamp(max=last_row) * (last_column + 1) + columns_of.clamp(max=last_column)

    def _needed_patches(self, needed: Tensor, rows: slice, columns: slice) -> Tensor:
        """Indices, within a part, of the query patches that cover a needed cell of any image; at least one."""
        before, after = (self.patch_size - 1) // 2, self.patch_size // 2
        padded = F.pad(needed.amax(0, keepdim=True), (before, after, before, after))
        touched = F.max_pool2d(padded, self.patch_size, 1)[:, :, rows, columns]
        index = touched.flatten().nonzero().squeeze(1)
        return index if len(index) else index.new_zeros(1)

    def _centres(self, extra: Tensor) -> Tensor:
        """(B, E, h, w) to (B, M, E): the value at the centre cell of every key patch."""
        extra = pad_to_patch(extra, self.patch_size)
        before, after = (self.patch_size - 1) // 2, self.patch_size // 2
        height, width = extra.shape[2:]
        inner = extra[:, :, before : height - after : self.key_stride, before : width - after : self.key_stride]
        return inner.flatten(2).transpose(1, 2)
