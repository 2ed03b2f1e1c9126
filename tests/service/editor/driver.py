"""What a user of the page does and sees, as the tests need it: pictures to open, strokes, what lies on the screen."""

import io
import os
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

if TYPE_CHECKING:
    from fastapi import FastAPI
    from playwright.sync_api import Page

Point = tuple[float, float]


def coordinate_picture(width: int, height: int) -> NDArray[np.uint8]:
    """A picture up to 4096 x 4096 whose every pixel says in its colour where it lies."""
    rows, columns = np.mgrid[:height, :width]
    high = (columns >> 8) << 4 | rows >> 8
    return np.stack([columns & 255, rows & 255, high], 2).astype(np.uint8)


def place_of(colour: NDArray[np.uint8]) -> tuple[int, int]:
    """Column and row that a colour of ``coordinate_picture`` stands for."""
    red, green, blue = (int(value) for value in colour[:3])
    return red | blue >> 4 << 8, green | (blue & 15) << 8


def photo(width: int, height: int, seed: int = 0) -> NDArray[np.uint8]:
    """Smooth colours with some noise, as a JPEG likes them."""
    rows, columns = np.mgrid[:height, :width]
    waves = [128 + 100 * np.sin(columns / (23 + 9 * k) + rows / (31 - 7 * k)) for k in range(3)]
    noise = np.random.default_rng(seed).integers(-20, 21, (height, width, 3))
    return np.clip(np.stack(waves, 2) + noise, 0, 255).astype(np.uint8)


def box_of(marks: NDArray[Any]) -> tuple[int, int, int, int]:
    """Left, top, right (exclusive) and bottom of what is marked; fails where nothing is."""
    rows, columns = np.nonzero(marks)
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1


class EditorPage:
    """The page in a browser; points are CSS pixels of the window."""

    def __init__(self, page: "Page", address: str, ratio: float) -> None:
        self.page = page
        self.ratio = ratio
        page.goto(address)
        page.wait_for_selector("body")

    def open(self, path: Path) -> None:
        self.page.set_input_files("#photo-file", path)
        self.wait_for_status(f"{path.stem}.* is open")

    def wait_for_status(self, pattern: str, seconds: float = 30) -> None:
        from playwright.sync_api import expect

        expect(self.page.locator("#status")).to_have_text(re.compile(pattern), timeout=1000 * seconds)

    def wait_for_zoom(self, text: str) -> None:
        from playwright.sync_api import expect

        expect(self.page.locator("#zoom-value")).to_have_text(text)

    def wait_for_title(self, text: str) -> None:
        """Waits until this version is on show."""
        from playwright.sync_api import expect

        expect(self.page.locator("#version-title")).to_have_text(text)

    def wait_for_notice(self, pattern: str) -> None:
        from playwright.sync_api import expect

        expect(self.page.locator("#notice:not([hidden]) p")).to_have_text(re.compile(pattern))

    def wait_until_kept(self) -> None:
        """Waits until a reload loses nothing of work that is not saved, by the browser's own question."""
        self.page.wait_for_function("() => dispatchEvent(new Event('beforeunload', { cancelable: true }))")

    @property
    def centre(self) -> Point:
        box = self.page.locator("#stage").bounding_box()
        assert box is not None
        return round(box["x"] + box["width"] / 2), round(box["y"] + box["height"] / 2)

    def settle(self) -> None:
        """Waits until what was asked for is on the screen."""
        self.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def screen(self, **options: Any) -> NDArray[np.uint8]:
        """The window in device pixels, without the brush's ring."""
        self.page.mouse.move(1, 1)
        self.settle()
        return np.asarray(Image.open(io.BytesIO(self.page.screenshot(**options))).convert("RGB"))

    def still_screen(self) -> NDArray[np.uint8]:
        """The window once it stays as it is: two pictures of it in succession are the same."""
        before = self.screen()
        for _ in range(20):
            self.page.wait_for_timeout(50)
            now = self.screen()
            if np.array_equal(now, before):
                return now
            before = now
        raise AssertionError("the window does not come to rest")

    def colour_at(self, point: Point) -> NDArray[np.uint8]:
        return self.screen(clip={"x": point[0], "y": point[1], "width": 1, "height": 1})[0, 0]

    def set_size(self, size: int) -> None:
        """By the slider down to one pixel, then by the key, which passes no size below ten."""
        assert size < 10
        slider = self.page.locator("#size")
        slider.evaluate("(input) => { input.value = 0; input.dispatchEvent(new Event('input')); }")
        for _ in range(size - 1):
            self.page.keyboard.press("]")
        assert self.page.locator("#size-value").inner_text() == f"{size} px"

    def stroke(self, points: Sequence[Point]) -> None:
        self.page.mouse.move(*points[0])
        self.page.mouse.down()
        for point in points[1:]:
            self.page.mouse.move(*point)
        self.page.mouse.up()

    def tap(self, selector: str) -> None:
        """A finger on an element; made again where a busy machine let so much time pass between down and up that it was
        a long press, which clicks nothing."""
        listen = "() => { window.tapped = new Promise((done) => addEventListener('click', () => done(true), true)); }"
        wait = "() => Promise.race([window.tapped, new Promise((done) => setTimeout(() => done(false), 500))])"
        for _ in range(10):
            self.page.evaluate(listen)
            self.page.tap(selector)
            if self.page.evaluate(wait):
                return
        raise AssertionError(f"no tap on {selector} became a click")

    def swipe(self, points: Sequence[Point]) -> None:
        """One finger goes down, along points and up."""
        client = self.page.context.new_cdp_session(self.page)
        for number, (x, y) in enumerate(points):
            kind = "touchMove" if number else "touchStart"
            client.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
        client.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    def marks(self, name: str = "mask") -> NDArray[np.bool_]:
        """Mask or sketch, through its menu and the file that is saved."""
        self.page.click("#marks-button")
        with self.page.expect_download() as download:
            self.page.click(f"[data-action=save-{name}]")
        values = np.asarray(Image.open(download.value.path()))
        assert values.ndim == 2
        assert np.isin(values, (0, 255)).all()
        return values > 0

    def set(self, name: str, value: str) -> None:
        """Sets an option of the fill."""
        self.page.click("#options-button")
        field = self.page.locator(f"#options [name={name}]")
        (field.fill if name == "feather" else field.select_option)(value)
        self.page.keyboard.press("Tab")
        self.page.keyboard.press("Escape")

    def heat(self, power: int) -> None:
        """Sets the temperature, a power of two."""
        slider = self.page.locator("#temperature")
        slider.evaluate("(input, to) => { input.value = to; input.dispatchEvent(new Event('input')); }", power)

    def fill(self) -> None:
        """Fills and waits for the result."""
        self.page.click(".primary[data-action=fill]")
        self.wait_for_status("Result .* is ready")

    def save(self, folder: Path, kind: str = "", quality: int | None = None) -> Path:
        """Saves the version on show; empty for the photo's own format."""
        self.page.click("[data-action=save]")
        self.page.select_option("#format", kind)
        if quality is not None:
            self.page.select_option("#quality", str(quality))
        with self.page.expect_download() as download:
            self.page.click("#save [value=yes]")
        path = folder / download.value.suggested_filename
        download.value.save_as(path)
        return path


def children_seconds() -> float:
    """Processor time of all processes that this one started, the browser's among them, so far."""
    children: dict[int, list[int]] = {}
    seconds = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = path.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        number = int(path.parent.name)
        children.setdefault(int(words[1]), []).append(number)
        seconds[number] = (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")
    total, waiting = 0.0, children.get(os.getpid(), [])
    while waiting:
        number = waiting.pop()
        total += seconds[number]
        waiting += children.get(number, [])
    return total


@contextmanager
def served(app: "FastAPI") -> Iterator[int]:
    """The service itself on a free port."""
    uvicorn = pytest.importorskip("uvicorn", reason="needs the service's packages")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=2))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.02)
        yield listener.getsockname()[1]
        server.should_exit = True
        thread.join(10)


BOTH = pytest.mark.parametrize("engine", ["server", "static"])
"""Runs a test with the page of the service and with the one that needs no server."""
OpenEditor = Callable[..., EditorPage]
"""Opens the page in a window: width, height, pixel ratio, further options of a browser context."""
