"""The page behind a proxy that shows the service below a path: nothing is asked for beside it."""

import http.client
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from service.clients import single
from service.editor.driver import OpenEditor, photo, served
from service.editor.local_server import LocalServer, QuietHandler
from temperfill.service.app import create_app
from temperfill.service.settings import ServiceLimits

pytestmark = pytest.mark.browser
PREFIX = "/tools/fill"
HOP = {"connection", "keep-alive", "transfer-encoding", "date", "server"}


class Proxy(LocalServer):
    """Passes what lies below the prefix on to a service, and keeps the rest."""

    def __init__(self, port: int, strips: bool) -> None:
        super().__init__(Handler)
        self.port, self.strips = port, strips
        self.beside: list[str] = []

    @property
    def address(self) -> str:
        return super().address.rstrip("/") + f"{PREFIX}/"


class Handler(QuietHandler):
    server: Proxy

    def pass_on(self) -> None:
        if not f"{self.path}/".startswith(f"{PREFIX}/"):
            self.server.beside.append(self.path)
            self.send_error(404)
            return
        path = self.path.removeprefix(PREFIX) or "/" if self.server.strips else self.path
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        upstream = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        upstream.request(self.command, path, body or None, dict(self.headers))
        answer = upstream.getresponse()
        content = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in HOP:
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)
        upstream.close()

    do_GET = do_POST = do_DELETE = pass_on


@pytest.fixture(params=[True, pytest.param(False, marks=pytest.mark.slow)], ids=["stripped", "left"])
def proxy(request: pytest.FixtureRequest) -> Iterator[Proxy]:
    """In front of a service with a tiny network; it takes its path off the addresses, or leaves it."""
    with served(create_app(single(), ServiceLimits(root_path=PREFIX))) as port:
        proxy = Proxy(port, request.param)
        proxy.start()
        yield proxy
        proxy.stop()


@pytest.fixture
def address(proxy: Proxy) -> str:
    return proxy.address


def test_a_photo_is_filled_asked_about_and_saved_behind_a_proxy(
    open_editor: OpenEditor, proxy: Proxy, tmp_path: Path
) -> None:
    path, original = tmp_path / "photo.png", photo(256, 192)
    Image.fromarray(original).save(path)
    editor = open_editor()
    page = editor.page
    page.wait_for_selector("[data-tool=sources][aria-disabled=false]", state="attached")
    editor.open(path)
    x, y = editor.centre
    editor.stroke([(x - 40, y), (x + 40, y + 20)])
    editor.fill()
    editor.wait_until_kept()
    saved = np.asarray(Image.open(editor.save(tmp_path / "saved")))
    assert (saved != original).any()
    page.keyboard.press("w")
    page.mouse.click(*editor.centre)
    page.wait_for_selector("#sources-heads section")
    page.reload()
    editor.wait_for_status("as you left it")
    assert set(proxy.beside) <= {"/favicon.ico"}
