"""What the page does whoever does the work: a server, or the browser itself."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from service.editor.driver import BOTH, EditorPage, OpenEditor, photo
from service.editor.fake_server import PAGE

pytestmark = [pytest.mark.browser, BOTH]
ORIGINAL = photo(640, 400)


@pytest.fixture
def editor(open_editor: OpenEditor, tmp_path: Path) -> EditorPage:
    """With a photo and a stroke."""
    Image.fromarray(ORIGINAL).save(tmp_path / "beach.png")
    editor = open_editor()
    editor.open(tmp_path / "beach.png")
    mark(editor)
    return editor


def mark(editor: EditorPage, down: int = 0) -> None:
    x, y = editor.centre
    editor.stroke([(x - 60, y - 30 + down), (x + 50, y + 10 + down)])


def pixels(path: Path) -> Any:
    return np.asarray(Image.open(path).convert("RGB"))


def test_from_opening_to_the_saved_files(editor: EditorPage, tmp_path: Path) -> None:
    """Known pixels keep their bytes over two fills; each format is written from the same result."""
    editor.page.wait_for_selector("[data-tool=sketch][aria-disabled=false]")
    editor.page.keyboard.press("l")
    mark(editor)
    assert editor.marks("sketch").any()
    first = editor.marks()
    editor.fill()
    assert not editor.marks().any()
    editor.page.keyboard.press("b")
    mark(editor, 90)
    second = editor.marks()
    editor.fill()
    saved = editor.save(tmp_path / "saved")
    assert saved.name == "beach-filled.png"
    result = pixels(saved)
    assert (result[~first & ~second] == ORIGINAL[~first & ~second]).all()
    for mask in (first, second):
        assert (result[mask] != ORIGINAL[mask]).any(1).mean() > 0.9
    for kind, ending in (("jpeg", "jpg"), ("webp", "webp")):
        other = editor.save(tmp_path / "saved", kind, 90)
        assert other.name == f"beach-filled.{ending}"
        assert Image.open(other).format == kind.upper()
        assert 0 < np.abs(pixels(other).astype(int) - result).mean() < 12


def test_undo_compare_reload_and_close(editor: EditorPage) -> None:
    """All that is done can be taken back, seen beside what was, found again after a reload, and forgotten."""
    page, press = editor.page, editor.page.keyboard.press
    mask = editor.marks()
    editor.set("feather", "2")
    editor.fill()
    x, y = editor.centre
    place = (x, y - 8)
    filled = editor.colour_at(place)
    page.keyboard.down("\\")
    editor.settle()
    assert (editor.colour_at(place) != filled).any()
    page.keyboard.up("\\")
    press("Control+z")
    editor.wait_for_title("Photo")
    assert (editor.marks() == mask).all()
    press("Control+Shift+z")
    editor.wait_for_title("Result 1")
    editor.stroke([(x - 100, y + 70)])
    marks = editor.marks()
    page.wait_for_timeout(600)
    page.reload()
    editor.wait_for_status("beach.png is open as you left it")
    editor.wait_for_title("Result 1")
    assert (editor.marks() == marks).all()
    assert (editor.colour_at(place) == filled).all()
    page.click("#marks-button")
    page.click("[data-action=close]")
    page.click("#confirm [value=yes]")
    page.wait_for_selector("#empty:not([hidden])")
    page.reload()
    page.wait_for_selector("#empty:not([hidden])")


def hold(engine: str, request: pytest.FixtureRequest) -> Any:
    """Makes fills wait; gives the event that ends it."""
    if engine == "static":
        proceed = request.getfixturevalue("site").proceed
    else:
        behaviour = request.getfixturevalue("server").behaviour
        behaviour.steps, proceed = 2, behaviour.proceed
    proceed.clear()
    return proceed


def test_a_fill_can_be_painted_during_and_cancelled(
    editor: EditorPage, engine: str, request: pytest.FixtureRequest
) -> None:
    mask = editor.marks()
    proceed = hold(engine, request)
    editor.page.keyboard.press("f")
    editor.page.wait_for_selector("#progress progress[value]")
    editor.page.click("[data-action=cancel]")
    editor.wait_for_status("Cancelled")
    assert editor.page.locator("#progress").is_hidden()
    assert editor.page.locator("#notice").is_hidden()
    assert (editor.marks() == mask).all()
    editor.page.keyboard.press("f")
    editor.page.wait_for_selector("#progress progress[value]")
    mark(editor, 100)
    proceed.set()
    editor.wait_for_status("Result 1 is ready")
    later = editor.marks()
    assert later.any()
    assert not (later & mask).any()


def test_engines_have_the_same_names(engine: str, static_folder: Path) -> None:
    folder = PAGE if engine == "server" else static_folder / "page"
    text = (folder / "engine.js").read_text(encoding="utf-8")
    names = re.findall(r"^export (?:async )?(?:function|const) (\w+)", text, re.MULTILINE)
    common = ["WORDS", "askModels", "convert", "extend", "fill", "findDust"]
    assert sorted(names) == [*common, "lack", "lossless", "preview", "sources", "start", "startImage"]
