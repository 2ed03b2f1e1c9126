"""The tone of what was filled, and the colours that bound it, part by part, in operators of ONNX.

What is done is said in ``temperfill.inpainter.tone`` and ``surroundings``. Sums are direct instead of by Fourier
transforms, in chunks, so that float32 suffices. Images are (3, H, W), planes (H, W).
"""

import numpy as np
from onnx import numpy_helper
from onnxscript import BOOL, FLOAT, script
from onnxscript import opset18 as op

from temperfill import regions
from temperfill.export.product.geometry import (
    OWN,
    SINGLE,
    at_full_size,
    bounds,
    cut,
    grow,
    numbered,
    put_back,
)
from temperfill.inpainter.surroundings import AROUND
from temperfill.inpainter.tone import GRID, MOST, SMOOTH

PAIRS = 2**22
"""Pairs of a place on the rim and another one that are looked at at once."""
_VARIANCE = SMOOTH**2
_NEAR = numpy_helper.from_array(np.array([regions.NEAR]), "near")
_NOTHING, _ALL = 2.0, -1.0  # least and largest value of no pixels


@script(OWN, default_opset=op)
def _side(shown: FLOAT, side: BOOL) -> tuple[FLOAT, FLOAT, FLOAT]:
    """Count (h, w), mean (3, h, w) and variance (h, w) of one side's pixels in the 3x3 around each pixel."""
    square = op.Expand(op.Constant(value_float=1.0), [1, 1, 3, 3])
    own = op.Unsqueeze(op.Cast(side, to=SINGLE), [0, 1])
    values = op.Unsqueeze(shown, [1]) * own
    count = op.Conv(own, square, pads=[1, 1, 1, 1])
    mean = op.Conv(values, square, pads=[1, 1, 1, 1]) / op.Max(count, 1.0)
    squares = op.Conv(values * values, square, pads=[1, 1, 1, 1]) / op.Max(count, 1.0)
    variance = op.ReduceSum(op.Max(squares - mean * mean, 0.0), [0, 1], keepdims=0)
    return op.Squeeze(count, [0, 1]), op.Squeeze(mean, [1]), variance


@script(OWN, default_opset=op)
def _rim(shown: FLOAT, own: BOOL, known: BOOL) -> FLOAT:
    """(4, h, w): along the rim the weighted difference of both sides, and the weight."""
    own_count, own_mean, own_variance = _side(shown, own)
    known_count, known_mean, known_variance = _side(shown, known)
    difference = known_mean - own_mean
    weight = 1.0 / (own_variance + known_variance + _VARIANCE)
    largest = op.ReduceMax(op.Abs(difference), [0], keepdims=0) / MOST
    believed = op.Max(1.0 - largest * largest * largest * largest, 0.0)
    planes = op.Concat(difference * (weight * believed * believed), op.Unsqueeze(weight, [0]), axis=0)
    touching = op.And(own_count > 0.0, known_count > 0.0)
    return op.Where(touching, planes, op.Constant(value_float=0.0))


@script(OWN, default_opset=op)
def _spread(maps: FLOAT) -> FLOAT:
    """Sums over all places of maps (4, h, w), weighted by one over the cubed distance."""
    size = op.Shape(maps)
    width = op.Squeeze(size[2:3])
    number = op.Squeeze(size[1:2]) * width
    flat = op.Reshape(maps, [4, -1])
    rim = op.Squeeze(op.NonZero(op.Squeeze(flat[3:4], [0]) > 0.0), [0])
    told = op.Transpose(op.Gather(flat, rim, axis=1))
    rows, columns = op.Cast(rim / width, to=SINGLE), op.Cast(op.Mod(rim, width), to=SINGLE)
    chunk = op.Max(PAIRS / op.Max(op.Squeeze(op.Shape(rim)), 1), 1)
    start = op.Constant(value_int=0)
    result = told[0:0]
    going = op.Constant(value_int=1) > 0
    while going:
        places = op.Unsqueeze(op.Range(start, op.Min(start + chunk, number), 1), [1])
        down = op.Cast(places / width, to=SINGLE) - rows
        along = op.Cast(op.Mod(places, width), to=SINGLE) - columns
        squared = down * down + along * along + 0.25
        result = op.Concat(result, op.MatMul(1.0 / (squared * op.Sqrt(squared)), told), axis=0)
        start = start + chunk
        going = start < number
    return op.Reshape(op.Transpose(result), size)


@script(OWN, default_opset=op)
def tone_change(shown: FLOAT, own: BOOL, known: BOOL) -> FLOAT:
    """(3, h, w), to be added to one part of a hole; zero where it has no rim."""
    size = op.Shape(own)
    block = op.ReduceMax((size + GRID - 1) / GRID, [0])
    cells = (size + block - 1) / block
    zeros = op.Constant(value_ints=[0, 0, 0])
    zero = op.Constant(value_ints=[0])
    spare = cells * block - size
    rim = op.Pad(_rim(shown, own, known), op.Concat(zeros, zero, spare, axis=0))
    four = op.Constant(value_ints=[4])
    divided = op.Reshape(rim, op.Concat(four, cells[0:1], block, cells[1:2], block, axis=0))
    spread = _spread(op.ReduceSum(divided, [2, 4], keepdims=0))
    change = op.Clip(spread[0:3] / op.Max(spread[3:4], 1e-12), -MOST, MOST)
    ones = op.Constant(value_floats=[1.0, 1.0])
    by = op.Cast(block, to=SINGLE)
    whole = op.Resize(op.Unsqueeze(change, [0]), None, op.Concat(ones, by, by, axis=0), mode="linear")
    return op.Slice(op.Squeeze(whole, [0]), [0, 0], size, [1, 2])


@script(OWN, default_opset=op)
def _range_of(shown: FLOAT, known: BOOL) -> tuple[FLOAT, FLOAT]:
    """Least and largest known value of each channel, (3, 1, 1); ``_NOTHING`` and ``_ALL`` where none is known."""
    low = op.ReduceMin(op.Where(known, shown, op.Constant(value_float=_NOTHING)), [1, 2])
    return low, op.ReduceMax(op.Where(known, shown, op.Constant(value_float=_ALL)), [1, 2])


@script(OWN, default_opset=op)
def matched(filled: FLOAT, hole: BOOL, known: BOOL) -> FLOAT:
    """What was filled in the tone of its surroundings and within their colours, each part of the hole by itself."""
    size = op.Shape(hole)
    side = op.Constant(value=_NEAR)
    numbers = numbered(hole, side)
    all_low, all_high = _range_of(filled, known)
    result = op.Identity(filled)
    going = op.ReduceMax(numbers, keepdims=0) > 0.0
    while going:
        cells = op.Equal(numbers, op.ReduceMax(numbers, keepdims=0))
        numbers = op.Where(cells, op.Constant(value_float=0.0), numbers)
        going = op.ReduceMax(numbers, keepdims=0) > 0.0
        around = bounds(cells) * side
        rough = op.Concat(around[0:2], op.Min(around[2:4], size), axis=0)
        own = op.And(cut(at_full_size(cells, side, size), rough), cut(hole, rough))
        inner = bounds(own)
        corner = op.Concat(rough[0:2], rough[0:2], axis=0)
        box = inner + corner
        near = grow(box, op.Constant(value_ints=[2]), size)
        mine = (
            op.Squeeze(
                put_back(
                    op.Unsqueeze(op.Cast(cut(own, inner), to=SINGLE), [0]),
                    box - op.Concat(near[0:2], near[0:2], axis=0),
                    near[2:4] - near[0:2],
                ),
                [0],
            )
            > 0.5
        )
        shown = cut(filled, near)
        changed = op.Clip(shown + tone_change(shown, mine, cut(known, near)), 0.0, 1.0)
        reach = op.Max(op.ReduceMax(box[2:4] - box[0:2], [0]) / 4, AROUND)
        ring = grow(box, reach, size)
        low, high = _range_of(cut(filled, ring), cut(known, ring))
        low = op.Where(low > 1.5, all_low, low)
        high = op.Where(high < -0.5, all_high, high)
        is_told = low < 1.5
        kept = op.Where(is_told, op.Min(op.Max(changed, low), high), changed)
        added = op.Where(mine, kept - shown, op.Constant(value_float=0.0))
        result = result + put_back(added, near, size)
    return result
