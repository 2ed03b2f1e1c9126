"""The editor as other programs start it: with a place for the result, and an end."""

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from service.editor.driver import EditorPage, photo

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.mark.browser
def test_a_program_starts_the_editor_and_gets_the_result(browser: "Browser", tmp_path: Path) -> None:
    """Paint, fill, Ctrl+S, Done: the file is replaced, and the command ends with status 0."""
    path, before = tmp_path / "holidays.png", photo(200, 150)
    Image.fromarray(before).save(path)
    words = ["edit", str(path), "--output", str(path), "--model", "telea", "--no-browser"]
    child = subprocess.Popen([sys.executable, "-m", "temperfill", *words], stderr=subprocess.PIPE, text=True)
    try:
        assert child.stderr is not None
        found = re.search(r"http://\S+(?=;)", child.stderr.readline())
        assert found is not None
        context = browser.new_context(viewport={"width": 1280, "height": 800})
        page = context.new_page()
        editor = EditorPage(page, found[0], 1)
        editor.wait_for_status("is open")
        assert page.locator(".file [data-action=open]").is_hidden()
        bar = page.locator("header.bar").bounding_box()
        assert bar is not None
        assert bar["height"] < 60  # one line
        x, y = editor.centre
        editor.stroke([(x - 40, y), (x + 40, y + 20)])
        editor.fill()
        page.click("[data-action=finish]")
        page.wait_for_selector("#confirm[open]")
        page.click("#confirm [value=no]")
        assert (np.asarray(Image.open(path)) == before).all()
        page.keyboard.press("Control+s")
        editor.wait_for_status(r"Saved as holidays\.png")
        assert page.locator("#save").is_hidden()
        after = np.asarray(Image.open(path))
        assert 0 < (after != before).any(2).mean() < 0.5
        page.click("[data-action=finish]")
        page.wait_for_selector("#finished[open]")
        context.close()
        said = child.communicate(timeout=30)[1]
        assert child.returncode == 0
        assert f"wrote {path}" in said
    finally:
        child.kill()
        child.wait()
