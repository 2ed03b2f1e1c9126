"""Colours around a hole continued into it, in operators of ONNX, where the network knows too little or nothing.

As ``temperfill.inpainter.surroundings`` does it, but for what lies deeper than means reach: there colours go on from
neighbour to neighbour, instead of from the nearest pixel. Images are (1, 3, H, W), planes (H, W).
"""

import numpy as np
from onnx import numpy_helper
from onnxscript import BOOL, FLOAT, script
from onnxscript import opset18 as op

from temperfill.export.product.geometry import LONG, OWN, SINGLE, squared_distance
from temperfill.inpainter.surroundings import LAYERS, RIM, TINY
from temperfill.inpainter.surroundings import LONG as LENGTH

_DEPTH, _DEEPER = RIM + 1, RIM + 0.5


def _weights() -> np.ndarray:
    """(1, 1, 7, 7), one over the cubed distance up to three pixels off."""
    steps = np.arange(-3, 4)
    squared = (steps[:, None] ** 2 + steps**2).astype(np.float64)
    near = (squared > 0) & (squared <= 9)
    return np.where(near, squared.clip(1) ** -1.5, 0).astype(np.float32)[None, None]


_WEIGHTS = numpy_helper.from_array(_weights(), "weights")


@script(OWN, default_opset=op)
def _means(rgb: FLOAT, seen: FLOAT) -> tuple[FLOAT, FLOAT]:
    """Means of seen colours near each pixel, (1, 3, H, W), and the sums of their weights (1, 1, H, W)."""
    kernel = op.Constant(value=_WEIGHTS)
    total = op.Conv(op.Transpose(rgb * seen, perm=[1, 0, 2, 3]), kernel, pads=[3, 3, 3, 3])
    weight = op.Conv(seen, kernel, pads=[3, 3, 3, 3])
    return op.Transpose(total, perm=[1, 0, 2, 3]) / op.Max(weight, 1e-9), weight


@script(OWN, default_opset=op)
def continued(rgb: FLOAT, unusable: BOOL, target: BOOL) -> FLOAT:
    """The image with the colours around what is unusable continued into a target, a part of it."""
    depth = op.Ceil(op.Sqrt(squared_distance(unusable, LAYERS + 2)))
    is_blank = op.ReduceMin(op.Cast(unusable, to=LONG), keepdims=0) > 0
    seen = op.Unsqueeze(op.Cast(op.Not(unusable), to=SINGLE), [0, 1])
    found = op.Where(is_blank, op.Constant(value_float=0.5), rgb)
    seen = op.Where(is_blank, op.Constant(value_float=1.0), seen)
    for layer in range(LAYERS):
        colours, weight = _means(found, seen)
        here = op.And(target, op.Equal(depth, op.Cast(layer + 1, to=SINGLE)))
        there = op.And(op.And(here, weight > 0.0), seen < 0.5)
        found = op.Where(there, colours, found)
        seen = op.Where(there, op.Constant(value_float=1.0), seen)
    going = op.ReduceMax(op.Cast(target, to=SINGLE) * (1.0 - seen), keepdims=0) > 0.0
    while going:
        colours, weight = _means(found, seen)
        there = op.And(weight > 0.0, seen < 0.5)
        found = op.Where(there, colours, found)
        seen = op.Where(there, op.Constant(value_float=1.0), seen)
        going = op.ReduceMax(op.Cast(target, to=SINGLE) * (1.0 - seen), keepdims=0) > 0.0
    return op.Where(target, found, rgb)


@script(OWN, default_opset=op)
def _summed(row: FLOAT, length: FLOAT) -> FLOAT:
    """Sums of a row (W,) over each ``length`` places that lie in it."""
    zero = op.Constant(value_ints=[1, 0])
    sums = op.CumSum(op.Pad(row, zero), 0)
    behind = op.Slice(sums, length, [2147483647], [0])
    return behind - op.Slice(sums, [0], op.Shape(behind), [0])


@script(OWN, default_opset=op)
def _upper_rim(left: BOOL, found: BOOL) -> BOOL:
    """What was found, with what of a hole is a long thin strip along the first row."""
    strip = op.Cast(left[0:_DEPTH], to=SINGLE)
    run = op.ReduceSum(op.Cast(op.Equal(op.CumSum(1.0 - strip, 0), 0.0), to=SINGLE), [0], keepdims=0)
    thin = op.And(run > 0.0, run < _DEEPER)
    joined = op.Cast(op.Or(thin, op.Squeeze(found[0:1], [0])), to=SINGLE)
    length = op.Max(op.Min(op.Shape(joined) / 2, LENGTH), 1)
    whole = op.Cast(_summed(joined, length) > op.Cast(length, to=SINGLE) - 0.5, to=SINGLE)
    border = length - 1
    long = _summed(op.Pad(whole, op.Concat(border, border, axis=0)), length) > 0.5
    depth = op.Unsqueeze(op.Cast(op.Range(0, op.Squeeze(op.Shape(strip)[0:1]), 1), to=SINGLE), [1])
    added = op.And(depth < run, op.And(thin, long))
    rest = op.Concat(op.Constant(value_ints=[0, 0]), op.Shape(left) - op.Shape(strip), axis=0)
    return op.Or(found, op.Pad(op.Cast(added, to=SINGLE), rest) > 0.5)


@script(OWN, default_opset=op)
def rims(hole: BOOL) -> BOOL:
    """The long thin strips of a hole along the border: from each side, and once more for the corners of frames."""
    found = op.And(hole, op.Not(hole))
    left = op.Identity(hole)
    for turn in range(8):
        left = op.And(left, op.Not(op.And(op.Equal(turn, 4), found)))
        found = op.Slice(op.Transpose(_upper_rim(left, found)), [-1], [-2147483647], [0], [-1])
        left = op.Slice(op.Transpose(left), [-1], [-2147483647], [0], [-1])
    return found


@script(OWN, default_opset=op)
def unasked(missing: BOOL, own: BOOL, lines: BOOL) -> BOOL:
    """What of an own hole the network is not asked for: rims without lines, and all of a tiny picture."""
    is_tiny = op.ReduceMin(op.Shape(own), keepdims=0) < TINY
    return op.And(own, op.And(op.Or(rims(missing), is_tiny), op.Not(lines)))
