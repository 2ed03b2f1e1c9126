"""Takes the pictures of the editor in the documents: `python tools/editor_pictures.py docs/images`.

It drives `temperfill edit` in Chromium, by Playwright for Python. The photograph is skimage.data.astronaut(), by NASA,
in the public domain.
"""

import io
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright
from skimage.data import astronaut

CHROMIUM = "/usr/bin/chromium"
PATCH = (171, 384)  # column and row of the middle of a sewn emblem
BADGE = [(282, 360), (328, 368)]
HAIR = [(x, y) for y in (20, 34, 48, 62) for x in (164, 292)]
LINE = [(159, 78), (160, 54), (186, 30), (207, 22), (228, 43), (256, 22), (284, 30), (297, 54), (298, 76)]
SECONDS = 120_000  # milliseconds that a fill may take


class Editor:
    """The page with the photograph; points are its pixels, [column, row]."""

    def __init__(self, page: Page) -> None:
        self.page = page
        page.set_default_timeout(SECONDS)
        page.wait_for_selector("[data-tool=sources][aria-disabled=false]", state="attached")
        self.wait_for("is open")

    def wait_for(self, words: str) -> None:
        self.page.locator("#status", has_text=words).wait_for()

    def at(self, column: float, row: float) -> tuple[float, float]:
        """Where a pixel of the photograph, which is seen as a whole, lies in the window."""
        box = self.page.locator("#stage").bounding_box()
        ratio = self.page.evaluate("window.devicePixelRatio")
        scale = float(self.page.locator("#zoom-value").inner_text().split()[0]) / 100 / ratio
        if box is None:
            raise RuntimeError("the page shows no photograph")
        return box["x"] + box["width"] / 2 + (column - 256) * scale, box["y"] + box["height"] / 2 + (row - 256) * scale

    def stroke(self, points: Sequence[tuple[float, float]]) -> None:
        self.page.mouse.move(*self.at(*points[0]))
        self.page.mouse.down()
        for point in points:
            self.page.mouse.move(*self.at(*point), steps=8)
        self.page.mouse.up()

    def size(self, pixels: int) -> None:
        """Sets the brush by the slider, whose steps are powers."""
        self.page.evaluate(
            """(pixels) => {
              const slider = document.querySelector("#size");
              for (let step = 0; step <= 100; step += 1) {
                slider.value = step;
                slider.dispatchEvent(new Event("input"));
                if (Number.parseInt(document.querySelector("#size-value").textContent, 10) >= pixels) return;
              }
            }""",
            pixels,
        )

    def fill(self) -> None:
        self.page.keyboard.press("f")
        self.wait_for("is ready")

    def cover_patch(self) -> None:
        self.size(90)
        self.stroke([PATCH, (PATCH[0] + 1, PATCH[1])])
        self.size(26)


def sources(editor: Editor) -> None:
    """A filled place with its tries, the pixel that one place was copied from, and a part that is protected."""
    editor.page.click("#options-button")
    editor.page.select_option("#texture", "copy")  # or all tries of a small hole are the same
    editor.page.keyboard.press("Escape")
    editor.cover_patch()
    editor.fill()
    editor.page.keyboard.press("t")
    editor.wait_for("Choose the try")
    editor.page.click("[data-action=close-tries]")
    editor.page.keyboard.press("w")
    editor.stroke(BADGE)
    editor.page.mouse.click(*editor.at(*PATCH))
    editor.page.wait_for_selector("#sources-heads section")
    for head in editor.page.locator("#sources-heads input").all():
        head.uncheck()


def phone(editor: Editor) -> None:
    """A result, and a mark for the next."""
    editor.cover_patch()
    editor.fill()
    editor.stroke(BADGE)


def lines(editor: Editor) -> None:
    """A marked hole, and a line that its filling follows."""
    editor.size(22)
    editor.stroke(HAIR)
    editor.page.keyboard.press("l")
    editor.stroke(LINE)


def extending(editor: Editor) -> None:
    """Two edges that were moved outwards."""
    editor.page.keyboard.press("x")
    editor.page.fill("#extend [name=left]", "120")
    editor.page.fill("#extend [name=top]", "60")


PICTURES: dict[str, tuple[int, int, Callable[[Editor], None]]] = {
    "editor": (1280, 800, sources),
    "editor-phone": (390, 844, phone),
    "editor-lines": (1180, 760, lines),
    "editor-extend": (1180, 700, extending),
}


def main(folder: Path) -> None:
    """Writes the pictures into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        photo = Path(scratch) / "photo.jpg"
        Image.fromarray(astronaut()).save(photo, quality=95)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        with edited(photo) as address:
            for name, (width, height, act) in PICTURES.items():
                take(browser, address, folder / f"{name}.png", (width, height), act)
        browser.close()


@contextmanager
def edited(photo: Path) -> Iterator[str]:
    """The address at which the editor has a photo open."""
    command = [sys.executable, "-u", "-m", "temperfill", "edit", str(photo), "--no-browser"]
    with subprocess.Popen(command, stderr=subprocess.STDOUT, stdout=subprocess.PIPE, text=True) as process:
        if process.stdout is None:
            raise RuntimeError("the editor has no output")
        lines_of = (re.search(r"http://\S+#token=[\w-]+", line) for line in process.stdout)
        try:
            yield next(found[0] for found in lines_of if found)
        finally:
            process.terminate()


def take(browser: Browser, address: str, path: Path, size: tuple[int, int], act: Callable[[Editor], None]) -> None:
    """Writes a picture of a window in which something was done, with 256 colours, which are enough for a page."""
    context = browser.new_context(viewport={"width": size[0], "height": size[1]})
    page = context.new_page()
    page.goto(address)
    act(Editor(page))
    page.mouse.move(1, 1)  # no ring of the brush
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    picture.quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
    context.close()


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
