"""Detail of the full size, carried along the attention of a small picture, in operators of ONNX.

As ``temperfill.inpainter.detail`` and ``temperfill.inpainter.transfer`` do it; the best four keys of each cell are
weighed among themselves, which is what is left of the whole softmax there.
"""

from onnxscript import FLOAT, INT64, script
from onnxscript import opset18 as op

from temperfill.export.product.geometry import LONG, OWN, SINGLE

SCORES = 2**22
"""Scores of cells of the hole and keys that are held at once."""


@script(OWN, default_opset=op)
def best_keys(queries: FLOAT, keys: FLOAT, constants: FLOAT, temperatures: FLOAT, cells: INT64) -> tuple[FLOAT, INT64]:
    """Shares (N, 4) and numbers (N, 4) of the keys that the head which copies most sharply finds for N cells."""
    head = op.Squeeze(op.ArgMin(temperatures, axis=1), [0])
    asked = op.Gather(op.Squeeze(op.Gather(queries, head, axis=1), [0, 1]), cells, axis=0)
    known = op.Transpose(op.Squeeze(op.Gather(keys, head, axis=1), [0, 1]))
    heads = op.Shape(constants)[1:2]
    constant = op.Reshape(op.Gather(constants, op.Min(head, heads - 1), axis=1), [1, -1])
    number = op.Squeeze(op.Shape(cells))
    least = op.Min(op.Shape(constants)[3:4], op.Constant(value_ints=[4]))
    chunk = op.Max(SCORES / op.Size(constant), 1)
    start = op.Constant(value_int=0)
    scores = op.Cast(op.Expand(0.0, op.Concat(op.Constant(value_ints=[0]), least, axis=0)), to=SINGLE)
    found = op.Cast(scores, to=LONG)
    going = start < number
    while going:
        some = op.Gather(asked, op.Range(start, op.Min(start + chunk, number), 1), axis=0)
        values, index = op.TopK(op.MatMul(some, known) + constant, least, axis=1)
        scores = op.Concat(scores, values, axis=0)
        found = op.Concat(found, index, axis=0)
        start = start + chunk
        going = start < number
    return op.Softmax(scores, axis=1), found


@script(OWN, default_opset=op)
def _ramp(side: INT64) -> FLOAT:
    """A Hann window, (side,)."""
    turns = op.Cast(op.Range(0, op.Squeeze(side), 1), to=SINGLE) / op.Cast(side, to=SINGLE)
    return 0.5 - 0.5 * op.Cos(turns * 6.283185307179586)


@script(OWN, default_opset=op)
def carried(detail: FLOAT, cells: INT64, shares: FLOAT, sources: INT64, cell: INT64) -> FLOAT:
    """Detail (1, 3, H, W) copied to cells (N,) from their sources (N, top), as windows of two cells that overlap.

    The picture, with half a cell more on each side, is divided into blocks of a cell: a window holds four of them.
    """
    half = cell / 2
    zeros = op.Constant(value_ints=[0, 0])
    padded = op.Pad(detail, op.Concat(zeros, half, half, zeros, half, half, axis=0))
    size = op.Shape(detail)[2:4] / cell
    wide = size + 1
    columns, across = op.Squeeze(size[1:2]), op.Squeeze(wide[1:2])
    three = op.Constant(value_ints=[3])
    every = op.Constant(value_ints=[-1])
    divided = op.Reshape(padded, op.Concat(three, wide[0:1], cell, wide[1:2], cell, axis=0))
    blocks = op.Reshape(op.Transpose(divided, perm=[1, 3, 0, 2, 4]), op.Concat(every, three, cell, cell, axis=0))
    read = sources / columns * across + op.Mod(sources, columns)
    write = op.Unsqueeze(cells / columns * across + op.Mod(cells, columns), [1])
    ramp = _ramp(cell * 2)
    top = op.Squeeze(op.Shape(shares)[1:2])
    result = blocks * 0.0
    for quarter in range(4):
        down, right = quarter / 2, op.Mod(quarter, 2)
        step = down * across + right
        first, last = down * op.Squeeze(cell), right * op.Squeeze(cell)
        rows = op.Slice(ramp, op.Unsqueeze(first, [0]), op.Unsqueeze(first, [0]) + cell, [0])
        along = op.Slice(ramp, op.Unsqueeze(last, [0]), op.Unsqueeze(last, [0]) + cell, [0])
        total = op.Gather(blocks, op.Squeeze(write, [1]), axis=0) * 0.0
        for number in range(top):
            picked = op.Gather(blocks, op.Gather(read, number, axis=1) + step, axis=0)
            total = total + picked * op.Unsqueeze(op.Gather(shares, number, axis=1), [1, 2, 3])
        faded = total * (op.Unsqueeze(rows, [1]) * along)
        result = op.ScatterND(result, write + step, faded, reduction="add")
    joined = op.Reshape(result, op.Concat(wide, three, cell, cell, axis=0))
    whole = op.Reshape(op.Transpose(joined, perm=[2, 0, 3, 1, 4]), op.Concat(three, wide * cell, axis=0))
    return op.Unsqueeze(op.Slice(whole, op.Concat(half, half, axis=0), half + size * cell, [1, 2]), [0])
