"""The clone and the healing brush: exact copies, tones that fit, one history, with mouse, finger and keys."""

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from service.editor.driver import BOTH, EditorPage, OpenEditor, photo
from service.editor.fake_server import FakeServer

pytestmark = pytest.mark.browser
ORIGINAL = photo(640, 400)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    Image.fromarray(ORIGINAL).save(tmp_path / "wall.png")
    return tmp_path / "wall.png"


def choose(editor: EditorPage, tool: str, soft: int = 0) -> None:
    editor.page.keyboard.press({"heal": "j", "clone": "k"}[tool])
    slider = editor.page.locator("#retouch input")
    slider.evaluate("(input, to) => { input.value = to; }", soft)


def set_source(editor: EditorPage, right: float, down: float) -> None:
    x, y = editor.centre
    editor.page.keyboard.down("Alt")
    editor.page.mouse.click(x + right, y + down)
    editor.page.keyboard.up("Alt")
    editor.wait_for_status("Source set")


def saved(editor: EditorPage, folder: Path) -> Any:
    return np.asarray(Image.open(editor.save(folder, "png")).convert("RGB"))


@BOTH
def test_a_clone_is_an_exact_copy_and_one_step_of_the_history(
    open_editor: OpenEditor, picture: Path, tmp_path: Path
) -> None:
    editor = open_editor()
    press = editor.page.keyboard.press
    editor.open(picture)
    press("1")
    x, y = editor.centre
    choose(editor, "clone")
    editor.stroke([(x, y)])
    editor.wait_for_notice("First say where to copy from")
    set_source(editor, -200, -60)
    editor.stroke([(x + 100, y + 40), (x + 130, y + 40)])
    editor.wait_for_status("Copied")
    editor.stroke([(x + 60, y + 150), (x + 100, y + 150)])  # at the same offset
    editor.wait_for_title("Retouch 1")
    editor.page.locator("#history li").nth(2).wait_for(state="attached")
    assert editor.page.locator("#history li:visible").count() == 2  # strokes that follow one another are one version
    both = saved(editor, tmp_path)
    changed = (both != ORIGINAL).any(2)
    assert changed[240, 425:445].all()
    assert changed[350, 385:415].all()
    moved = np.roll(ORIGINAL, (100, 300), (0, 1))
    core = np.zeros_like(changed)
    core[230:251, 420:451] = core[340:361, 380:421] = True
    assert (both[core] == moved[core]).all()
    assert changed.sum() < 2 * 90 * 60
    press("Control+z")
    editor.wait_for_title("Retouch 1")
    once = saved(editor, tmp_path)
    assert (once[300:] == ORIGINAL[300:]).all()
    assert (once[:300] == both[:300]).all()
    press("Control+z")
    editor.wait_for_title("Photo")
    press("Control+Shift+z")
    press("Control+Shift+z")
    editor.page.wait_for_timeout(700)
    assert (saved(editor, tmp_path) == both).all()
    editor.page.reload()
    editor.wait_for_status("as you left it")
    editor.wait_for_title("Retouch 1")
    assert (saved(editor, tmp_path) == both).all()
    press("b")
    editor.stroke([(x, y - 150), (x + 30, y - 150)])
    mask = editor.marks()
    editor.fill()
    editor.wait_for_title("Result 2")
    assert (saved(editor, tmp_path)[~mask] == both[~mask]).all()


WATCH = """() => {
  const panel = document.querySelector("#progress");
  window.told = [];
  const note = () => panel.hidden || window.told.push(panel.innerText.trim());
  new MutationObserver(note).observe(panel, { subtree: true, childList: true, attributes: true, characterData: true });
}"""


@BOTH
def test_progress_of_a_file_is_shown(open_editor: OpenEditor, picture: Path, tmp_path: Path) -> None:
    editor = open_editor()
    editor.open(picture)
    choose(editor, "clone")
    set_source(editor, -200, -60)
    x, y = editor.centre
    editor.stroke([(x + 100, y + 40), (x + 130, y + 40)])
    editor.wait_for_status("Copied")
    editor.page.evaluate(WATCH)
    saved(editor, tmp_path)
    editor.wait_for_status("Saved as")
    told = list(dict.fromkeys(editor.page.evaluate("() => window.told")))
    assert told == ["Writing the file, 0 %…", "Writing the file, 100 %…", "Writing the file…"]
    assert editor.page.locator("#progress").is_hidden()


def test_healing_takes_the_texture_and_keeps_the_tone(open_editor: OpenEditor, tmp_path: Path) -> None:
    """From a dark grainy half to a bright one that gets brighter to the right."""
    grain = np.random.default_rng(0).integers(-12, 13, (400, 640, 1))
    ground = np.where(np.arange(640) < 320, 60, 130 + (np.arange(640) - 320) / 5)[None, :, None]
    pixels = np.broadcast_to((ground + grain).clip(0, 255), (400, 640, 3)).astype(np.uint8)
    pixels = pixels.copy()
    pixels[180:220, 460:500] = (250, 20, 20)  # what should go
    Image.fromarray(pixels).save(tmp_path / "spot.png")
    editor = open_editor()
    editor.open(tmp_path / "spot.png")
    editor.page.keyboard.press("1")
    x, y = editor.centre
    choose(editor, "heal", 30)
    editor.page.locator("#size").evaluate("(i) => { i.value = 75; i.dispatchEvent(new Event('input')); }")
    assert 70 < int(editor.page.locator("#size-value").inner_text().split()[0]) < 90
    set_source(editor, -160, 0)
    editor.stroke([(x + 160, y)])
    editor.wait_for_status("Healed")
    result = saved(editor, tmp_path).astype(float)
    middle = result[185:215, 465:495]
    expected = 130 + (np.arange(465, 495) - 320) / 5
    assert np.abs(middle.mean((0, 2)) - expected).max() < 6
    source = pixels[185:215, 145:175].astype(float)
    assert np.corrcoef(middle[..., 0].ravel(), source[..., 0].ravel())[0, 1] > 0.95
    assert (result[:, :320] == pixels[:, :320]).all()


def test_by_finger(open_editor: OpenEditor, picture: Path) -> None:
    editor = open_editor(390, 844, 3, has_touch=True, is_mobile=True)
    page = editor.page
    editor.open(picture)
    editor.tap("#retouch-button")
    editor.tap("#retouch-menu [data-tool=clone]")
    editor.tap("[data-action=set-source]")
    x, y = editor.centre
    page.touchscreen.tap(x - 90, y)
    editor.wait_for_status("Source set")
    editor.swipe([(x + 20, y + 20), (x + 40, y + 20), (x + 60, y + 20)])
    editor.wait_for_status("Copied")
    editor.wait_for_title("Retouch 1")


def test_a_file_says_that_a_network_drew_only_where_one_did(
    open_editor: OpenEditor, picture: Path, server: FakeServer, tmp_path: Path
) -> None:
    editor = open_editor()
    editor.open(picture)
    choose(editor, "clone")
    set_source(editor, -100, 0)
    editor.stroke([(editor.centre[0] + 60, editor.centre[1])])
    editor.wait_for_status("Copied")
    editor.save(tmp_path)
    assert server.behaviour.uploads[-1].fields["unmarked"] == "true"
    editor.page.keyboard.press("b")
    editor.stroke([editor.centre])
    editor.fill()
    editor.save(tmp_path)
    assert "unmarked" not in server.behaviour.uploads[-1].fields


def test_by_keys_and_not_during_a_fill(open_editor: OpenEditor, picture: Path, server: FakeServer) -> None:
    editor = open_editor()
    press = editor.page.keyboard.press
    editor.open(picture)
    editor.page.mouse.move(1, 1)
    editor.page.locator("#stage").focus()
    choose(editor, "clone")
    for key in ("s", "Enter", *3 * ["Shift+ArrowRight"], "Enter", "ArrowRight", "Enter"):
        press(key)
    editor.wait_for_status("Copied")
    press("b")
    editor.stroke([editor.centre])
    server.behaviour.steps = 1
    press("f")
    editor.page.wait_for_selector("#progress:not([hidden])")
    press("k")
    editor.stroke([editor.centre])
    editor.wait_for_notice("A fill is under way")
    server.behaviour.proceed.set()
    editor.wait_for_status("Result 2 is ready")


MODES: dict[str, Any] = {
    "grey": ORIGINAL[:90, :150, 0],
    "deep grey": ORIGINAL[:90, :150, 0].astype(np.uint16) * 251,
    "grey with opacity": Image.fromarray(ORIGINAL[:90, :150, :2], "LA"),
    "colours": ORIGINAL[:90, :150],
    "colours with opacity": np.dstack([ORIGINAL[:90, :150], ORIGINAL[90:180, :150, 0]]),
}


def test_pixels_of_every_mode_come_and_go_without_loss(open_editor: OpenEditor) -> None:
    """Also values below partly transparent pixels, 16 bits, and the colour profile."""
    page = open_editor().page
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for mode, given in MODES.items():
        source = given if isinstance(given, Image.Image) else Image.fromarray(given)
        buffer = io.BytesIO()
        source.save(buffer, "PNG", icc_profile=profile)
        written = page.evaluate(
            """async (content) => {
              const { readPixels, writePixels } = await import(new URL("page/pixels.js", document.baseURI));
              const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
              const blob = await writePixels(await readPixels(new Blob([bytes])), false);
              const text = Array.from(new Uint8Array(await blob.arrayBuffer()), (byte) => String.fromCharCode(byte));
              return btoa(text.join(""));
            }""",
            base64.b64encode(buffer.getvalue()).decode(),
        )
        found = Image.open(io.BytesIO(base64.b64decode(written)))
        assert found.mode == source.mode, mode
        assert np.array_equal(np.asarray(found), np.asarray(source)), mode
        assert found.info["icc_profile"] == profile


def test_a_membrane_goes_on_as_the_rim_does(open_editor: OpenEditor) -> None:
    """A plane is its own membrane."""
    values = open_editor().page.evaluate(
        """async () => {
          const { INSIDE, RIM, spread } = await import(new URL("page/membrane.js", document.baseURI));
          const [width, height] = [61, 47];
          const kinds = new Uint8Array(width * height).fill(INSIDE);
          const values = new Float32Array(width * height);
          for (let at = 0; at < values.length; at += 1) {
            const [x, y] = [at % width, Math.floor(at / width)];
            if (x && y && x < width - 1 && y < height - 1) continue;
            kinds[at] = RIM;
            values[at] = 2 * x - 3 * y;
          }
          spread(values, kinds, width, height);
          return [...values];
        }"""
    )
    rows, columns = np.mgrid[:47, :61]
    assert np.abs(np.reshape(values, (47, 61)) - (2 * columns - 3 * rows)).max() < 3
