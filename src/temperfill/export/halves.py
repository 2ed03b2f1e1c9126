"""Weights stored in half as many bytes where that loses nothing: the graph makes them fp32 again, computing as before.

Weights files hold fp16, so this is so for all that were saved by this package.
"""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import onnx

SMALLEST = 256
"""Numbers of the smallest tensor that is worth a node."""


def store_halves(model: "onnx.ModelProto") -> None:
    """Stores in fp16 the tensors of a model that it holds exactly; runtimes cast them once, when they load the file."""
    from onnx import TensorProto, helper, numpy_helper

    graph = model.graph
    for tensor in list(graph.initializer):
        values = numpy_helper.to_array(tensor)
        if tensor.data_type != TensorProto.FLOAT or values.size < SMALLEST:
            continue
        halves = values.clip(-65504, 65504).astype(np.float16)
        if np.array_equal(halves.astype(np.float32), values):
            stored = f"{tensor.name}.half"
            graph.node.insert(0, helper.make_node("Cast", [stored], [tensor.name], to=TensorProto.FLOAT))
            graph.initializer.remove(tensor)
            graph.initializer.append(numpy_helper.from_array(halves, stored))
