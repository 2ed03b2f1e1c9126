"""The normal numbers of numpy's ``RandomState(0)``, in operators of ONNX, so that noise is that of the package.

Bits: M. Matsumoto and T. Nishimura, Mersenne Twister, 1998. Normal numbers: G. Marsaglia and T. A. Bray, 1964, whose
pairs of numbers that lie outside of the circle are left out.
"""

import numpy as np
from onnx import numpy_helper
from onnxscript import DOUBLE, FLOAT, INT64, UINT32, graph, script
from onnxscript import opset18 as op

from temperfill.export.product.geometry import DOUBLE as WIDE
from temperfill.export.product.geometry import OWN, SINGLE

WORDS = 624
"""Of a state of the generator; a state that follows gives as many words."""
STATES = 1024
"""That are passed through at once, so that little is copied for long rows of numbers."""
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
def _even(words: UINT32) -> DOUBLE:
    """Numbers (N, 1) in [-1, 1) of pairs of words (N, 2)."""
    high = op.BitShift(words[:, 0:1], op.Constant(value=_BY_5), direction="RIGHT")
    low = op.BitShift(words[:, 1:2], op.Constant(value=_BY_6), direction="RIGHT")
    share = op.Cast(high, to=WIDE) * op.CastLike(67108864.0, op.Cast(high, to=WIDE)) + op.Cast(low, to=WIDE)
    return share / op.CastLike(4503599627370496.0, share) - op.CastLike(1.0, share)


@script(OWN, default_opset=op)
def _normal(words: UINT32) -> FLOAT:
    """Normal numbers of random words, about 0.39 for each."""
    pairs = op.Reshape(_even(op.Reshape(words, [-1, 2])), [-1, 2])
    squared = op.ReduceSum(pairs * pairs, [1], keepdims=0)
    inside = op.And(squared < op.CastLike(1.0, squared), squared > op.CastLike(0.0, squared))
    kept, of = op.Compress(pairs, inside, axis=0), op.Compress(squared, inside, axis=0)
    length = op.Sqrt(op.Log(of) / of * op.CastLike(-2.0, of))
    turned = op.Concat(kept[:, 1:2], kept[:, 0:1], axis=1) * op.Unsqueeze(length, [1])
    return op.Cast(op.Reshape(turned, [-1]), to=SINGLE)


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
