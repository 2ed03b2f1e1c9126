"""Looking up: the keys that all queries of a batch share, a part of the map refined from them, and its sources."""

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from temperfill.attention.patches import key_mask, pad_to_patch, reduce_mask, roll, unroll_keys, unroll_queries
from temperfill.geometry import Box

Attend = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
"""Queries (B, heads, N, d), keys (B, heads, M, d), values (B, heads, M, e) and masked (B, M) to (B, heads, N, e)."""


class Memory(NamedTuple):
    """What all queries of a batch share.

    Attributes:
        per_head: (B * heads, c, h, w), the projected map.
        keys: (B, heads, M, d).
        values: (B, heads, M, d) or, with an extra map, (B, heads, M, d + E).
        masked: (B, M), 1 = the key touches the hole or what is to be avoided.
        patch_size: side k of the patches.
    """

    per_head: Tensor
    keys: Tensor
    values: Tensor
    masked: Tensor
    patch_size: int

    def only(self, kept: Tensor) -> "Memory":
        """The memory with the kept keys, (M,) bool, alone."""
        if kept.all():
            return self
        index = kept.nonzero().squeeze(1)
        keys = self.keys[:, :, index]
        values = keys if self.values is self.keys else self.values[:, :, index]
        return self._replace(keys=keys, values=values, masked=self.masked[:, index])


def memorise(
    embedded: Tensor, masks: list[Tensor], extra: Tensor | None, heads: int, patch_size: int, key_stride: int
) -> Memory:
    """Keys and values of a projected map.

    Args:
        embedded: (B, heads * c, h, w).
        masks: each (B, 1, H, W) with H >= h, W >= w; no key may touch the ones of any of them (Eq. 8).
        extra: (B, E, h, w) or None; each key carries its value at the patch's centre cell.
        heads: among which the channels are divided.
        patch_size: side k of the patches.
        key_stride: distance between key patches.
    """
    batch, _, height, width = embedded.shape
    per_head = embedded.reshape(batch * heads, -1, height, width)
    keys = unroll_keys(pad_to_patch(per_head, patch_size), patch_size, key_stride)
    keys = keys.reshape(batch, heads, *keys.shape[1:])
    small = reduce_mask(masks[0], (height, width)).to(embedded.dtype)
    for mask in masks[1:]:
        small = torch.maximum(small, reduce_mask(mask, (height, width)).to(embedded.dtype))
    masked = key_mask(pad_to_patch(small, patch_size), patch_size, key_stride)
    values = keys
    if extra is not None:
        carried = _centres(extra.to(keys.dtype), patch_size, key_stride)[:, None].expand(-1, heads, -1, -1)
        values = torch.cat([keys, carried], -1)
    return Memory(per_head, keys, values, masked, patch_size)


def look_up(memory: Memory, attend: Attend, box: Box | None, needed: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """A part of the map from all keys.

    Args:
        memory: from ``memorise``.
        attend: the attention.
        box: top, left, bottom, right of the part in cells; None for the whole map.
        needed: (B, 1, h, w), 1 = the result matters at this cell; None for all. Patches that touch no such cell in
            any image of the batch are not matched, and the result elsewhere has no meaning.

    Returns:
        Of the part, (B, heads * c, height, width) of the keys' patches rolled back (Eqs. 11, 12), and
        (B, heads, E, height, width) carried maps or None.
    """
    side = memory.patch_size
    lengths = memory.per_head.shape[2:]
    top, left, bottom, right = box or (0, 0, *lengths)
    first, last = [0, 0], list(lengths)
    if box is not None:  # every patch that covers a cell of it
        first = [max(low - side // 2, 0) for low in (top, left)]
        last = [min(high + (side - 1) // 2, length) for high, length in zip((bottom, right), lengths, strict=True)]
    rows, columns = slice(first[0], last[0]), slice(first[1], last[1])
    index: slice | Tensor = slice(None) if needed is None else _needed_patches(needed, side, rows, columns)
    batch, heads, _, patch_dim = memory.keys.shape
    with torch.autocast(memory.per_head.device.type, enabled=False):
        queries = unroll_queries(memory.per_head, side, rows, columns).reshape(batch, heads, -1, patch_dim)
    result = attend(queries[:, :, index], memory.keys, memory.values, memory.masked)
    if needed is not None:
        found, result = result, result.new_zeros(*queries.shape[:3], result.shape[-1])
        result[:, :, index] = found
    part = (last[0] - first[0], last[1] - first[1])
    inner = (..., slice(top - first[0], bottom - first[0]), slice(left - first[1], right - first[1]))
    # The average over overlapping patches is taken in float32; the maps then go on in the network's precision.
    rolled = roll(result[..., :patch_dim].flatten(0, 1).to(queries.dtype), part, side)[inner]
    rolled = rolled.reshape(batch, -1, *rolled.shape[2:])
    if result.shape[-1] == patch_dim:
        return rolled, None
    return rolled, result[..., patch_dim:].transpose(-2, -1).unflatten(-1, part)[inner]


def sources(
    memory: Memory, weigh: Callable[[Tensor], Tensor], queries: Tensor, top: int, key_stride: int, chunk: int
) -> tuple[Tensor, Tensor]:
    """The keys that chosen queries copy from.

    Args:
        memory: from ``memorise``, with all keys.
        weigh: query patches (B, heads, N, d) to the weights (B, heads, N, M) of all keys.
        queries: (N,) numbers of the query cells, row by row.
        top: largest weights to give, at most as many as there are keys.
        key_stride: distance between key patches.
        chunk: scores that are held at once.

    Returns:
        Weights (B, heads, N, top), largest first, and the centre cells of the keys (same shape), numbered row by row.
    """
    batch, heads, number, patch_dim = memory.keys.shape
    side = memory.patch_size
    patches = unroll_queries(memory.per_head, side).reshape(batch, heads, -1, patch_dim)
    parts = queries.split(max(chunk // (batch * heads * number), 1))
    found = [weigh(patches[:, :, part]).topk(min(top, number), -1) for part in parts]
    weights, index = (torch.cat(list(x), 2) for x in zip(*found, strict=True))
    width = max(memory.per_head.shape[3], side)
    columns, before = (width - side) // key_stride + 1, (side - 1) // 2
    rows, columns_of = index // columns * key_stride + before, index % columns * key_stride + before
    last_row, last_column = (length - 1 for length in memory.per_head.shape[2:])
    return weights, rows.clamp(max=last_row) * (last_column + 1) + columns_of.clamp(max=last_column)


def _needed_patches(needed: Tensor, patch_size: int, rows: slice, columns: slice) -> Tensor:
    """Indices, within a part, of the query patches that cover a needed cell of any image; at least one."""
    before, after = (patch_size - 1) // 2, patch_size // 2
    padded = F.pad(needed.amax(0, keepdim=True), (before, after, before, after))
    touched = F.max_pool2d(padded, patch_size, 1)[:, :, rows, columns]
    index = touched.flatten().nonzero().squeeze(1)
    return index if len(index) else index.new_zeros(1)


def _centres(extra: Tensor, patch_size: int, key_stride: int) -> Tensor:
    """(B, E, h, w) to (B, M, E): the value at the centre cell of every key patch."""
    extra = pad_to_patch(extra, patch_size)
    before, after = (patch_size - 1) // 2, patch_size // 2
    height, width = extra.shape[2:]
    inner = extra[:, :, before : height - after : key_stride, before : width - after : key_stride]
    return inner.flatten(2).transpose(1, 2)
