"""The static page fills a picture in a browser as torch does, and its arithmetic on pixels keeps what is known."""

import functools
import http.server
import importlib.util
import json
import math
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage

from temperfill.inpainter.tone import match_tone
from temperfill.methods import bundled
from temperfill.tensors import composite
from temperfill.weights_files import load_generator, read_metadata

ROOT = Path(__file__).parents[1]
WEB, BUILT = ROOT / "web", ROOT / "web" / "dist"
CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SIDE = 256
TOLERANCE = 1  # of 255: torch and the browser may round a value to either side


def run_node(code: str) -> Any:
    """What a script, which finds the page's arithmetic under its names, prints as JSON."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    imports = [f"import * as {name} from {json.dumps((WEB / f'{name}.js').as_uri())};" for name in ("pixels", "tone")]
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


def test_build_refuses_another_runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package whose checksum is not the pinned one is not unpacked."""
    specification = importlib.util.spec_from_file_location("web_build", WEB / "build.py")
    assert specification is not None
    assert specification.loader is not None
    build = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(build)
    monkeypatch.setattr(build.shutil, "which", lambda _: "npm")
    packed = lambda *_, cwd, **__: (cwd / "onnxruntime-web.tgz").write_bytes(b"something else")  # noqa: E731
    monkeypatch.setattr(build.subprocess, "run", packed)
    with pytest.raises(ValueError, match="checksum"):
        build.download(tmp_path)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Of the built page on a plain static server, without special headers."""
    if not (BUILT / "model.onnx").is_file():
        pytest.skip("the page is not built: python web/build.py")
    quiet = type("Quiet", (http.server.SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(quiet, directory=str(BUILT))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


@pytest.fixture
def page(address: str) -> Iterator[Any]:
    """The page in a fresh browser; requests to other hosts and errors of its scripts fail the test."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM.is_file():
        pytest.skip(f"no browser at {CHROMIUM}")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        page = browser.new_page(viewport={"width": 1200, "height": 800}, accept_downloads=True)
        asked: list[str] = []
        errors: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(address)
        yield page
        browser.close()
    assert not errors
    assert [url for url in asked if not url.startswith((address, "blob:", "data:"))] == []


def skip_unless_current() -> None:
    """The page may have been built with the weights of an older version."""
    onnx = pytest.importorskip("onnx", reason="needs the extra onnx")
    entries = onnx.load(BUILT / "model.onnx").metadata_props
    if read_metadata(bundled()["base"])["sha256"] not in [entry.value for entry in entries]:
        pytest.skip("the page was built with other weights: python web/build.py")


@pytest.mark.browser
@pytest.mark.weights
def test_browser_fills_as_torch_does(page: Any, tmp_path: Path) -> None:
    """Painted with the pointer, filled, saved: known pixels are identical, the hole is torch's."""
    skip_unless_current()
    with Image.open(ROOT / "src" / "temperfill" / "samples" / "photo.jpg") as photo:
        photo.convert("RGB").resize((SIDE, SIDE)).save(tmp_path / "photo.png")
    page.set_input_files("#file", str(tmp_path / "photo.png"))
    page.locator("#sheet").wait_for()
    box = page.locator("#picture").bounding_box()
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 0.4 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 0.55 * box["height"], steps=8)
    page.mouse.up()
    hole = np.array(page.evaluate("async () => [...(await import('./app.js')).hole()]"), bool).reshape(SIDE, SIDE)
    assert 0.01 < hole.mean() < 0.2
    page.click("#fill")
    page.locator("#status", has_text=re.compile("^(Filled|Not)")).wait_for(timeout=600_000)
    print(page.inner_text("#status"))
    assert page.inner_text("#status").startswith("Filled")
    with page.expect_download() as download:
        page.click("#save")
    download.value.save_as(tmp_path / "filled.png")

    with Image.open(tmp_path / "photo.png") as before, Image.open(tmp_path / "filled.png") as after:
        assert after.size == before.size
        known, given = np.asarray(before), np.asarray(after.convert("RGB"))
    assert np.array_equal(given[~hole], known[~hole])
    image = torch.from_numpy(known.astype(np.float32) / 255).permute(2, 0, 1)[None]
    mask = torch.from_numpy(hole.astype(np.float32))[None, None]
    with torch.inference_mode():
        expected = composite(load_generator(bundled()["base"])(image, mask).refined, image, mask)
    toned = expected[0].permute(1, 2, 0).contiguous().numpy()
    match_tone(toned, hole, ~hole)
    difference = np.abs(given - 255 * toned)[hole].max()
    print(f"largest difference from torch in the hole: {difference:.2f} of 255")
    assert difference <= TOLERANCE


@pytest.mark.browser
def test_large_photos_can_be_painted_to_the_pixel(page: Any, tmp_path: Path) -> None:
    """Zoomed in, the place under the pointer stays there, a step of it is less than a pixel, and strokes land there."""
    if any((BUILT / name).read_bytes() != (WEB / name).read_bytes() for name in ("app.js", "index.html", "style.css")):
        pytest.skip("the page was built of other files: python web/build.py")
    Image.new("RGB", (3000, 2000), (90, 120, 60)).save(tmp_path / "photo.png")
    page.set_input_files("#file", str(tmp_path / "photo.png"))
    page.locator("#sheet").wait_for()

    def place(x: float, y: float) -> tuple[float, float]:
        box = page.locator("#picture").bounding_box()
        return 3000 * (x - box["x"]) / box["width"], 2000 * (y - box["y"]) / box["height"]

    assert int(page.get_attribute("#size", "max")) >= 500
    whole = page.locator("#picture").bounding_box()
    x, y = whole["x"] + 0.7 * whole["width"], whole["y"] + 0.4 * whole["height"]
    target = place(x, y)
    page.mouse.move(x, y)
    page.keyboard.down("Control")
    for _ in range(12):
        page.mouse.wheel(0, -100)
    page.keyboard.up("Control")
    page.wait_for_function("document.getElementById('whole').textContent.endsWith('%')")
    page.wait_for_timeout(200)
    assert page.locator("#picture").bounding_box()["width"] / 3000 > 2
    assert place(x, y) == pytest.approx(target, abs=2)
    page.evaluate("document.getElementById('size').value = 4")
    page.mouse.down()
    page.mouse.up()
    rows, columns = np.nonzero(
        np.array(page.evaluate("async () => [...(await import('./app.js')).hole()]"), bool).reshape(2000, 3000)
    )
    assert (columns.mean() + 0.5, rows.mean() + 0.5) == pytest.approx(place(x, y), abs=1)
    assert np.ptp(columns) <= 5
    page.click("#whole")
    assert page.locator("#picture").bounding_box() == whole
