"""Whole tasks: a photo comes in, is marked and filled, filled again, compared, continued and saved."""

import base64
import io
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from service.editor.driver import EditorPage, OpenEditor, photo
from service.editor.fake_server import FakeServer, fill_colour

pytestmark = pytest.mark.browser


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "beach day.png"
    Image.fromarray(photo(640, 400)).save(path)
    return path


def pixels(source: Path | bytes) -> Any:
    return np.asarray(Image.open(io.BytesIO(source) if isinstance(source, bytes) else source))


def mark(editor: EditorPage) -> None:
    x, y = editor.centre
    editor.stroke([(x - 60, y - 30), (x + 50, y + 10)])


def test_from_opening_to_the_saved_file(
    open_editor: OpenEditor, server: FakeServer, picture: Path, tmp_path: Path
) -> None:
    editor = open_editor()
    editor.open(picture)
    mark(editor)
    editor.page.keyboard.press("l")
    mark(editor)
    mask, sketch = editor.marks(), editor.marks("sketch")
    editor.fill()
    (upload,) = server.behaviour.uploads
    assert upload.files["image"] == picture.read_bytes()  # not encoded anew
    assert upload.names["image"] == picture.name
    assert (upload.pixels("mask") == mask * 255).all()
    assert (upload.pixels("sketch") == sketch * 255).all()
    options = {"temperature": "1", "feather": "0", "texture": "auto", "seed": "0"}
    assert upload.fields == options | {"format": "lossless"}
    saved = editor.save(tmp_path / "saved")
    assert saved.name == "beach day-filled.png"
    result = pixels(saved)
    assert (result[~mask] == photo(640, 400)[~mask]).all()
    assert (result[mask] == fill_colour(1)).all()


def test_a_result_is_encoded_once_in_the_format_that_is_chosen_when_it_is_saved(
    open_editor: OpenEditor, server: FakeServer, tmp_path: Path
) -> None:
    path = tmp_path / "holiday.JPEG"
    Image.fromarray(photo(320, 240)).save(path, "JPEG")
    editor = open_editor()
    editor.open(path)
    mark(editor)
    editor.fill()
    editor.set("feather", "3")
    mark(editor)
    editor.fill()
    first, second = server.behaviour.uploads
    assert first.files["image"] == path.read_bytes()
    assert Image.open(io.BytesIO(second.files["image"])).format == "PNG"  # nothing is lost between fills
    assert (first.fields["feather"], second.fields["feather"]) == ("0", "3")
    saved = editor.save(tmp_path)
    assert saved.name == "holiday-filled.JPEG"
    assert Image.open(saved).format == "JPEG"
    convert = server.behaviour.uploads[-1]
    assert convert.files["original"] == path.read_bytes()  # its metadata are kept, and how it is compressed
    assert "quality" not in convert.fields
    small = editor.save(tmp_path / "small", "jpeg", 70)
    assert small.stat().st_size < saved.stat().st_size
    lossless = editor.save(tmp_path, "png")
    assert lossless.name == "holiday-filled.png"
    assert (pixels(lossless) == pixels(convert.files["image"])).all()
    server.behaviour.answer = "gone"
    editor.page.click("[data-action=save]")
    editor.page.select_option("#format", "")
    assert "encoded once" in editor.page.locator("#save-note").inner_text()
    with editor.page.expect_download() as download:
        editor.page.click("#save [value=yes]")
    assert download.value.suggested_filename == "holiday-filled.png"
    editor.wait_for_status("The server does not answer, so it is written without loss instead")


def test_warnings_of_the_server_are_shown_as_text_and_once_for_a_photo(
    open_editor: OpenEditor, server: FakeServer, picture: Path, tmp_path: Path
) -> None:
    editor = open_editor()
    editor.open(picture)
    mark(editor)
    lost = "the result.png will not have IPTC data, for which PNG has no place"
    server.behaviour.warnings = ["the hole of Zoë is <b>large</b>", lost]
    editor.fill()
    notice = editor.page.locator("#notice:not([hidden]) p")
    assert notice.inner_text() == "The hole of Zoë is <b>large</b>."  # what a file between loses is no news
    editor.page.click("[data-notice=close]")
    editor.fill()
    assert notice.count() == 0
    editor.save(tmp_path, "png")
    editor.wait_for_notice("^The result.png will not have IPTC data, for which PNG has no place.$")


def hand_over(editor: EditorPage, path: Path, event: str) -> None:
    """Drops or pastes a file."""
    content = base64.b64encode(path.read_bytes()).decode()
    editor.page.evaluate(
        """([content, name, event]) => {
          const data = new DataTransfer();
          const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
          data.items.add(new File([bytes], name));
          const init = { bubbles: true, cancelable: true };
          const made = event === "paste"
            ? new ClipboardEvent(event, { ...init, clipboardData: data })
            : new DragEvent(event, { ...init, dataTransfer: data });
          document.querySelector(event === "paste" ? "body" : "#stage").dispatchEvent(made);
        }""",
        [content, path.name, event],
    )


@pytest.mark.parametrize("event", ["drop", "paste"])
def test_photos_can_be_dropped_and_pasted(open_editor: OpenEditor, picture: Path, event: str) -> None:
    editor = open_editor()
    hand_over(editor, picture, event)
    editor.wait_for_status("beach day.png is open")
    mark(editor)
    hand_over(editor, picture, event)  # a second one would replace strokes: asked about
    editor.page.click("#confirm [value=no]")
    assert editor.marks().any()
    hand_over(editor, picture, event)
    editor.page.click("#confirm [value=yes]")
    editor.wait_for_status("is open")
    assert not editor.marks().any()


def test_the_picture_of_the_command_line_is_open_at_the_start(
    open_editor: OpenEditor, server: FakeServer, picture: Path
) -> None:
    server.behaviour.image = picture
    editor = open_editor()
    editor.wait_for_status("beach day.png is open")
    mark(editor)
    editor.fill()
    assert server.behaviour.uploads[0].files["image"] == picture.read_bytes()


def test_another_temperature_gives_another_result_with_the_same_mask(
    open_editor: OpenEditor, server: FakeServer, picture: Path, tmp_path: Path
) -> None:
    editor = open_editor()
    editor.open(picture)
    mark(editor)
    mask = editor.marks()
    editor.fill()
    editor.heat(2)
    assert editor.page.locator("#temperature-value").inner_text() == "4.00"
    editor.fill()
    first, second = server.behaviour.uploads
    assert first.files == second.files
    assert (first.fields["temperature"], second.fields["temperature"]) == ("1", "4")
    assert (first.fields["seed"], second.fields["seed"]) == ("0", "1")
    assert (pixels(editor.save(tmp_path))[mask] == fill_colour(4, 1)).all()
    thumbnails = editor.page.locator("#history li button")
    assert thumbnails.count() == 3
    thumbnails.nth(1).click()
    editor.wait_for_title("Result 1")
    assert (pixels(editor.save(tmp_path))[mask] == fill_colour(1)).all()
    editor.page.keyboard.press("PageDown")
    editor.wait_for_title("Result 2")
    thumbnails.nth(0).click()
    editor.wait_for_title("Photo")
    assert editor.page.locator("[data-action=save]").is_disabled()


def test_painting_after_a_fill_goes_on_with_the_result(
    open_editor: OpenEditor, server: FakeServer, picture: Path, tmp_path: Path
) -> None:
    editor = open_editor()
    editor.open(picture)
    mark(editor)
    mask = editor.marks()
    editor.fill()
    assert not editor.marks().any()
    x, y = editor.centre
    editor.stroke([(x + 100, y + 60)])
    editor.fill()
    _, second = server.behaviour.uploads
    assert (second.pixels("image")[mask] == fill_colour(1)).all()
    assert second.fields["seed"] == "0"  # another place is no other try
    final = editor.save(tmp_path)
    assert final.name == "beach day-filled.png"
    known = ~mask & (second.pixels("mask") == 0)
    assert (pixels(final)[known] == photo(640, 400)[known]).all()
    assert not (second.pixels("mask") > 0)[mask].any()


def test_before_and_after_lie_left_and_right_of_the_divider(open_editor: OpenEditor, picture: Path) -> None:
    editor = open_editor()
    editor.open(picture)
    x, y = editor.centre
    editor.stroke([(x - 100, y), (x + 100, y)])
    editor.fill()
    editor.page.keyboard.press("0")
    x, y = editor.centre

    def is_filled(right: int) -> bool:
        return bool((abs(editor.colour_at((x + right, y)).astype(int) - fill_colour(1)) < 3).all())

    assert is_filled(-60)
    assert is_filled(60)
    editor.page.click("[data-action=compare]")
    assert not is_filled(-60)
    assert is_filled(60)
    editor.stroke([(x, y + 80), (x - 80, y + 80)])  # by the divider
    assert is_filled(-60)
    editor.page.locator("#divider").focus()
    editor.page.keyboard.press("End")
    assert not is_filled(60)
    assert editor.page.locator("#history li").count() == 2


def test_sources_are_asked_about_the_place_that_was_clicked(
    open_editor: OpenEditor, server: FakeServer, picture: Path
) -> None:
    editor = open_editor()
    editor.open(picture)
    mark(editor)
    mask = editor.marks()
    editor.set("texture", "copy")
    editor.fill()
    editor.set("texture", "network")  # of the next fill
    editor.page.keyboard.press("w")
    editor.page.keyboard.press("1")
    plain = editor.screen()
    x, y = editor.centre
    box = editor.page.locator("#stage").bounding_box()
    assert box is not None
    rows, columns = np.nonzero(mask)
    column, row = int(columns[len(columns) // 2]), int(rows[len(rows) // 2])
    left, top = x - 320, y - 200  # the photo at its own size in the middle
    editor.page.mouse.click(left + column, top + row)
    editor.page.wait_for_selector("#sources-heads section")
    upload = server.behaviour.uploads[-1]
    assert upload.path == "/v1/sources"
    asked = (int(upload.fields["row"]), int(upload.fields["column"]))
    assert asked == pytest.approx((row, column), abs=1)
    assert upload.files["image"] == picture.read_bytes()
    assert (upload.pixels("mask") == mask * 255).all()
    assert (upload.fields["seed"], upload.fields["texture"]) == ("0", "copy")
    heads = editor.page.locator("#sources-heads section")
    assert heads.count() == 4
    assert "temperature 1.5" in heads.nth(1).inner_text()
    assert "25.0 %" in heads.nth(1).inner_text()
    boxes = (editor.screen() != plain).any(2)
    # Second head, second match: rows 48 to 64, columns 30 to 46; its sides are drawn, its middle is not.
    assert boxes[top + 48, left + 30 : left + 46].all()
    assert not boxes[top + 56, left + 38]
    heads.nth(1).locator("input").uncheck()
    editor.page.mouse.move(x, y)
    assert not (editor.screen() != plain).any(2)[top + 48, left + 34 : left + 46].any()


def test_a_place_that_was_not_filled_is_answered_with_a_sentence(
    open_editor: OpenEditor, server: FakeServer, picture: Path
) -> None:
    editor = open_editor()
    editor.open(picture)
    editor.page.keyboard.press("w")
    editor.page.mouse.click(*editor.centre)
    editor.wait_for_notice("This is the photo itself")
    assert not server.behaviour.uploads
    editor.page.keyboard.press("b")
    mark(editor)
    editor.fill()
    editor.page.keyboard.press("w")
    x, y = editor.centre
    editor.page.mouse.click(x + 150, y + 100)
    editor.wait_for_notice("This place was not filled")


def test_sources_are_asked_of_the_fill_that_made_the_place(
    open_editor: OpenEditor, server: FakeServer, picture: Path
) -> None:
    """After later fills and strokes by hand, too, and where their marks lie around it."""
    editor = open_editor()
    page = editor.page
    editor.open(picture)
    page.keyboard.press("1")
    x, y = editor.centre
    editor.stroke([(x - 20, y), (x + 20, y)])
    first = editor.marks()
    editor.fill()
    editor.stroke([(x - 90, y - 90), (x + 90, y - 90), (x + 90, y + 90)])  # whose box has the first in it
    second = editor.marks()
    editor.fill()
    editor.wait_for_title("Result 2")
    page.keyboard.press("k")
    page.keyboard.down("Alt")
    page.mouse.click(x - 150, y + 100)
    page.keyboard.up("Alt")
    editor.stroke([(x - 100, y + 100)])
    editor.wait_for_status("Copied")
    page.keyboard.press("w")
    for right, down, mask in ((0, 0, first), (90, 0, second)):
        page.mouse.click(x + right, y + down)
        page.wait_for_selector("#sources-heads section")
        upload = server.behaviour.uploads[-1]
        assert upload.path == "/v1/sources"
        page.click("[data-action=close-sources]")
        page.keyboard.press("w")
        assert (upload.pixels("mask") == mask * 255).all()
    page.mouse.click(x - 130, y)
    editor.wait_for_notice("This place was not filled")


def begin_fill(editor: EditorPage, picture: Path) -> NDArray[np.bool_]:
    """Opens and marks a picture, and waits until its fill is under way; gives the marks."""
    editor.open(picture)
    mark(editor)
    marks = editor.marks()
    editor.page.keyboard.press("f")
    editor.page.wait_for_selector("#progress progress[value]")
    return marks


def test_progress_is_shown_and_a_fill_can_be_cancelled(
    open_editor: OpenEditor, server: FakeServer, picture: Path
) -> None:
    server.behaviour.steps = 10
    editor = open_editor()
    mask = begin_fill(editor, picture)
    assert "%" in editor.page.locator("#progress span").inner_text()
    editor.page.click("[data-action=cancel]")
    editor.wait_for_status("Cancelled")
    assert [job["state"] for job in server.behaviour.jobs.values()] == ["cancelled"]
    assert editor.page.locator("#progress").is_hidden()
    assert editor.page.locator("#notice").is_hidden()
    assert (editor.marks() == mask).all()
    server.behaviour.steps = 0
    editor.fill()


def test_opening_another_photo_cancels_the_fill_without_a_word_of_it(
    open_editor: OpenEditor, server: FakeServer, picture: Path
) -> None:
    server.behaviour.steps = 10
    editor = open_editor()
    begin_fill(editor, picture)
    editor.page.set_input_files("#photo-file", picture)
    editor.page.click("#confirm [value=yes]")
    editor.page.wait_for_selector("#progress", state="hidden")
    editor.settle()
    assert [job["state"] for job in server.behaviour.jobs.values()] == ["cancelled"]
    assert "is open" in editor.page.locator("#status").inner_text()
    assert editor.page.locator("#notice").is_hidden()


def test_a_result_that_is_still_being_read_is_not_given_to_the_next_photo(
    open_editor: OpenEditor, server: FakeServer, picture: Path, tmp_path: Path
) -> None:
    """Of a TIFF the server is asked for a preview, which takes its time."""
    server.behaviour.lossless = "tiff"
    Image.fromarray(photo(640, 400, seed=1)).save(tmp_path / "scan.tif")  # of the other's size
    editor = open_editor()
    editor.open(tmp_path / "scan.tif")
    editor.stroke([editor.centre])
    server.behaviour.previews.clear()
    editor.page.keyboard.press("f")
    wait_for_uploads(editor, server, ["/v1/preview", "/v1/inpaint", "/v1/preview"])
    editor.page.set_input_files("#photo-file", picture)
    editor.page.click("#confirm [value=yes]")
    editor.wait_for_status("beach day.png is open")
    assert editor.page.locator("#progress").is_visible()
    server.behaviour.previews.set()
    editor.page.wait_for_selector("#progress", state="hidden")
    assert editor.page.locator("#history li").count() == 1
    assert editor.page.locator("#notice").is_hidden()


def wait_for_uploads(editor: EditorPage, server: FakeServer, paths: list[str]) -> None:
    end = time.monotonic() + 15
    while [upload.path for upload in server.behaviour.uploads] != paths:
        assert time.monotonic() < end
        editor.settle()
