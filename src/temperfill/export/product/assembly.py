"""The graph of the product joined with the stages of a network."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, inliner, numpy_helper
from onnxscript import optimizer

from temperfill.export.product.geometry import OWN
from temperfill.export.product.graph import product
from temperfill.export.quiet import quiet
from temperfill.export.tiled import OPSET

if TYPE_CHECKING:
    from collections.abc import Iterator

    from onnx import FunctionProto, GraphProto, ModelProto, NodeProto
    from onnxscript import OnnxFunction

IR_VERSION = 9
"""Of the file; runtimes of the year of opset 18 know it."""
DEFAULTS: dict[str, NDArray[np.generic]] = {
    "hidden": np.zeros((1, 1), np.uint8),
    "sketch": np.zeros((1, 1), np.uint8),
    "avoid": np.zeros((1, 1), np.uint8),
    "temperature": np.ones(1, np.float32),
    "factor": np.zeros(1, np.int64),
}
"""What the inputs besides picture and mask are where nothing is asked for. They must be given: in browsers, onnxruntime
takes no input that has a default."""


def assemble(stages: dict[str, "ModelProto"], patch_size: int, key_stride: int) -> "ModelProto":
    """The product as one graph.

    Args:
        stages: ``coarse`` and ``refine``, without functions of their own.
        patch_size: side of the attention's patches, cells.
        key_stride: distance between its key patches.
    """
    entry = product.to_function_proto()
    image, plane = ["height", "width", "channels"], ["height", "width"]
    free = {"hidden", "sketch", "avoid"}
    kinds = {"temperature": (TensorProto.FLOAT, [1]), "factor": (TensorProto.INT64, [1])}
    inputs = [
        helper.make_tensor_value_info("image", TensorProto.UINT8, image),
        helper.make_tensor_value_info("mask", TensorProto.UINT8, plane),
    ]
    for name in DEFAULTS:
        kind, shape = (TensorProto.UINT8, [f"{name}_{axis}" for axis in plane]) if name in free else kinds[name]
        inputs.append(helper.make_tensor_value_info(name, kind, shape))
    output = helper.make_tensor_value_info("composite", TensorProto.UINT8, image)
    constants = {"patch": np.array([patch_size]), "stride": np.array([key_stride])}
    call = helper.make_node(entry.name, list(entry.input), ["composite"], domain=OWN.domain)
    weights = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph([call], "temperfill", inputs, [output], weights)
    domains = [helper.make_opsetid("", OPSET), helper.make_opsetid(OWN.domain, 1)]
    model = helper.make_model(graph, opset_imports=domains, ir_version=IR_VERSION)
    model.functions.extend([entry, *called(product)])
    model = inliner.inline_local_functions(model)
    for name, stage in stages.items():
        _put_in(model, name, stage)
    # Folds the types and constants that functions leave open; runtimes warn of each that they meet.
    with quiet("onnx_ir"):  # of inputs of loops, which it leaves as they are
        return optimizer.optimize(inliner.inline_local_functions(model))


def called(function: "OnnxFunction", known: set[str] | None = None) -> "Iterator[FunctionProto]":
    """The functions that one calls, and those that they call, each once."""
    known = set() if known is None else known
    for other in function.function_ir.get_called_functions().values():
        if other.name not in known:
            known.add(other.name)
            yield other.to_function_proto()
            yield from called(other, known)


def _put_in(model: "ModelProto", name: str, stage: "ModelProto") -> None:
    """Makes a function of a stage, whose weights become those of the model and inputs of the function."""
    graph = stage.graph
    planes = [plane.name for plane in graph.input]
    weights = [tensor.name for tensor in graph.initializer]
    outside = [f"{name}.{weight}" for weight in weights]
    function = helper.make_function(
        OWN.domain,
        name,
        planes + weights,
        [value.name for value in graph.output],
        graph.node,
        [helper.make_opsetid("", OPSET)],
    )
    model.functions.append(function)
    for tensor, called in zip(graph.initializer, outside, strict=True):
        model.graph.initializer.append(tensor)
        model.graph.initializer[-1].name = called
    for node in _nodes(model.graph):
        if (node.domain, node.op_type) == (OWN.domain, name):
            given = list(node.input)[: len(planes)]  # without the lines, for a network that takes none
            node.ClearField("input")
            node.input.extend([*given, *outside])


def _nodes(graph: "GraphProto") -> "Iterator[NodeProto]":
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _nodes(attribute.g)
