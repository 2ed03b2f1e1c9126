"""The editor without a server, as web/build.py puts it together, on a plain file server below a path."""

import importlib.util
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).parents[3]
PREFIX = "/some/where/"
TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".json": "application/json",
    ".wasm": "application/wasm",
}
ABILITIES = {"takes_sketch": True, "takes_avoid": True, "takes_temperature": True}


def build_module() -> ModuleType:
    """The program web/build.py."""
    specification = importlib.util.spec_from_file_location("web_build", ROOT / "web" / "build.py")
    assert specification is not None
    assert specification.loader is not None
    build = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(build)
    return build


def assemble(folder: Path, runtime: Path | None = None, onnx: bytes = b"no network") -> None:
    """The page with a model; without a runtime with one that stands in for it, see stand_in.js."""
    given = folder.parent / f"{folder.name}-parts"
    given.mkdir()
    if runtime is None:
        runtime = given / "runtime"
        runtime.mkdir()
        stand_in = Path(__file__).with_name("stand_in.js")
        for name in ("ort.wasm.bundle.min.js", "ort.webgpu.bundle.min.js", "ort-wasm-simd-threaded.asyncify.wasm"):
            (runtime / name).write_bytes(stand_in.read_bytes())
    (given / "model.onnx").write_bytes(onnx)
    build_module().assemble(folder, runtime, given / "model.onnx", {"name": "tiny", **ABILITIES})


class StaticSite(ThreadingHTTPServer):
    """Serves a folder on a free port of this machine, with nothing but content types and, if given, a policy."""

    daemon_threads = True

    def __init__(self, folder: Path, headers: Mapping[str, str] | None = None, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.folder = folder
        self.headers = dict(headers or {})
        self.proceed = threading.Event()  # a fill of the stand-in waits for it
        self.proceed.set()
        self.asked: list[str] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}{PREFIX}"

    def start(self) -> None:
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        self.proceed.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that went away is no event."""


class Handler(BaseHTTPRequestHandler):
    server: StaticSite

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        path_asked = self.path.partition("?")[0]
        name = path_asked.removeprefix(PREFIX) if path_asked.startswith(PREFIX) else "?"
        self.server.asked.append(name)
        if name == "hold":
            self.server.proceed.wait(30)
            self.answer(200, "text/plain", b"")
            return
        path = self.server.folder / (name or "index.html")
        if not path.is_file():
            self.answer(404, "text/plain", b"nothing here")
            return
        self.answer(200, TYPES.get(path.suffix, "application/octet-stream"), path.read_bytes())

    def answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
