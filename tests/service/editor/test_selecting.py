"""Shapes, snapping to objects, growing and shrinking, filling at once."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from service.editor.driver import EditorPage, OpenEditor, box_of
from service.editor.fake_server import FakeServer, fill_colour

pytestmark = pytest.mark.browser

WIDTH, HEIGHT = 640, 400


def object_picture() -> tuple[Image.Image, np.ndarray]:
    """A reddish disc with a bite on a mottled green ground, and where it is."""
    truth = Image.new("L", (WIDTH, HEIGHT))
    draw = ImageDraw.Draw(truth)
    draw.ellipse((240, 110, 420, 290), fill=255)
    draw.rectangle((360, 110, 420, 160), fill=0)
    mask = np.asarray(truth) > 0
    noise = np.random.default_rng(0).integers(-25, 26, (HEIGHT, WIDTH, 3))
    colours = np.where(mask[..., None], (190, 60, 40), (70, 120, 60)) + noise
    return Image.fromarray(colours.clip(0, 255).astype(np.uint8)), mask


@pytest.fixture
def editor(open_editor: OpenEditor, tmp_path: Path) -> EditorPage:
    picture, _ = object_picture()
    picture.save(tmp_path / "disc.png")
    editor = open_editor()
    editor.open(tmp_path / "disc.png")
    editor.page.keyboard.press("1")
    return editor


def at(editor: EditorPage, column: float, row: float) -> tuple[float, float]:
    """Where a pixel is seen, at actual pixels."""
    x, y = editor.centre
    return x + column - WIDTH / 2, y + row - HEIGHT / 2


def click(editor: EditorPage, *places: tuple[float, float]) -> None:
    for place in places:
        editor.stroke([at(editor, *place)])


def test_shapes_mark_and_erase_what_they_go_around(editor: EditorPage) -> None:
    press = editor.page.keyboard.press
    press("r")
    editor.stroke([at(editor, 100, 80), at(editor, 300, 200)])
    left, top, right, bottom = box_of(editor.marks())
    assert np.abs(np.subtract((left, top, right, bottom), (100, 80, 300, 200))).max() <= 1
    whole = editor.marks()
    assert whole.sum() == (right - left) * (bottom - top)
    press("e")
    press("p")  # another tool marks again
    click(editor, (320, 220), (420, 220), (420, 320), (320, 320), (320, 220))
    both = editor.marks()
    assert abs(int(both.sum() - whole.sum()) - 100 * 100) < 250
    editor.page.keyboard.down("Alt")
    click(editor, (320, 220), (420, 220), (320, 320))
    editor.page.keyboard.up("Alt")
    press("Enter")
    assert abs(int(both.sum() - editor.marks().sum()) - 100 * 100 / 2) < 250
    press("Control+z")
    assert (editor.marks() == both).all()
    click(editor, (20, 20), (60, 20))
    press("Escape")
    press("o")
    press("e")
    editor.stroke([at(editor, *place) for place in ((90, 70), (310, 70), (310, 210), (90, 210))])
    assert (editor.marks() == (both & ~whole)).all()


def test_shapes_by_keys(editor: EditorPage) -> None:
    press = editor.page.keyboard.press
    editor.page.mouse.move(1, 1)
    editor.page.locator("#stage").focus()
    editor.set_size(8)
    for key in ("r", "Enter", *4 * ["Shift+ArrowRight"], *2 * ["Shift+ArrowDown"], "Enter"):
        press(key)
    left, top, right, bottom = box_of(editor.marks())
    assert (right - left, bottom - top) == (128, 64)


def test_shapes_by_finger_on_a_phone(open_editor: OpenEditor, tmp_path: Path) -> None:
    """Each is chosen from the menu and drawn on the photo; undo and the eraser work between them."""
    picture, _ = object_picture()
    picture.save(tmp_path / "disc.png")
    editor = open_editor(390, 844, 3, has_touch=True, is_mobile=True)
    page = editor.page
    editor.open(tmp_path / "disc.png")
    x, y = editor.centre
    scale = float(page.locator("#zoom-value").inner_text().split()[0]) / 100 / 3  # CSS pixels for a pixel of the photo

    def choose(tool: str) -> None:
        editor.tap("#shapes-button")
        editor.tap(f"#shapes-menu [data-tool={tool}]")

    def area() -> float:
        return float(editor.marks().sum()) * scale**2

    choose("rectangle")
    editor.swipe([(x - 80, y - 50), (x - 40, y - 10), (x - 20, y + 10)])
    assert abs(area() - 60 * 60) < 200
    editor.tap("[data-action=undo]")
    assert not editor.marks().any()
    choose("lasso")
    editor.swipe([(x - 60, y - 40), (x + 60, y - 40), (x + 60, y + 40), (x - 60, y + 40), (x - 60, y - 38)])
    assert abs(area() - 120 * 80) < 700
    choose("polygon")
    editor.tap("[data-action=erase]")
    for right, down in ((-30, -20), (30, -20), (30, 20), (-30, 20), (-30, -20)):
        page.touchscreen.tap(x + right, y + down)
        page.wait_for_timeout(350)  # later than a double tap
    editor.settle()
    assert abs(area() - (120 * 80 - 60 * 40)) < 900


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    return float((one & other).sum() / (one | other).sum())


def test_a_rough_mark_snaps_to_the_object(editor: EditorPage) -> None:
    _, truth = object_picture()
    editor.page.keyboard.press("a")
    editor.stroke([at(editor, 275, 160), at(editor, 330, 260), at(editor, 390, 190)])
    editor.wait_for_status("Snapped")
    assert overlap(editor.marks(), truth) > 0.95
    editor.page.keyboard.press("Control+z")
    assert not editor.marks().any()  # the rough stroke is no step of its own
    editor.page.keyboard.press("r")
    editor.stroke([at(editor, 220, 90), at(editor, 450, 310)])
    editor.wait_for_status("Snapped")
    assert overlap(editor.marks(), truth) > 0.95


def test_the_mask_grows_and_shrinks_in_view(editor: EditorPage) -> None:
    editor.page.keyboard.press("r")
    editor.stroke([at(editor, 100, 0), at(editor, 200, 100)])
    square = editor.marks()
    slider = editor.page.locator("#resize input")

    def resize(by: int, button: str) -> None:
        editor.page.keyboard.press("g")
        slider.wait_for()
        slider.evaluate("(input, by) => { input.value = by; input.dispatchEvent(new Event('input')); }", by)
        editor.page.click(f"#resize [value={button}]")

    resize(12, "yes")
    grown = editor.marks()
    assert box_of(grown) == tuple(np.add(box_of(square), (-12, 0, 12, 12)))
    resize(-12, "yes")
    assert box_of(editor.marks()) == box_of(square)  # the edge of the photo is no edge of the mask
    before = editor.marks()
    resize(30, "no")
    assert (editor.marks() == before).all()
    editor.page.keyboard.press("Control+z")
    assert (editor.marks() == grown).all()


def test_marks_are_filled_at_once_also_those_made_meanwhile(editor: EditorPage, server: FakeServer) -> None:
    server.behaviour.steps = 1
    editor.page.keyboard.press("q")
    editor.stroke([at(editor, 80, 80), at(editor, 120, 80)])
    editor.page.wait_for_selector("#progress:not([hidden])")
    editor.stroke([at(editor, 80, 300), at(editor, 120, 300)])
    server.behaviour.proceed.set()
    editor.wait_for_title("Result 2")
    for row in (80, 300):
        assert (abs(editor.colour_at(at(editor, 100, row)).astype(int) - fill_colour(1)) < 3).all()
    assert len([upload for upload in server.behaviour.uploads if upload.path == "/v1/inpaint"]) == 2


def test_only_a_part_of_a_result_is_filled_anew(editor: EditorPage, server: FakeServer, tmp_path: Path) -> None:
    editor.page.keyboard.press("r")
    editor.stroke([at(editor, 100, 80), at(editor, 300, 200)])
    editor.fill()
    first = np.asarray(Image.open(editor.save(tmp_path, "png")))
    editor.heat(1)
    editor.stroke([at(editor, 120, 100), at(editor, 160, 140)])
    part = editor.marks()
    editor.fill()
    second = np.asarray(Image.open(editor.save(tmp_path, "png")))
    assert (second[~part] == first[~part]).all()
    assert (second[part] == fill_colour(2)).all()
