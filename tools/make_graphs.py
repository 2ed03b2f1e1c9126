"""Makes the graphs by which onnxruntime computes our network, in src/temperfill/methods/graphs or another folder.

They hold operators only. The weights are those of a weights file, put in by their names when a model is loaded, so that
one set of graphs serves every model of the same configuration. The convolutions of the coarse network and of the
decoder have no padding of their own: before each, its input is padded or cut as the input ``pads`` of the graph says,
so that each computes what the hole depends on and no more (:mod:`temperfill.methods.narrowing`).

    python tools/make_graphs.py [FOLDER]
"""

import argparse
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from temperfill.attention import MHTMA
from temperfill.attention.temperature import TemperatureNetwork
from temperfill.config import to_json
from temperfill.export.tiled import OPSET
from temperfill.methods import finding
from temperfill.nets.generator import HOLE_COLOUR, Generator
from temperfill.nets.layers import GatedConv2d, UpGatedConv2d
from temperfill.nets.parts import inputs_of
from temperfill.nets.refinement import STRIDE
from temperfill.options import DEFAULT_MODEL
from temperfill.weights_files import load_generator

FOLDER = Path(__file__).parents[1] / "src/temperfill/methods/graphs"
SLOPE = 0.2
"""Of the leaky activations of the temperature network."""


class Graph:
    """A graph that grows node by node; what is added gives the name of its result.

    Args:
        generator: whose layers are put in.
        inputs: shapes by their names; None = of any length.
    """

    def __init__(self, generator: Generator, **inputs: list[int | None]) -> None:
        self.layers = {layer: name for name, layer in generator.named_modules()}
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, TensorProto] = {}
        self.weights: dict[str, TensorProto] = {}
        kinds = {"pads": TensorProto.INT64}
        self.inputs = [
            helper.make_tensor_value_info(name, kinds.get(name, TensorProto.FLOAT), shape)
            for name, shape in inputs.items()
        ]
        self.rows = 0

    def add(self, operator: str, *inputs: str, outputs: int = 0, **attributes: Any) -> Any:
        """A node with one result, or with a list of as many as are asked for."""
        names = [f"{operator}_{len(self.nodes)}" + (f"_{number}" if outputs else "") for number in range(outputs or 1)]
        self.nodes.append(helper.make_node(operator, inputs, names, **attributes))
        return names if outputs else names[0]

    def constant(self, values: int | list[Any], kind: type = np.int64) -> str:
        """Numbers that stand in the graph."""
        name = f"{kind.__name__} {values}"
        self.constants[name] = numpy_helper.from_array(np.array(values, kind), name)
        return name

    def weight(self, name: str, shape: Iterable[int]) -> str:
        """Numbers that are put in when a model is loaded."""
        tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=shape)
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="weights")
        self.weights[name] = tensor
        return name

    def pad(self, x: str) -> str:
        """Padded or cut as the next row of the input ``pads`` says."""
        self.rows += 1
        return self.add("Pad", x, self.add("Gather", "pads", self.constant(self.rows - 1), axis=0))

    def convolve(self, layer: nn.Conv2d, x: str, padded: bool, up: bool = False) -> str:
        """A convolution, of an input that is padded already or by itself."""
        name, side = self.layers[layer], layer.kernel_size[0]
        shape = (4 * layer.out_channels, layer.in_channels, 2, 2) if up else layer.weight.shape
        weight, bias = self.weight(f"{name}.weight", shape), self.weight(f"{name}.bias", shape[:1])
        around = 0 if padded else layer.dilation[0] * (side - 1) // 2
        options = {"strides": layer.stride, "dilations": layer.dilation, "pads": [around] * 4}
        return self.add("Conv", x, weight, bias, **options)

    def gated(self, layer: GatedConv2d, x: str, padded: bool) -> str:
        """A gated convolution."""
        up = isinstance(layer, UpGatedConv2d)
        features, gate = self.add(
            "Split", self.convolve(layer.convolution, x, padded, up), outputs=2, axis=1, num_outputs=2
        )
        result = self.add("Mul", self.add("Elu", features), self.add("Sigmoid", gate))
        if not up:
            return result
        # Lower and right ones come first, so that all lie in their order when the first and the last are cut off.
        doubled = self.add("DepthToSpace", result, blocksize=2)
        return self.add("Slice", doubled, *(self.constant([number] * 2) for number in (1, -1)), self.constant([2, 3]))

    def chain(self, layers: Iterable[nn.Module], x: str, narrowed: bool = True) -> str:
        """Layers one after the other."""
        for layer in layers:
            given = self.pad(x) if narrowed else x
            if isinstance(layer, GatedConv2d):
                x = self.gated(layer, given, narrowed)
            else:
                assert isinstance(layer, nn.Conv2d)
                x = self.convolve(layer, given, narrowed)
        return x

    def model(self, **outputs: str) -> onnx.ModelProto:
        """The finished graph; names of results by the names that they are to have."""
        for name, given in outputs.items():
            self.nodes.append(helper.make_node("Identity", [given], [name]))
        results = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
        numbers = [*self.constants.values(), *self.weights.values()]
        graph = helper.make_graph(self.nodes, "temperfill", self.inputs, results, numbers)
        opset = [helper.make_opsetid("", OPSET)]
        return helper.make_model(graph, opset_imports=opset, producer_name="temperfill", ir_version=8)


def coarse(generator: Generator) -> onnx.ModelProto:
    """Input of the network to the coarse image in [-1, 1]."""
    graph = Graph(generator, planes=[1, 5, None, None], pads=[None, 8])
    *layers, last = generator.coarse
    assert isinstance(last, nn.Tanh)
    return graph.model(coarse=graph.add("Tanh", graph.chain(layers, "planes")))


def memorise(generator: Generator) -> onnx.ModelProto:
    """Pasted picture to the map that is matched, the temperatures, and the detail of cells, by their pixels."""
    graph = Graph(generator, planes=[1, 5, None, None])
    branch = generator.refinement.attention_branch
    assert branch is not None
    attention = branch.attention
    assert isinstance(attention, MHTMA)
    features = graph.chain(branch.before, "planes", narrowed=False)
    # What is left of the picture when its average over cells, enlarged bilinearly, is taken away.
    picture = graph.add("Slice", "planes", *(graph.constant([number]) for number in (0, 3, 1)))
    low = graph.add("AveragePool", picture, kernel_shape=[STRIDE] * 2, strides=[STRIDE] * 2)
    scales = graph.constant([1.0, 1.0, float(STRIDE), float(STRIDE)], np.float32)
    enlarged = graph.add("Resize", low, "", scales, mode="linear", coordinate_transformation_mode="half_pixel")
    detail = graph.add("SpaceToDepth", graph.add("Sub", picture, enlarged), blocksize=STRIDE)
    return graph.model(
        embedded=graph.convolve(attention.project_in, features, padded=True),
        temperatures=temperatures(graph, attention, features),
        detail=detail,
    )


def temperatures(graph: Graph, attention: MHTMA, x: str) -> str:
    """The temperature network on the features that are matched."""
    network = attention.temperature
    assert isinstance(network, TemperatureNetwork)
    assert network.activation == "softplus"
    for layer in network.convolutions:
        assert isinstance(layer, nn.Conv2d)
        x = graph.add("LeakyRelu", graph.convolve(layer, x, padded=False), alpha=SLOPE)
    pooled = graph.add("Concat", graph.add("GlobalAveragePool", x), graph.add("GlobalMaxPool", x), axis=1)
    linear, name = network.linear, graph.layers[network.linear]
    weight, bias = graph.weight(f"{name}.weight", linear.weight.shape), graph.weight(f"{name}.bias", linear.bias.shape)
    x = graph.add("Gemm", graph.add("Flatten", pooled), weight, bias, transB=1)
    return graph.add("Add", graph.add("Softplus", x), graph.constant([network.floor], np.float32))


def decode(generator: Generator) -> onnx.ModelProto:
    """Pasted picture, what was looked up and the detail that it carries to the refined image in [0, 1].

    Rows of ``pads`` are for the layers of the convolution branch, those after the attention, those of the decoder up to
    the last gated one, the detail that this one gets, the output, and the detail that is added to it.
    """
    refinement = generator.refinement
    branch, decoder = refinement.attention_branch, refinement.decoder
    assert branch is not None
    assert refinement.convolution_branch is not None
    attention = branch.attention
    assert isinstance(attention, MHTMA)
    heads, width = attention.heads, attention.project_out.in_channels
    cells = [None, None]
    graph = Graph(
        generator,
        planes=[1, 5, None, None],
        attended=[1, width, *cells],
        carried=[heads, 3 * STRIDE**2, *cells],
        pads=[None, 8],
    )
    convolved = graph.chain(refinement.convolution_branch, "planes")
    attended = graph.chain(branch.after, graph.convolve(attention.project_out, "attended", padded=True))
    x = graph.pad(graph.chain(decoder.up, graph.add("Concat", convolved, attended, axis=1)))
    detail = graph.add("DepthToSpace", "carried", blocksize=STRIDE)
    flat = graph.add("Reshape", graph.pad(detail), graph.constant([1, 3 * heads, 0, 0]))
    x = graph.gated(decoder.last, graph.add("Concat", x, flat, axis=1), padded=True)
    x = graph.chain([decoder.output], x)
    colours, gates = graph.add("Split", x, graph.constant([3, heads]), outputs=2, axis=1)
    one, half = graph.constant([1.0], np.float32), graph.constant([0.5], np.float32)
    by_head = graph.add("Reshape", graph.add("Sigmoid", graph.add("Sub", gates, one)), graph.constant([heads, 1, 0, 0]))
    axis = graph.constant([0])
    added = graph.add("ReduceSum", graph.add("Mul", by_head, graph.pad(detail)), axis)
    decoded = graph.add("Add", graph.add("Tanh", colours), added)
    scaled = graph.add("Mul", graph.add("Add", decoded, one), half)
    return graph.model(refined=graph.add("Min", graph.add("Max", scaled, graph.constant([0.0], np.float32)), one))


def geometry(layers: Iterable[nn.Module]) -> list[list[int]]:
    """Side of the kernel, stride and dilation of each layer, and 1 where it doubles the size."""
    found = []
    for layer in layers:
        convolution = layer.convolution if isinstance(layer, GatedConv2d) else layer
        assert isinstance(convolution, nn.Conv2d)
        side, stride, dilation = (
            pair[0] for pair in (convolution.kernel_size, convolution.stride, convolution.dilation)
        )
        found.append([side, stride, dilation, int(isinstance(layer, UpGatedConv2d))])
    return found


def reach(layers: list[nn.Module]) -> int:
    """Cells around that of a pixel that these layers see of it."""
    low, high = inputs_of(nn.Sequential(*layers), (0, STRIDE - 1))
    return max(-(low // STRIDE), high // STRIDE)


def facts(generator: Generator, models: dict[str, onnx.ModelProto]) -> dict[str, Any]:
    """What whoever runs the graphs has to know."""
    refinement = generator.refinement
    branch, decoder = refinement.attention_branch, refinement.decoder
    assert branch is not None
    assert refinement.convolution_branch is not None
    doubling = [name for name, layer in generator.named_modules() if isinstance(layer, UpGatedConv2d)]
    return {
        "config": to_json(generator.config),
        "hole_colour": HOLE_COLOUR,
        "weights": {
            name: [t.name for t in model.graph.initializer if t.data_location == TensorProto.EXTERNAL]
            for name, model in models.items()
        },
        "doubling": [f"{name}.convolution" for name in doubling],
        "stride": STRIDE,
        "patch_size": generator.config.patch_size,
        "attended_reach": refinement.reach(),
        "carried_reach": reach([decoder.last, decoder.output]),
        "coarse": geometry(list(generator.coarse)[:-1]),
        "convolution_branch": geometry(refinement.convolution_branch),
        "after": geometry(branch.after),
        "decoder": geometry([*decoder.up, decoder.last, decoder.output]),
    }


def main() -> None:
    """Writes the graphs of the bundled models."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=FOLDER)
    folder = parser.parse_args().folder
    folder.mkdir(exist_ok=True)
    generator = load_generator(finding.bundled()[DEFAULT_MODEL])
    models = {part.__name__: part(generator) for part in (coarse, memorise, decode)}
    for name, model in models.items():
        (folder / f"{name}.onnx").write_bytes(model.SerializeToString(deterministic=True))
    (folder / "facts.json").write_text(json.dumps(facts(generator, models), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
