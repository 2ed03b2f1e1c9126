"""The host divides pictures as the package does, in Python and in JavaScript, and keeps all that is known."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from temperfill.export import host
from temperfill.inpainter import plan
from temperfill.options import FillOptions

PAGE = Path(__file__).parents[2] / "src" / "temperfill" / "service" / "page"
SIZE = (700, 900)


def holes() -> list[np.ndarray]:
    """Discs of several sizes that overlap, long lines, a frame, a thick band across all, and nothing."""
    rows, columns = np.ogrid[: SIZE[0], : SIZE[1]]
    discs = np.zeros(SIZE, bool)
    for y, x, radius in ((100, 120, 70), (180, 210, 30), (600, 800, 90), (30, 860, 4)):
        discs |= (rows - y) ** 2 + (columns - x) ** 2 < radius**2
    lines, frame, band = (np.zeros(SIZE, bool) for _ in range(3))
    lines[300:320], lines[:, 400:409] = True, True
    lines[200:420, 500:720] = True
    frame[:3], frame[-3:], frame[:, :3], frame[:, -3:] = True, True, True, True
    band[250:500, 40:] = True
    return [discs, lines, frame, band, np.zeros(SIZE, bool)]


@pytest.mark.parametrize("number", range(5))
def test_windows_are_those_of_the_package(number: int) -> None:
    hole = holes()[number]
    expected = [(window.box, window.factor) for window in plan.divide(hole.copy(), FillOptions())]
    found = host.windows(hole)
    assert [(box, factor) for box, _, factor in found] == expected
    filled = np.zeros(SIZE, int)
    for box, own, _ in found:
        filled[host.at(box)] += own
    assert np.array_equal(filled, hole)


def test_small_pictures_are_one_window() -> None:
    hole = np.zeros((90, 70), bool)
    hole[80:, 60:] = True
    ((box, own, factor),) = host.windows(hole)
    assert (box, factor) == ((0, 0, 90, 70), 0)
    assert own is hole


def test_javascript_divides_alike(tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    for number, hole in enumerate(holes()[:3]):
        hole.astype(np.uint8).tofile(tmp_path / f"{number}")
    code = f"""
import fs from "node:fs";
import {{ windows }} from {json.dumps((PAGE / "host.js").as_uri())};
const found = [0, 1, 2].map((number) => {{
  const data = new Uint8Array(fs.readFileSync(`{tmp_path}/${{number}}`));
  return windows({{ width: {SIZE[1]}, height: {SIZE[0]}, data }}).map(({{ box, own, factor }}) =>
    [box.top, box.left, box.bottom, box.right, factor, own.data.reduce((sum, set, i) => sum + set * (i % 9973), 0)]);
}});
console.log(JSON.stringify(found));
"""
    command = [node, "--input-type=module", "--no-warnings", "-"]
    printed = subprocess.run(command, input=code, capture_output=True, text=True, check=True).stdout
    expected = [
        [[*box, factor, int((own.ravel() * (np.arange(own.size) % 9973)).sum())] for box, own, factor in found]
        for found in map(host.windows, holes()[:3])
    ]
    assert json.loads(printed) == expected


def test_javascript_fills_as_python_does(tmp_path: Path) -> None:
    """With a model that writes where it fills, where the rest is hidden and avoided, and by how much it shrinks."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    rng = np.random.default_rng(0)
    image, hole = rng.integers(0, 256, (*SIZE, 4), np.uint8), holes()[0] | holes()[3]
    avoid = rng.integers(0, 2, SIZE).astype(np.uint8) * 255
    image.tofile(tmp_path / "image")
    (hole * np.uint8(255)).tofile(tmp_path / "mask")
    avoid.tofile(tmp_path / "avoid")

    def run(inputs: dict[str, np.ndarray]) -> np.ndarray:
        code = (
            inputs["hidden"] // 5 + inputs["avoid"] // 15 + np.uint8(2 * inputs["factor"][0] + inputs["temperature"][0])
        )
        return np.where(inputs["mask"][..., None] > 127, code[..., None], inputs["image"])

    code = f"""
import fs from "node:fs";
import {{ fill }} from {json.dumps((PAGE / "host.js").as_uri())};
const read = (name) => new Uint8Array(fs.readFileSync(`{tmp_path}/${{name}}`));
const run = async ({{ image, mask, hidden, avoid, temperature, factor }}) => image.data.map((value, at) => {{
  const i = at >> 2, extra = 2 * Number(factor.data[0]) + temperature.data[0];
  return mask.data[i] > 127 ? Math.floor(hidden.data[i] / 5) + Math.floor(avoid.data[i] / 15) + extra : value;
}});
const image = {{ width: {SIZE[1]}, height: {SIZE[0]}, data: read("image") }};
fs.writeFileSync("{tmp_path}/result", await fill(run, image, read("mask"), {{ avoid: read("avoid"), temperature: 3 }}));
"""
    subprocess.run([node, "--input-type=module", "--no-warnings", "-"], input=code, text=True, check=True)
    given = np.fromfile(tmp_path / "result", np.uint8).reshape(image.shape)
    expected = host.fill(run, image, hole * np.uint8(255), avoid=avoid, temperature=3.0)  # type: ignore[arg-type]
    assert np.array_equal(given, expected)
    assert np.array_equal(expected[~hole], image[~hole])
    assert len(np.unique(expected[hole][:, 0])) > 2


@pytest.mark.parametrize("path", [Path(host.__file__), PAGE / "host.js"], ids=["python", "javascript"])
def test_the_host_stays_small(path: Path) -> None:
    assert sum(bool(line.strip()) for line in path.read_text().splitlines()) <= 150
