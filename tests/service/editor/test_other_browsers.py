"""The page in Firefox and in WebKit, which stands near Safari; CONTRIBUTING.md says what this needs."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from service.editor.driver import BOTH, photo

pytestmark = [pytest.mark.browser, pytest.mark.slow]
ORIGINAL = photo(640, 400)
WEBKIT = "/usr/lib/x86_64-linux-gnu/webkit2gtk-4.{}/MiniBrowser"
Driver = Any  # of selenium, which is not always here


def firefox(downloads: Path) -> Driver:
    from selenium import webdriver

    programs = [shutil.which(name) for name in ("firefox", "geckodriver")]
    if None in programs:
        pytest.skip("needs firefox and geckodriver")
    options = webdriver.FirefoxOptions()
    options.add_argument("-headless")
    options.binary_location = programs[0]
    options.set_preference("browser.download.folderList", 2)
    options.set_preference("browser.download.dir", str(downloads))
    return webdriver.Firefox(options, webdriver.FirefoxService(programs[1]))


def webkit(_: Path) -> Driver:
    from selenium import webdriver
    from selenium.webdriver.webkitgtk.service import Service

    browser = next((path for path in map(WEBKIT.format, (1, 0)) if Path(path).exists()), None)
    program = shutil.which("WebKitWebDriver")
    if browser is None or program is None or "DISPLAY" not in os.environ:
        pytest.skip("needs WebKitWebDriver, MiniBrowser and a display")
    options = webdriver.WebKitGTKOptions()
    options.binary_location = browser
    options.add_argument("--automation")
    return webdriver.WebKitGTK(options, Service(program))


@pytest.fixture(params=[firefox, webkit], ids=["firefox", "webkit"])
def driver(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Driver]:
    pytest.importorskip("selenium", reason="needs selenium")
    (tmp_path / "downloads").mkdir()
    driver = request.param(tmp_path / "downloads")
    driver.set_window_size(1280, 880)
    yield driver
    driver.quit()


class Person:
    """Who uses the page: presses, draws, looks."""

    def __init__(self, driver: Driver, address: str) -> None:
        self.driver = driver
        driver.get(address)
        self.wait(lambda: self.text("#place"))
        driver.execute_script(
            "window.failures = []; addEventListener('error', (event) => failures.push(event.message));"
            "addEventListener('unhandledrejection', (event) => failures.push(String(event.reason)));"
        )

    def find(self, selector: str) -> Any:
        return self.driver.find_element("css selector", selector)

    def text(self, selector: str) -> str:
        return str(self.driver.execute_script("return document.querySelector(arguments[0]).textContent", selector))

    def wait(self, condition: Callable[[], Any]) -> Any:
        from selenium.webdriver.support.ui import WebDriverWait

        return WebDriverWait(self.driver, 60, 0.1).until(lambda _: condition())

    def reads(self, words: str) -> None:
        self.wait(lambda: words in self.text("#status"))

    def sees(self, selector: str) -> None:
        self.wait(lambda: self.find(selector).is_displayed())

    def press(self, keys: str) -> None:
        self.find("body").send_keys(keys)

    def click(self, right: int, down: int) -> None:
        self.draw((right, down))

    def draw(self, *points: tuple[int, int]) -> None:
        """A stroke through points beside the middle of the stage."""
        from selenium.webdriver import ActionChains

        actions, stage = ActionChains(self.driver, 20), self.find("#stage")
        actions.move_to_element_with_offset(stage, *points[0]).click_and_hold()
        for point in points[1:]:
            actions.move_to_element_with_offset(stage, *point)
        actions.release().perform()


@BOTH
def test_a_photo_is_opened_filled_retouched_extended_and_saved(driver: Driver, address: str, tmp_path: Path) -> None:
    from selenium.webdriver import Keys

    path = tmp_path / "beach.png"
    Image.fromarray(ORIGINAL).save(path)
    person = Person(driver, address)
    person.find("#photo-file").send_keys(str(path))
    person.reads("beach.png is open")
    person.draw((-60, 0), (0, 10), (60, 20))
    person.wait(lambda: "0.0 %" not in person.text("#facts"))
    person.find(".primary[data-action=fill]").click()
    person.reads("Result 1 is ready")
    person.press("c")
    person.sees("#divider")
    person.press("c")
    person.press("j")
    person.find("[data-action=set-source]").click()
    person.click(-200, -100)
    person.reads("Source set")
    person.draw((100, -100), (140, -90))
    person.reads("Healed")
    person.press(Keys.CONTROL + "z")
    person.reads("Undone")
    person.press(Keys.CONTROL + "y")
    person.reads("Redone")
    person.press("ba")
    person.draw((-150, -100), (-100, -60))
    person.wait(lambda: "0.0 %" not in person.text("#facts"))
    person.press("g")
    person.sees("#resize")
    person.press(Keys.ESCAPE)
    person.press("x")
    left = person.find("#extend [name=left]")
    left.send_keys(Keys.CONTROL + "a")
    left.send_keys("80")
    person.find("#extend button.primary").click()
    person.wait(lambda: "720 × 400" in person.text("#facts"))
    person.reads("is ready")
    person.find("[data-action=save]").click()
    person.sees("#save")
    person.find("#save [value=yes]").click()
    person.reads("Saved as beach-filled.png")
    person.draw((100, 100))
    person.wait(lambda: driver.execute_script("return dispatchEvent(new Event('beforeunload', { cancelable: true }))"))
    assert driver.execute_script("return failures") == []
    driver.refresh()
    person.reads("beach.png is open as you left it")
    assert "720 × 400" in person.text("#facts")
    if driver.capabilities["browserName"] != "firefox":
        return  # MiniBrowser asks where to put what it loads down
    (saved,) = person.wait(lambda: list((tmp_path / "downloads").glob("*.png")))
    after = np.asarray(Image.open(saved).convert("RGB"))[:, 80:]
    changed = (after != ORIGINAL).any(2)
    assert changed[200, 320]
    assert changed.mean() < 0.1
