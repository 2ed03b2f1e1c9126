"""The page itself: no script in the HTML, readable contrast, names for all controls, nothing off the screen."""

import itertools
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from service.editor.driver import OpenEditor, photo
from service.editor.fake_server import PAGE, FakeServer

if TYPE_CHECKING:
    from playwright.sync_api import Locator

HTML = (PAGE / "index.html").read_text(encoding="utf-8")
CSS = (PAGE / "style.css").read_text(encoding="utf-8")
MODULES = sorted(PAGE.glob("*.js"))


class Elements(HTMLParser):
    """All start tags with their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(HTML)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attributes)))


def test_the_page_obeys_a_strict_content_policy() -> None:
    for tag, attributes in Elements().found:
        assert tag != "style"
        assert "style" not in attributes
        assert not [name for name in attributes if name.startswith("on")]
        if tag == "script":
            assert attributes.get("src")
        for name in ("src", "href"):
            assert not re.match(r"(\w+:)?//", attributes.get(name) or "")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_a_module_says_what_it_hides_and_asks_no_other_place(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith("// Hides: ")
    assert len(text.splitlines()) < 350
    assert not re.search(r"https?://", text)


def test_only_the_engine_asks_the_server() -> None:
    """So that the page runs on another engine where this one file is exchanged."""
    askers = {path.name for path in MODULES if re.search(r"\bfetch\(|XMLHttpRequest|\bv1/", path.read_text("utf-8"))}
    assert askers == {"engine.js"}


def colours(scheme: int) -> dict[str, tuple[float, ...]]:
    """The named colours of the style sheet, 0 = light and 1 = dark, as RGB from 0 to 1."""
    result = {}
    for name, *pair in re.findall(r"--([\w-]+): light-dark\((#\w+), (#\w+)\)", CSS):
        digits = pair[scheme][1:]
        digits = "".join(2 * digit for digit in digits) if len(digits) == 3 else digits
        result[name] = tuple(int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4))
    return result


def contrast(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """WCAG 2.2, contrast ratio."""

    def luminance(colour: tuple[float, ...]) -> float:
        linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in colour]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_text_and_controls_stand_out(scheme: int) -> None:
    named = colours(scheme)
    texts = [(text, back) for text in ("text", "quiet") for back in ("bar", "hover", "pressed")]
    for text, back in [*texts, ("on-accent", "accent"), ("alarm", "alarm-bar")]:
        assert contrast(named[text], named[back]) >= 4.5, (text, back)
    for control, back in [("accent", "bar"), ("focus", "bar"), ("focus", "stage"), ("accent", "pressed")]:
        assert contrast(named[control], named[back]) >= 3, (control, back)


def box_in_window(control: "Locator") -> tuple[int, int, int, int]:
    """Left, top, right and bottom, rounded."""
    box = control.bounding_box()
    assert box is not None
    left, top = round(box["x"]), round(box["y"])
    return left, top, round(box["x"] + box["width"]), round(box["y"] + box["height"])


WINDOWS = [(1280, 800), (1024, 700), (820, 1180), (390, 844), (320, 640)]


@pytest.mark.browser
@pytest.mark.parametrize(("width", "height"), WINDOWS, ids=lambda value: str(value))
def test_every_control_is_named_and_within_reach(
    open_editor: OpenEditor, server: FakeServer, tmp_path: Path, width: int, height: int
) -> None:
    Image.fromarray(photo(300, 200)).save(tmp_path / "photo.png")
    editor = open_editor(width, height)
    editor.open(tmp_path / "photo.png")
    editor.stroke([editor.centre])
    editor.fill()
    editor.page.click("[data-action=compare]")
    controls = editor.page.locator("button:visible, input:visible, select:visible").all()
    assert len(controls) > 15
    for control in controls:
        html = control.evaluate("(element) => element.outerHTML.slice(0, 90)")
        box = control.bounding_box()
        assert box is not None
        if not control.evaluate("(element) => Boolean(element.closest('#history ol'))"):
            assert box["x"] >= 0, html
            assert box["x"] + box["width"] <= width, html
            assert box["y"] + box["height"] <= height, html
        smallest = 40 if width < 821 and "range" not in html else 24
        assert box["height"] >= smallest, html
        names = control.evaluate(
            "(e) => [e.ariaLabel, e.innerText, ...[...(e.labels ?? [])].map((l) => l.textContent)]"
        )
        assert any(name and name.strip() for name in names), html
    buttons = [box_in_window(control) for control in editor.page.locator(".group button:visible").all()]
    for one, other in itertools.combinations(buttons, 2):  # none lies on another
        assert one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1], (one, other)
    stage = editor.page.locator("#stage").bounding_box()
    assert stage is not None
    assert stage["height"] > height * 0.4


@pytest.mark.browser
@pytest.mark.parametrize(("width", "height"), [(1280, 800), (390, 844), (320, 640)], ids=lambda value: str(value))
def test_menus_and_panels_fit_and_say_what_they_are(
    open_editor: OpenEditor, server: FakeServer, tmp_path: Path, width: int, height: int
) -> None:
    """To a screen reader, too: names without key lists or pictures, and panels that close by "Close"."""
    server.behaviour.models = ("fake", "another that has a rather long name and terms of use")
    Image.fromarray(photo(300, 200)).save(tmp_path / "photo.png")
    editor = open_editor(width, height)
    page = editor.page
    editor.open(tmp_path / "photo.png")
    page.wait_for_selector("#model option:nth-child(2)", state="attached")
    for button in page.locator("[popovertarget]:enabled").all():
        menu = page.locator(f"#{button.get_attribute('popovertarget')}")
        button.click()
        menu.wait_for(state="visible")
        for part in (menu, *menu.locator(":scope *:visible").all()):
            box = part.bounding_box()
            assert box is not None
            right, bottom = box["x"] + box["width"], box["y"] + box["height"]
            assert min(box["x"], width - right) >= 0, part.evaluate("(e) => e.outerHTML")
            assert part != menu or min(box["y"], height - bottom) >= 0  # what is in it can be scrolled
        page.keyboard.press("Escape")
        menu.wait_for(state="hidden")
    for tool, panel in (("x", "#extend"), ("k", "#retouch"), ("w", "#sources")):
        page.keyboard.press(tool)
        page.locator(panel).get_by_role("button", name="Close", exact=True).click()
        page.locator(panel).wait_for(state="hidden")
    told = page.locator("body").aria_snapshot()
    assert "- img" not in told
    assert "button" in told
    assert not re.search(r'"[^"\n]*\)\."', told)
    page.get_by_role("button", name="Keys and gestures").click()
    page.locator("#help").get_by_role("button", name="Close", exact=True).click()
    page.locator("#help").wait_for(state="hidden")


@pytest.mark.browser
def test_a_phone_is_told_what_the_buttons_do_and_nothing_of_keys(open_editor: OpenEditor, tmp_path: Path) -> None:
    editor = open_editor(390, 844, 2, has_touch=True, is_mobile=True)
    page = editor.page
    assert "drop it" not in page.locator("#empty").inner_text()
    Image.fromarray(photo(300, 200)).save(tmp_path / "photo.png")
    editor.open(tmp_path / "photo.png")
    editor.tap("[data-action=help]")
    text = page.locator("#help").inner_text()
    for words in ("Brush: paint over what should be filled", "Compare before and after", "Options of the fill"):
        assert words in text
    assert page.locator("#help dt svg").count() > 20
    assert not re.search(r"Ctrl|Alt|Esc|\([A-Z]\)", text)
    editor.tap("[data-action=close-help]")
    editor.tap("#retouch-button")
    editor.tap("#retouch-menu [data-tool=clone]")
    editor.wait_for_status("First say where to copy from: press “Set the source”")


@pytest.mark.browser
def test_a_phone_sets_the_temperature_among_the_options(
    open_editor: OpenEditor, server: FakeServer, tmp_path: Path
) -> None:
    editor = open_editor(390, 844, 2, has_touch=True, is_mobile=True)
    page = editor.page
    Image.fromarray(photo(300, 200)).save(tmp_path / "photo.png")
    editor.open(tmp_path / "photo.png")
    assert page.locator("#temperature").is_hidden()
    editor.tap("#options-button")
    box = page.locator("#temperature").bounding_box()
    assert box is not None
    page.touchscreen.tap(box["x"] + box["width"] - 2, box["y"] + box["height"] / 2)
    assert page.locator("#temperature-value").inner_text() == "4.00"
    page.set_viewport_size({"width": 1280, "height": 844})  # a tablet that is turned
    page.locator(".heat #temperature").wait_for(state="visible")
    assert page.locator("#temperature").input_value() == "2"


@pytest.mark.browser
def test_the_toolbar_is_one_row_on_a_desktop_also_during_a_fill(
    open_editor: OpenEditor, server: FakeServer, tmp_path: Path
) -> None:
    Image.fromarray(photo(300, 200)).save(tmp_path / "photo.png")
    server.behaviour.steps = 1
    editor = open_editor(1100)
    editor.open(tmp_path / "photo.png")
    editor.stroke([editor.centre])
    for wanted in (".primary[data-action=fill]", "[data-action=cancel]"):
        editor.page.wait_for_selector(wanted)
        bar = editor.page.locator(".bar").bounding_box()
        assert bar is not None
        assert bar["height"] < 52
        editor.page.keyboard.press("f")
    server.behaviour.proceed.set()


@pytest.mark.browser
def test_the_help_lists_every_key_and_escape_closes_it(open_editor: OpenEditor) -> None:
    editor = open_editor()
    editor.page.keyboard.press("?")
    text = editor.page.locator("#help").inner_text()
    for key in ("Ctrl+Z", "Ctrl+Enter", "Shift + click", "Space + drag", "[", "]", "Esc"):
        assert key in text
    editor.page.keyboard.press("Escape")
    assert editor.page.locator("#help").is_hidden()
