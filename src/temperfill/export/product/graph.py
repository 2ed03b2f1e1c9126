"""From the bytes of a window to those of its composite, in operators of ONNX.

``coarse`` and ``refine`` are the stages of the network, which ``assembly`` puts in.
"""

from onnxscript import BOOL, FLOAT, INT64, UINT8, script
from onnxscript import opset18 as op

from temperfill.export.product.colours import continued, unasked
from temperfill.export.product.detail import best_keys, carried
from temperfill.export.product.geometry import BYTE, LONG, OWN, SINGLE, bounds, cut, put_back
from temperfill.export.product.grain import grained
from temperfill.export.product.lines import lines_seen
from temperfill.export.product.scales import (
    enlarged,
    finest_factor,
    first_factor,
    shrunk_mean,
    shrunk_most,
    to_multiple,
    widened,
)
from temperfill.export.product.tone import matched
from temperfill.inpainter.plan import CELL, REFINED

WHOLE = float(REFINED)
"""Pixels of the largest picture that is looked at without being shrunk, where the caller does not say how small."""


@script(OWN, default_opset=op)
def any_of(plane: BOOL) -> BOOL:
    """Whether a plane has a place that is True, ()."""
    return op.ReduceMax(op.Cast(plane, to=SINGLE), keepdims=0) > 0.5


@script(OWN, default_opset=op)
def mean_colours(image: FLOAT, mask: FLOAT, factor: INT64, least: INT64) -> FLOAT:
    """The colours around at a size at which all is missing, as nothing can be asked of the network there."""
    share = shrunk_mean(1.0 - mask, factor, least)
    mean = shrunk_mean(image * (1.0 - mask), factor, least) / op.Max(share, 1e-6)
    missing = op.Squeeze(op.Equal(share, 0.0), [0, 1])
    return op.Clip(continued(mean, missing, missing), 0.0, 1.0)


@script(OWN, default_opset=op)
def with_detail(
    big: FLOAT,
    image: FLOAT,
    mask: FLOAT,
    small_mask: FLOAT,
    queries: FLOAT,
    keys: FLOAT,
    constants: FLOAT,
    temperatures: FLOAT,
    factor: INT64,
    patch: INT64,
    stride: INT64,
) -> FLOAT:
    """An enlarged picture (1, 3, H, W) with what it lacks of the detail of the full size."""
    cell = factor * CELL
    lacking = (to_multiple(image, cell, patch * cell) - big) * (1.0 - to_multiple(mask, cell, patch * cell))
    taken = op.MaxPool(small_mask, kernel_shape=[4, 4], strides=[4, 4])
    cells = op.Squeeze(op.NonZero(op.Reshape(taken, [-1]) > 0.5), [0])
    shares, found = best_keys(queries, keys, constants, temperatures, cells)
    width = op.Shape(taken)[3:4]
    columns = (width - patch) / stride + 1
    before = (patch - 1) / 2
    sources = (found / columns * stride + before) * width + op.Mod(found, columns) * stride + before
    return big + carried(lacking, cells, shares, sources, cell)


@script(OWN, default_opset=op)
def at_own_size(
    seen: FLOAT,
    image: FLOAT,
    mask: FLOAT,
    small_mask: FLOAT,
    queries: FLOAT,
    keys: FLOAT,
    constants: FLOAT,
    temperatures: FLOAT,
    factor: INT64,
    patch: INT64,
    stride: INT64,
    is_detailed: BOOL,
) -> FLOAT:
    """What the network gave for a shrunk part, as large as the part, in [0, 1]."""
    is_small = op.Squeeze(factor > 1)
    if is_small:
        big = enlarged(seen, factor)
    else:
        big = op.Identity(seen)
    if op.And(is_detailed, is_small):
        full = with_detail(big, image, mask, small_mask, queries, keys, constants, temperatures, factor, patch, stride)
    else:
        full = op.Identity(big)
    return op.Slice(op.Clip(full, 0.0, 1.0), [0, 0], op.Shape(mask)[2:4], [2, 3])


@script(OWN, default_opset=op)
def asked(
    image: FLOAT,
    mask: FLOAT,
    avoid: FLOAT,
    sketch: FLOAT,
    begun: FLOAT,
    temperature: FLOAT,
    factor: INT64,
    patch: INT64,
    stride: INT64,
    is_first: BOOL,
    is_last: BOOL,
) -> tuple[FLOAT, BOOL, BOOL]:
    """What the network draws into a part (1, 3, h, w) at one size, whether it saw nothing, or had nothing to copy."""
    least = patch * CELL
    small, small_mask = shrunk_mean(image, factor, least), shrunk_most(mask, factor, least)
    small_avoid, lines = shrunk_most(avoid, factor, least), lines_seen(sketch, factor, least)
    if is_first:
        start = OWN.coarse(small, small_mask, lines)
    else:
        start = shrunk_mean(begun, factor, least)
    composite, queries, keys, constants, temperatures = OWN.refine(
        small, small_mask, start, op.Squeeze(temperature), small_avoid, lines
    )
    is_blind = op.And(op.ReduceMin(small_mask, keepdims=0) > 0.5, op.ReduceMin(mask, keepdims=0) < 0.5)
    if op.And(is_blind, is_first):
        seen = mean_colours(image, mask, factor, least)
    else:
        seen = op.Identity(composite)
    is_detailed = op.And(is_last, op.Not(is_blind))
    sharpness = temperatures * temperature
    full = at_own_size(
        seen, image, mask, small_mask, queries, keys, constants, sharpness, factor, patch, stride, is_detailed
    )
    return full, is_blind, op.Equal(op.ReduceMin(constants, keepdims=0), 0.0)


@script(OWN, default_opset=op)
def drawn(
    rgb: FLOAT,
    missing: BOOL,
    own: BOOL,
    avoid: BOOL,
    lines: BOOL,
    temperature: FLOAT,
    first: INT64,
    patch: INT64,
    stride: INT64,
) -> FLOAT:
    """What the network draws into a window (1, 3, H, W): small first, then refined at twice the size at most."""
    size = op.Shape(own)
    masks = op.Unsqueeze(op.Cast(missing, to=SINGLE), [0, 1])
    avoids = op.Unsqueeze(op.Cast(avoid, to=SINGLE), [0, 1])
    sketch = op.Unsqueeze(op.Cast(lines, to=SINGLE), [0, 1])
    is_wary = any_of(avoid)
    refined_box = widened(bounds(own), size)
    finest = finest_factor(cut(own, refined_box))
    result = op.Identity(rgb)
    box = op.Concat(op.Constant(value_ints=[0, 0]), size, axis=0)
    factor = op.Identity(first)
    is_first = op.Constant(value_int=1) > 0
    going = any_of(own)
    while going:
        is_last = op.Squeeze(factor <= finest)
        image, mask, begun = cut(rgb, box), cut(masks, box), cut(result, box)
        part, is_blind, is_bare = asked(
            image,
            mask,
            cut(avoids, box),
            cut(sketch, box),
            begun,
            temperature,
            factor,
            patch,
            stride,
            is_first,
            is_last,
        )
        is_taken = op.Or(is_first, op.Not(op.Or(is_blind, op.And(is_wary, is_bare))))
        there = op.And(put_back(op.Squeeze(mask, [0]), box, size) > 0.5, is_taken)
        result = op.Where(there, op.Unsqueeze(put_back(op.Squeeze(part, [0]), box, size), [0]), result)
        box = op.Identity(refined_box)
        factor = op.Where(is_last, factor, op.Max((factor + 1) / 2, finest))
        is_first = op.Constant(value_int=0) > 0
        going = op.Not(is_last)
    return result


@script(OWN, default_opset=op)
def marked(plane: UINT8, size: INT64) -> BOOL:
    """Where a plane of bytes marks something, (H, W); a single byte stands for all."""
    return op.Expand(op.Cast(plane, to=SINGLE), size) > 127.0


@script(OWN, default_opset=op)
def product(
    image: UINT8,
    mask: UINT8,
    hidden: UINT8,
    sketch: UINT8,
    avoid: UINT8,
    temperature: FLOAT,
    factor: INT64,
    patch: INT64,
    stride: INT64,
) -> UINT8:
    """The composite (H, W, C) of a picture or of a window of one; see ``temperfill.export`` for the inputs."""
    size = op.Shape(mask)
    marks = marked(mask, size)
    holes = op.Or(marks, marked(hidden, size))
    avoided = op.And(marked(avoid, size), op.Not(holes))
    lines = marked(sketch, size)
    colours = op.Slice(image, [0], [3], [2])
    rgb = op.Unsqueeze(op.Transpose(op.Cast(colours, to=SINGLE) / 255.0, perm=[2, 0, 1]), [0])
    target = unasked(holes, marks, lines)
    if any_of(target):
        usable = op.Not(op.Or(holes, avoided))
        unusable = op.Or(holes, op.And(avoided, any_of(usable)))
        begun = continued(rgb, unusable, target)
    else:
        begun = op.Identity(rgb)
    own = op.And(marks, op.Not(target))
    missing = op.And(holes, op.Not(target))
    if op.Squeeze(factor > 0):
        first = op.Identity(factor)
    else:
        pixels = op.Cast(op.ReduceProd(size, keepdims=1), to=SINGLE)
        first = op.Max(first_factor(own), op.Cast(op.Ceil(op.Sqrt(pixels / WHOLE)), to=LONG))
    filled = drawn(begun, missing, own, avoided, lines, temperature, first, patch, stride)
    known = op.Not(op.Or(missing, avoided))
    finished = op.Clip(grained(matched(op.Squeeze(filled, [0]), own, known), own, known), 0.0, 1.0)
    pixels_out = op.Cast(op.Round(op.Transpose(finished, perm=[1, 2, 0]) * 255.0), to=BYTE)
    pasted = op.Where(op.Unsqueeze(marks, [2]), pixels_out, colours)
    return op.Concat(pasted, op.Slice(image, [3], [2147483647], [2]), axis=2)
