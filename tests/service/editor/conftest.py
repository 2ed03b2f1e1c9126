"""A browser, a page in it, and a server for the editor's tests; they skip themselves where there is no browser."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from service.editor.driver import EditorPage, OpenEditor
from service.editor.fake_server import FakeServer
from service.editor.static_site import StaticSite, assemble, build_module

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page, Request

HERE = ("http://127.0.0.1:", "about:")
"""Addresses of this machine."""
CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@pytest.fixture(scope="module")  # Playwright leaves a loop running, in which asyncio.run is refused
def browser() -> Iterator["Browser"]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs Playwright for Python")
    if not CHROMIUM.exists():
        pytest.skip(f"needs Chromium at {CHROMIUM}")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def server() -> Iterator[FakeServer]:
    server = FakeServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def static_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page that needs no server, with a runtime that stands in for the real one."""
    folder = tmp_path_factory.mktemp("static") / "page"
    assemble(folder)
    return folder


@pytest.fixture
def site(static_folder: Path) -> Iterator[StaticSite]:
    """A plain file server, which sends the policy that the page has as a header with every file, too."""
    site = StaticSite(static_folder, {"Content-Security-Policy": build_module().POLICY})
    site.start()
    yield site
    site.stop()


@pytest.fixture
def engine() -> str:
    """Who does the work, "server" or "static"; tests of both are parametrised by it."""
    return "server"


@pytest.fixture
def address(engine: str, request: pytest.FixtureRequest) -> str:
    """Of the page with this engine."""
    place: FakeServer | StaticSite = request.getfixturevalue("server" if engine == "server" else "site")
    return place.address


@pytest.fixture
def open_editor(browser: "Browser", address: str) -> Iterator[OpenEditor]:
    """Opens the page in a window; afterwards no script may have failed and nothing may have left for other places."""
    contexts, failures, strangers = [], [], []

    def note_request(request: "Request") -> None:
        if not request.url.startswith((*HERE, "blob:", "data:")):
            strangers.append(request.url)

    def note_message(message: "ConsoleMessage") -> None:
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            failures.append(message.text)

    def watch(page: "Page") -> None:
        page.on("pageerror", lambda error: failures.append(str(error)))
        page.on("console", note_message)
        page.on("request", note_request)
        page.set_default_timeout(15_000)

    def open_editor(width: int = 1280, height: int = 800, ratio: float = 1, **options: Any) -> EditorPage:
        viewport = {"width": width, "height": height}
        context = browser.new_context(viewport=viewport, device_scale_factor=ratio, **options)  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()
        watch(page)
        return EditorPage(page, address, ratio)

    yield open_editor
    for context in contexts:
        context.close()
    assert failures == []
    assert strangers == []
