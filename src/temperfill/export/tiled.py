"""The attention as ONNX operators that hold a tile of the (queries x keys) matrix at a time.

ONNX has no attention in linear memory that CPU runtimes offer at opset 18, so the exported network calls a function of
its own, which is inlined into the graph: a Scan over tiles of queries. Only queries that the hole depends on are
computed; that choice is made by operators, so that it needs no shapes that depend on data while torch exports.
"""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from temperfill.attention.scores import bounded, masked_constant, score_factors, weighty_keys

if TYPE_CHECKING:
    import onnx

SCORES = 2**24
"""Scores that are held at once, 64 MB of them; the softmax holds as many again."""
OPSET = 18

# Tiles have the same size, as a Scan wants it; the last one is filled up with query 0. Query 0 also stands first, so
# that there is something to do where nothing is needed, and queries before the first needed one have a place to read.
_FUNCTION = """
<domain: "temperfill", opset_import: ["" : {opset}]>
attend (queries, all_keys, all_values, all_constants, needed, kept) => (result)
{{
  zero = Constant <value_ints: ints = [0]> ()
  one = Constant <value_ints: ints = [1]> ()
  rest = Constant <value_ints: ints = [-1]> ()
  smallest = Constant <value_ints: ints = [16]> ()
  scores = Constant <value_ints: ints = [{scores}]> ()

  kept_places = NonZero (kept)
  kept_index = Squeeze (kept_places, zero)
  keys = Gather <axis: int = 2> (all_keys, kept_index)
  values = Gather <axis: int = 2> (all_values, kept_index)
  constant = Gather <axis: int = 3> (all_constants, kept_index)

  nonzero = NonZero (needed)
  chosen = Squeeze (nonzero, zero)
  index = Concat <axis: int = 0> (zero, chosen)
  number = Shape (index)
  key_shape = Shape <end: int = 3> (keys)
  row = ReduceProd <keepdims: int = 1> (key_shape)
  fitting = Div (scores, row)
  largest = Max (fitting, smallest)
  tile = Min (number, largest)
  number_and_tile = Add (number, tile)
  rounded_up = Sub (number_and_tile, one)
  tiles = Div (rounded_up, tile)
  places = Mul (tiles, tile)
  spare = Sub (places, number)
  padding = Expand (zero, spare)
  padded = Concat <axis: int = 0> (index, padding)
  tiles_shape = Concat <axis: int = 0> (tiles, tile)
  tiled = Reshape (padded, tiles_shape)

  transposed = Transpose <perm: ints = [0, 1, 3, 2]> (keys)
  pieces = Scan <num_scan_inputs: int = 1, body: graph = look_up (int64[t] rows) => (float[b, n, t, e] piece) {{
    picked = Gather <axis: int = 2> (queries, rows)
    similar = MatMul (picked, transposed)
    scored = Add (similar, constant)
    weights = Softmax <axis: int = -1> (scored)
    piece = MatMul (weights, values)
  }}> (tiled)

  in_order = Transpose <perm: ints = [1, 2, 0, 3, 4]> (pieces)
  front = Shape <end: int = 2> (queries)
  back = Shape <start: int = 3> (values)
  joined_shape = Concat <axis: int = 0> (front, rest, back)
  joined = Reshape (in_order, joined_shape)
  ones = Cast <to: int = 7> (needed)
  first_axis = Constant <value_int: int = 0> ()
  place = CumSum (ones, first_axis)
  result = Gather <axis: int = 2> (joined, place)
}}
"""


def tiled_attention(
    queries: Tensor,
    keys: Tensor,
    values: Tensor,
    masked: Tensor,
    temperatures: Tensor,
    masked_score: float = -10000.0,
    masked_score_scaled: bool = False,
    *,
    needed: Tensor,
    seen: list[Tensor] | None = None,
) -> Tensor:
    """``reference_attention`` for export: a node that ``resolve`` replaces by operators; it computes nothing in torch.

    Args:
        queries: (B, heads, N, d), not normalised.
        keys: (B, heads, M, d), not normalised.
        values: (B, heads, M, e).
        masked: (B, M), 1 = the key touches the hole.
        temperatures: (B, heads), positive.
        masked_score: the constant lambda of Eq. 9.
        masked_score_scaled: divide lambda by the temperature too.
        needed: (N,) bool; the result of other queries has no meaning.
        seen: gets the scaled queries, the scaled keys and the constants of all keys, which make the scores.

    Returns:
        (B, heads, N, e).
    """
    query_factor, key_factor = score_factors(queries, keys, masked, temperatures)
    constant = masked_constant(masked.to(queries.dtype), masked_score)[:, None, None, :]
    if masked_score_scaled:
        constant = constant / bounded(temperatures)[:, :, None, None]
    kept = weighty_keys(masked, masked_score, masked_score_scaled)
    scaled = (queries * query_factor, keys * key_factor)
    if seen is not None:
        seen += [*scaled, constant]
    inputs = (*scaled, values, constant, needed, kept)
    shape = (*queries.shape[:3], values.shape[-1])
    result: Tensor = torch.onnx.ops.symbolic("temperfill::attend", inputs, dtype=queries.dtype, shape=shape, version=1)
    return result


def resolve(model: "onnx.ModelProto", scores: int = SCORES) -> "onnx.ModelProto":
    """Replaces the attention's node in an exported model by operators.

    Args:
        model: as torch exported it.
        scores: of the tile that is held at once; a tile has 16 queries at least.
    """
    import onnx.inliner
    import onnx.parser

    model.functions.append(onnx.parser.parse_function(_FUNCTION.format(opset=OPSET, scores=scores)))
    return onnx.inliner.inline_local_functions(model)
