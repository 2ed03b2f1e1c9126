"""Convolutions that every runtime computes rightly."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import onnx

MULTIPLE = 4


def pad_channels(model: "onnx.ModelProto") -> None:
    """Gives every convolution a multiple of four input channels, the new ones zeros, in place.

    The WebGPU backend of onnxruntime-web 1.30.0 computes a 3x3 convolution of 30 channels wrongly, and the same one of
    32 channels rightly. The result does not change otherwise.
    """
    from onnx import helper, numpy_helper

    graph = model.graph
    weights = {tensor.name: tensor for tensor in graph.initializer}
    for place, node in reversed(list(enumerate(graph.node))):
        if node.op_type != "Conv" or node.input[1] not in weights:
            continue
        old = weights[node.input[1]]
        kernel = numpy_helper.to_array(old)
        spare = -kernel.shape[1] % MULTIPLE
        if not spare:
            continue
        source, padded, kernel_name = node.input[0], f"{node.name}_padded", f"{old.name}_padded"
        by = np.array([0, 0, 0, 0, 0, spare, 0, 0], np.int64)
        widened = np.pad(kernel, [(0, 0), (0, spare), (0, 0), (0, 0)])
        graph.initializer.append(numpy_helper.from_array(by, f"{padded}_by"))
        graph.initializer.append(numpy_helper.from_array(widened, kernel_name))
        graph.initializer.remove(old)
        for value in [value for value in graph.value_info if value.name == old.name]:
            graph.value_info.remove(value)
        node.input[0], node.input[1] = padded, kernel_name
        graph.node.insert(place, helper.make_node("Pad", [source, f"{padded}_by"], [padded], name=padded))
