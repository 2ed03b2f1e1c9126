"""Lines of a sketch thinned to one pixel, in operators of ONNX, as ``temperfill.thinning`` does it."""

import numpy as np
from onnx import numpy_helper
from onnxscript import FLOAT, INT64, script
from onnxscript import opset18 as op

from temperfill.export.product.geometry import LONG, OWN
from temperfill.export.product.scales import shrunk_lines, to_multiple
from temperfill.inpainter.plan import CELL
from temperfill.thinning import AROUND, REMOVED


def _bits() -> np.ndarray:
    """(1, 1, 3, 3), the value of each neighbour in the number of a neighbourhood."""
    bits = np.zeros((3, 3), np.float32)
    for number, place in enumerate(AROUND):
        bits[place] = 2**number
    return bits[None, None]


def _stays(passes: str) -> np.ndarray:
    """(256,), 1 where the middle of a neighbourhood stays in a pass."""
    return np.array([removed not in passes for removed in REMOVED], np.float32)


_BITS = numpy_helper.from_array(_bits(), "bits")
_FIRST, _SECOND = (numpy_helper.from_array(_stays(passes), f"stays_{passes}") for passes in ("13", "23"))


@script(OWN, default_opset=op)
def thinned(lines: FLOAT) -> FLOAT:
    """Lines (1, 1, H, W), each one pixel wide."""
    bits, first, second = op.Constant(value=_BITS), op.Constant(value=_FIRST), op.Constant(value=_SECOND)
    left = op.Identity(lines)
    going = op.ReduceMax(lines, keepdims=0) > 0.5
    while going:
        code = op.Cast(op.Conv(left, bits, pads=[1, 1, 1, 1]), to=LONG)
        once = left * op.Gather(first, code, axis=0)
        code = op.Cast(op.Conv(once, bits, pads=[1, 1, 1, 1]), to=LONG)
        twice = once * op.Gather(second, code, axis=0)
        going = op.ReduceMax(left - twice, keepdims=0) > 0.5
        left = op.Identity(twice)
    return left


@script(OWN, default_opset=op)
def lines_seen(lines: FLOAT, factor: INT64, least: INT64) -> FLOAT:
    """What the network sees of lines (1, 1, H, W): one pixel wide at its size, completed to whole cells."""
    return to_multiple(thinned(shrunk_lines(lines, factor)), op.Constant(value_ints=[CELL]), least)
