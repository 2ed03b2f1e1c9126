"""Multi-head temperature masked self-attention, MHTMA (paper, section III-C, Eqs. 7-12).

Two exact implementations of the same function: ``reference_attention`` writes the formulas plainly and holds the
(queries x keys) matrix; ``fused_attention`` goes through ``scaled_dot_product_attention`` and never holds it. The score
stands in ``scores``, the way from the map to patches and back (Eqs. 7, 12) in ``lookup``.
"""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from temperfill.attention import lookup
from temperfill.attention.lookup import Memory
from temperfill.attention.scores import (
    attention_weights,
    bounded,
    masked_constant,
    masked_softmax,
    normalise,
    score_factors,
    weighty_keys,
)
from temperfill.attention.temperature import TemperatureKind, TemperatureNetwork, temperature_source
from temperfill.geometry import Box
from temperfill.tensors import is_plain_inference

_NEAREST_ZERO = 1e-3
"""Least size of a temperature of either sign: no similarity over it outweighs lambda, so masked keys stay without
weight."""


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
        temperatures: (B, heads), positive; one below ``COLDEST`` acts as that.
        masked_score: the constant lambda of Eq. 9.
        masked_score_scaled: divide lambda by the temperature too.

    Returns:
        (B, heads, N, e).
    """
    weights = attention_weights(queries, keys, masked, temperatures, masked_score, masked_score_scaled)
    return weights @ values  # Eq. 11


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
    value_dim = values.shape[-1]
    # One width, a multiple of 8, for all three: with a narrower value torch silently takes the path that holds the
    # whole score matrix.
    width = -(-max(queries.shape[-1] + 1, value_dim) // 8) * 8
    device = values.device.type
    # The flash kernel of CUDA takes half precision only.
    dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else values.dtype
    query_factor, key_factor = score_factors(queries, keys, masked, temperatures)
    constant = masked_constant(masked.to(queries.dtype), masked_score)[:, None, :, None]
    scale = 1 / bounded(temperatures)[:, :, None, None]
    carrier = scale if masked_score_scaled else torch.ones_like(scale)
    queries = _laid_out(queries, query_factor, carrier, width, dtype)
    keys = _laid_out(keys, key_factor, constant, width, dtype)
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


class MHTMA(nn.Module):
    """Every head projects the features, matches k x k patches by cosine similarity, and copies what matches.

    Args:
        channels: C of the features.
        heads: heads, each with a projection and a temperature of its own.
        head_dim: channels c of each projection.
        patch_size: side k of the patches, odd or even.
        key_stride: distance between key patches.
        masked_score: lambda of Eq. 9.
        masked_score_scaled: divide lambda by the temperature.
        temperature_init: temperature at the start.
        temperature_floor: lower bound of the temperatures that are learned as positive.
        implementation: ``fused`` or ``reference``.
        temperature: what gives the temperatures, as for :func:`~temperfill.attention.temperature.temperature_source`.
        temperature_end: last temperature of ``annealed``.
        temperature_steps: training steps over which ``annealed`` falls.

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
        temperature: TemperatureKind = "softplus",
        temperature_end: float = 0.01,
        temperature_steps: int = 100_000,
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
        self.temperature = temperature_source(
            temperature, channels, heads, temperature_init, temperature_floor, temperature_end, temperature_steps
        )

    def temperatures(self, features: Tensor) -> Tensor:
        """(B, C, h, w) features to (B, heads) temperatures; one that may have either sign keeps off zero."""
        found: Tensor = self.temperature(features)
        if isinstance(self.temperature, TemperatureNetwork) and self.temperature.activation == "leaky_relu":
            return torch.where(found < 0, -1.0, 1.0) * found.abs().clamp(min=_NEAREST_ZERO)
        return found

    def forward(self, features: Tensor, mask: Tensor, temperatures: Tensor | None = None) -> Tensor:
        """Refines features by what matches elsewhere in the known part.

        Args:
            features: (B, C, h, w).
            mask: (B, 1, H, W) or (B, H, W) with H >= h, W >= w; 1 or True = missing; reduced to (h, w) by maximum.
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
        avoid: Tensor | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """Like ``forward``, and carries another map along the same attention weights.

        Args:
            features: (B, C, h, w).
            mask: (B, 1, H, W), 1 = missing.
            temperatures: (B, heads) or None.
            extra: (B, E, h, w) or None; each key carries its value at the patch's centre cell.
            avoid: (B, 1, H, W), 1 = known, but nothing is copied from here; None for nowhere.

        Returns:
            (B, C, h, w) refined features, and (B, heads, E, h, w) carried maps or None.
        """
        if temperatures is None:
            temperatures = self.temperatures(features)
        memory = self.memorise(features, mask, extra, avoid, weighty_only=is_plain_inference())
        return self.look_up(memory, temperatures)

    def memorise(
        self,
        features: Tensor,
        mask: Tensor,
        extra: Tensor | None = None,
        avoid: Tensor | None = None,
        weighty_only: bool = False,
    ) -> Memory:
        """What all queries of a batch share: the projected map, its keys and values; arguments as for ``attend``.

        Args:
            features: (B, C, h, w).
            mask: (B, 1, H, W), 1 = missing.
            extra: (B, E, h, w) or None.
            avoid: (B, 1, H, W) or None.
            weighty_only: leave out the keys without weight, which takes less time; their number depends on the mask.
        """
        embedded = self.project_in(features)
        with torch.autocast(features.device.type, enabled=False):
            # Similarities and their normalisation stay in float32, like the temperatures.
            embedded = embedded.to(self.project_in.weight.dtype)
            masks = [mask] if avoid is None else [mask, avoid]
            memory = lookup.memorise(embedded, masks, extra, self.heads, self.patch_size, self.key_stride)
        if not weighty_only:
            return memory
        return memory.only(weighty_keys(memory.masked, self.masked_score, self.masked_score_scaled))

    def look_up(
        self, memory: Memory, temperatures: Tensor, box: Box | None = None, needed: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Refines a part of the map from all keys.

        Args:
            memory: from ``memorise``.
            temperatures: (B, heads).
            box: top, left, bottom, right of the part in cells; None for the whole map.
            needed: (B, 1, h, w), 1 = the result matters at this cell; None for all. Patches that touch no such cell
                in any image of the batch are not matched, and the result elsewhere has no meaning.

        Returns:
            Of the part, (B, C, height, width) refined features, and (B, heads, E, height, width) carried maps or None.
        """

        def attend(queries: Tensor, keys: Tensor, values: Tensor, masked: Tensor) -> Tensor:
            options = (self.masked_score, self.masked_score_scaled)
            return self.attention(queries, keys, values, masked, temperatures, *options)

        def refine(part: Box | None) -> tuple[Tensor, Tensor | None]:
            rolled, maps = lookup.look_up(memory, attend, part, needed)
            return self.project_out(rolled), maps

        # Not one strip by the loop below, which would fix the size of a network that is exported.
        if self.max_queries is None or torch.is_grad_enabled():
            return refine(box)
        top, left, bottom, right = box or (0, 0, *memory.per_head.shape[2:])
        rows = min(max(self.max_queries // (right - left), 1), bottom - top)
        strips = [refine((row, left, min(row + rows, bottom), right)) for row in range(top, bottom, rows)]
        maps_of_strips = [maps for _, maps in strips if maps is not None]
        refined = torch.cat([features for features, _ in strips], 2)
        return refined, torch.cat(maps_of_strips, 3) if maps_of_strips else None

    def sources(
        self, memory: Memory, temperatures: Tensor, queries: Tensor, top: int, chunk: int = 2**24
    ) -> tuple[Tensor, Tensor]:
        """The keys that chosen queries copy from, with the weights of the softmax over all keys (Eq. 10).

        Args:
            memory: from ``memorise``, with all keys.
            temperatures: (B, heads).
            queries: (N,) numbers of the query cells, row by row.
            top: largest weights to give, at most as many as there are keys.
            chunk: scores that are held at once.

        Returns:
            Weights (B, heads, N, top), largest first, and the centre cells of the keys (same shape), numbered row by
            row.
        """
        keys = normalise(memory.keys).transpose(-2, -1)  # once for all chunks

        def weigh(patches: Tensor) -> Tensor:
            options = (self.masked_score, self.masked_score_scaled)
            return masked_softmax(normalise(patches) @ keys, memory.masked, temperatures, *options)

        return lookup.sources(memory, weigh, queries, top, self.key_stride, chunk)
