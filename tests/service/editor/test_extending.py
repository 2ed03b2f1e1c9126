"""Extending the canvas by mouse, finger, keys and numbers: one step of undo; marks keep their place on the photo."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from service.editor.driver import BOTH, EditorPage, OpenEditor, box_of, photo

pytestmark = pytest.mark.browser
ORIGINAL = photo(320, 200)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    Image.fromarray(ORIGINAL).save(tmp_path / "pier.png")
    return tmp_path / "pier.png"


def edge(editor: EditorPage, side: str) -> tuple[float, float]:
    box = editor.page.locator(f".edge[data-side={side}]").bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def number(editor: EditorPage, side: str) -> int:
    return int(editor.page.locator(f"#extend [name={side}]").input_value())


def facts(editor: EditorPage) -> str:
    return str(editor.page.locator("#facts").inner_text())


def saved(editor: EditorPage, folder: Path) -> Any:
    return np.asarray(Image.open(editor.save(folder, "png")).convert("RGB"))


@BOTH
def test_an_edge_is_dragged_and_all_stays_where_it_was(open_editor: OpenEditor, picture: Path, tmp_path: Path) -> None:
    editor = open_editor()
    press = editor.page.keyboard.press
    editor.open(picture)
    x, y = editor.centre
    editor.stroke([(x - 20, y), (x + 20, y + 10)])
    press("l")
    editor.stroke([(x - 20, y + 30), (x + 20, y + 30)])
    mask, lines = editor.marks(), editor.marks("sketch")
    press("x")
    plain = editor.screen()
    start = edge(editor, "left")
    editor.stroke([start, (start[0] - 60, start[1] + 9)])
    added = number(editor, "left")
    assert added > 20
    assert editor.page.locator("#extend output").inner_text() == f"{320 + added} × 200"
    shown = editor.screen()[int(start[1]) + 30, int(start[0]) - 30].astype(int)
    assert shown[0] > shown[1] + 20  # what will be filled has the colour of the mask
    assert (plain != editor.screen()).any()
    press("Enter")
    editor.wait_for_status("Result 1 is ready")
    assert f"{320 + added} × 200" in facts(editor)
    assert editor.page.locator("#extend").is_hidden()
    for before, name in ((mask, "mask"), (lines, "sketch")):
        now = editor.marks(name)
        assert now.shape == (200, 320 + added)
        assert (now[:, added:] == before).all()
        assert not now[:, :added].any()
    result = saved(editor, tmp_path)
    assert (result[:, added:] == ORIGINAL).all()
    assert (result[:, :added] == (40, 200, 90)).all()
    press("Control+z")
    editor.wait_for_title("Photo")
    assert (editor.marks() == mask).all()
    assert (editor.marks("sketch") == lines).all()
    press("Control+Shift+z")
    editor.wait_for_title("Result 1")
    assert (editor.marks()[:, added:] == mask).all()
    editor.fill()  # the marks on it
    filled = saved(editor, tmp_path)
    assert (filled[:, added:][~mask] == ORIGINAL[~mask]).all()
    editor.page.wait_for_timeout(500)
    editor.page.reload()
    editor.wait_for_status("as you left it")
    assert f"{320 + added} × 200" in facts(editor)
    assert (saved(editor, tmp_path) == filled).all()
    editor.page.locator("#history li button").first.click()
    editor.wait_for_title("Photo")
    assert "320 × 200" in facts(editor)


def test_by_keys_and_numbers(open_editor: OpenEditor, picture: Path) -> None:
    editor = open_editor()
    page, press = editor.page, editor.page.keyboard.press
    editor.open(picture)
    press("x")
    page.locator(".edge[data-side=right]").focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowLeft", "Shift+ArrowRight", "ArrowUp"):
        press(key)
    assert number(editor, "right") == 110
    page.locator(".edge[data-side=top]").focus()
    press("ArrowUp")
    press("Home")
    assert number(editor, "top") == 0
    page.locator("#extend [name=bottom]").fill("25")
    panel, field = page.locator("#extend").bounding_box(), page.locator("#extend [name=bottom]").bounding_box()
    assert panel is not None
    assert field is not None
    assert field["x"] + field["width"] < panel["x"] + panel["width"] - 5
    press("Enter")
    editor.wait_for_status("Result 1 is ready")
    assert "430 × 225" in facts(editor)
    x, y = editor.centre
    editor.stroke([(x, y)])  # the brush is at hand again
    assert editor.marks().shape == (225, 430)


def test_by_finger_on_a_phone(open_editor: OpenEditor, picture: Path) -> None:
    editor = open_editor(390, 844, 3, has_touch=True, is_mobile=True)
    editor.open(picture)
    editor.tap("[data-tool=extend]")
    x, y = edge(editor, "bottom")
    editor.swipe([(x, y), (x, y + 20), (x, y + 40)])
    added = number(editor, "bottom")
    assert added > 20
    editor.tap("#extend .primary")
    editor.wait_for_status("Result 1 is ready")
    assert editor.marks().shape == (200 + added, 320)


def test_what_cannot_be_is_said_and_escape_leaves(open_editor: OpenEditor, picture: Path, server: Any) -> None:
    server.behaviour.max_pixels = 100_000
    editor = open_editor()
    press = editor.page.keyboard.press
    editor.open(picture)
    place = editor.page.locator("#zoom-value").inner_text()
    press("x")
    press("Enter")
    editor.wait_for_status("Nothing to extend yet")
    editor.page.locator("#extend [name=top]").fill("400")
    press("Enter")
    editor.wait_for_notice("The new size, 320 × 600 pixels, is more than")
    assert not server.behaviour.uploads
    press("Escape")
    assert editor.page.locator("#extend").is_hidden()
    editor.wait_for_zoom(place)


def test_keys_are_the_photos_as_soon_as_the_panel_is_gone(open_editor: OpenEditor, picture: Path) -> None:
    editor = open_editor()
    editor.open(picture)
    editor.page.keyboard.press("x")
    editor.page.locator("#extend [name=left]").focus()
    asked = (
        "() => { document.activeElement.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape', bubbles: true }));"
        " return document.activeElement.id; }"
    )
    assert editor.page.evaluate(asked) == "stage"  # before the next frame, in which a hidden field loses the focus


def test_compare_shows_both_sizes_in_their_places(open_editor: OpenEditor, picture: Path) -> None:
    editor = open_editor()
    press = editor.page.keyboard.press
    editor.open(picture)
    press("x")
    editor.page.locator("#extend [name=left]").fill("100")
    press("Enter")
    editor.wait_for_status("Result 1 is ready")
    press("0")
    press("1")
    x, y = editor.centre
    left, top = x - 210, y - 100
    after = editor.screen()
    editor.page.locator("[data-action=compare]").click()
    editor.page.locator("#divider").evaluate(
        "(input) => { input.value = 100; input.dispatchEvent(new Event('input')); }"
    )
    before = editor.screen()
    inside = (slice(top + 5, top + 80), slice(left + 105, left + 300))
    assert (before[inside] == after[inside]).all()  # the same place of the photo
    assert (before[top + 50, left + 50] != after[top + 50, left + 50]).any()  # nothing was there
    assert (after[top + 50, left + 50] == (40, 200, 90)).all()
    assert box_of((before != after).any(2))[0] <= left + 1
