"""MI-GAN's ONNX file: a graph of the released form with random weights."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from temperfill import methods
from temperfill.inpainter import fill

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


def write(path: Path, inputs: tuple[str, ...] = ("image", "mask")) -> np.ndarray:
    """One convolution of the known pixels, of any size; gives its weights (3, 3, 3, 3)."""
    helper, kinds = onnx.helper, onnx.TensorProto
    weight = np.random.default_rng(0).uniform(-0.2, 0.4, (3, 3, 3, 3)).astype(np.float32)
    scale, low, high = (np.array(value, np.float32) for value in (1 / 255, 0, 255))
    constants = [
        onnx.numpy_helper.from_array(value, name)
        for value, name in ((weight, "weight"), (scale, "scale"), (low, "low"), (high, "high"))
    ]
    nodes = [
        helper.make_node("Cast", [inputs[0]], ["pixels"], to=kinds.FLOAT),
        helper.make_node("Cast", [inputs[1]], ["bytes"], to=kinds.FLOAT),
        helper.make_node("Mul", ["bytes", "scale"], ["known"]),
        helper.make_node("Mul", ["pixels", "known"], ["hidden"]),
        helper.make_node("Conv", ["hidden", "weight"], ["filled"], pads=[1, 1, 1, 1]),
        helper.make_node("Clip", ["filled", "low", "high"], ["clipped"]),
        helper.make_node("Cast", ["clipped"], ["result"], to=kinds.UINT8),
    ]
    shapes = ([1, 3, "height", "width"], [1, 1, "height", "width"])
    taken = [helper.make_tensor_value_info(n, kinds.UINT8, s) for n, s in zip(inputs, shapes, strict=True)]
    given = [helper.make_tensor_value_info("result", kinds.UINT8, shapes[0])]
    graph = helper.make_graph(nodes, "migan", taken, given, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 12)])
    model.ir_version = 8
    path.write_bytes(model.SerializeToString())
    return weight


def test_the_file_fills_pictures(tmp_path: Path) -> None:
    weight = write(tmp_path / "migan.onnx")
    method = methods.load(tmp_path / "migan.onnx")
    assert method.name == "migan"
    torch.manual_seed(0)
    image = torch.randint(0, 256, (2, 3, 20, 30)).float() / 255
    mask = torch.zeros(2, 1, 20, 30)
    mask[:, :, 5:12, 4:20] = 1
    filled = fill(method, image, mask)
    kernel = torch.from_numpy(weight)
    expected = torch.nn.functional.conv2d(image * (1 - mask) * 255, kernel, padding=1).clamp(0, 255).floor() / 255
    hole = mask.expand_as(image) > 0
    assert (filled - expected).abs()[hole].max() < 1.5 / 255
    assert torch.equal(filled[~hole], image[~hole])
    assert expected[hole].std() > 0.01


@pytest.mark.parametrize("case", ["other inputs", "damaged", "none", "name"])
def test_what_is_no_such_file_is_refused(case: str, tmp_path: Path) -> None:
    path: Any = tmp_path / "migan.onnx"
    error: type[Exception] = ValueError
    if case == "other inputs":
        write(path, ("picture", "hole"))
        message = "takes .*picture.*not .*image.*as MI-GAN's"
    elif case == "damaged":
        path.write_bytes(b"no graph")
        message = "is not a readable ONNX file"
    elif case == "none":
        error, message = FileNotFoundError, "no ONNX file at"
    else:
        path, message = "migan", r"give the path of the \.onnx"
    with pytest.raises(error, match=message):
        methods.load(path)
