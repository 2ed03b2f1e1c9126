"""Making a window smaller and larger again, and how small, in operators of ONNX.

Images are (1, C, H, W), factors (1,) int64. The rules are those of ``temperfill.inpainter.plan`` and ``planes``.
"""

from onnxscript import BOOL, FLOAT, INT64, script
from onnxscript import opset18 as op

from temperfill import regions
from temperfill.export.product.geometry import LONG, OWN, SINGLE, across
from temperfill.inpainter.plan import CELL, MATCHED, REFINED, SHRUNK, THICK

_CONTEXT, _WINDOW, _REFINED, _PAIRS = regions.CONTEXT, regions.WINDOW, REFINED, MATCHED * CELL**4
_SHRUNK, _THICK = float(SHRUNK), float(THICK)
_FACTORS = 101
"""Numbers below it are tried as factors; products stay below 2**63 so, and windows may have 10**10 pixels."""


@script(OWN, default_opset=op)
def widened(box: INT64, size: INT64) -> INT64:
    """A box with context around it, a window's side long at least where the plane of this size (2,) allows."""
    starts, stops = box[0:2], box[2:4]
    wanted = op.Max(stops - starts + (2 * _CONTEXT + CELL), op.Expand(_WINDOW, op.Shape(size)))
    length = op.Min((wanted + CELL - 1) / CELL * CELL, size)
    # Half of a negative number is rounded down, as Python does; before, as much is added as is taken away after.
    first = op.Max((starts + stops - length + 2 * CELL * _WINDOW) / 2 - CELL * _WINDOW, 0 * size)
    first = op.Min(first, size - length)
    low = first / CELL * CELL
    high = op.Where(op.Equal(first + length, size), size, low + length)
    return op.Concat(low, high, axis=0)


@script(OWN, default_opset=op)
def first_factor(hole: BOOL) -> INT64:
    """By how much a window is shrunk for the thickness of its hole."""
    wide = across(hole)
    thick = op.Ceil(wide / _SHRUNK)
    return op.Cast(op.Reshape(op.Where(wide > _THICK, thick, op.Constant(value_float=1.0)), [1]), to=LONG)


@script(OWN, default_opset=op)
def finest_factor(hole: BOOL) -> INT64:
    """By how much the part that a refinement looks at is shrunk at least; the hole is cut out to it.

    In whole numbers, as devices without float64 would round others.
    """
    pixels = op.Reshape(op.Size(hole), [1])
    missing = op.Reshape(op.ReduceSum(op.Cast(hole, to=LONG), keepdims=0), [1])
    squares = op.Range(1, _FACTORS, 1) * op.Range(1, _FACTORS, 1)
    # Every factor that is too small counts one.
    matched = op.Cast(squares * squares * _PAIRS < missing * (pixels - missing), to=LONG)
    largest = op.Cast(squares * _REFINED < pixels, to=LONG)
    return op.Max(op.ReduceSum(matched, [0]), op.ReduceSum(largest, [0])) + 1


@script(OWN, default_opset=op)
def to_multiple(planes: FLOAT, multiple: INT64, least: INT64) -> FLOAT:
    """Repeats the edges of planes (1, C, H, W) below and on the right, up to whole multiples and a least side."""
    size = op.Shape(planes)[2:4]
    spare = op.Max((size + multiple - 1) / multiple * multiple, least) - size
    zeros = op.Constant(value_ints=[0, 0, 0, 0, 0, 0])
    return op.Pad(planes, op.Concat(zeros, spare, axis=0), mode="edge")


@script(OWN, default_opset=op)
def _divided(planes: FLOAT, factor: INT64) -> FLOAT:
    """(C, h, factor, w, factor) of planes that are whole cells."""
    shape = op.Shape(planes)
    return op.Reshape(planes, op.Concat(shape[1:2], shape[2:3] / factor, factor, shape[3:4] / factor, factor, axis=0))


@script(OWN, default_opset=op)
def shrunk_mean(image: FLOAT, factor: INT64, least: INT64) -> FLOAT:
    """An image by its mean, completed to whole cells and to a least side (1,)."""
    return op.Unsqueeze(
        op.ReduceMean(_divided(to_multiple(image, factor * CELL, factor * least), factor), [2, 4], keepdims=0), [0]
    )


@script(OWN, default_opset=op)
def shrunk_most(mask: FLOAT, factor: INT64, least: INT64) -> FLOAT:
    """A mask by its maximum, completed likewise."""
    return op.Unsqueeze(
        op.ReduceMax(_divided(to_multiple(mask, factor * CELL, factor * least), factor), [2, 4], keepdims=0), [0]
    )


@script(OWN, default_opset=op)
def shrunk_lines(lines: FLOAT, factor: INT64) -> FLOAT:
    """Lines by their maximum; completed to whole cells only where they are shrunk."""
    multiple = op.Where(factor > 1, factor * CELL, factor)
    return op.Unsqueeze(op.ReduceMax(_divided(to_multiple(lines, multiple, factor), factor), [2, 4], keepdims=0), [0])


@script(OWN, default_opset=op)
def _between(length: INT64, factor: INT64) -> tuple[FLOAT, INT64]:
    """Places of an enlarged axis on the small one: how far behind which of its places, (length * factor,) each."""
    by = op.Cast(factor, to=SINGLE)
    places = op.Cast(op.Range(0, op.Squeeze(length * factor), 1), to=SINGLE)
    source = (places + 0.5) / by - 0.5
    before = op.Floor(source)
    return source - before, op.Cast(before, to=LONG)


@script(OWN, default_opset=op)
def _near(way: FLOAT) -> FLOAT:
    """Weight of a place up to one pixel off, of cubic convolution with a = -0.75 as in torch."""
    return (1.25 * way - 2.25) * way * way + 1.0


@script(OWN, default_opset=op)
def _far(way: FLOAT) -> FLOAT:
    """Weight of a place one to two pixels off."""
    return ((-0.75 * way + 3.75) * way - 6.0) * way + 3.0


@script(OWN, default_opset=op)
def enlarged(image: FLOAT, factor: INT64) -> FLOAT:
    """An image at ``factor`` times its size, bicubic. The operator Resize is ten times slower."""
    height, width = op.Shape(image)[2:3], op.Shape(image)[3:4]
    way, first = _between(height, factor)
    way = op.Unsqueeze(way, [1])
    rows = op.Gather(image, op.Clip(first - 1, 0, op.Squeeze(height - 1)), axis=2) * _far(way + 1.0)
    rows = rows + op.Gather(image, op.Clip(first, 0, op.Squeeze(height - 1)), axis=2) * _near(way)
    rows = rows + op.Gather(image, op.Clip(first + 1, 0, op.Squeeze(height - 1)), axis=2) * _near(1.0 - way)
    rows = rows + op.Gather(image, op.Clip(first + 2, 0, op.Squeeze(height - 1)), axis=2) * _far(2.0 - way)
    side, left = _between(width, factor)
    result = op.Gather(rows, op.Clip(left - 1, 0, op.Squeeze(width - 1)), axis=3) * _far(side + 1.0)
    result = result + op.Gather(rows, op.Clip(left, 0, op.Squeeze(width - 1)), axis=3) * _near(side)
    result = result + op.Gather(rows, op.Clip(left + 1, 0, op.Squeeze(width - 1)), axis=3) * _near(1.0 - side)
    return result + op.Gather(rows, op.Clip(left + 2, 0, op.Squeeze(width - 1)), axis=3) * _far(2.0 - side)
