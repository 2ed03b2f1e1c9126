"""Which model fills is chosen among the options, by name and terms, and remembered."""

from pathlib import Path

import pytest
from PIL import Image

from service.editor.driver import BOTH, EditorPage, OpenEditor, photo
from service.editor.fake_server import FakeServer

pytestmark = pytest.mark.browser


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    Image.fromarray(photo(160, 120)).save(path)
    return path


def paint(editor: EditorPage) -> None:
    x, y = editor.centre
    editor.stroke([(x - 30, y), (x + 30, y + 10)])


def chosen(editor: EditorPage) -> str:
    """The model that the options show, once the engine has told them."""
    editor.page.wait_for_selector("#model option", state="attached")
    return str(editor.page.locator("#model").input_value())


def test_a_model_is_chosen_sent_and_remembered(open_editor: OpenEditor, server: FakeServer, path: Path) -> None:
    server.behaviour.models = ("first", "second")
    editor = open_editor()
    page = editor.page
    editor.open(path)
    assert chosen(editor) == "first"
    assert page.locator("#model option").all_inner_texts() == ["first: terms of first", "second: terms of second"]
    paint(editor)
    editor.fill()
    editor.set("model", "second")
    editor.fill()
    editor.wait_for_title("Result 2")
    fields = [upload.fields for upload in server.behaviour.uploads if upload.path == "/v1/inpaint"]
    assert [(sent["model"], sent["seed"]) for sent in fields] == [("first", "0"), ("second", "0")]
    assert page.locator("#version-details").inner_text().startswith("second, ")
    page.keyboard.press("w")
    page.mouse.click(*editor.centre)
    page.wait_for_selector("#sources-heads section")
    editor.save(path.parent / "saved")
    asked = {upload.path: upload.fields.get("model") for upload in server.behaviour.uploads}
    assert asked["/v1/sources"] == asked["/v1/convert"] == "second"
    page.keyboard.press("Control+z")  # the fill
    page.keyboard.press("Control+z")  # the choice
    editor.wait_for_status("Undone")
    assert chosen(editor) == "first"
    page.keyboard.press("Control+y")
    assert chosen(editor) == "second"
    page.set_input_files("#photo-file", path)
    page.click("#confirm [value=yes]")
    editor.wait_for_status("photo.png is open")
    assert chosen(editor) == "second"
    page.reload()
    assert chosen(editor) == "second"
    server.behaviour.models = ("first", "third")
    page.reload()
    assert chosen(editor) == "first"


@pytest.mark.parametrize(("choice", "names"), [("", [None, "first"]), ("second", ["second", "second"])])
def test_a_fill_before_the_models_are_known_is_of_the_chosen_one_and_its_next_try_another(
    open_editor: OpenEditor, server: FakeServer, path: Path, choice: str, names: list[str | None]
) -> None:
    server.behaviour.models = ("first", "second")
    editor = open_editor()
    editor.open(path)
    if choice:
        chosen(editor)
        editor.set("model", choice)
    server.behaviour.loading = True
    editor.page.reload()
    editor.open(path)
    paint(editor)
    editor.fill()
    server.behaviour.loading = False
    assert chosen(editor) == (choice or "first")
    editor.fill()
    editor.wait_for_title("Result 2")
    fields = [upload.fields for upload in server.behaviour.uploads if upload.path == "/v1/inpaint"]
    assert [sent.get("model") for sent in fields] == names
    assert [sent["seed"] for sent in fields] == ["0", "1"]


@BOTH
def test_where_there_is_one_model_its_terms_are_told_and_fills_name_none(
    open_editor: OpenEditor, engine: str, request: pytest.FixtureRequest, path: Path
) -> None:
    editor = open_editor()
    editor.open(path)
    name = chosen(editor)
    editor.page.click("#options-button")
    assert f"{name}: terms of {name}" in editor.page.locator("#options").inner_text()
    reason = "This page has one model"
    assert editor.page.locator("#model").is_disabled() == (engine == "static")
    assert (reason in editor.page.locator("#options").inner_text()) == (engine == "static")
    editor.page.keyboard.press("Escape")
    paint(editor)
    editor.fill()
    if engine == "server":
        server: FakeServer = request.getfixturevalue("server")
        assert all("model" not in upload.fields for upload in server.behaviour.uploads)
