"""The editor without a server, as web/build.py puts it together, on a plain file server below a path."""

import importlib.util
import threading
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

from service.editor.local_server import LocalServer, QuietHandler

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
    build_module().assemble(
        folder, runtime, given / "model.onnx", {"name": "tiny", "terms": "terms of tiny", **ABILITIES}
    )


class StaticSite(LocalServer):
    """Serves a folder on a free port of this machine, with nothing but content types and, if given, a policy."""

    def __init__(self, folder: Path, headers: Mapping[str, str] | None = None, port: int = 0) -> None:
        super().__init__(Handler, port)
        self.folder = folder
        self.headers = dict(headers or {})
        self.proceed = threading.Event()  # a fill of the stand-in waits for it
        self.proceed.set()
        self.asked: list[str] = []

    @property
    def address(self) -> str:
        return super().address.rstrip("/") + PREFIX

    def stop(self) -> None:
        self.proceed.set()
        super().stop()


class Handler(QuietHandler):
    server: StaticSite

    def do_GET(self) -> None:
        path_asked = self.path.partition("?")[0]
        name = path_asked.removeprefix(PREFIX) if path_asked.startswith(PREFIX) else "?"
        self.server.asked.append(name)
        if name == "hold":
            self.server.proceed.wait(30)
            self.send(200, "text/plain", b"", self.server.headers)
            return
        path = self.server.folder / (name or "index.html")
        if not path.is_file():
            self.send(404, "text/plain", b"nothing here", self.server.headers)
            return
        kind = TYPES.get(path.suffix, "application/octet-stream")
        self.send(200, kind, path.read_bytes(), self.server.headers)
