"""Strokes land on the pixels under the pointer, at every zoom and pixel ratio; marks are undone and saved exactly."""

import io
import itertools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from service.editor.driver import EditorPage, OpenEditor, box_of, coordinate_picture, place_of

pytestmark = pytest.mark.browser


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "places.png"
    Image.fromarray(coordinate_picture(700, 500)).save(path)
    return path


def shown_place(editor: EditorPage, point: tuple[float, float]) -> tuple[int, int]:
    return place_of(editor.colour_at(point))


def dab(size: int, place: tuple[int, int]) -> tuple[int, int, int, int]:
    """The box of one dab of an odd size on a pixel."""
    left, top = place[0] - size // 2, place[1] - size // 2
    return left, top, left + size, top + size


@pytest.mark.parametrize("ratio", [1, 2])
def test_a_dab_marks_the_pixel_that_is_seen_under_the_pointer(
    open_editor: OpenEditor, picture: Path, ratio: int
) -> None:
    editor = open_editor(ratio=ratio)
    editor.open(picture)
    editor.set_size(1)
    x, y = editor.centre

    def check(point: tuple[float, float]) -> None:
        seen = shown_place(editor, point)
        editor.stroke([point])
        assert box_of(editor.marks()) == dab(1, seen)
        editor.page.keyboard.press("Control+z")
        editor.page.keyboard.press("m")
        editor.page.keyboard.press("m")

    editor.page.keyboard.press("1")  # a pixel of the picture is one of the screen
    check((x + 33, y - 57))
    editor.page.keyboard.down(" ")
    editor.stroke([(x, y), (x - 101, y + 43)])
    editor.page.keyboard.up(" ")
    check((x - 20, y + 8))
    editor.page.mouse.move(x + 7, y + 5)
    for _ in range(6):
        editor.page.mouse.wheel(0, -120 * ratio)  # a mouse's wheel zooms; this browser halves what it is told at 2
    editor.wait_for_zoom("422 %")
    check((x + 7, y + 6))
    check((x - 90, y - 61))
    seen = shown_place(editor, (x, y))
    editor.page.mouse.move(x, y)
    editor.page.mouse.wheel(42 * ratio, 21 * ratio)  # two fingers on a trackpad pan
    editor.settle()
    moved = shown_place(editor, (x, y))
    assert (moved[0] - seen[0], moved[1] - seen[1]) == pytest.approx((42 * ratio / 4.22, 21 * ratio / 4.22), abs=1.01)
    check((x + 55, y + 70))


def test_zooming_keeps_the_place_under_the_pointer(open_editor: OpenEditor, picture: Path) -> None:
    editor = open_editor()
    editor.open(picture)
    editor.page.keyboard.press("1")
    x, y = editor.centre
    point = (x + 120, y + 65)
    before = shown_place(editor, point)
    editor.page.mouse.move(*point)
    for _ in range(6):
        editor.page.mouse.wheel(0, -120)
    editor.wait_for_zoom("422 %")
    after = shown_place(editor, point)
    assert abs(before[0] - after[0]) <= 1
    assert abs(before[1] - after[1]) <= 1


@pytest.mark.parametrize("ratio", [1, 2])
@pytest.mark.parametrize("size", [2, 9])
def test_the_box_of_a_stroke_is_exact(open_editor: OpenEditor, picture: Path, ratio: int, size: int) -> None:
    editor = open_editor(ratio=ratio)
    editor.open(picture)
    editor.page.keyboard.press("1")
    editor.set_size(size)
    x, y = editor.centre
    start, end = (x - 60, y - 20), (x + 41, y + 33)
    first, last = shown_place(editor, start), shown_place(editor, end)
    editor.stroke([start, (x, y - 20), end])
    left, top, right, bottom = box_of(editor.marks())
    before = size // 2  # a dab of an even size reaches as far to both sides of the corner where it is put
    assert (left, top) == (first[0] - before, first[1] - before)
    assert (right, bottom) == (last[0] + size - before, last[1] + size - before)


def test_a_stroke_has_no_gaps_and_its_width(open_editor: OpenEditor, picture: Path) -> None:
    editor = open_editor()
    editor.open(picture)
    editor.page.keyboard.press("1")
    editor.set_size(9)
    x, y = editor.centre
    editor.stroke([(x - 100, y), (x + 100, y)])
    marks = editor.marks()
    left, top, right, bottom = box_of(marks)
    assert (right - left, bottom - top) == (209, 9)
    assert marks[top:bottom, left + 5 : right - 5].all()
    assert marks.sum() < 209 * 9  # round ends


def test_shift_draws_a_straight_line_from_the_last_stroke(open_editor: OpenEditor, picture: Path) -> None:
    editor = open_editor()
    editor.open(picture)
    editor.page.keyboard.press("1")
    editor.set_size(9)
    x, y = editor.centre
    start, end = (x - 100, y - 40), (x + 60, y - 40)
    first, last = shown_place(editor, start), shown_place(editor, end)
    editor.stroke([start])
    editor.page.keyboard.down("Shift")
    editor.stroke([end])
    editor.page.keyboard.up("Shift")
    assert box_of(editor.marks()) == (*dab(9, first)[:2], *dab(9, last)[2:])


def test_undo_redo_erase_clear_and_invert(open_editor: OpenEditor, picture: Path) -> None:
    editor = open_editor()
    editor.open(picture)
    press = editor.page.keyboard.press
    x, y = editor.centre
    editor.stroke([(x - 200, y), (x + 200, y)])
    one = editor.marks()
    editor.stroke([(x, y - 150), (x, y + 150)])
    two = editor.marks()
    assert (one & ~two).sum() == 0
    assert two.sum() > one.sum() > 0
    press("Control+z")
    assert (editor.marks() == one).all()
    press("Control+z")
    assert not editor.marks().any()
    press("Control+Shift+z")
    press("Control+y")
    assert (editor.marks() == two).all()
    press("e")
    editor.stroke([(x, y - 150), (x, y + 150)])
    assert (editor.marks() == (one & ~two_only(one, two, editor))).all()
    press("Control+z")
    press("i")
    assert (editor.marks() == ~two).all()
    press("Delete")
    assert not editor.marks().any()
    press("Control+z")
    press("Control+z")
    assert (editor.marks() == two).all()


def two_only(one: Any, two: Any, editor: EditorPage) -> Any:
    """The second stroke alone: painted on an empty mask."""
    x, y = editor.centre
    press = editor.page.keyboard.press
    press("Delete")
    press("b")
    editor.stroke([(x, y - 150), (x, y + 150)])
    stroke = editor.marks()
    assert ((one | stroke) == two).all()
    press("Control+z")
    press("Control+z")
    return stroke


def test_a_pens_eraser_erases_with_every_brush(open_editor: OpenEditor, picture: Path) -> None:
    editor = open_editor()
    editor.open(picture)
    x, y = editor.centre
    editor.stroke([(x - 100, y), (x + 100, y)])
    before = editor.marks()
    editor.page.locator("#stage").evaluate(
        """(stage, [x, y]) => {
          const mouse = { pointerId: 1, isPrimary: true, bubbles: true }; // the one that this browser knows
          const pen = { ...mouse, pointerType: "pen", clientX: x, clientY: y };
          stage.dispatchEvent(new PointerEvent("pointerdown", { ...pen, button: 5, buttons: 32 }));
          stage.dispatchEvent(new PointerEvent("pointermove", { ...pen, clientX: x + 50, button: -1, buttons: 32 }));
          stage.dispatchEvent(new PointerEvent("pointerup", { ...pen, clientX: x + 50, button: 5, buttons: 0 }));
        }""",
        [x, y],
    )
    after = editor.marks()
    assert not (after & ~before).any()
    assert 0 < after.sum() < before.sum()
    editor.page.keyboard.press("Control+z")
    assert (editor.marks() == before).all()


def test_mask_and_lines_are_kept_apart(open_editor: OpenEditor, picture: Path) -> None:
    editor = open_editor()
    editor.open(picture)
    x, y = editor.centre
    editor.stroke([(x - 50, y), (x + 50, y)])
    mask = editor.marks()
    editor.page.keyboard.press("l")
    editor.stroke([(x - 50, y - 20), (x + 50, y + 20)])
    lines = editor.marks("sketch")
    assert (editor.marks() == mask).all()
    assert 0 < lines.sum() < mask.sum()
    editor.page.keyboard.press("Delete")
    assert not editor.marks("sketch").any()
    assert (editor.marks() == mask).all()


def test_saved_marks_load_again_and_other_kinds_of_masks_do(
    open_editor: OpenEditor, picture: Path, tmp_path: Path
) -> None:
    editor = open_editor()
    editor.open(picture)
    marked = np.random.default_rng(3).random((500, 700)) > 0.7
    grey = Image.fromarray(marked.astype(np.uint8) * 255)
    transparent = Image.new("RGBA", grey.size)
    transparent.paste((0, 0, 0, 255), (0, 0), grey)  # black strokes on nothing
    variants = {"grey": grey, "bits": grey.convert("1"), "colours": grey.convert("RGB"), "transparent": transparent}
    for name, image in variants.items():
        editor.page.keyboard.press("Delete")
        image.save(tmp_path / f"{name}.png")
        editor.page.set_input_files("#mask-file", tmp_path / f"{name}.png")
        editor.wait_for_status(f"Mask loaded from {name}.png")
        assert (editor.marks() == marked).all(), name
    editor.page.set_input_files("#sketch-file", tmp_path / "grey.png")
    editor.wait_for_status("Lines loaded")
    assert (editor.marks("sketch") == marked).all()
    editor.page.keyboard.press("Control+z")
    assert not editor.marks("sketch").any()


def test_painting_by_keys(open_editor: OpenEditor, picture: Path) -> None:
    editor = open_editor()
    editor.open(picture)
    editor.page.keyboard.press("1")
    editor.set_size(9)
    editor.page.locator("#stage").focus()
    for key in ("ArrowLeft", "Enter", "Shift+ArrowRight", "Shift+ArrowRight", "Shift+ArrowDown", "Enter", "ArrowUp"):
        editor.page.keyboard.press(key)
    left, top, right, bottom = box_of(editor.marks())
    assert (right - left, bottom - top) == (9 + 2 * 36, 9 + 36)
    editor.page.keyboard.press("Control+z")
    assert not editor.marks().any()


def test_what_is_marked_is_seen(open_editor: OpenEditor, picture: Path) -> None:
    editor = open_editor()
    editor.open(picture)
    x, y = editor.centre
    before = editor.screen()
    editor.stroke([(x - 50, y), (x + 50, y)])
    after = editor.screen()
    changed = (before != after).any(2)[60:660, 100:1100]
    left, _, right, _ = box_of(changed)
    assert left + 100 < x - 50
    assert right + 100 > x + 50
    editor.page.keyboard.press("m")
    assert (editor.screen() == before)[60:660, 100:1100].all()


Touch = Callable[..., None]


def touch_screen(editor: EditorPage) -> Touch:
    session = editor.page.context.new_cdp_session(editor.page)
    clock = itertools.count(time.time(), 0.02)  # a finger's, however slow the machine is

    def touch(kind: str, *points: tuple[float, float]) -> None:
        fingers = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(points)]
        event = {"type": kind, "touchPoints": fingers, "timestamp": next(clock)}
        session.send("Input.dispatchTouchEvent", event)

    return touch


def test_one_finger_paints_two_fingers_zoom_on_a_phone(open_editor: OpenEditor, picture: Path) -> None:
    editor = open_editor(390, 844, 3, has_touch=True, is_mobile=True)
    editor.open(picture)
    editor.page.keyboard.press("1")
    editor.set_size(9)
    touch = touch_screen(editor)
    x, y = editor.centre
    start, end = (x - 40, y - 10), (x + 30, y + 20)
    first, last = shown_place(editor, start), shown_place(editor, end)
    touch("touchStart", start)
    touch("touchMove", end)
    touch("touchEnd")
    painted = editor.marks()
    assert box_of(painted) == (*dab(9, first)[:2], *dab(9, last)[2:])
    zoom = editor.page.locator("#zoom-value").inner_text()
    touch("touchStart", (x - 40, y))
    touch("touchStart", (x - 40, y), (x + 40, y))
    for spread in (50, 65, 80):
        touch("touchMove", (x - spread, y), (x + spread, y))
    touch("touchEnd")
    assert (editor.marks() == painted).all()
    assert zoom == "100 %"
    editor.wait_for_zoom("200 %")


def test_the_photo_is_shown_exactly_at_full_size(open_editor: OpenEditor, picture: Path) -> None:
    for ratio in (1, 2):
        editor = open_editor(ratio=ratio)
        editor.open(picture)
        editor.page.keyboard.press("1")
        screen = editor.screen()
        x, y = (round(value * ratio) for value in editor.centre)
        column, row = place_of(screen[y, x])
        reach = 180
        window = screen[y - reach : y + reach, x - reach : x + reach]
        expected = coordinate_picture(700, 500)[row - reach : row + reach, column - reach : column + reach]
        assert (window == expected).all()


def test_a_photo_turned_by_its_exif_data_is_upright(open_editor: OpenEditor, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    upright = np.zeros((600, 400, 3), np.uint8)
    upright[:300, :200] = (255, 0, 0)
    buffer = io.BytesIO()
    Image.fromarray(np.rot90(upright)).save(buffer, "JPEG", quality=95, exif=exif)
    path = tmp_path / "turned.jpg"
    path.write_bytes(buffer.getvalue())
    editor = open_editor()
    editor.open(path)
    assert "400 × 600" in editor.page.locator("#facts").inner_text()
    editor.page.keyboard.press("1")
    x, y = editor.centre
    assert editor.colour_at((x - 100, y - 150))[0] > 200
    assert editor.colour_at((x + 100, y - 150))[0] < 50
    editor.stroke([(x, y)])
    assert editor.marks().shape == (600, 400)


@pytest.mark.slow
def test_a_phone_photo_of_24_megapixels(open_editor: OpenEditor, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "phone.jpg"
    Image.fromarray(coordinate_picture(96, 72)).resize((5712, 4284)).save(path, exif=exif)
    editor = open_editor(390, 844, 3, has_touch=True, is_mobile=True)
    editor.open(path)
    editor.page.keyboard.press("1")
    editor.set_size(9)
    x, y = editor.centre
    editor.stroke([(x - 20, y), (x + 20, y)])
    marks = editor.marks()
    left, top, right, bottom = box_of(marks)
    assert marks.shape == (5712, 4284)
    assert (right - left, bottom - top) == (3 * 40 + 9, 9)
    editor.page.keyboard.press("i")
    assert (editor.marks() == ~marks).all()


@pytest.mark.slow
def test_what_a_stroke_draws_equals_drawing_everything_anew(open_editor: OpenEditor, picture: Path) -> None:
    editor = open_editor(ratio=2)
    editor.open(picture)
    x, y = editor.centre
    for _ in range(2):
        editor.stroke([(x - 80, y - 30), (x - 20, y + 25), (x + 70, y - 40), (x - 10, y - 60)])
        editor.page.keyboard.press("e")
        editor.stroke([(x + 10, y - 60), (x + 12, y + 30)])
        editor.page.keyboard.press("l")
        editor.stroke([(x - 70, y - 35), (x + 60, y + 5)])
        editor.page.keyboard.press("b")
        editor.page.keyboard.press("+")
        editor.stroke([(x - 90, y + 30), (x + 90, y + 32)])
        drawn = editor.still_screen()
        editor.page.keyboard.press("m")
        hidden = editor.still_screen()
        editor.page.keyboard.press("m")
        assert (editor.still_screen() == drawn).all()
        assert (hidden != drawn).any()
