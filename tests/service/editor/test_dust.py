"""Dust found by the server comes on the mask: added to what is marked, one step of undo, to be edited and filled."""

from pathlib import Path

import pytest
from PIL import Image

from service.editor.driver import OpenEditor, photo

pytestmark = pytest.mark.browser


def test_marks_of_dust_join_the_mask(open_editor: OpenEditor, tmp_path: Path) -> None:
    Image.fromarray(photo(640, 400)).save(tmp_path / "scan.png")
    editor = open_editor()
    editor.open(tmp_path / "scan.png")
    x, y = editor.centre
    editor.stroke([(x + 40, y + 60), (x + 80, y + 60)])
    painted = editor.marks()
    editor.page.locator("#marks-button").click()
    editor.page.locator("#marks-menu [data-action=dust]").click()
    editor.page.get_by_text("2 marks of dust found").wait_for()
    together = editor.marks()
    assert (together[painted > 0] > 0).all()
    assert (together > painted).any()
    editor.page.keyboard.press("Control+z")
    assert (editor.marks() == painted).all()
    editor.page.keyboard.press("d")
    editor.page.get_by_text("2 marks of dust found").wait_for()
    assert (editor.marks() == together).all()
    editor.fill()
    assert not editor.marks().any()
