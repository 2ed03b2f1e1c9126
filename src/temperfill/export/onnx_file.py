"""From a model's name to an ONNX file that was compared with torch: all of filling a window, or the network alone."""

import json
import os
import warnings
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor

import temperfill
from temperfill.config import to_json
from temperfill.export.channels import pad_channels
from temperfill.export.halves import store_halves
from temperfill.export.network import CoarseStage, Completion, RefinementStage, attention_of
from temperfill.export.parity import Difference, compare, compare_whole
from temperfill.export.quiet import quiet
from temperfill.export.tiled import OPSET, resolve
from temperfill.extras import how_to_add
from temperfill.files import atomic_write
from temperfill.methods.finding import find_weights
from temperfill.nets.generator import Generator
from temperfill.weights_files import load_generator
from temperfill.weights_reading import read_metadata

if TYPE_CHECKING:
    import onnx

PACKAGES = ("onnx", "onnxscript", "onnxruntime")
SUFFIX = ".onnx"
Part = Literal["whole", "network"]
"""What a file holds: all that is done to fill a window, from bytes to bytes, or the network alone."""


def export_onnx(model: str | Path, output: Path, part: Part = "whole") -> list[Difference]:
    """Writes an ONNX file of one of our networks, once onnxruntime gave the same pictures as torch.

    The whole takes the bytes of a picture ``image`` (H, W, 3 or 4) and of ``mask`` (H, W), above 127 = fill, and gives
    ``composite``, the bytes of the filled picture; H and W are free. Further inputs: ``hidden``, missing and not to be
    filled; ``avoid``, nothing is copied from here; ``sketch``, lines to follow, for networks that take them, each (H,
    W) or (1, 1); ``temperature`` (1,); ``factor`` (1,), by how much the window is shrunk at first, 0 to find out.
    Batches, and networks without MHTMA, are for the network alone.

    The file of the network has the inputs ``image`` (B, 3, H, W) in [0, 1], ``mask`` (B, 1, H, W), 1 = fill, and for
    networks that take one ``sketch`` (B, 1, H, W), 1 = line, all float32; its output ``composite`` (B, 3, H, W) holds
    known pixels bit for bit. Networks with MHTMA have one more input, which may be left out: ``avoid`` (B, 1, H, W), 1
    = nothing is copied from here. Batch and size are free, height and width multiples of 4. Its metadata hold the
    model's name, configuration and SHA-256, the smallest size, and the version of this package.

    Args:
        model: name of a bundled model, a weights file, or the folder of a run.
        output: the .onnx file to write.
        part: what the file is to hold.

    Returns:
        What the comparisons found.

    Raises:
        OSError: the weights cannot be read, or the file not be written; an old file is intact.
        ModuleNotFoundError: a package of the extra ``onnx`` is missing.
        ValueError: unknown model, a method that is not our network, damaged weights, a network that torch cannot
            export, or one whose file does not give what torch gives. Nothing is written.
    """
    _check_output(output)
    for package in PACKAGES:
        _require(package)
    path = find_weights(model)
    generator = _generator(path, str(model))
    metadata = {
        "model": path.stem,
        "config": json.dumps(to_json(generator.config)),
        "sha256": read_metadata(path)["sha256"],
        "smallest_size": str(Completion(generator).smallest),
        "temperfill": temperfill.__version__,
    }
    metadata |= {"terms": generator.terms} if generator.terms else {}
    built = (build_whole if part == "whole" else build)(generator, metadata)
    store_halves(built)
    content = built.SerializeToString()
    found = (compare_whole if part == "whole" else compare)(content, generator)
    if not all(difference.passes for difference in found):
        lines = "; ".join(map(str, found))
        raise ValueError(f"the ONNX model does not give what torch gives, not written ({lines})")
    atomic_write(output, lambda file: file.write(content))
    return found


def build(generator: Generator, metadata: dict[str, str]) -> "onnx.ModelProto":
    """The ONNX model of a generator, with all weights inside; it was not compared yet.

    Args:
        generator: in evaluation mode, on the CPU.
        metadata: strings for the file.

    Raises:
        ValueError: torch cannot export it.
    """
    import onnx

    network = Completion(generator).eval()
    stride = Generator.SIZE_MULTIPLE
    cells = network.smallest // stride
    batch, height, width = (
        torch.export.Dim(name, min=least) for name, least in (("batch", 1), ("height", cells), ("width", cells))
    )
    size = (stride * (2 * cells + 10), stride * (2 * cells + 6))
    image = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0))
    mask = torch.zeros(2, 1, *size)
    mask[:, :, 8:24, 8:20] = 1
    planes = {"image": image, "mask": mask}
    # Not the mask itself again: torch takes one tensor that is given twice for one input.
    planes |= {"sketch": 1 - mask} if generator.config.sketch else {}
    planes |= {"avoid": mask.flip(3)} if generator.has_sources else {}
    shapes = {name: {0: batch, 2: stride * height, 3: stride * width} for name in planes}
    model = _trace(network, planes, shapes, ["composite"])
    _check_free(model)
    model = resolve(model)
    _make_optional(model, "avoid")
    pad_channels(model)
    _clean(model, metadata)
    onnx.checker.check_model(model, full_check=True)
    return model


def build_whole(generator: Generator, metadata: dict[str, str]) -> "onnx.ModelProto":
    """The ONNX model of all that is done to fill a window, with all weights inside; it was not compared yet.

    Args:
        generator: in evaluation mode, on the CPU.
        metadata: strings for the file.

    Raises:
        ValueError: a network without MHTMA, or one that torch cannot export.
    """
    import onnx

    from temperfill.export.product.assembly import assemble

    attention = attention_of(generator)
    if attention is None:
        raise ValueError("only networks with the attention mhtma are exported whole; ask for the network alone")
    stride = Generator.SIZE_MULTIPLE
    height, width = (torch.export.Dim(name, min=attention.patch_size) for name in ("height", "width"))
    image = torch.rand(1, 3, 2 * stride * 8, 2 * stride * 7, generator=torch.Generator().manual_seed(0))
    mask = torch.zeros_like(image[:, :1])
    mask[:, :, 8:24, 8:20] = 1
    planes = {"image": image, "mask": mask}
    sketch = {"sketch": 1 - mask} if generator.config.sketch else {}
    given = {"start": 1 - image, "temperature": torch.tensor(1.0), "avoid": mask.flip(3)}
    stages = {}
    for name, stage, inputs, outputs in (
        ("coarse", CoarseStage(generator), planes | sketch, ["start"]),
        ("refine", RefinementStage(generator), planes | given | sketch, [*_REFINED]),
    ):
        shapes = {key: {2: stride * height, 3: stride * width} if plane.ndim else {} for key, plane in inputs.items()}
        stages[name] = resolve(_trace(stage.eval(), inputs, shapes, outputs))
        pad_channels(stages[name])
    model = assemble(stages, attention.patch_size, attention.key_stride)
    _clean(model, metadata)
    onnx.checker.check_model(model, full_check=True)
    return model


_REFINED = ("composite", "queries", "keys", "constants", "temperatures")


def _trace(
    network: torch.nn.Module, planes: dict[str, Tensor], shapes: dict[str, Any], outputs: list[str]
) -> "onnx.ModelProto":
    try:
        with quiet("torch.onnx"), warnings.catch_warnings():  # it warns of torchvision, which plays no part
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                network,
                kwargs=planes,
                dynamo=True,
                opset_version=OPSET,
                input_names=list(planes),
                output_names=outputs,
                dynamic_shapes=shapes,
                verbose=False,
            )
    except (torch.onnx.OnnxExporterError, torch.onnx.errors.OnnxExporterError) as error:
        reason = " ".join(str(error.__cause__ or error).split())[:300]
        raise ValueError(f"torch {torch.__version__} cannot export this network: {reason}") from error
    assert program is not None  # without a path, the program is returned
    return program.model_proto


def _check_free(model: "onnx.ModelProto") -> None:
    """Refuses a model of fixed sizes: torch fixes a size that the network uses as a number, and says nothing."""
    for plane in model.graph.input:
        fixed = [axis for axis in (0, 2, 3) if not plane.type.tensor_type.shape.dim[axis].dim_param]
        if fixed:
            raise ValueError(
                f"torch {torch.__version__} fixed the axes {fixed} of {plane.name}; its sizes must be free"
            )


def _make_optional(model: "onnx.ModelProto", name: str) -> None:
    """Gives an input plane a default, a single zero, which its followers spread by joining it with another input."""
    from onnx import numpy_helper

    graph = model.graph
    for plane in [plane for plane in graph.input if plane.name == name]:
        for axis, length in ((0, "batch"), (2, "height"), (3, "width")):
            plane.type.tensor_type.shape.dim[axis].dim_param = f"{name}_{length}"
        graph.initializer.append(numpy_helper.from_array(np.zeros((1, 1, 1, 1), np.float32), name))
    # Torch noted the size of the other inputs for what follows from this one alone, and runtimes would rely on it.
    alone = {name}
    constant = {tensor.name for tensor in graph.initializer} | {
        output for node in graph.node if node.op_type == "Constant" for output in node.output
    }
    for node in graph.node:
        if alone & set(node.input) and set(node.input) <= alone | constant:
            alone |= set(node.output)
    for value in [value for value in graph.value_info if value.name in alone]:
        graph.value_info.remove(value)


def _clean(model: "onnx.ModelProto", metadata: dict[str, str]) -> None:
    """Leaves the given metadata only; torch notes lines of source files, with their paths, for every operator."""
    for thing in (model, model.graph, *model.graph.node, *model.graph.input, *model.graph.output):
        del thing.metadata_props[:]
        thing.doc_string = ""
    for thing in (*model.graph.value_info, *model.graph.initializer):
        del thing.metadata_props[:]
    model.producer_name, model.producer_version = "temperfill", temperfill.__version__
    for key, value in metadata.items():
        model.metadata_props.add(key=key, value=value)


def _check_output(output: Path) -> None:
    """Refuses before the work what could not be written after it."""
    if output.suffix != SUFFIX:
        raise ValueError(f"the output must end in {SUFFIX}, got {output}")
    if output.is_dir():
        raise IsADirectoryError(f"cannot write the file {output}: it is a folder")
    if not output.parent.is_dir():
        raise FileNotFoundError(f"cannot write {output}: there is no folder {output.parent}")
    if not os.access(output.parent, os.W_OK):
        raise PermissionError(f"cannot write {output}: no permission to write in {output.parent}")


def _require(package: str) -> None:
    try:
        import_module(package)
    except ModuleNotFoundError as error:
        text = f"the export needs the package {error.name}, which is not installed: {how_to_add('onnx')}"
        raise ModuleNotFoundError(text, name=error.name) from None


def _generator(path: Path, name: str) -> Generator:
    generator: Any = load_generator(path)
    if not isinstance(generator, Generator):
        raise ValueError(f"{name} holds a {type(generator).__name__}; only our network can be exported")
    return generator
