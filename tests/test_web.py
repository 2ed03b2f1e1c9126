"""The arithmetic of the page without a server equals the package's, and its build takes nothing but what was tested."""

import json
import math
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from service.editor.static_site import build_module
from temperfill import regions
from temperfill.inpainter.tone import match_tone

WEB = Path(__file__).parents[1] / "web"


def run_node(code: str) -> Any:
    """What a script, which finds the page's arithmetic under its names, prints as JSON."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    imports = [
        f"import * as {name} from {json.dumps((WEB / f'{name}.js').as_uri())};"
        for name in ("pixels", "regions", "tone")
    ]
    script = "\n".join([*imports, code])
    command = [node, "--input-type=module", "--no-warnings", "-"]
    result = subprocess.run(command, input=script, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


MAKE = """
const random = (() => { let x = 7; return () => (x = (x * 16807) % 2147483647) / 2147483647; })();
const picture = (width, height) => ({ width, height,
  data: Uint8ClampedArray.from({ length: 4 * width * height }, (_, i) => (i % 4 === 3 ? 255 : 256 * random())) });
const hole = (width, height, [x0, y0, x1, y1]) => Uint8Array.from({ length: width * height }, (_, i) =>
  Number(i % width >= x0 && i % width < x1 && i / width >= y0 && i / width < y1 + 0));
"""


@pytest.mark.parametrize(("size", "limit"), [((37, 50), 512), ((37, 50), 16), ((7, 5), 512)])
def test_filling_changes_no_known_byte(size: tuple[int, int], limit: int) -> None:
    found = run_node(f"""{MAKE}
const [width, height] = {list(size)};
const photo = picture(width, height), mask = hole(width, height, [2, 1, 5, 4]);
const box = pixels.surroundings(mask, width, height, {limit});
const size = pixels.planes(photo, mask, box, {limit});
const filled = new Float32Array(3 * size.width * size.height).fill(0.5);
const result = pixels.paste(photo, mask, box, filled, size);
const inside = [], outside = [];
result.data.forEach((value, i) => (mask[i >> 2] ? inside : outside).push([value, photo.data[i]]));
console.log(JSON.stringify({{ size, inside, outside, holes: size.mask.reduce((a, b) => a + b) }}));
""")
    assert all(after == before for after, before in found["outside"])
    assert {after for after, _ in found["inside"]} == {128, 255}  # the fill and its opacity
    assert len(found["inside"]) == 4 * 9
    assert found["size"]["width"] % 4 == 0 == found["size"]["height"] % 4
    assert min(found["size"]["width"], found["size"]["height"]) >= 12
    assert found["holes"] > 0


def test_planes_at_full_size_are_the_pixels() -> None:
    found = run_node(f"""{MAKE}
const photo = picture(16, 12), mask = hole(16, 12, [3, 3, 9, 8]);
const size = pixels.planes(photo, mask, {{ x: 0, y: 0, width: 16, height: 12 }}, 16);
console.log(JSON.stringify({{ image: [...size.image], mask: [...size.mask], data: [...photo.data], hole: [...mask] }}));
""")
    image = np.reshape(found["image"], (3, 12, 16)).transpose(1, 2, 0)
    assert np.allclose(image, np.reshape(found["data"], (12, 16, 4))[..., :3] / 255)
    assert found["mask"] == found["hole"]


def test_shrunk_planes_are_averages_and_hide_the_hole() -> None:
    found = run_node(f"""{MAKE}
const photo = picture(24, 36), mask = hole(24, 36, [5, 7, 6, 8]);
const size = pixels.planes(photo, mask, {{ x: 0, y: 0, width: 24, height: 36 }}, 12);
console.log(JSON.stringify({{ ...size, image: [...size.image], mask: [...size.mask], data: [...photo.data] }}));
""")
    width, height = found["inner"]
    assert (width, height) == (8, 12)
    data = np.reshape(found["data"], (12, 3, 8, 3, 4))[..., :3] / 255
    image = np.reshape(found["image"], (3, found["height"], found["width"]))[:, :height, :width]
    assert np.allclose(image.transpose(1, 2, 0), data.mean((1, 3)), atol=1e-6)
    mask = np.reshape(found["mask"], (found["height"], found["width"]))
    assert list(zip(*np.nonzero(mask[:height, :width]), strict=True)) == [(2, 1)]


@pytest.mark.parametrize(
    ("box", "factor"),
    [
        ((5, 5, 130, 300), 1),  # 125 across
        ((5, 5, 140, 300), 2),  # 135
        ((0, 0, 300, 400), 4),  # 300, up to the border of the picture
        ((20, 20, 20, 20), 1),  # none
    ],
)
def test_thick_holes_are_shrunk(box: tuple[int, int, int, int], factor: int) -> None:
    found = run_node(f"""{MAKE}
const mask = hole(300, 400, {list(box)});
console.log(JSON.stringify(pixels.shrinkage(mask, 300, 400)));
""")
    assert found == factor


def test_thickness_is_that_of_the_package() -> None:
    rows, columns = np.indices((300, 300))
    hole = np.hypot(rows - 140, columns - 160) < 115
    hole |= abs(rows - columns) < 30
    across = 2 * ndimage.distance_transform_edt(np.pad(hole, 1)).max()
    assert 192 / 0.92 < across < 288 / 1.08  # within 8 %, the factor is the same
    found = run_node("""
const mask = Uint8Array.from({ length: 300 * 300 }, (_, i) => {
  const y = Math.floor(i / 300), x = i % 300;
  return Math.hypot(y - 140, x - 160) < 115 || Math.abs(y - x) < 30;
});
console.log(JSON.stringify(pixels.shrinkage(mask, 300, 300)));
""")
    assert found == math.ceil(across / 96)


def test_thick_holes_make_planes_smaller() -> None:
    found = run_node(f"""{MAKE}
const photo = picture(320, 240), mask = hole(320, 240, [10, 10, 180, 180]);
const box = pixels.surroundings(mask, 320, 240, 512 * 2);
const size = pixels.planes(photo, mask, box, 512, 2);
console.log(JSON.stringify([size.width, size.height, size.inner]));
""")
    assert found == [160, 120, [160, 120]]


@pytest.mark.parametrize("size", [60, 300])
def test_tone_is_that_of_the_package(size: int) -> None:
    """Two holes and a speck, one of them at the border; above 128 pixels both compute it in blocks."""
    rows, columns = np.indices((size, size + 20))
    hole = np.hypot(rows - 0.4 * size, columns - 0.4 * size) < 0.3 * size
    hole |= (rows > 0.8 * size) & (columns > 0.7 * size)
    hole[2, 3] = True
    truth = np.stack([0.4 + 0.1 * np.sin(rows / 9), 0.5 + columns / 2000, 0.3 + rows / 3000], 2)
    noise = np.random.default_rng(0).normal(0, 0.02, truth.shape)
    filled = np.where(hole[..., None], truth + 0.05 * np.sin(columns / 20)[..., None], truth + noise).astype(np.float32)
    found = run_node(f"""
const planes = Float32Array.from({json.dumps(filled.transpose(2, 0, 1).ravel().tolist())});
const mask = Float32Array.from({json.dumps(hole.ravel().astype(int).tolist())});
tone.matchTone(planes, mask, {size + 20}, {size});
console.log(JSON.stringify([...planes]));
""")
    expected = filled.copy()
    match_tone(expected, hole, ~hole)
    assert np.abs(expected - filled).max() > 0.02
    assert np.abs(np.reshape(found, (3, size, size + 20)).transpose(1, 2, 0) - expected).max() < 1e-4


def test_a_picture_without_a_hole_has_no_surroundings() -> None:
    assert run_node("console.log(JSON.stringify(pixels.surroundings(new Uint8Array(20), 5, 4, 512)))") is None


@pytest.mark.parametrize(("dilated", "feathered"), [(0, 0), (1, 3), (6, 0), (40, 9)])
def test_holes_grow_and_fade_as_in_the_package(dilated: int, feathered: int) -> None:
    generator = np.random.default_rng(5)
    rows, columns = np.indices((60, 80))
    hole = np.hypot(rows - 20, columns - 30) < 12
    hole |= (rows > 50) & (columns < 9)
    hole[3, 70] = True
    avoid = (columns > 34) & (rows < 40)
    picture, filled = (generator.integers(0, 256, (60, 80, 4), np.uint8) for _ in range(2))
    text = [json.dumps(values.ravel().astype(int).tolist()) for values in (hole, avoid, picture, filled)]
    found = run_node(f"""
const [hole, avoid, picture, filled] = [{", ".join(f"Uint8Array.from({values})" for values in text)}];
const wide = regions.dilate(hole, 80, 60, {dilated});
regions.feather(filled, picture, wide, avoid, 80, 60, {feathered});
console.log(JSON.stringify([[...wide], [...filled]]));
""")
    wide = regions.dilate(hole, dilated)
    assert (np.reshape(found[0], wide.shape) == wide).all()
    arrays = [values[..., :3].astype(np.float32) for values in (filled, picture)]
    expected = regions.feather(*arrays, wide, feathered, avoid)
    difference = np.abs(np.reshape(found[1], filled.shape)[..., :3] - expected)
    # Of places that are equally far, the package may take another than the page.
    assert (difference[wide] <= 0.51).mean() > 0.9
    assert (difference[~wide] == 0).all()


def test_build_refuses_another_runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package whose checksum is not the pinned one is not unpacked; one that was fetched is not asked for again."""
    build = build_module()
    monkeypatch.setattr(build.shutil, "which", lambda _: "npm")
    packed = lambda *_, cwd, **__: (cwd / "onnxruntime-web.tgz").write_bytes(b"something else")  # noqa: E731
    monkeypatch.setattr(build.subprocess, "run", packed)
    with pytest.raises(ValueError, match="checksum"):
        build.fetch_runtime(tmp_path)
    assert not list(tmp_path.iterdir())
    (tmp_path / "package.json").write_text(json.dumps({"version": build.RUNTIME.rpartition("@")[2]}))
    build.fetch_runtime(tmp_path)


def test_the_built_page_says_its_policy_and_keeps_every_file(tmp_path: Path) -> None:
    build = build_module()
    (tmp_path / "runtime").mkdir()
    for name in build.RUNTIME_FILES.values():
        (tmp_path / "runtime" / name).write_text(name)
    (tmp_path / "model.onnx").write_bytes(b"network")
    output = tmp_path / "built"
    output.mkdir()
    (output / "notes.txt").write_text("not of the page")
    build.assemble(output, tmp_path / "runtime", tmp_path / "model.onnx", {"name": "tiny"})
    html = (output / "index.html").read_text(encoding="utf-8")
    assert f'http-equiv="Content-Security-Policy" content="{build.POLICY}"' in html
    assert "unsafe-inline" not in build.POLICY
    assert "http" not in build.POLICY
    assert '"' not in build.POLICY
    worker = (output / "offline.js").read_text(encoding="utf-8")
    files = {path.relative_to(output).as_posix() for path in output.rglob("*") if path.is_file()}
    assert {name for name in files if f'"{name}": ' in worker} == files - {"offline.js", "notes.txt"}
    assert (output / "page" / "engine.js").read_text() == (WEB / "engine.js").read_text()
    for script in (output / "page").glob("*.js"):
        text = script.read_text(encoding="utf-8")
        assert "https://" not in text
        assert text.startswith("// Hides: ")
        assert len(text.splitlines()) < 350
