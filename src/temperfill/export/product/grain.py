"""The noise around a hole continued into it, in operators of ONNX, as ``temperfill.synthesis.grain`` does it.

Fourier transforms of blocks are products with matrices. Images are (3, H, W), planes (H, W), spectra two tensors.
"""

import numpy as np
from onnx import numpy_helper
from onnxscript import BOOL, FLOAT, script
from onnxscript import opset18 as op

from temperfill.export.product.geometry import LONG, OWN, SINGLE, bounds, cut, grow, put_back
from temperfill.export.product.random_numbers import normal_numbers
from temperfill.inpainter.texture import NOISE
from temperfill.synthesis.grain import (
    ALIKE,
    ASKED,
    BANDS,
    BRIGHTEST,
    CLEAN,
    DARKEST,
    FEWEST,
    LEAST,
    LITTLE,
    LOUD,
    MOST,
    NOTHING,
    SIDE,
)

HALF, STEP, PIXELS, NUMBER = SIDE // 2, SIDE // 4, SIDE * SIDE, len(BANDS)
ROWS = 8
"""Of blocks that are worked on at once."""
_RARE, _FEWEST, _CLEAN, _LOUD, _NOTHING = 0.05, float(FEWEST), CLEAN**2, LOUD**2, NOTHING
_FULL = float(PIXELS)


def _constants() -> dict[str, np.ndarray]:
    """Windows, Fourier's matrix, the slope of blocks, and which frequency lies in which band."""
    places = np.arange(SIDE)
    row = 0.5 - 0.5 * np.cos(2 * np.pi / SIDE * places)
    window, ramp = row[:, None] * row, places - (SIDE - 1) / 2
    turns = 2 * np.pi / SIDE * (places[:, None] * places % SIDE)
    frequency = np.fft.fftfreq(SIDE)
    band = np.digitize(np.hypot(frequency[:, None], frequency), BANDS).ravel() - 1
    member = (band[:, None] == np.arange(NUMBER)).astype(np.float64)
    return {
        "window": window / np.sqrt(np.square(window).sum()),
        "taper": np.sqrt(window),
        "weight": (np.square(window) / np.square(window).sum())[None, None],
        "ramp": ramp / np.sqrt(np.square(ramp).sum()),
        "cosine": np.cos(turns),
        "sine": np.sin(turns),
        "means": member / member.sum(0),
        "member": member.T,
        "fine": member[:, 1:].sum(1),
        "ridge": 1e-3 * np.eye(3),
    }


_CONSTANTS = {name: numpy_helper.from_array(value.astype(np.float32), name) for name, value in _constants().items()}
_WINDOW, _TAPER, _WEIGHT, _RAMP, _COSINE, _SINE, _MEANS, _MEMBER, _FINE, _RIDGE = _CONSTANTS.values()


@script(OWN, default_opset=op)
def _transformed(real: FLOAT, imaginary: FLOAT) -> tuple[FLOAT, FLOAT]:
    """Spectra of complex blocks (..., SIDE, SIDE), real and imaginary."""
    cosine, sine = op.Constant(value=_COSINE), op.Constant(value=_SINE)
    across = op.MatMul(real, cosine) + op.MatMul(imaginary, sine)
    turned = op.MatMul(imaginary, cosine) - op.MatMul(real, sine)
    return (
        op.MatMul(cosine, across) + op.MatMul(sine, turned),
        op.MatMul(cosine, turned) - op.MatMul(sine, across),
    )


@script(OWN, default_opset=op)
def _spectra(blocks: FLOAT) -> tuple[FLOAT, FLOAT]:
    """Spectra of blocks (..., SIDE, SIDE), apart from their tone and its slope; squares are variances of a pixel."""
    ramp = op.Constant(value=_RAMP)
    level = blocks - op.ReduceMean(blocks, [-2, -1])
    down = op.ReduceSum(op.ReduceMean(level, [-1], keepdims=0) * ramp, [-1])
    along = op.ReduceSum(op.ReduceMean(level, [-2], keepdims=0) * ramp, [-1])
    slope = op.Unsqueeze(down * ramp, [-1]) + op.Unsqueeze(along * ramp, [-2])
    flat = (level - slope) * op.Constant(value=_WINDOW)
    real, imaginary = _transformed(flat, flat * 0.0)
    return real, imaginary


@script(OWN, default_opset=op)
def _in_bands(power: FLOAT) -> FLOAT:
    """Means (..., bands) of powers (..., SIDE, SIDE)."""
    flat = op.Reshape(power, op.Concat(op.Shape(power)[:-2], op.Constant(value_ints=[PIXELS]), axis=0))
    return op.MatMul(flat, op.Constant(value=_MEANS))


@script(OWN, default_opset=op)
def _asked(image: FLOAT, known: BOOL) -> FLOAT:
    """Blocks (N, 3, SIDE, SIDE) of what is known, neither black nor white."""
    lacking = op.Pad(op.Cast(op.Not(known), to=SINGLE), op.Constant(value_ints=[HALF, HALF, HALF, HALF]), 1.0)
    nearby = op.MaxPool(op.Unsqueeze(lacking, [0, 1]), kernel_shape=[SIDE + 1, SIDE + 1], strides=[STEP, STEP])
    corners = op.Transpose(op.NonZero(op.Squeeze(nearby, [0, 1]) < 0.5)) * STEP - HALF
    number = op.Shape(corners)[0:1]
    corners = op.Slice(corners, [0], number, [0], op.Max((number + (ASKED - 1)) / ASKED, 1))
    width = op.Shape(known)[1:2]
    first = op.Slice(corners, [0], [1], [1]) * width + op.Slice(corners, [1], [2], [1])
    steps = op.Range(0, SIDE, 1)
    inside = op.Reshape(op.Unsqueeze(steps, [1]) * width + steps, op.Constant(value_ints=[1, PIXELS]))
    flat = op.Reshape(image, [3, -1])
    blocks = op.Reshape(
        op.Transpose(op.Gather(flat, first + inside, axis=1), perm=[1, 0, 2]),
        op.Constant(value_ints=[-1, 3, SIDE, SIDE]),
    )
    tone = op.ReduceMean(blocks, [1, 2, 3], keepdims=0)
    return op.Compress(blocks, op.And(tone > DARKEST, tone < BRIGHTEST), axis=0)


@script(OWN, default_opset=op)
def _mixing(real: FLOAT, imaginary: FLOAT) -> FLOAT:
    """(3, 3), makes independent channels as alike as those of spectra (N, 3, SIDE, SIDE): Cholesky's factor."""
    fine = op.Constant(value=_FINE)
    parts = op.Concat(real, imaginary, axis=0)
    rows = op.Reshape(
        op.Transpose(op.Reshape(parts, op.Constant(value_ints=[-1, 3, PIXELS])) * fine, perm=[1, 0, 2]), [3, -1]
    )
    together = op.MatMul(rows, op.Transpose(rows))
    deviation = op.Max(op.Sqrt(op.ReduceSum(rows * rows, [1])), _NOTHING)
    alike = (together / (deviation * op.Transpose(deviation)) + op.Constant(value=_RIDGE)) / 1.001
    a, b, c = alike[1:2, 0:1], alike[2:3, 0:1], alike[2:3, 1:2]
    first = op.Sqrt(alike[0:1, 0:1])
    low, lowest = a / first, b / first
    second = op.Sqrt(alike[1:2, 1:2] - low * low)
    middle = (c - lowest * low) / second
    third = op.Sqrt(alike[2:3, 2:3] - lowest * lowest - middle * middle)
    none = first * 0.0
    return op.Concat(
        op.Concat(first, none, none, axis=1),
        op.Concat(low, second, none, axis=1),
        op.Concat(lowest, middle, third, axis=1),
        axis=0,
    )


@script(OWN, default_opset=op)
def _plainest(power: FLOAT) -> FLOAT:
    """Mean (C, SIDE, SIDE) of powers (N, C, SIDE, SIDE), in each band mostly of those with the least."""
    bands = _in_bands(op.ReduceMean(power, [1], keepdims=0))
    weight = 1.0 / op.Max(bands, _NOTHING)
    weight = op.Concat(weight[:, 0:1] * weight[:, 0:1], weight[:, 1:], axis=1)
    weight = weight / op.ReduceSum(weight, [0])
    usual = op.ReduceSum(weight * bands, [0])
    less = op.Min(usual[:, 1:2] / usual[:, 0:1] * MOST, 1.0)
    weight = op.Concat(weight[:, 0:1] * less, weight[:, 1:], axis=1)
    size = op.Shape(power)
    each = op.Reshape(
        op.MatMul(weight, op.Constant(value=_MEMBER)),
        op.Concat(size[0:1], op.Constant(value_ints=[1]), size[2:4], axis=0),
    )
    return op.ReduceSum(power * each, [0], keepdims=0)


@script(OWN, default_opset=op)
def measured(image: FLOAT, known: BOOL) -> tuple[FLOAT, FLOAT, BOOL]:
    """Power (3, SIDE, SIDE) and mixing (3, 3) of the noise of a picture where it is known, and whether there is any."""
    blocks = _asked(image, known)
    number = op.Cast(op.Shape(blocks)[0:1], to=SINGLE)
    if op.Squeeze(number > _FEWEST - 0.5):
        real, imaginary = _spectra(blocks)
        fine = op.ReduceMean(_in_bands(op.ReduceMean(real * real + imaginary * imaginary, [1], keepdims=0))[:, 1:], [1])
        fine = op.Squeeze(fine, [1])
        place = (number - 1.0) * _RARE
        before = op.Cast(op.Floor(place), to=LONG)
        quietest, _ = op.TopK(fine, before + 2, largest=0)
        lower, upper = op.Gather(quietest, before), op.Gather(quietest, before + 1)
        alone = fine <= (lower + (upper - lower) * (place - op.Floor(place))) * ALIKE
        some = op.ReduceSum(op.Cast(alone, to=SINGLE))
        level = op.ReduceMean(op.Compress(fine, alone, axis=0))
        is_heard = op.And(level > _CLEAN, level < _LOUD)
        is_noisy = op.Squeeze(op.And(some >= op.Max(number * LEAST, _FEWEST), is_heard))
        real, imaginary = op.Compress(real, alone, axis=0), op.Compress(imaginary, alone, axis=0)
        power = _plainest(real * real + imaginary * imaginary)
        mixing = _mixing(real, imaginary)
    else:
        power = op.Cast(op.Expand(0.0, op.Constant(value_ints=[3, SIDE, SIDE])), to=SINGLE)
        mixing = op.Cast(op.Expand(0.0, op.Constant(value_ints=[3, 3])), to=SINGLE)
        is_noisy = op.Constant(value_int=0) > 0
    return power, mixing, is_noisy


@script(OWN, default_opset=op)
def _blocks(planes: FLOAT) -> FLOAT:
    """(rows, columns, C, SIDE, SIDE) of overlapping blocks of planes (C, H, W)."""
    size = op.Shape(planes)
    half = op.Constant(value_ints=[HALF])
    cells = op.Reshape(planes, op.Concat(size[0:1], size[1:2] / HALF, half, size[2:3] / HALF, half, axis=0))
    tall = op.Concat(cells[:, :-1], cells[:, 1:], axis=2)
    wide = op.Concat(tall[:, :, :, :-1], tall[:, :, :, 1:], axis=4)
    return op.Transpose(wide, perm=[1, 3, 0, 2, 4])


@script(OWN, default_opset=op)
def _joined(blocks: FLOAT) -> FLOAT:
    """Sums (3, H, W) of blocks (rows, columns, 3, SIDE, SIDE) that overlap."""
    wide = op.Transpose(blocks, perm=[2, 0, 3, 1, 4])
    left = op.Pad(wide[:, :, :, :, :HALF], [0, 0, 0, 0, 0, 0, 0, 0, 1, 0])
    tall = left + op.Pad(wide[:, :, :, :, HALF:], [0, 0, 0, 1, 0, 0, 0, 0, 0, 0])
    upper = op.Pad(tall[:, :, :HALF], [0, 0, 0, 0, 0, 0, 1, 0, 0, 0])
    cells = upper + op.Pad(tall[:, :, HALF:], [0, 1, 0, 0, 0, 0, 0, 0, 0, 0])
    size = op.Shape(cells)
    return op.Reshape(cells, op.Concat(size[0:1], size[1:2] * HALF, size[3:4] * HALF, axis=0))


@script(OWN, default_opset=op)
def _gain(shown: FLOAT, hole: FLOAT, power: FLOAT) -> FLOAT:
    """How much of the noise each block (rows, columns, bands) of a picture (3, H, W) lacks."""
    weight = op.Constant(value=_WEIGHT)
    covered = op.Conv(op.Unsqueeze(hole, [0, 1]), weight, strides=[HALF, HALF])
    number = op.Shape(covered)[2:3]
    usual = _in_bands(op.ReduceMean(power, [0], keepdims=0))
    start = op.Constant(value_ints=[0])
    shares = op.Cast(
        op.Expand(0.0, op.Concat(start, op.Shape(covered)[3:4], op.Constant(value_ints=[NUMBER]), axis=0)), to=SINGLE
    )
    going = op.Squeeze(start < number)
    while going:
        rows = op.Slice(shown, start * HALF, (op.Min(start + ROWS, number) + 1) * HALF, [1])
        real, imaginary = _spectra(_blocks(rows))
        found = op.ReduceMean(real * real + imaginary * imaginary, [2], keepdims=0)
        shares = op.Concat(shares, _in_bands(found) / usual, axis=0)
        start = start + ROWS
        going = op.Squeeze(start < number)
    share = op.Unsqueeze(op.Transpose(shares, perm=[2, 0, 1]), [0])
    plain = share + LITTLE
    weight = covered / (plain * plain * plain)
    lacking = op.AveragePool(weight * (1.0 - share), kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1)
    possible = op.AveragePool(weight * covered, kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1)
    gain = op.Sqrt(op.Clip(lacking / op.Max(possible, _NOTHING), 0.0, 1.0))
    second = op.Slice(gain, [1], [2], [1])
    return op.Transpose(op.Squeeze(op.Concat(second, op.Slice(gain, [1], [9], [1]), axis=1), [0]), perm=[1, 2, 0])


@script(OWN, default_opset=op)
def _lacking(part: FLOAT, hole: BOOL, power: FLOAT, mixing: FLOAT) -> FLOAT:
    """(3, h, w) to be added around a hole."""
    size = op.Shape(hole)
    taper, member = op.Constant(value=_TAPER), op.Constant(value=_MEMBER)
    zero, half = op.Constant(value_ints=[0]), op.Constant(value_ints=[HALF, HALF])
    behind = (size + (HALF - 1)) / HALF * HALF - size + HALF
    shown = op.Pad(part, op.Concat(zero, half, zero, behind, axis=0), mode="reflect")
    gain = _gain(shown, op.Pad(op.Cast(hole, to=SINGLE), op.Concat(half, behind, axis=0)), power)
    white = op.Reshape(normal_numbers(op.Reshape(op.Size(shown), [1])), op.Shape(shown))
    number, amplitude = op.Shape(gain)[0:1], op.Sqrt(power)
    start = op.Constant(value_ints=[0])
    result = white[:, 0:0]
    overlap = white[:, 0:HALF] * 0.0
    going = op.Squeeze(start < number)
    while going:
        stop = op.Min(start + ROWS, number)
        blocks = _blocks(op.Slice(white, start * HALF, (stop + 1) * HALF, [1]))
        flat = op.Reshape(blocks, op.Concat(op.Shape(blocks)[0:3], op.Constant(value_ints=[PIXELS]), axis=0))
        mixed = op.Reshape(op.MatMul(mixing, flat), op.Shape(blocks)) * taper
        real, imaginary = _transformed(mixed, mixed * 0.0)
        louder = op.MatMul(op.Slice(gain, start, stop, [0]), member)
        loud = op.Reshape(louder, op.Concat(op.Shape(louder)[0:2], op.Constant(value_ints=[1, SIDE, SIDE]), axis=0))
        # The inverse transform of a spectrum is the transform of its conjugate.
        added, _ = _transformed(real * (amplitude * loud), imaginary * (amplitude * loud) * -1.0)
        strip = _joined(added * taper / _FULL)
        strip = op.Concat(strip[:, :HALF] + overlap, strip[:, HALF:], axis=1)
        result = op.Concat(result, strip[:, :-HALF], axis=1)
        overlap = strip[:, -HALF:]
        start = op.Identity(stop)
        going = op.Squeeze(start < number)
    return op.Slice(result, half, half + size, [1, 2])


@script(OWN, default_opset=op)
def grained(filled: FLOAT, hole: BOOL, known: BOOL) -> FLOAT:
    """What was filled, with what it lacks of the noise around it."""
    size = op.Shape(hole)
    near = grow(bounds(hole), op.Constant(value_ints=[NOISE, NOISE]), size)
    is_wide = op.ReduceMin(near[2:4] - near[0:2], keepdims=0) >= SIDE
    is_any = op.ReduceMax(op.Cast(hole, to=SINGLE), keepdims=0) > 0.5
    if op.And(is_any, is_wide):
        power, mixing, is_noisy = measured(cut(filled, near), cut(known, near))
        if is_noisy:
            box = grow(bounds(hole), op.Constant(value_ints=[SIDE, SIDE]), size)
            mine, part = cut(hole, box), cut(filled, box)
            added = op.Where(mine, op.Clip(part + _lacking(part, mine, power, mixing), 0.0, 1.0) - part, 0.0)
            result = filled + put_back(added, box, size)
        else:
            result = op.Identity(filled)
    else:
        result = op.Identity(filled)
    return result
