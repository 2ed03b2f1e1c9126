"""The page behind a proxy that shows the service below a path: nothing is asked for beside it."""

import http.client
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from service.clients import TINY, tiny
from service.editor.driver import EditorPage, photo
from temperfill.service.app import create_app
from temperfill.service.settings import ServiceLimits

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser
PREFIX = "/tools/fill"
HOP = {"connection", "keep-alive", "transfer-encoding", "date", "server"}


class Proxy(ThreadingHTTPServer):
    """Passes what lies below the prefix on to a service, and keeps the rest."""

    daemon_threads = True

    def __init__(self, port: int, strips: bool) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.port, self.strips = port, strips
        self.beside: list[str] = []

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that went away is no event."""


class Handler(BaseHTTPRequestHandler):
    server: Proxy

    def log_message(self, format: str, *args: Any) -> None:
        pass

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


@contextmanager
def proxied(strips: bool) -> Iterator[tuple[Proxy, str]]:
    """A service with a tiny network behind a proxy, and the address of the latter."""
    uvicorn = pytest.importorskip("uvicorn", reason="needs the service's packages")
    settings = ServiceLimits(root_path=PREFIX)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(create_app(tiny, TINY, settings), log_level="error", timeout_graceful_shutdown=2)
        server = uvicorn.Server(config)
        threads = [threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)]
        proxy = Proxy(listener.getsockname()[1], strips)
        threads.append(threading.Thread(target=proxy.serve_forever, args=(0.02,), daemon=True))
        for thread in threads:
            thread.start()
        while not server.started:
            assert threads[0].is_alive()
            time.sleep(0.02)
        yield proxy, f"http://127.0.0.1:{proxy.server_address[1]}{PREFIX}/"
        proxy.shutdown()
        proxy.server_close()
        server.should_exit = True
        threads[0].join(10)


@pytest.mark.parametrize("strips", [True, pytest.param(False, marks=pytest.mark.slow)], ids=["stripped", "left"])
def test_a_photo_is_filled_asked_about_and_saved_behind_a_proxy(
    browser: "Browser", tmp_path: Path, strips: bool
) -> None:
    path, original = tmp_path / "photo.png", photo(256, 192)
    Image.fromarray(original).save(path)
    with proxied(strips) as (proxy, address):
        context = browser.new_context(viewport={"width": 1280, "height": 800})
        page = context.new_page()
        failures: list[str] = []
        page.on("pageerror", lambda error: failures.append(str(error)))
        page.on("console", lambda message: failures.append(message.text) if message.type == "error" else None)
        editor = EditorPage(page, address, 1)
        page.wait_for_selector("[data-tool=sources][aria-disabled=false]", state="attached")
        editor.open(path)
        x, y = editor.centre
        editor.stroke([(x - 40, y), (x + 40, y + 20)])
        editor.fill()
        saved = np.asarray(Image.open(editor.save(tmp_path / "saved")))
        assert (saved != original).any()
        page.keyboard.press("w")
        page.mouse.click(*editor.centre)
        page.wait_for_selector("#sources-heads section")
        page.reload()
        editor.wait_for_status("as you left it")
        context.close()
        assert failures == []
        assert set(proxy.beside) <= {"/favicon.ico"}
