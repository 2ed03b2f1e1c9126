"""How well the editor's "snap to object" meets objects that were outlined by hand: overlap from boxes and strokes.

python benchmarks/snapping.py FOLDER [FOLDER ...]     # folders with the photographs; prints a table

The outlines stand in snapping_outlines.json with the names of their photographs, which are not in the repository.
Boxes leave 4 to 12 % of room on each side; strokes follow the middle of the object, as thick as a quarter of it, with
jitter. The page's own code runs in Chromium, by Playwright for Python. Seconds include what the worker does.
"""

import argparse
import base64
import json
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

if TYPE_CHECKING:
    from playwright.sync_api import Page

HERE = Path(__file__).parent
SERVICE = HERE.parent / "src" / "temperfill" / "service"
Mask = NDArray[np.bool_]
SNAP = """async ([content, mark]) => {
  const { snapToObject } = await import("/page/objects.js");
  const full = await createImageBitmap(await (await fetch(`data:image/*;base64,${content}`)).blob());
  const start = performance.now();
  const found = await snapToObject({ full, width: full.width, height: full.height }, mark);
  const seconds = (performance.now() - start) / 1000;
  return found && { box: found.box, seconds, bytes: Array.from(found.bytes, String).join("") };
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    arguments = parser.parse_args()
    from playwright.sync_api import sync_playwright

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(SERVICE)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=arguments.chromium, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{server.server_address[1]}/page/icon.svg")
        report(page, arguments.folders)
        browser.close()
    server.shutdown()


class Quiet(SimpleHTTPRequestHandler):
    """Serves the page's files without a log."""

    def log_message(self, format: str, *args: Any) -> None:
        pass


def report(page: "Page", folders: list[Path]) -> None:
    """Measures all objects whose photograph is there, and prints a row for each."""
    print("| object | from a box | s | from a stroke | s |\n|---|---|---|---|---|", flush=True)
    scores: dict[str, list[float]] = {"box": [], "stroke": []}
    objects = json.loads((HERE / "snapping_outlines.json").read_text(encoding="utf-8"))
    for name, told in objects.items():
        path = next((folder / told["photo"] for folder in folders if (folder / told["photo"]).is_file()), None)
        if path is None:
            print(f"| {name} | no {told['photo']} | | | |")
            continue
        truth = drawn(told["outline"], Image.open(path).size)
        cells = []
        for kind, mark in (("box", box_around(name, truth)), ("stroke", stroke_on(name, truth))):
            found = page.evaluate(SNAP, [base64.b64encode(path.read_bytes()).decode(), mark])
            overlap = iou(placed(found, truth.shape), truth) if found else 0.0
            scores[kind].append(overlap)
            cells.append(f"{overlap:.3f} | {found['seconds'] if found else 0:.1f}")
        print(f"| {name} | {' | '.join(cells)} |", flush=True)
    if scores["box"]:
        print(f"| mean | {np.mean(scores['box']):.3f} | | {np.mean(scores['stroke']):.3f} | |")


def drawn(outline: list[list[int]], size: tuple[int, int]) -> Mask:
    """The object within an outline, in a picture of a width and height."""
    picture = Image.new("L", size)
    ImageDraw.Draw(picture).polygon([(x, y) for x, y in outline], fill=255)
    return np.asarray(picture) > 0


def box_around(name: str, truth: Mask) -> dict[str, Any]:
    """A rectangle as the page has it, with room of its own on each side."""
    generator = np.random.default_rng(len(name) + 7)
    rows, columns = np.nonzero(truth)
    height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
    room = [round(float(side * generator.uniform(0.04, 0.12))) for side in (width, height, width, height)]
    left, top = max(columns.min() - room[0], 0), max(rows.min() - room[1], 0)
    right, bottom = min(columns.max() + 1 + room[2], truth.shape[1]), min(rows.max() + 1 + room[3], truth.shape[0])
    corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
    return {"points": [[int(x), int(y)] for x, y in corners], "size": 0}


def stroke_on(name: str, truth: Mask) -> dict[str, Any]:
    """Five points along the object's longer side, each near the middle of it there."""
    generator = np.random.default_rng(len(name))
    rows, columns = np.nonzero(truth)
    is_tall = np.ptp(rows) >= np.ptp(columns)
    along, low, length = (
        (truth, rows.min(), np.ptp(rows) + 1) if is_tall else (truth.T, columns.min(), np.ptp(columns) + 1)
    )
    points = []
    for share in np.linspace(0.12, 0.88, 5):
        place = low + round(share * length)
        (inside,) = np.nonzero(along[place])
        middle = inside.mean() + generator.normal() * len(inside) * 0.06
        points.append([float(middle), float(place)] if is_tall else [float(place), float(middle)])
    return {"points": points, "size": max(float(min(np.ptp(rows), np.ptp(columns)) + 1) / 4, 3.0)}


def placed(found: dict[str, Any], shape: tuple[int, ...]) -> Mask:
    """An answer of the page at its place in the picture."""
    left, top, right, bottom = found["box"]
    mask = np.zeros(shape, np.bool_)
    mask[top:bottom, left:right] = np.reshape(
        [letter == "1" for letter in found["bytes"]], (bottom - top, right - left)
    )
    return mask


def iou(one: Mask, other: Mask) -> float:
    return float((one & other).sum() / (one | other).sum())


if __name__ == "__main__":
    main()
