"""Where holes are, in operators of ONNX: bounds, distances, connected parts.

The functions of this package are read by onnxscript, which makes ONNX functions of them: they are not called. Planes
are (H, W), boxes (4,) int64: top, left, bottom, right.
"""

from onnxscript import BOOL, FLOAT, INT64, script
from onnxscript import opset18 as op
from onnxscript.values import Opset

OWN = Opset("temperfill", 1)
"""Domain of the functions until they are inlined."""
INT32, LONG, SINGLE, BOOLEAN, BYTE = 6, 7, 1, 9, 2
"""Types as ONNX numbers them."""
FAR = 1e9
"""More than any squared distance."""
END = 2**31 - 1
"""Behind the last place of any axis."""


@script(OWN, default_opset=op)
def bounds(hole: BOOL) -> INT64:
    """The box that holds a hole, (4,); of an empty one all of the plane."""
    cells = op.Cast(hole, to=INT32)
    rows = op.ReduceMax(cells, [1], keepdims=0)
    columns = op.ReduceMax(cells, [0], keepdims=0)
    top = op.ArgMax(rows, axis=0)
    left = op.ArgMax(columns, axis=0)
    bottom = op.ArgMax(rows, axis=0, select_last_index=1) + 1
    right = op.ArgMax(columns, axis=0, select_last_index=1) + 1
    return op.Concat(top, left, bottom, right, axis=0)


@script(OWN, default_opset=op)
def grow(box: INT64, margin: INT64, size: INT64) -> INT64:
    """A box with a margin on each side, inside a plane of this size (2,)."""
    starts = op.Max(box[0:2] - margin, op.Sub(size, size))
    return op.Concat(starts, op.Min(box[2:4] + margin, size), axis=0)


@script(OWN, default_opset=op)
def cut(planes: FLOAT, box: INT64) -> FLOAT:
    """The part of planes (..., H, W) in a box."""
    return op.Slice(planes, box[0:2], box[2:4], [-2, -1])


@script(OWN, default_opset=op)
def put_back(part: FLOAT, box: INT64, size: INT64) -> FLOAT:
    """A part (C, h, w) at its place in planes (C, H, W) of zeros."""
    zero = op.Constant(value_ints=[0])
    return op.Pad(part, op.Concat(zero, box[0:2], zero, size - box[2:4], axis=0))


@script(OWN, default_opset=op)
def _nearer(far: FLOAT, most: INT64) -> FLOAT:
    """The least of squared distances and those of neighbours in a column plus the way, up to ``most`` pixels off."""
    step = op.Constant(value_float=1.0)
    done = op.Constant(value_int=0)
    going = done < most
    while going:
        above = op.Pad(far[:-1], [1, 0, 0, 0], FAR)
        below = op.Pad(far[1:], [0, 0, 1, 0], FAR)
        near = op.Min(far, op.Min(above, below) + step)
        done = done + 1
        going = op.And(done < most, op.ReduceMax(far - near, keepdims=0) > 0.0)
        far = op.Identity(near)
        step = step + 2.0
    return far


@script(OWN, default_opset=op)
def squared_distance(hole: BOOL, most: INT64) -> FLOAT:
    """Squared distances (H, W) to the nearest place outside of a hole, right up to ``most`` pixels.

    The squared distance grows by 1, 3, 5 ... from pixel to pixel, first along columns, then along rows.
    """
    columns = _nearer(op.Cast(hole, to=SINGLE) * FAR, most)
    return op.Transpose(_nearer(op.Transpose(columns), most))


@script(OWN, default_opset=op)
def across(hole: BOOL) -> FLOAT:
    """Largest circle in a hole, pixels across; what lies beyond the plane is known."""
    inside = cut(op.Cast(hole, to=SINGLE), bounds(hole))
    padded = op.Pad(inside, [1, 1, 1, 1]) > 0.5
    return op.Sqrt(op.ReduceMax(squared_distance(padded, END), keepdims=0)) * 2.0


@script(OWN, default_opset=op)
def numbered(hole: BOOL, cell: INT64) -> FLOAT:
    """Numbers of the connected parts of a hole on a grid of cells, (h, w); 0 outside."""
    size = op.Shape(hole)
    cells = (size + cell - 1) / cell
    zeros = op.Constant(value_ints=[0, 0])
    padded = op.Pad(op.Cast(hole, to=SINGLE), op.Concat(zeros, cells * cell - size, axis=0))
    divided = op.Reshape(padded, op.Concat(cells[0:1], cell, cells[1:2], cell, axis=0))
    taken = op.ReduceMax(divided, [1, 3], keepdims=0)
    order = op.CumSum(op.Reshape(taken, [-1]), 0)
    numbers = op.Reshape(order, cells) * taken
    going = op.ReduceMax(taken, keepdims=0) > 0.0
    while going:
        spread = op.MaxPool(op.Unsqueeze(numbers, [0, 1]), kernel_shape=[3, 3], pads=[1, 1, 1, 1])
        following = op.Squeeze(spread, [0, 1]) * taken
        going = op.ReduceMax(following - numbers, keepdims=0) > 0.0
        numbers = op.Identity(following)
    return numbers


@script(OWN, default_opset=op)
def at_full_size(cells: BOOL, cell: INT64, size: INT64) -> BOOL:
    """A plane of cells as one of pixels (H, W)."""
    number = op.Shape(cells)
    wide = op.Unsqueeze(op.Cast(cells, to=SINGLE), [1, 3])
    one = op.Constant(value_ints=[1])
    repeated = op.Expand(wide, op.Concat(one, cell, one, cell, axis=0))
    whole = op.Reshape(repeated, number * cell)
    return op.Slice(whole, [0, 0], size, [0, 1]) > 0.5
