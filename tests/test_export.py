"""ONNX files give what torch gives at any size and batch, hold the attention in tiles, and run without torch."""

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from temperfill.attention import MHTMA, reference_attention
from temperfill.cli import main
from temperfill.config import GeneratorConfig, to_json
from temperfill.nets.generator import Generator
from temperfill.tensors import composite
from temperfill.weights_files import save_generator
from temperfill.weights_reading import read_metadata

onnx = pytest.importorskip("onnx", reason="needs the extra onnx")
onnxruntime = pytest.importorskip("onnxruntime", reason="needs the extra onnx")
pytest.importorskip("onnxscript", reason="needs the extra onnx")

from temperfill.export import export_onnx, onnx_file, parity  # noqa: E402
from temperfill.export.halves import store_halves  # noqa: E402
from temperfill.export.network import Completion  # noqa: E402
from temperfill.export.tiled import OPSET, resolve, tiled_attention  # noqa: E402

ROOT = Path(__file__).parents[1]
SMALL = GeneratorConfig(width=4, head_dim=4, detail=True)


def run(model: Any, *planes: torch.Tensor) -> Any:
    content = model if isinstance(model, bytes) else model.SerializeToString()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    names = [plane.name for plane in session.get_inputs()]
    (result,) = session.run(None, {name: plane.numpy() for name, plane in zip(names, planes, strict=True)})
    return result


# ---- the attention by itself


def attend_model(scores: int) -> Any:
    """A model of the attention's node alone."""
    types = [onnx.TensorProto.FLOAT] * 4 + [onnx.TensorProto.BOOL] * 2
    names = ["queries", "keys", "values", "constant", "needed", "kept"]
    ranks = [4, 4, 4, 4, 1, 1]
    inputs = [
        onnx.helper.make_tensor_value_info(name, kind, [None] * rank)
        for name, kind, rank in zip(names, types, ranks, strict=True)
    ]
    output = onnx.helper.make_tensor_value_info("result", onnx.TensorProto.FLOAT, [None] * 4)
    node = onnx.helper.make_node("attend", names, ["result"], domain="temperfill")
    graph = onnx.helper.make_graph([node], "attention", inputs, [output])
    domains = [onnx.helper.make_opsetid("", OPSET), onnx.helper.make_opsetid("temperfill", 1)]
    model = onnx.helper.make_model(graph, opset_imports=domains, ir_version=10)
    return resolve(model, scores)


def attend(monkeypatch: pytest.MonkeyPatch, scores: int, *arguments: Any, **options: Any) -> Any:
    """``tiled_attention`` with its node computed by onnxruntime."""

    def compute(name: str, inputs: tuple[torch.Tensor, ...], shape: tuple[int, ...], **_: Any) -> torch.Tensor:
        assert name == "temperfill::attend"
        result = torch.from_numpy(run(attend_model(scores), *inputs))
        assert tuple(result.shape) == tuple(shape)
        return result

    monkeypatch.setattr(torch.onnx.ops, "symbolic", compute)
    return tiled_attention(*arguments, **options)


def tensors(batch: int, queries: int, keys: int) -> list[torch.Tensor]:
    random = torch.Generator().manual_seed(0)
    draw = partial(torch.randn, generator=random)
    masked = (torch.rand(batch, keys, generator=random) > 0.6).float()
    temperatures = 0.05 + torch.rand(batch, 2, generator=random)
    return [draw(batch, 2, queries, 5), draw(batch, 2, keys, 5), draw(batch, 2, keys, 7), masked, temperatures]


@pytest.mark.parametrize("scores", [1, 2 * 2 * 31 * 20, 2**24], ids=["16 queries", "20 queries", "one tile"])
@pytest.mark.parametrize("options", [(), (-10000.0, True), (-3.0, False)], ids=["usual", "divided", "weak"])
def test_tiles_equal_the_whole_matrix(monkeypatch: pytest.MonkeyPatch, scores: int, options: tuple[Any, ...]) -> None:
    """However many tiles there are, and whatever the score of masked keys: small ones still have weight."""
    arguments = tensors(2, 53, 31)
    given = attend(monkeypatch, scores, *arguments, *options, needed=torch.ones(53, dtype=torch.bool))
    torch.testing.assert_close(given, reference_attention(*arguments, *options), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.7])
def test_needed_queries_are_right_whichever_they_are(monkeypatch: pytest.MonkeyPatch, share: float) -> None:
    arguments = tensors(2, 53, 31)
    needed = torch.rand(53, generator=torch.Generator().manual_seed(1)) < share
    given = attend(monkeypatch, 1, *arguments, needed=needed)
    expected = reference_attention(*arguments)
    assert given.isfinite().all()
    torch.testing.assert_close(given[:, :, needed], expected[:, :, needed], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("image", [0, 1])
def test_an_image_that_is_all_hole_keeps_every_key(monkeypatch: pytest.MonkeyPatch, image: int) -> None:
    """A key that is masked in one image and not in the other stays; where all are masked, all have weight."""
    arguments = tensors(2, 20, 31)
    arguments[3][image] = 1
    given = attend(monkeypatch, 1, *arguments, needed=torch.ones(20, dtype=torch.bool))
    torch.testing.assert_close(given, reference_attention(*arguments), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("scores", [1, 2**24], ids=["tiles", "one tile"])
def test_avoided_keys_have_no_weight_in_tiles(monkeypatch: pytest.MonkeyPatch, scores: int) -> None:
    """Neither their similarity nor their value is looked at: both may be no numbers."""
    torch.manual_seed(0)
    attention = MHTMA(4, head_dim=3, implementation="reference")
    features, mask, avoid = torch.randn(1, 4, 9, 8), torch.zeros(1, 1, 9, 8), torch.zeros(1, 1, 9, 8)
    mask[..., 3:5, 3:6] = 1
    avoid[..., :, 6:] = 1
    with torch.no_grad():
        temperatures = attention.temperatures(features)
        expected, _ = attention.attend(features, mask, avoid=avoid)
        assert not torch.allclose(expected, attention(features, mask))
        memory = attention.memorise(features, mask, avoid=avoid)
        hidden = memory.masked[0] > 0
        assert hidden.sum() > attention.memorise(features, mask).masked.sum()
        keys = torch.where(hidden[:, None], torch.nan, memory.keys)
        memory = memory._replace(keys=keys, values=keys)
        needed = torch.ones(72, dtype=torch.bool)
        monkeypatch.setattr(attention, "attention", partial(attend, monkeypatch, scores, needed=needed))
        given, _ = attention.look_up(memory, temperatures)
    torch.testing.assert_close(given, expected, rtol=1e-4, atol=1e-5)


def test_products_stand_in_the_loop_only() -> None:
    """Memory: outside the loop over tiles nothing multiplies queries and keys."""
    model = attend_model(2**24)
    outside = [node.op_type for node in model.graph.node]
    assert "MatMul" not in outside
    assert "Softmax" not in outside
    assert outside.count("Scan") == 1
    assert not model.functions


# ---- refusals, which come before the work


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["export", "--output", "model.pt"], ".onnx"),
        (["export", "--output", "nowhere/model.onnx"], "nowhere"),
        (["export", "telea", "--output", "model.onnx"], "telea"),
        (["export", "bse", "--output", "model.onnx"], "unknown model"),
        (["export", "missing.safetensors", "--output", "model.onnx"], "no weights file"),
        (["export", "damaged.safetensors", "--output", "model.onnx"], "damaged"),
    ],
)
def test_what_cannot_be_exported_is_refused_in_one_line(
    words: list[str], text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "damaged.safetensors"
    save_generator(path, Generator(SMALL))
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 2
    line = capfd.readouterr().err.splitlines()[-1]
    assert line.startswith("temperfill: error: ")
    assert text in line
    assert sorted(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("package", ["onnx", "onnxscript", "onnxruntime"])
def test_a_missing_package_is_named_with_its_extra(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ModuleNotFoundError, match=r"temperfill\[onnx\]"):
        export_onnx("base", tmp_path / "model.onnx")
    with pytest.raises(SystemExit) as stop:
        main(["export", "--output", str(tmp_path / "model.onnx")])
    assert stop.value.code == 2
    assert f"package {package}" in capfd.readouterr().err.splitlines()[-1]
    assert not any(tmp_path.iterdir())


def test_a_folder_is_no_output(tmp_path: Path) -> None:
    (tmp_path / "folder.onnx").mkdir()
    with pytest.raises(IsADirectoryError):
        export_onnx("base", tmp_path / "folder.onnx")


@pytest.mark.parametrize("axis", [0, 2, 3])
def test_fixed_sizes_are_refused(axis: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Torch fixes a size without a word where a network uses it as a number."""
    shape: list[Any] = ["batch", 3, "height", "width"]
    shape[axis] = 64
    plane = onnx.helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, shape)
    model = onnx.helper.make_model(onnx.helper.make_graph([], "fixed", [plane], [plane]))
    monkeypatch.setattr(onnx_file, "_trace", lambda *_: model)
    with pytest.raises(ValueError, match=rf"fixed the axes \[{axis}\] of image"):
        onnx_file.build(Generator(SMALL), {})


def test_weights_that_fp16_holds_are_stored_in_it() -> None:
    """The result is the same in every bit; what fp16 does not hold exactly stays as it is, and so do small tensors."""
    image = torch.rand(20, 20)
    weight = np.random.default_rng(0).random((20, 20)).astype(np.float16).astype(np.float32)
    others = {"third": np.full((20, 20), 1 / 3), "large": np.full((20, 20), 2.0**17), "small": weight[0]}
    values = {"weight": weight, **{name: value.astype(np.float32) for name, value in others.items()}}
    node = onnx.helper.make_node("Sum", ["image", *values], ["result"])
    planes = [onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, [20, 20]) for n in ("image", "result")]
    tensors = [onnx.numpy_helper.from_array(value, name) for name, value in values.items()]
    graph = onnx.helper.make_graph([node], "sum", planes[:1], planes[1:], tensors)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", OPSET)], ir_version=9)
    before = run(model, image)
    store_halves(model)
    onnx.checker.check_model(model, full_check=True)
    assert np.array_equal(run(model, image), before)
    kinds = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    assert kinds == dict.fromkeys(others, onnx.TensorProto.FLOAT) | {"weight.half": onnx.TensorProto.FLOAT16}


# ---- whole networks


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Generator, Path, Path]:
    """A generator, its weights and its ONNX file, written by the command."""
    folder = tmp_path_factory.mktemp("export")
    torch.manual_seed(0)
    generator = Generator(SMALL).eval()
    weights, output = folder / "small.safetensors", folder / "small.onnx"
    save_generator(weights, generator)
    main(["export", str(weights), "--part", "network", "--output", str(output)])
    return generator, weights, output


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(1, 64, 48), (3, 12, 12), (2, 12, 100), (1, 132, 24)])
@pytest.mark.parametrize("hole", ["none", "some", "all"])
def test_network_equals_torch(exported: tuple[Generator, Path, Path], shape: tuple[int, int, int], hole: str) -> None:
    generator, _, path = exported
    batch, height, width = shape
    random = torch.Generator().manual_seed(1)
    image = torch.rand(batch, 3, height, width, generator=random)
    mask = torch.full((batch, 1, height, width), float(hole == "all"))
    if hole == "some":
        mask[:, :, 2:9, 3:10] = 1
        mask[0, :, -3:, -5:] = 1
    with torch.inference_mode():
        expected = composite(generator(image, mask).refined, image, mask).numpy()
    given = run(path.read_bytes(), image, mask)
    assert np.abs(given - expected).max() < 1e-4
    known = np.broadcast_to(mask.numpy() == 0, given.shape)
    assert np.array_equal(given[known], image.numpy()[known])


@pytest.mark.slow
def test_what_is_avoided_may_be_given_and_left_out(exported: tuple[Generator, Path, Path]) -> None:
    """Left out, it is an avoid of zeros, bit for bit; given, the file does as torch."""
    generator, _, path = exported
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert [plane.name for plane in session.get_inputs()] == ["image", "mask"]
    assert [plane.name for plane in session.get_overridable_initializers()] == ["avoid"]
    image = torch.rand(2, 3, 48, 40, generator=torch.Generator().manual_seed(3))
    mask, avoid = torch.zeros(2, 1, 48, 40), torch.zeros(2, 1, 48, 40)
    mask[..., 16:32, 16:32] = 1
    planes = {"image": image.numpy(), "mask": mask.numpy()}
    (without,) = session.run(None, planes)
    (empty,) = session.run(None, planes | {"avoid": avoid.numpy()})
    assert np.array_equal(without, empty)
    avoid[0, :, :, 32:] = 1
    (given,) = session.run(None, planes | {"avoid": avoid.numpy()})
    with torch.inference_mode():
        expected = composite(generator(image, mask, avoid=avoid).refined, image, mask).numpy()
    assert np.abs(given - expected).max() < 1e-5
    changed = np.abs(given - without).reshape(2, -1).max(1)
    assert changed[0] > 1e-4  # and the second picture, which avoids nothing, is what it was
    assert changed[1] < 1e-5


@pytest.mark.slow
def test_hidden_pixels_take_no_part_and_masks_are_cut_at_half(exported: tuple[Generator, Path, Path]) -> None:
    content = exported[2].read_bytes()
    image = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(2))
    mask = torch.zeros(1, 1, 32, 32)
    mask[..., 8:20, 10:22] = 1
    other = torch.where(mask > 0, 1 - image, image)
    assert np.array_equal(run(content, image, mask), run(content, other, mask))
    assert np.array_equal(run(content, image, mask), run(content, image, 255 * mask))


@pytest.mark.slow
def test_file_is_whole_and_says_what_it_is(exported: tuple[Generator, Path, Path]) -> None:
    """One file without external data, at the promised opset, without names of this machine's files."""
    _, weights, path = exported
    assert [entry.name for entry in sorted(path.parent.iterdir())] == ["small.onnx", "small.safetensors"]
    model = onnx.load(path, load_external_data=False)
    onnx.checker.check_model(model, full_check=True)
    assert [(domain.domain, domain.version) for domain in model.opset_import if not domain.domain] == [("", OPSET)]
    assert not any(tensor.external_data for tensor in model.graph.initializer)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    assert metadata["model"] == "small"
    assert metadata["sha256"] == read_metadata(weights)["sha256"]
    assert json.loads(metadata["config"]) == to_json(SMALL)
    assert [plane.name for plane in model.graph.input] == ["image", "mask", "avoid"]
    shapes = {tensor.name: tensor.dims for tensor in model.graph.initializer}
    assert {shapes[node.input[1]][1] % 4 for node in model.graph.node if node.op_type == "Conv"} == {0}
    assert [plane.name for plane in model.graph.output] == ["composite"]
    assert os.fsencode(ROOT) not in path.read_bytes()


@pytest.mark.slow
def test_a_model_that_differs_from_torch_is_not_written(
    exported: tuple[Generator, Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The comparison sees other weights, and what it refuses leaves nothing, or the old file."""
    _, weights, path = exported
    model = onnx.load(path)
    torch.manual_seed(1)
    other = Generator(SMALL).eval()
    assert not any(difference.passes for difference in parity.compare(path.read_bytes(), other))
    monkeypatch.setattr(onnx_file, "build", lambda *_: model)
    monkeypatch.setattr(onnx_file, "load_generator", lambda *_, **__: other)
    output = tmp_path / "model.onnx"
    for content in (None, b"old"):
        if content:
            output.write_bytes(content)
        with pytest.raises(SystemExit) as stop:
            main(["export", str(weights), "--part", "network", "--output", str(output)])
        assert stop.value.code == 2
        assert [entry.read_bytes() for entry in tmp_path.iterdir()] == ([content] if content else [])


@pytest.mark.slow
def test_a_sketch_is_a_third_input(tmp_path: Path) -> None:
    torch.manual_seed(0)
    generator = Generator(GeneratorConfig(width=2, head_dim=2, sketch=True)).eval()
    model = onnx_file.build(generator, {})
    assert [plane.name for plane in model.graph.input] == ["image", "mask", "sketch", "avoid"]
    found = parity.compare(model.SerializeToString(), generator)
    assert {(difference.shape[0], difference.shape[2:]) for difference in found} == {
        (batch, size) for batch in parity.BATCHES for size in parity.SIZES
    }
    assert all(difference.passes for difference in found)


@pytest.mark.slow
def test_example_runs_without_torch(exported: tuple[Generator, Path, Path], tmp_path: Path) -> None:
    """On a photo of odd size; known pixels are identical, and the hole is torch's."""
    generator, _, model = exported
    pixels = np.random.default_rng(0).integers(0, 256, (31, 45, 3), np.uint8)
    hole = np.zeros((31, 45), bool)
    hole[20:31, 30:45] = True
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    Image.fromarray(hole.astype(np.uint8) * 255).save(tmp_path / "mask.png")
    paths = [str(tmp_path / name) for name in ("photo.png", "mask.png", "filled.png")]
    code = f"""
import importlib.abc, runpy, sys
class Block(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "temperfill"):
            raise ModuleNotFoundError("blocked " + name, name=name)
sys.meta_path.insert(0, Block())
sys.argv = ["onnx_fill.py", {str(model)!r}, *{paths!r}]
runpy.run_path({str(ROOT / "examples" / "onnx_fill.py")!r}, run_name="__main__")
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    with Image.open(paths[2]) as result:
        given = np.asarray(result)
    assert np.array_equal(given[~hole], pixels[~hole])
    padded = np.pad(pixels, [(0, 1), (0, 3), (0, 0)], "edge")
    image = torch.from_numpy(padded.transpose(2, 0, 1)[None].astype(np.float32) / 255)
    mask = torch.from_numpy(np.pad(hole, [(0, 1), (0, 3)], "edge").astype(np.float32))[None, None]
    with torch.inference_mode():
        expected = generator(image, mask).refined[0, :, :31, :45].permute(1, 2, 0).numpy() * 255
    assert np.abs(given - expected)[hole].max() <= 0.51  # rounded to whole values


@pytest.mark.slow
def test_example_gives_lines_to_a_model_that_takes_them(tmp_path: Path) -> None:
    torch.manual_seed(0)
    weights, model = tmp_path / "weights.safetensors", tmp_path / "model.onnx"
    save_generator(weights, Generator(GeneratorConfig(width=2, head_dim=2, sketch=True)))
    main(["export", str(weights), "--part", "network", "--output", str(model)])
    rng, hole, lines = np.random.default_rng(0), np.zeros((30, 45), np.uint8), np.zeros((30, 45), np.uint8)
    hole[8:28, 10:40], lines[15] = 255, 255
    for name, pixels in (("photo", rng.integers(0, 256, (30, 45, 3), np.uint8)), ("mask", hole), ("lines", lines)):
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    results = []
    for sketch in ([], [str(tmp_path / "lines.png")]):
        paths = [str(tmp_path / name) for name in ("photo.png", "mask.png", "filled.png")]
        example = str(ROOT / "examples" / "onnx_fill.py")
        subprocess.run([sys.executable, example, str(model), *paths, *sketch], check=True)
        results.append(np.asarray(Image.open(paths[2])).copy())
    assert np.array_equal(results[0][hole == 0], results[1][hole == 0])
    assert not np.array_equal(results[0], results[1])


@pytest.mark.parametrize("attention", ["atma", "contextual"])
def test_wrapper_leaves_the_generator_as_it_was(attention: str) -> None:
    """Networks without MHTMA are exported as they are; smaller sizes need no whole patch."""
    generator = Generator(GeneratorConfig(width=2, head_dim=2, attention=attention)).eval()  # type: ignore[arg-type]
    network = Completion(generator)
    image, mask = torch.rand(1, 3, 16, 16), torch.zeros(1, 1, 16, 16)
    mask[..., 4:9, 4:9] = 1
    with torch.inference_mode():
        expected = composite(generator(image, mask).refined, image, mask)
        assert torch.equal(network(image, mask), expected)
