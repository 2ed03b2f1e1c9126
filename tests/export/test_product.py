"""The steps of the exported graph give what the package's own give; and all of it, on whole pictures."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from temperfill.cli import main
from temperfill.geometry import SizeRule
from temperfill.images import open_picture
from temperfill.inpainter import Inpainter, plan, planes, surroundings, texture
from temperfill.inpainter.filling import pad
from temperfill.inpainter.tone import match_tone
from temperfill.inpainter.transfer import carry_detail
from temperfill.options import FillOptions

onnx = pytest.importorskip("onnx", reason="needs the extra onnx")
onnxruntime = pytest.importorskip("onnxruntime", reason="needs the extra onnx")
onnxscript = pytest.importorskip("onnxscript", reason="needs the extra onnx")

from temperfill.export import host  # noqa: E402
from temperfill.export.product import (  # noqa: E402
    assembly,
    colours,
    detail,
    geometry,
    grain,
    graph,
    lines,
    random_numbers,
    scales,
    tone,
)

PHOTOS = os.environ.get("TEMPERFILL_PHOTOS")
TYPES = {"b": onnx.TensorProto.BOOL, "f": onnx.TensorProto.FLOAT, "i": onnx.TensorProto.INT64}


def session(model: Any) -> Any:
    quiet = onnxruntime.SessionOptions()
    quiet.log_severity_level = 3
    return onnxruntime.InferenceSession(model, quiet, providers=["CPUExecutionProvider"])


def compute(function: Any, *values: Any) -> Any:
    """What one function of the graph gives."""
    proto = function.to_function_proto()
    given = [np.asarray(value) for value in values]
    names = [f"in_{number}" for number in range(len(given))]
    inputs = [
        onnx.helper.make_tensor_value_info(name, TYPES[value.dtype.kind], [None] * value.ndim)
        for name, value in zip(names, given, strict=True)
    ]
    outputs = [onnx.ValueInfoProto(name=f"out_{number}") for number in range(len(proto.output))]
    node = onnx.helper.make_node(proto.name, names, [output.name for output in outputs], domain=proto.domain)
    graph = onnx.helper.make_graph([node], "test", inputs, outputs)
    domains = [onnx.helper.make_opsetid("", 18), onnx.helper.make_opsetid(proto.domain, 1)]
    model = onnx.helper.make_model(graph, opset_imports=domains, ir_version=assembly.IR_VERSION)
    model.functions.extend([proto, *assembly.called(function)])
    model = onnx.shape_inference.infer_shapes(onnx.inliner.inline_local_functions(model))
    results = session(model.SerializeToString()).run(None, dict(zip(names, given, strict=True)))
    return results[0] if len(results) == 1 else results


def one(value: int) -> np.ndarray:
    return np.array([value])


@pytest.mark.parametrize("size", [(60, 80), (300, 320)])
def test_tone_and_bounds_are_those_of_the_package(size: tuple[int, int]) -> None:
    """Two holes and a speck, one of them at the border; above 128 pixels both compute it in blocks."""
    rows, columns = np.indices(size)
    hole = np.hypot(rows - 0.4 * size[0], columns - 0.4 * size[0]) < 0.3 * size[0]
    hole |= (rows > 0.8 * size[0]) & (columns > 0.7 * size[0])
    hole[2, 3] = True
    truth = np.stack([0.4 + 0.1 * np.sin(rows / 9), 0.5 + columns / 2000, 0.3 + rows / 3000], 2)
    noise = np.random.default_rng(0).normal(0, 0.02, truth.shape)
    filled = np.where(hole[..., None], truth + 0.05 * np.sin(columns / 20)[..., None], truth + noise).astype(np.float32)
    known = ~hole
    known[:, :5] = False
    expected = filled.copy()
    match_tone(expected, hole, known)
    surroundings.bound(expected, hole, known)
    given = compute(tone.matched, filled.transpose(2, 0, 1).copy(), hole, known).transpose(1, 2, 0)
    assert np.abs(expected - filled).max() > 0.02
    assert np.abs(given - expected).max() < 1e-5
    assert np.array_equal(given[~hole], filled[~hole])


def test_detail_is_carried_as_in_the_package() -> None:
    rng = np.random.default_rng(0)
    image, cells = rng.random((1, 3, 96, 144), dtype=np.float32), np.array([3, 4, 17, 40, 95])
    sources, shares = rng.integers(0, 96, (5, 4)), rng.random((5, 4)).astype(np.float32)
    shares /= shares.sum(1, keepdims=True)
    expected = carry_detail(image, cells, shares, sources, 12)
    assert np.abs(compute(detail.carried, image, cells, shares, sources, one(12)) - expected).max() < 1e-5


@pytest.mark.parametrize("seed", range(4))
def test_strips_along_the_border_are_found_and_continued(seed: int) -> None:
    rng = np.random.default_rng(seed)
    hole = np.zeros(rng.integers(8, 90, 2), bool)
    for turns in rng.integers(0, 4, 4):
        turned = np.rot90(hole, turns)
        start = rng.integers(turned.shape[1])
        turned[: rng.integers(1, 9), start : start + rng.integers(1, 90)] = True
    expected = surroundings.rims(hole)
    assert np.array_equal(compute(colours.rims, hole), expected)
    rgb = rng.random((*hole.shape, 3), dtype=np.float32)
    given = compute(colours.continued, rgb.transpose(2, 0, 1)[None].copy(), hole, expected)[0].transpose(1, 2, 0)
    surroundings.continue_colours(rgb, hole, expected)
    assert np.abs(given - rgb).max() < 1e-5


@pytest.mark.parametrize("across", [100, 128, 129, 192, 193, 300])
def test_thickness_decides_the_factor(across: int) -> None:
    hole = np.zeros((400, 380), bool)
    hole[10 : 10 + across, 20 : 20 + across] = True
    assert compute(scales.first_factor, hole) == plan.divide(hole, FillOptions())[0].factor


def test_sizes_of_windows_and_pictures_are_those_of_the_package() -> None:
    image = np.random.default_rng(0).random((1, 3, 101, 130), np.float32)
    small = compute(scales.shrunk_mean, image, one(3), one(12))
    assert np.abs(small - planes.shrink_image(image, 3)).max() < 1e-6
    assert np.abs(compute(scales.enlarged, image, one(3)) - planes.enlarge(image, 3)).max() < 1e-4
    hole = np.zeros((1400, 1300), bool)
    hole[100:1000, 200:1200] = True
    window = plan.ScaledWindow((0, 0, 1400, 1300), hole, 9, 900.0)
    box = compute(scales.widened, np.array([100, 200, 1000, 1200]), np.array(hole.shape))
    assert tuple(box) == window.refined.box
    sizes, finest = window.sizes(9, 1), compute(scales.finest_factor, window.refined.hole)
    assert int(finest[0]) == sizes[-1]


@pytest.mark.parametrize("side", [300, 1024, 1025, 2048, 2400, 3000])
@pytest.mark.parametrize("share", [0.02, 0.5])
def test_the_finest_factor_is_that_of_the_package(side: int, share: float) -> None:
    """Where the pairs decide, where the pixels do, and on both sides of a step."""
    hole = np.zeros((side, side), bool)
    hole[: int(side * share)] = True
    window = plan.ScaledWindow((0, 0, side, side), hole, 60, 900.0)
    seen = plan.ScaledWindow(window.box, window.refined.hole, 60, 900.0)
    expected = seen.sizes(60, 1)[-1]
    assert int(compute(scales.finest_factor, seen.refined.hole)[0]) == expected


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_lines_are_thinned_at_the_size_that_the_network_sees(factor: int) -> None:
    """Thick strokes that cross, touch each other and end at every border, in a picture of no whole number of cells."""
    rows, columns = np.indices((61, 83))
    sketch = (np.abs(rows - columns) < 4) | (np.abs(rows + columns - 80) < 3) | (np.abs(columns - 80) < 2)
    sketch |= np.abs(np.hypot(rows - 30, columns - 40) - 20) < np.random.default_rng(0).uniform(1, 4, rows.shape)
    plane = sketch[None, None].astype(np.float32)
    expected = pad(planes.Planes(plane, plane, plane).shrunk(factor).sketch, SizeRule(4, 40))
    given = compute(lines.lines_seen, plane, one(factor), one(40))
    assert np.array_equal(given, expected)
    assert 0 < given.sum() < given.size / 5


def test_random_numbers_are_those_of_numpy() -> None:
    """More than one round of states gives, and a number that is no whole number of pairs; to a few of the last bits."""
    number = 1024 * 624 // 2
    expected = np.random.RandomState(0).standard_normal(number - 1).astype(np.float32)
    given = compute(random_numbers.normal_numbers, one(number - 1))
    assert np.abs(given / expected - 1).max() < 1e-6


def numbers_in(nodes: Any) -> set[int]:
    """Types of the constants and of the results of casts in nodes."""
    found = set()
    for node in nodes:
        for attribute in node.attribute:
            found |= {attribute.i} if (node.op_type, attribute.name) == ("Cast", "to") else set()
            found |= {attribute.t.data_type} if attribute.HasField("t") else set()
            found |= numbers_in(attribute.g.node) if attribute.HasField("g") else set()
    return found


def test_nothing_is_computed_in_float64() -> None:
    """The build of onnxruntime-web for graphics cards does not know it."""
    parts = (colours, detail, geometry, grain, graph, lines, random_numbers, scales, tone)
    functions = [thing for part in parts for thing in vars(part).values() if isinstance(thing, onnxscript.OnnxFunction)]
    types = set.union(*(numbers_in(function.to_function_proto().node) for function in functions))
    assert onnx.TensorProto.INT64 in types
    assert onnx.TensorProto.DOUBLE not in types


@pytest.mark.parametrize("case", ["coloured", "at the border", "clean", "texture", "small"])
def test_grain_goes_on_as_in_the_package(case: str) -> None:
    """Noise that is softer in one channel and partly grey; the hole is rounded and has a second part."""
    size = (30, 60) if case == "small" else (203, 230)
    rows, columns = np.indices(size)
    noise = np.random.default_rng(0).normal(0, {"clean": 0.2, "texture": 30}.get(case, 5) / 255, (3, *size))
    noise = 0.6 * noise + 0.4 * noise.mean(0)
    noise[2] = (noise[2] + np.roll(noise[2], 1, 1)) / 2
    smooth = np.stack([0.4 + rows / 900, 0.5 + columns / 2000, 0.3 + rows / 3000])
    hole = np.hypot(rows - 90, columns - (20 if case == "at the border" else 120)) < 50
    hole[-12:, -14:] = True
    image = np.where(hole, smooth, smooth + noise).clip(0, 1).astype(np.float32)
    known = ~hole & (rows + columns > 40)
    expected = image.transpose(1, 2, 0).copy()
    texture.continue_noise(expected, hole, known, 0)
    given = compute(grain.grained, image, hole, known)
    assert np.abs(given - expected.transpose(2, 0, 1)).max() < 1e-4
    assert np.array_equal(given[:, ~hole], image[:, ~hole])
    assert (np.abs(given - image).max() > 0.03) == (case in ("coloured", "at the border"))


def test_parts_of_holes_are_numbered() -> None:
    hole = np.zeros((64, 100), bool)
    hole[3:9, 4:90], hole[40:, 70:], hole[60:, :5] = True, True, True
    numbers = compute(geometry.numbered, hole, one(8))
    assert len(np.unique(numbers)) == 4
    assert tuple(compute(geometry.bounds, hole)) == (3, 0, 64, 100)


# ---- whole pictures


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("whole") / "base.onnx"
    main(["export", "--output", str(path)])
    return path


def pictures() -> list[np.ndarray]:
    """50 photographs of the folder that TEMPERFILL_PHOTOS names, else smooth ones with noise; a tenth are larger."""
    found = sorted(Path(PHOTOS).glob("*/val/*.jpg"))[::5] if PHOTOS else []
    large = sorted(Path(PHOTOS).glob("large/*.jpg")) if PHOTOS else []
    rng, result = np.random.default_rng(0), []
    for number in range(50):
        side = 960 if number % 10 == 9 else 256
        paths = large if side > 256 else found
        if paths:
            with Image.open(paths[number % len(paths)]) as photo:
                result.append(np.asarray(photo.convert("RGB").resize((side, side * 3 // 4))))
        else:
            coarse = Image.fromarray(rng.integers(0, 256, (12, 16, 3), np.uint8)).resize((side, side * 3 // 4))
            result.append(
                np.clip(np.asarray(coarse) + rng.normal(0, 6, (side * 3 // 4, side, 3)), 0, 255).astype(np.uint8)
            )
    return result


@pytest.mark.slow
@pytest.mark.weights
def test_the_product_fills_as_the_package_does(whole: Path) -> None:
    """Known pixels are equal; the hole is within 2 of 255 at the 99.9th percentile."""
    model = session(str(whole))
    inpainter = Inpainter.from_pretrained("base", "cpu", "fp32")
    rng = np.random.default_rng(1)
    for number, image in enumerate(pictures()):
        hole = np.zeros(image.shape[:2], bool)
        for _ in range(int(rng.integers(1, 4))):
            top, left = (int(rng.integers(length - 20)) for length in hole.shape)
            hole[top : top + int(rng.integers(3, 150)), left : left + int(rng.integers(3, 150))] = True
        given = host.fill(lambda inputs: model.run(None, dict(inputs))[0], image, hole * np.uint8(255))
        expected = inpainter.complete(open_picture(Image.fromarray(image)), hole, None, FillOptions(texture="network"))
        difference = np.abs(given.astype(int) - expected.pixels)
        print(number, image.shape, np.percentile(difference[hole], 99.9), difference.max())
        assert np.array_equal(given[~hole], image[~hole])
        assert np.percentile(difference[hole], 99.9) <= 2


@pytest.mark.slow
@pytest.mark.weights
def test_the_file_says_what_it_is(whole: Path, capfd: pytest.CaptureFixture[str]) -> None:
    model = onnx.load(whole, load_external_data=False)
    onnx.checker.check_model(model, full_check=True)
    assert [(entry.domain, entry.version) for entry in model.opset_import if not entry.domain] == [("", 18)]
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(metadata["config"])["attention"] == "mhtma"
    assert {"model", "sha256", "terms", "temperfill"} <= set(metadata)
    assert [plane.name for plane in model.graph.input] == [
        "image", "mask", "hidden", "sketch", "avoid", "temperature", "factor",
    ]  # fmt: skip
    opened = onnxruntime.InferenceSession(whole, providers=["CPUExecutionProvider"])
    assert capfd.readouterr().err == ""  # no warning of what the runtime cannot fold
    pixels = np.random.default_rng(0).integers(0, 256, (45, 31, 4), np.uint8)
    hole = np.zeros((45, 31), bool)
    hole[10:30, 8:28] = True
    (filled,) = opened.run(None, assembly.DEFAULTS | {"image": pixels, "mask": hole * np.uint8(255)})
    assert np.array_equal(filled[~hole], pixels[~hole])
    assert np.array_equal(filled[..., 3], pixels[..., 3])
    assert not np.array_equal(filled[hole], pixels[hole])
