"""Whatever comes in or fails: one clear sentence, and the photo, the strokes and the results stay."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from service.editor.driver import EditorPage, OpenEditor, photo
from service.editor.fake_server import FakeServer

pytestmark = pytest.mark.browser


def jpeg(width: int = 320, height: int = 240) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(photo(width, height)).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def huge_png() -> bytes:
    """A sound header of 60000 x 60000 pixels; decoding it would take 14 GB."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


BAD_FILES = {
    "report.pdf": (b"%PDF-1.7\n%\xe2\xe3", "report.pdf is a PDF document"),
    "notes.jpg": (b"just some words", "notes.jpg is not a picture"),
    "empty.png": (b"", "empty.png is empty"),
    "torn.jpg": (jpeg()[:200], "torn.jpg is damaged"),
    "scan.tif": (b"II*\0" + bytes(64), "scan.tif cannot be opened. The image "),
    "phone.heic": (
        b"\0\0\0\x18ftypheic" + bytes(64),
        "phone.heic cannot be opened. The image is read with the package pi-heif.",
    ),
    "huge.png": (huge_png(), "60000 × 60000 pixels, 3600 million, more than the 64 million"),
}


@pytest.fixture
def editor(open_editor: OpenEditor, tmp_path: Path) -> EditorPage:
    """With a photo and a stroke."""
    path = tmp_path / "photo.jpg"
    path.write_bytes(jpeg())
    editor = open_editor()
    editor.open(path)
    x, y = editor.centre
    editor.stroke([(x - 30, y), (x + 30, y)])
    return editor


def test_files_that_are_no_photos_change_nothing(editor: EditorPage, tmp_path: Path) -> None:
    mask = editor.marks()
    for name, (content, message) in BAD_FILES.items():
        path = tmp_path / name
        path.write_bytes(content)
        editor.page.set_input_files("#photo-file", path)
        editor.wait_for_notice(message)
    assert "photo.jpg" in editor.page.locator("#facts").inner_text()
    assert (editor.marks() == mask).all()
    editor.page.click("[data-notice=close]")
    assert editor.page.locator("#notice").is_hidden()


def test_pictures_that_browsers_cannot_show_are_shown_by_the_server(
    open_editor: OpenEditor, server: FakeServer, tmp_path: Path
) -> None:
    """Strokes, lossless results of the same format, and a busy server that is asked again."""
    original = photo(320, 240)
    Image.fromarray(original).save(tmp_path / "scan.tif")
    server.behaviour.depth = 16
    editor = open_editor()
    editor.open(tmp_path / "scan.tif")
    editor.wait_for_notice("scan.tif has 16 bits for each colour. Here it is read, filled and saved with 8.")
    editor.stroke([editor.centre])
    mask = editor.marks()
    server.behaviour.busy, server.behaviour.lossless = 1, "tiff"
    editor.fill()
    saved = editor.save(tmp_path / "saved")
    assert editor.page.locator("#format option").first.text_content() == "same as the photo (TIFF)"
    assert saved.name == "scan-filled.tif"
    found = Image.open(saved)
    assert found.format == "TIFF"
    assert (np.asarray(found)[~mask] == original[~mask]).all()
    assert (np.asarray(found)[mask] != original[mask]).any()
    asked = [upload.path for upload in server.behaviour.uploads if upload.path != "/v1/preview"]
    assert asked == ["/v1/inpaint", "/v1/convert"]
    moved = np.roll(mask, 40, 1)
    Image.fromarray(moved).save(tmp_path / "mask.tif")
    editor.page.set_input_files("#mask-file", tmp_path / "mask.tif")  # masks too
    editor.wait_for_status("Mask loaded from mask.tif")
    assert (editor.marks() == moved).all()


def test_limits_of_the_server_are_checked_before_anything_is_sent(
    open_editor: OpenEditor, server: FakeServer, tmp_path: Path
) -> None:
    content = jpeg()
    path = tmp_path / "photo.jpg"
    path.write_bytes(content)
    server.behaviour.max_bytes = len(content) - 1
    editor = open_editor()
    editor.page.set_input_files("#photo-file", path)
    editor.wait_for_notice(r"photo.jpg has \d+ kB, more than the \d+ kB that this server takes")
    server.behaviour.max_bytes = len(content) + 10  # the mask no longer fits
    server.behaviour.max_pixels = 320 * 240 - 1
    editor = open_editor()
    editor.page.set_input_files("#photo-file", path)
    editor.wait_for_notice("320 × 240 pixels")
    server.behaviour.max_pixels += 1
    editor = open_editor()
    editor.open(path)
    editor.stroke([editor.centre])
    editor.page.keyboard.press("f")
    editor.wait_for_notice("Photo and mask together")
    assert not server.behaviour.uploads


def test_a_mask_of_another_size_is_refused(editor: EditorPage, tmp_path: Path) -> None:
    mask = editor.marks()
    Image.fromarray(np.full((240, 321), 255, np.uint8)).save(tmp_path / "mask.png")
    editor.page.set_input_files("#mask-file", tmp_path / "mask.png")
    editor.wait_for_notice("mask.png is 321 × 240 pixels but the photo is 320 × 240")
    assert (editor.marks() == mask).all()


def test_a_mask_that_marks_nearly_everything_is_questioned(editor: EditorPage, tmp_path: Path) -> None:
    inverted = np.full((240, 320), 255, np.uint8)
    inverted[100:110, 100:120] = 0
    Image.fromarray(inverted).save(tmp_path / "inverted.png")
    editor.page.set_input_files("#mask-file", tmp_path / "inverted.png")
    editor.wait_for_notice("marks 100 % of the photo")
    editor.page.click("[data-notice=action]")
    assert (editor.marks() == (inverted == 0)).all()


def test_an_empty_mask_is_not_sent(editor: EditorPage, server: FakeServer) -> None:
    editor.page.keyboard.press("Delete")
    editor.page.keyboard.press("f")
    editor.wait_for_notice("Nothing is marked yet")
    assert not server.behaviour.uploads


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("busy", "The server is busy with other pictures. Try again in 7 seconds"),
        ("timeout", "The fill took longer than the server allows"),
        ("crash", "Something went wrong inside the server."),
        ("gone", "The server does not answer"),
        ("truncated", "The server's answer is damaged"),
        ("resized", "another size than the photo"),
    ],
)
def test_failures_of_a_fill_are_told_and_it_can_be_tried_again(
    editor: EditorPage, server: FakeServer, answer: str, message: str
) -> None:
    mask = editor.marks()
    server.behaviour.answer = answer
    editor.page.keyboard.press("f")
    editor.wait_for_notice(message)
    assert editor.page.locator("#progress").is_hidden()
    assert (editor.marks() == mask).all()
    assert editor.page.locator("#history li").count() == 1
    server.behaviour.answer = "fill"
    editor.page.click("[data-notice=action]")
    editor.wait_for_status("Result 1 is ready")
    assert editor.page.locator("#notice").is_hidden()


def test_what_took_too_long_is_named(editor: EditorPage, server: FakeServer, tmp_path: Path) -> None:
    editor.fill()
    server.behaviour.answer = "timeout"
    editor.page.keyboard.press("w")
    editor.page.mouse.click(*editor.centre)
    editor.wait_for_notice("Looking for the sources took longer than the server allows.")
    Image.fromarray(photo(320, 240)).save(tmp_path / "scan.tif")
    editor.page.set_input_files("#photo-file", tmp_path / "scan.tif")
    editor.wait_for_notice("Making the picture visible took longer than the server allows.")


def test_a_server_that_goes_away_during_a_fill(editor: EditorPage, server: FakeServer) -> None:
    server.behaviour.steps = 3
    server.behaviour.answer = "gone"
    mask = editor.marks()
    editor.page.keyboard.press("f")
    editor.page.wait_for_selector("#progress:not([hidden])")
    server.behaviour.proceed.set()
    editor.wait_for_notice("The server does not answer")
    assert (editor.marks() == mask).all()


def test_a_model_without_lines_says_so(open_editor: OpenEditor, server: FakeServer, tmp_path: Path) -> None:
    server.behaviour.abilities = ()
    (tmp_path / "photo.jpg").write_bytes(jpeg())
    editor = open_editor()
    editor.open(tmp_path / "photo.jpg")
    for tool, words in (("sketch", "takes no lines"), ("sources", "cannot tell where it copies from")):
        button = editor.page.locator(f"[data-tool={tool}]")
        assert button.get_attribute("aria-disabled") == "true"
        assert words in (button.get_attribute("title") or "")
        button.click(force=True)  # it says that it is disabled, but answers why
        editor.wait_for_notice(words)
        assert button.get_attribute("aria-pressed") == "false"
    editor.stroke([editor.centre])
    assert editor.page.locator("#temperature").is_disabled()
    editor.fill()
    (upload,) = server.behaviour.uploads
    assert "sketch" not in upload.files
    assert upload.fields["temperature"] == "1"


def test_a_model_that_is_still_loading_is_waited_for(
    open_editor: OpenEditor, server: FakeServer, tmp_path: Path
) -> None:
    server.behaviour.loading = True
    (tmp_path / "photo.jpg").write_bytes(jpeg())
    editor = open_editor()
    editor.open(tmp_path / "photo.jpg")
    editor.page.keyboard.press("l")
    editor.wait_for_notice("model is not known yet")
    server.behaviour.loading = False
    editor.page.wait_for_selector("[data-tool=sketch][aria-disabled=false]")
    editor.page.keyboard.press("l")
    assert editor.page.locator("[data-tool=sketch]").get_attribute("aria-pressed") == "true"
