"""The normal numbers of numpy's ``RandomState(0)``, in operators of ONNX, so that noise is that of the package.

Which pairs are left out is decided in whole numbers, exactly, and the rest is computed in float32, as runtimes for
graphics cards know no float64: single numbers differ from numpy's by a few of their last bits.

Bits: M. Matsumoto and T. Nishimura, Mersenne Twister, 1998. Normal numbers: G. Marsaglia and T. A. Bray, 1964, whose
pairs of numbers that lie outside of the circle are left out.
"""

import numpy as np
from onnx import numpy_helper
from onnxscript import FLOAT, INT64, UINT32, graph, script
from onnxscript import opset18 as op

from temperfill.export.product.geometry import LONG, OWN, SINGLE

WORDS = 624
"""Of a state of the generator; a state that follows gives as many words."""
STATES = 1024
"""That are passed through at once, so that little is copied for long rows of numbers."""
_ONE, _PART = 2**60, 2.0**-60
"""Of sums of squares in parts of 2**44, what stands for one, and the inverse."""
_START = numpy_helper.from_array(np.random.RandomState(0).get_state(legacy=False)["state"]["key"], "start")
_TWIST = numpy_helper.from_array(np.array([0, 0x9908B0DF], np.uint32), "twist")
_UPPER, _LOWER, _LAST, _SEVEN, _FIFTEEN = (
    numpy_helper.from_array(np.array([value], np.uint32), f"bits_{value:x}")
    for value in (0x80000000, 0x7FFFFFFF, 1, 0x9D2C5680, 0xEFC60000)
)
_BY_1, _BY_5, _BY_6, _BY_7, _BY_11, _BY_15, _BY_18 = (
    numpy_helper.from_array(np.array([value], np.uint32), f"by_{value}") for value in (1, 5, 6, 7, 11, 15, 18)
)


@script(OWN, default_opset=op)
def _twisted(words: UINT32, following: UINT32) -> UINT32:
    """What the upper bit of words and the lower ones of those that follow them add to others."""
    upper, lower, last = op.Constant(value=_UPPER), op.Constant(value=_LOWER), op.Constant(value=_LAST)
    joined = op.BitwiseOr(op.BitwiseAnd(words, upper), op.BitwiseAnd(following, lower))
    added = op.Gather(op.Constant(value=_TWIST), op.Cast(op.BitwiseAnd(joined, last), to=6), axis=0)
    return op.BitwiseXor(op.BitShift(joined, op.Constant(value=_BY_1), direction="RIGHT"), added)


@script(OWN, default_opset=op)
def _next_states(state: UINT32, turns: INT64) -> tuple[UINT32, UINT32]:
    """The last state (624,), and all that lead to it (turns, 624)."""

    @graph()
    def step(before: UINT32[WORDS], turn: INT64) -> tuple[UINT32[WORDS], UINT32[WORDS]]:
        added = _twisted(before[:-1], before[1:])
        first = op.BitwiseXor(before[397:624], added[0:227])
        second = op.BitwiseXor(first, added[227:454])
        third = op.BitwiseXor(second[0:169], added[454:623])
        last = op.BitwiseXor(second[169:170], _twisted(before[623:624], first[0:1]))
        after = op.Concat(first, second, third, last, axis=0)
        return after, op.Identity(after)

    final, passed = op.Scan(state, turns, body=step, num_scan_inputs=1)
    return final, passed


@script(OWN, default_opset=op)
def _tempered(words: UINT32) -> UINT32:
    """The random words that words of the state stand for."""
    left = op.BitwiseXor(words, op.BitShift(words, op.Constant(value=_BY_11), direction="RIGHT"))
    shifted = op.BitShift(left, op.Constant(value=_BY_7), direction="LEFT")
    left = op.BitwiseXor(left, op.BitwiseAnd(shifted, op.Constant(value=_SEVEN)))
    shifted = op.BitShift(left, op.Constant(value=_BY_15), direction="LEFT")
    left = op.BitwiseXor(left, op.BitwiseAnd(shifted, op.Constant(value=_FIFTEEN)))
    return op.BitwiseXor(left, op.BitShift(left, op.Constant(value=_BY_18), direction="RIGHT"))


@script(OWN, default_opset=op)
def _even(words: UINT32) -> INT64:
    """Whole numbers (N, 1) in [-2**52, 2**52), which stand for those in [-1, 1), of pairs of words (N, 2)."""
    high = op.BitShift(words[:, 0:1], op.Constant(value=_BY_5), direction="RIGHT")
    low = op.BitShift(words[:, 1:2], op.Constant(value=_BY_6), direction="RIGHT")
    return op.Cast(high, to=LONG) * 67108864 + op.Cast(low, to=LONG) - 4503599627370496


@script(OWN, default_opset=op)
def _squared(pairs: INT64) -> INT64:
    """Sums of squares (N,) of pairs (N, 2), in parts of 2**44, rounded down."""
    size = op.Abs(pairs)
    upper = size / 4194304
    lower = size - upper * 4194304
    rest = op.ReduceSum(lower * lower, [1], keepdims=0) / 4194304
    return op.ReduceSum(upper * upper, [1], keepdims=0) + (
        (op.ReduceSum(upper * lower, [1], keepdims=0) * 2 + rest) / 4194304
    )


@script(OWN, default_opset=op)
def _normal(words: UINT32) -> FLOAT:
    """Normal numbers of random words, about 0.39 for each."""
    pairs = op.Reshape(_even(op.Reshape(words, [-1, 2])), [-1, 2])
    squared = _squared(pairs)
    inside = op.And(squared < _ONE, squared > 0)
    kept, of = op.Compress(pairs, inside, axis=0), op.Compress(squared, inside, axis=0)
    share, rest = op.Cast(of, to=SINGLE) * _PART, op.Cast(_ONE - of, to=SINGLE) * _PART
    # The logarithm of a share near one is taken of what it lacks, as most digits of the share itself say nothing.
    lacking = op.Where(share < 1.0, 1.0 - share, op.CastLike(1.0, share))
    log = op.Where(share < 1.0, op.Log(share) * (rest / lacking), -rest)
    length = op.Sqrt(log / share * -2.0)
    turned = op.Cast(op.Concat(kept[:, 1:2], kept[:, 0:1], axis=1), to=SINGLE) * 2.220446049250313e-16
    return op.Reshape(turned * op.Unsqueeze(length, [1]), [-1])


@script(OWN, default_opset=op)
def normal_numbers(number: INT64) -> FLOAT:
    """The first normal numbers (N,) of the generator; ``number`` is (1,)."""
    state = op.Constant(value=_START)
    found = op.Cast(op.Expand(0.0, op.Constant(value_ints=[0])), to=SINGLE)
    going = op.Constant(value_int=1) > 0
    while going:
        missing = op.Squeeze(number - op.Shape(found))
        turns = op.Min(missing / 244 + 2, STATES)
        state, words = _next_states(state, op.Range(0, turns, 1))
        found = op.Concat(found, _normal(_tempered(op.Reshape(words, [-1]))), axis=0)
        going = op.Squeeze(op.Shape(found) < number)
    return op.Slice(found, [0], number, [0])
