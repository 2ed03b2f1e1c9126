"""Makes the graphs by which onnxruntime computes our network, in src/temperfill/methods/graphs or another folder.

They hold operators only. The weights are those of a weights file, put in by their names when a model is loaded, so that
one set of graphs serves every model of the same configuration. Five parts of the network are traced, so that what
depends on a hole is computed alone, as :class:`temperfill.nets.generator.Generator` does it.

    python tools/make_graphs.py [FOLDER]
"""

import argparse
import json
import logging
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import onnx
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from temperfill.attention import MHTMA, lookup
from temperfill.attention.lookup import Memory
from temperfill.attention.scores import masked_softmax, normalise
from temperfill.config import to_json
from temperfill.export.tiled import OPSET, resolve, tiled_attention
from temperfill.methods import finding
from temperfill.nets.generator import HOLE_COLOUR, Generator
from temperfill.nets.parts import Interval, inputs_of
from temperfill.nets.refinement import STRIDE, AttentionBranch, high_frequencies
from temperfill.options import DEFAULT_MODEL
from temperfill.weights_files import load_generator

FOLDER = Path(__file__).parents[1] / "src/temperfill/methods/graphs"
FAR = 10_000 * STRIDE


class Part(nn.Module):
    """A part of the network; names of weights are those of the generator.

    Args:
        generator: in evaluation mode.
    """

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.generator = generator

    @property
    def branch(self) -> AttentionBranch:
        """The attention branch; no attribute, as its weights would get a second name."""
        branch = self.generator.refinement.attention_branch
        assert branch is not None
        return branch

    @property
    def attention(self) -> MHTMA:
        """Its attention."""
        attention = self.branch.attention
        assert isinstance(attention, MHTMA)
        return attention


class Coarse(Part):
    """Input of the network to the coarse image in [-1, 1]."""

    def forward(self, planes: Tensor) -> tuple[Tensor]:
        """Computes it."""
        return (self.generator.coarse(planes),)


class Memorise(Part):
    """Pasted picture to what all queries share, and which of them the hole depends on."""

    def forward(self, planes: Tensor, avoid: Tensor) -> tuple[Tensor, ...]:
        """Computes it."""
        features = self.branch.before(planes)
        mask, shunned = (F.max_pool2d(plane, STRIDE) for plane in (planes[:, 3:4], avoid))
        detail = F.pixel_unshuffle(high_frequencies(planes[:, :3]), STRIDE)
        memory = self.attention.memorise(features, mask, detail, shunned)
        reach, side = self.generator.refinement.reach(), self.attention.patch_size
        cells = F.max_pool2d(mask, 2 * reach + 1, 1, reach)
        border = ((side - 1) // 2, side // 2) * 2
        needed = F.max_pool2d(F.pad(cells, border), side, 1).flatten() > 0.5
        return memory.per_head, memory.values, memory.masked, self.branch.temperatures(features), needed


class LookUp(Part):
    """What all queries share to the attention's result, where it is needed, and the carried detail."""

    def forward(
        self, per_head: Tensor, values: Tensor, masked: Tensor, temperatures: Tensor, needed: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Computes it."""

        def attend(queries: Tensor, keys: Tensor, values: Tensor, masked: Tensor) -> Tensor:
            options = (self.attention.masked_score, self.attention.masked_score_scaled)
            return tiled_attention(queries, keys, values, masked, temperatures, *options, needed=needed)

        rolled, maps = lookup.look_up(self.memory(per_head, values, masked), attend, None, None)
        assert maps is not None
        return self.attention.project_out(rolled), maps

    def memory(self, per_head: Tensor, values: Tensor, masked: Tensor) -> Memory:
        """The parts of a memory put together."""
        side = self.attention.patch_size
        keys = values[..., : per_head.shape[1] * side**2]
        return Memory(per_head, keys, values, masked, side)


class Weigh(LookUp):
    """What all queries share, and cells, to the weight of every key for each of these."""

    def forward(  # type: ignore[override]
        self, per_head: Tensor, values: Tensor, masked: Tensor, temperatures: Tensor, cells: Tensor
    ) -> tuple[Tensor]:
        """Computes it."""
        memory = self.memory(per_head, values, masked)
        heads, width = memory.keys.shape[1], memory.keys.shape[3]
        queries = lookup.unroll_queries(per_head, memory.patch_size).reshape(1, heads, -1, width)[:, :, cells]
        similar = normalise(queries) @ normalise(memory.keys).transpose(-2, -1)
        options = (self.attention.masked_score, self.attention.masked_score_scaled)
        return (masked_softmax(similar, masked, temperatures, *options),)


class Decode(Part):
    """Pasted picture, attended features and carried detail to the refined image in [0, 1]."""

    def forward(self, planes: Tensor, attended: Tensor, carried: Tensor) -> tuple[Tensor]:
        """Computes it."""
        refinement = self.generator.refinement
        assert refinement.convolution_branch is not None
        features = torch.cat([refinement.convolution_branch(planes), self.branch.after(attended)], 1)
        decoded = refinement.decoder(features, F.pixel_shuffle(carried, STRIDE))
        return (((decoded + 1) / 2).clamp(0, 1),)


def trace(part: Part, inputs: dict[str, Tensor], shapes: dict[str, Any], outputs: list[str]) -> onnx.ModelProto:
    """The graph of a part, without weights."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            part,
            kwargs=inputs,
            dynamo=True,
            opset_version=OPSET,
            input_names=list(inputs),
            output_names=outputs,
            dynamic_shapes=shapes,
            optimize=False,
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    names = part.generator.state_dict()
    for tensor in list(model.graph.initializer):
        name = tensor.name.removeprefix("generator.")
        if name in names:
            rename(model.graph, tensor.name, name)
            tensor.ClearField("raw_data")
            tensor.data_location = onnx.TensorProto.EXTERNAL
            tensor.external_data.add(key="location", value="weights")
            tensor.name = name
    return bare(resolve(model) if isinstance(part, LookUp) and not isinstance(part, Weigh) else model)


def rename(graph: onnx.GraphProto, old: str, new: str) -> None:
    """Another name for a value, where it is read."""
    for node in graph.node:
        node.input[:] = [new if name == old else name for name in node.input]
    for value in [value for value in graph.value_info if value.name == old]:
        graph.value_info.remove(value)


def bare(model: onnx.ModelProto) -> onnx.ModelProto:
    """Without notes on source files, and without what is not used."""
    graph = model.graph
    for thing in (model, graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        del thing.metadata_props[:]
        thing.doc_string = ""
    used = {name for node in graph.node for name in node.input}
    for tensor in [tensor for tensor in graph.initializer if tensor.name not in used]:
        graph.initializer.remove(tensor)
    model.producer_name, model.producer_version = "temperfill", ""
    return model


def facts(generator: Generator, models: dict[str, onnx.ModelProto]) -> dict[str, Any]:
    """What whoever runs the graphs has to know."""
    refinement = generator.refinement
    attention = Part(generator).attention

    return {
        "config": to_json(generator.config),
        "hole_colour": HOLE_COLOUR,
        "weights": {
            name: [t.name for t in model.graph.initializer if t.data_location == onnx.TensorProto.EXTERNAL]
            for name, model in models.items()
        },
        "stride": STRIDE,
        "patch_size": attention.patch_size,
        "coarse_reach": widest(partial(inputs_of, generator.coarse)),
        "decode_reach": widest(refinement.surroundings),
    }


def widest(reach: Callable[[Interval], Interval]) -> list[int]:
    """Pixels before and after any within a cell that a result there depends on."""
    found = [(place - low, high - place) for place in range(FAR, FAR + STRIDE) for low, high in [reach((place, place))]]
    return [max(before for before, _ in found), max(after for _, after in found)]


def main() -> None:
    """Writes the graphs of the bundled model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=FOLDER)
    folder = parser.parse_args().folder
    folder.mkdir(exist_ok=True)
    generator = load_generator(finding.bundled()[DEFAULT_MODEL])
    torch.manual_seed(0)
    rows, columns = (torch.export.Dim(name, min=3) for name in ("rows", "columns"))
    image, avoid = torch.rand(1, 5, 56, 48), torch.zeros(1, 1, 56, 48)
    image[:, 3:] = 0
    image[:, 3:, 8:24, 8:20] = 1
    with torch.no_grad():
        per_head, values, masked, temperatures, needed = Memorise(generator)(image, avoid)
    memory = {"per_head": per_head, "values": values, "masked": masked, "temperatures": temperatures}
    auto = torch.export.Dim.AUTO
    memory_shapes = {"per_head": {2: auto, 3: auto}, "values": {2: auto}, "masked": {1: auto}, "temperatures": None}
    cells = torch.arange(5)
    with torch.no_grad():
        attended, carried = torch.rand(1, 96, 14, 12), torch.rand(1, 2, 48, 14, 12)
    planes = {2: STRIDE * rows, 3: STRIDE * columns}
    models = {
        "coarse": trace(Coarse(generator), {"planes": image}, {"planes": planes}, ["coarse"]),
        "memorise": trace(
            Memorise(generator),
            {"planes": image, "avoid": avoid},
            {"planes": planes, "avoid": planes},
            ["per_head", "values", "masked", "temperatures", "needed"],
        ),
        "look_up": trace(
            LookUp(generator),
            memory | {"needed": needed},
            memory_shapes | {"needed": {0: auto}},
            ["attended", "carried"],
        ),
        "weigh": trace(Weigh(generator), memory | {"cells": cells}, memory_shapes | {"cells": {0: auto}}, ["weights"]),
        "decode": trace(
            Decode(generator),
            {"planes": image, "attended": attended, "carried": carried},
            {"planes": planes, "attended": {2: rows, 3: columns}, "carried": {3: rows, 4: columns}},
            ["refined"],
        ),
    }
    for name, model in models.items():
        (folder / f"{name}.onnx").write_bytes(model.SerializeToString(deterministic=True))
    (folder / "facts.json").write_text(json.dumps(facts(generator, models), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
