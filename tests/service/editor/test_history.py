"""One history over marks, fills and settings; what survives a reload; tries side by side; protection."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from service.editor.driver import BOTH, EditorPage, OpenEditor, box_of, photo
from service.editor.fake_server import FakeServer, fill_colour

pytestmark = pytest.mark.browser


@pytest.fixture
def editor(open_editor: OpenEditor, tmp_path: Path) -> EditorPage:
    """With a photo and a stroke."""
    Image.fromarray(photo(640, 400)).save(tmp_path / "beach.png")
    editor = open_editor()
    editor.open(tmp_path / "beach.png")
    x, y = editor.centre
    editor.stroke([(x - 60, y - 30), (x + 50, y + 10)])
    return editor


def is_filled(editor: EditorPage, right: int = 0, seed: int = 0) -> bool:
    x, y = editor.centre
    return bool((abs(editor.colour_at((x + right, y - 8)).astype(int) - fill_colour(1, seed)) < 3).all())


def title(editor: EditorPage) -> str:
    return editor.page.locator("#version-title").inner_text()


def test_undo_takes_back_a_fill_and_then_marks_and_settings(editor: EditorPage, server: FakeServer) -> None:
    press = editor.page.keyboard.press
    mask = editor.marks()
    for power in (-1, 2, 1):  # one way of the slider
        editor.heat(power)
    editor.fill()
    assert title(editor) == "Result 1"
    assert not editor.marks().any()
    press("Control+z")
    editor.wait_for_title("Photo")
    assert (editor.marks() == mask).all()
    press("Control+z")
    assert editor.page.locator("#temperature-value").inner_text() == "1.00"
    press("Control+z")
    assert not editor.marks().any()
    for _ in range(3):
        press("Control+Shift+z")
    editor.wait_for_title("Result 1")
    assert not editor.marks().any()
    assert editor.page.locator("#temperature-value").inner_text() == "2.00"
    press("Control+z")  # and what is filled now is the photo again
    editor.wait_for_title("Photo")
    editor.fill()
    first, second = server.behaviour.uploads
    assert first.files == second.files
    assert second.fields["seed"] == "1"  # the same marks on the same photo: another try


def test_work_comes_back_after_a_reload_without_a_question(
    editor: EditorPage, server: FakeServer, tmp_path: Path
) -> None:
    mask = editor.marks()
    editor.fill()
    editor.page.keyboard.press("w")
    x, y = editor.centre
    editor.stroke([(x + 90, y + 60), (x + 120, y + 60)])
    editor.page.keyboard.press("b")
    editor.stroke([(x - 100, y + 70)])
    protected, marks = editor.marks("avoid"), editor.marks()
    editor.heat(1)
    asked: list[str] = []
    editor.page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    editor.wait_until_kept()
    server.behaviour.image = tmp_path / "beach.png"  # the same file as that of the command line
    editor.page.reload()
    editor.wait_for_status("beach.png is open as you left it")
    assert asked == []
    assert title(editor) == "Result 1"
    assert (editor.marks() == marks).all()
    assert (editor.marks("avoid") == protected).all()
    assert editor.page.locator("#temperature-value").inner_text() == "2.00"
    editor.fill()
    upload = server.behaviour.uploads[-1]
    assert (upload.pixels("image")[mask] == fill_colour(1)).all()
    assert (upload.pixels("avoid") == protected * 255).all()
    assert editor.page.locator("#history li").count() == 3
    Image.fromarray(photo(640, 400, seed=1)).save(tmp_path / "beach.png")  # another picture of this name
    editor.wait_until_kept()
    editor.page.reload()
    editor.wait_for_status("beach.png is open. Paint")


def test_nothing_is_asked_where_nothing_is_lost(editor: EditorPage, tmp_path: Path) -> None:
    """Neither for earlier results of a chain that is saved, nor for the brush, which keeps its size."""
    editor.fill()
    x, y = editor.centre
    editor.stroke([(x, y + 80)])
    editor.fill()
    editor.save(tmp_path)
    editor.set_size(7)
    editor.heat(2)
    Image.fromarray(photo(500, 400)).save(tmp_path / "other.png")
    editor.open(tmp_path / "other.png")
    assert editor.page.locator("#confirm").is_hidden()
    assert editor.page.locator("#size-value").inner_text() == "7 px"
    assert editor.page.locator("#temperature-value").inner_text() == "1.00"
    editor.stroke([editor.centre])
    editor.page.set_input_files("#photo-file", tmp_path / "beach.png")
    editor.page.click("#confirm [value=no]")
    assert "What you marked will be gone" in editor.page.locator("#confirm-text").inner_text()


def test_a_complaint_goes_with_its_reason(editor: EditorPage) -> None:
    editor.page.keyboard.press("Delete")
    editor.page.keyboard.press("f")
    editor.wait_for_notice("Nothing is marked yet")
    editor.stroke([editor.centre])
    assert editor.page.locator("#notice").is_hidden()


def test_four_tries_stand_side_by_side_and_one_is_chosen(editor: EditorPage, server: FakeServer) -> None:
    editor.fill()
    editor.page.keyboard.press("t")
    editor.wait_for_status("Choose the try")
    uploads = server.behaviour.uploads
    assert [upload.fields["seed"] for upload in uploads] == ["0", "1", "2", "3"]
    assert all(upload.files == uploads[0].files for upload in uploads)
    tries = editor.page.locator("#tries li button")
    assert tries.count() == 4
    assert editor.page.locator("#history li span").all_inner_texts() == ["Photo", "1", "2", "3", "4"]
    assert title(editor) == "Result 1"
    assert is_filled(editor)
    tries.nth(2).click()
    editor.wait_for_title("Result 3")
    assert is_filled(editor, seed=2)
    editor.page.keyboard.press("Control+z")
    editor.wait_for_title("Result 1")
    above = editor.page.locator("#tries.above")
    assert above.count() == 0  # the filled place is in the upper half
    box = tries.nth(1).locator("img").bounding_box()
    assert box is not None
    assert box["width"] > 100  # large enough to choose by
    editor.page.click("[data-action=close-tries]")
    assert editor.page.locator("#tries").is_hidden()


def test_a_fill_without_chance_says_so_at_once(editor: EditorPage, server: FakeServer) -> None:
    server.behaviour.answer = "same"
    editor.fill()
    editor.page.keyboard.press("f")
    editor.wait_for_status("Nothing changed from Result 1")
    assert editor.page.locator("#history li").count() == 2
    editor.page.keyboard.press("t")
    editor.wait_for_status("Nothing changed from Result 1")
    assert len(server.behaviour.uploads) == 3


def test_what_must_not_be_copied_from_is_painted_and_sent(editor: EditorPage, server: FakeServer) -> None:
    """In the tool that tells where a place came from: a click asks, a drag protects."""
    server.behaviour.copy = {"row": 300, "column": 500, "share": 0.9}
    editor.page.keyboard.press("w")
    x, y = editor.centre
    editor.stroke([(x + 150, y + 100), (x + 200, y + 100)])
    protected = editor.marks("avoid")
    assert protected.any()
    assert not editor.marks()[protected].any()
    editor.page.keyboard.press("1")
    editor.fill()
    assert (server.behaviour.uploads[0].pixels("avoid") == protected * 255).all()
    assert (editor.marks("avoid") == protected).all()  # it stays for the next fill
    plain = editor.screen()
    editor.page.mouse.click(x, y - 8)
    editor.page.wait_for_selector("[data-sources=protect]:not([hidden])")
    words = editor.page.locator("#sources-text").inner_text()
    assert "copied from row 300, column 500 (90.0 %)" in words
    assert "avoid" in server.behaviour.uploads[-1].files
    changed = (editor.screen() != plain).any(2)
    left, top = x - 320, y - 200
    assert changed[top + 292, left + 495 : left + 505].all()  # a square around the place
    editor.page.click("[data-sources=protect]")
    more = editor.marks("avoid")
    assert more[300, 500]
    assert more.sum() > protected.sum()
    editor.page.click("[data-protect=off]")
    editor.stroke([(x + 140, y + 100), (x + 210, y + 100)])
    assert editor.marks("avoid").sum() < more.sum()
    editor.page.keyboard.press("Control+z")
    editor.page.keyboard.press("f")
    editor.wait_for_status("Result 2 is ready")
    again = server.behaviour.uploads[-1]
    assert (again.pixels("avoid") == more * 255).all()
    assert (again.pixels("mask") == server.behaviour.uploads[0].pixels("mask")).all()
    assert again.fields["seed"] == "0"  # of something else


def test_before_is_seen_as_long_as_it_is_held(editor: EditorPage) -> None:
    editor.fill()
    assert is_filled(editor)
    editor.page.keyboard.down("\\")
    editor.settle()
    assert not is_filled(editor)
    editor.page.keyboard.up("\\")
    editor.settle()
    assert is_filled(editor)
    editor.page.hover("[data-hold=before]")
    editor.page.mouse.down()
    editor.settle()
    x, y = editor.centre
    shot = editor.page.screenshot(clip={"x": x, "y": y - 8, "width": 1, "height": 1})
    assert (np.abs(pixel(shot) - fill_colour(1)) > 3).any()
    editor.page.mouse.up()
    editor.settle()
    assert is_filled(editor)


def pixel(content: bytes) -> Any:
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))[0, 0].astype(int)


def test_compare_splits_where_it_was_filled_and_thumbnails_show_it(editor: EditorPage) -> None:
    editor.page.keyboard.press("Delete")
    editor.page.keyboard.press("1")
    x, y = editor.centre
    editor.set_size(9)
    editor.stroke([(x + 200, y + 100), (x + 240, y + 100)])
    editor.fill()
    editor.page.click("[data-action=compare]")
    assert 82 < float(editor.page.locator("#divider").input_value()) < 89
    small = editor.page.locator("#history li img").nth(1)
    share = small.evaluate(
        """async (image) => {
          await image.decode();
          const canvas = document.createElement("canvas");
          Object.assign(canvas, { width: image.naturalWidth, height: image.naturalHeight });
          const context = canvas.getContext("2d");
          context.drawImage(image, 0, 0);
          const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
          let filled = 0;
          for (let at = 0; at < data.length; at += 4) {
            filled += data[at] < 60 && data[at + 1] > 180 && data[at + 2] < 110;
          }
          return filled / (data.length / 4);
        }"""
    )
    assert share > 0.02  # of the whole photo it would be a hundredth of that


def test_a_thick_hole_is_shown_before_it_is_finished(editor: EditorPage, server: FakeServer) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (50, 40), (250, 200, 10)).save(buffer, "WEBP", lossless=True)
    server.behaviour.draft = ("150,250,230,370", buffer.getvalue())
    server.behaviour.steps = 2
    editor.page.keyboard.press("1")
    editor.page.keyboard.press("f")
    x, y = editor.centre
    left, top = x - 320, y - 200
    for _ in range(100):
        if (abs(editor.colour_at((left + 300, top + 190)).astype(int) - (250, 200, 10)) < 3).all():
            break
    else:
        raise AssertionError("nothing is shown")
    shares = []
    for _ in range(3):
        shares.append(int(editor.page.locator("#progress span").inner_text().split(",")[1].strip(" %")))
        editor.page.wait_for_timeout(600)
    assert shares == sorted(set(shares))  # it moves between the steps of the server
    server.behaviour.proceed.set()
    editor.wait_for_status("Result 1 is ready")
    assert is_filled(editor)


def test_the_photograph_stays_where_it_is(editor: EditorPage, server: FakeServer) -> None:
    """Through a fill, a message, the tools and their panels."""

    def place() -> Any:
        return editor.page.locator("#stage").bounding_box()

    before = place()
    editor.fill()
    editor.page.keyboard.press("w")
    editor.page.keyboard.press("t")
    editor.wait_for_status("Choose the try")
    editor.page.click("[data-action=compare]")
    assert place() == before


def test_a_phone_leaves_most_of_its_screen_to_the_photograph(open_editor: OpenEditor, tmp_path: Path) -> None:
    Image.fromarray(photo(300, 400)).save(tmp_path / "phone.png")
    editor = open_editor(390, 844, 2, has_touch=True, is_mobile=True)
    editor.open(tmp_path / "phone.png")
    editor.stroke([editor.centre, (editor.centre[0] + 20, editor.centre[1])])
    editor.fill()
    box = editor.page.locator("#stage").bounding_box()
    assert box is not None
    assert box["height"] >= 600
    editor.page.click("[data-action=help]")
    text = editor.page.locator("#help").inner_text()
    assert "Two fingers" in text
    assert "Ctrl" not in text


def test_fingers_leave_no_dots(open_editor: OpenEditor, tmp_path: Path) -> None:
    """A pinch whose first finger rests for long, and a double tap, which zooms."""
    Image.fromarray(photo(300, 400)).save(tmp_path / "phone.png")
    editor = open_editor(390, 844, 2, has_touch=True, is_mobile=True)
    editor.open(tmp_path / "phone.png")
    session = editor.page.context.new_cdp_session(editor.page)
    x, y = editor.centre

    def touch(kind: str, *points: tuple[float, float]) -> None:
        fingers = [{"x": px, "y": py, "id": number} for number, (px, py) in enumerate(points)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": fingers})

    touch("touchStart", (x - 40, y))
    editor.page.wait_for_timeout(500)
    touch("touchStart", (x - 40, y), (x + 40, y))
    touch("touchMove", (x - 60, y), (x + 60, y))
    touch("touchEnd")
    assert not editor.marks().any()
    editor.page.keyboard.press("0")
    before = editor.page.locator("#zoom-value").inner_text()
    for _ in range(2):
        touch("touchStart", (x, y))
        touch("touchEnd")
    editor.settle()
    assert editor.page.locator("#zoom-value").inner_text() != before
    editor.page.wait_for_timeout(350)
    assert not editor.marks().any()
    editor.page.keyboard.press("0")
    touch("touchStart", (x, y))
    touch("touchEnd")
    editor.page.wait_for_timeout(350)
    left, top, right, bottom = box_of(editor.marks())
    assert abs((left + right) / 2 - 150) < 3
    assert abs((top + bottom) / 2 - 200) < 3


def test_the_page_says_what_a_saved_file_lacks(open_editor: OpenEditor, server: FakeServer, tmp_path: Path) -> None:
    server.behaviour.keeps_metadata = False
    Image.fromarray(photo(300, 200)).save(tmp_path / "photo.jpg")
    editor = open_editor()
    editor.open(tmp_path / "photo.jpg")
    editor.stroke([editor.centre])
    editor.fill()
    editor.page.keyboard.press("Control+s")
    assert "leaves out what the camera noted (EXIF)" in editor.page.locator("#save-note").inner_text()
    editor.page.click("#save [value=no]")


def test_versions_are_named_and_deleted_and_undo_brings_one_back(editor: EditorPage) -> None:
    page = editor.page
    shown = page.locator("#history li:visible")
    editor.fill()
    page.click("#version-button")
    page.fill("#version-name", "without the boat")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    editor.wait_for_title("without the boat")
    editor.fill()
    page.click("#version-button")
    page.click("[data-action=delete-version]")
    editor.wait_for_title("Photo")
    assert shown.all_inner_texts() == ["Photo", "without the boat"]
    page.wait_for_timeout(600)
    page.reload()
    editor.wait_for_status("as you left it")
    assert shown.all_inner_texts() == ["Photo", "without the boat"]
    page.keyboard.press("PageDown")
    editor.wait_for_title("without the boat")
    page.click("#version-button")
    page.click("[data-action=delete-version]")
    editor.wait_for_title("Photo")
    page.keyboard.press("Control+z")
    editor.wait_for_title("without the boat")
    assert shown.count() == 2


def test_results_are_written_to_a_chosen_folder_and_the_next_photo_is_opened(
    editor: EditorPage, tmp_path: Path
) -> None:
    page = editor.page
    names = [f"walk-{number}.png" for number in (1, 2)]
    for number, name in enumerate(names):
        Image.fromarray(photo(320, 240, seed=number)).save(tmp_path / name)
    page.keyboard.press("Delete")
    page.set_input_files("#photo-file", [tmp_path / name for name in names])
    editor.wait_for_status("walk-1.png is open")
    page.evaluate(
        """() => {
          window.written = [];
          const file = (name) => ({ name, createWritable: async () => ({
            write: async (blob) => window.written.push([name, blob.type]), close: async () => {} }) });
          window.showDirectoryPicker = async () => ({ getFileHandle: async (name) => file(name) });
        }"""
    )
    for name in names:
        editor.stroke([editor.centre])
        editor.fill()
        page.click("[data-action=save]")
        page.locator("#place-to-save [value=folder]").evaluate("(option) => { option.hidden = false; }")
        page.select_option("#place-to-save", "folder")
        page.click("#save [value=yes]")
        editor.wait_for_status(f"Saved as {Path(name).stem}-filled.png")
        page.keyboard.press("n")
        editor.wait_for_status("walk-2.png is open|Saved")
    assert page.evaluate("window.written") == [[f"walk-{n}-filled.png", "image/png"] for n in (1, 2)]
    chosen = "(list) => list.selectedOptions[0].text"
    assert page.locator("#queue").evaluate(chosen) == "2 of 2: walk-2.png, saved"
    page.wait_for_timeout(600)
    page.reload()
    editor.wait_for_status("walk-2.png is open as you left it")
    assert page.locator("#queue").evaluate(chosen) == "2 of 2: walk-2.png, saved"
    page.select_option("#queue", index=0)
    editor.wait_for_status("walk-1.png is open. Paint")
    page.wait_for_timeout(600)
    page.reload()
    editor.wait_for_status("walk-1.png is open as you left it")
    page.keyboard.press("n")
    editor.wait_for_status("walk-2.png is open. Paint")
    assert page.locator("#queue option").count() == 2


REFUSES = """(kind) => {
  const within = (value) => (value instanceof Map ? [...value.values()] : Object.values(value ?? {}));
  const holdsFile = (value) => value instanceof Blob || (typeof value === "object" && within(value).some(holdsFile));
  const put = IDBObjectStore.prototype.put;
  IDBObjectStore.prototype.put = function (value, key) {
    const refused = kind === "files" ? holdsFile(value) : String(key).startsWith("version");
    if (refused) this.transaction.abort();
    else put.call(this, value, key);
  };
}"""


def test_work_comes_back_where_the_browser_keeps_no_files(open_editor: OpenEditor, tmp_path: Path) -> None:
    """As in private windows of WebKit: what was painted, filled and copied by hand, and photos that wait."""
    editor = open_editor()
    page = editor.page
    page.context.add_init_script(f"({REFUSES})('files')")
    page.reload()
    for number in (1, 2):
        Image.fromarray(photo(640, 400, seed=number)).save(tmp_path / f"walk-{number}.png")
    page.set_input_files("#photo-file", [tmp_path / f"walk-{number}.png" for number in (1, 2)])
    editor.wait_for_status("walk-1.png is open")
    x, y = editor.centre
    editor.stroke([(x - 30, y), (x + 30, y)])
    editor.fill()
    page.keyboard.press("k")
    page.keyboard.down("Alt")
    page.mouse.click(x - 100, y - 100)
    page.keyboard.up("Alt")
    editor.stroke([(x + 90, y + 60), (x + 120, y + 60)])
    editor.wait_for_status("Copied")
    before = np.asarray(Image.open(editor.save(tmp_path / "before", "png")))
    editor.stroke([(x + 90, y + 90), (x + 120, y + 90)])
    page.locator("#history li").nth(3).wait_for(state="attached")
    page.keyboard.press("Control+z")
    editor.wait_for_status("Undone")
    editor.wait_until_kept()
    page.reload()
    editor.wait_for_status("walk-1.png is open as you left it")
    assert (np.asarray(Image.open(editor.save(tmp_path / "after", "png"))) == before).all()
    page.keyboard.press("n")
    editor.wait_for_status("walk-2.png is open. Paint")


def test_leaving_is_questioned_once_something_could_not_be_kept(open_editor: OpenEditor, tmp_path: Path) -> None:
    """Later writings that succeed, as of marks, change nothing."""
    editor = open_editor()
    editor.page.evaluate(REFUSES, "versions")
    Image.fromarray(photo(640, 400)).save(tmp_path / "walk.png")
    editor.open(tmp_path / "walk.png")
    editor.stroke([editor.centre])
    editor.fill()
    kept = """async () => {
      const database = await new Promise((done) => {
        const asked = indexedDB.open(`temperfill ${location.pathname}`);
        asked.onsuccess = () => done(asked.result);
      });
      const asked = database.transaction("work").objectStore("work").get("state");
      const state = await new Promise((done) => { asked.onsuccess = () => done(asked.result); });
      return state?.shown === 1;
    }"""
    editor.page.wait_for_function(kept)
    assert not editor.page.evaluate("() => dispatchEvent(new Event('beforeunload', { cancelable: true }))")


@BOTH
def test_work_is_kept_while_its_user_never_pauses(open_editor: OpenEditor, tmp_path: Path) -> None:
    Image.fromarray(photo(320, 200)).save(tmp_path / "pier.png")
    editor = open_editor()
    editor.open(tmp_path / "pier.png")
    x, y = editor.centre
    for step in range(12):
        editor.stroke([(x - 60 + 10 * step, y), (x - 55 + 10 * step, y)])
        editor.page.wait_for_timeout(100)
    editor.page.reload()
    editor.wait_for_status("as you left it")
    assert editor.marks().any()
