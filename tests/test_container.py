"""The container file: what it says of users, of the command and of its health, against the package itself."""

import json
import re
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from temperfill.cli.parsing import parse
from temperfill.cli.serve import ServeOptions

ROOT = Path(__file__).parents[1]
LINES = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
STEPS = [line.split(maxsplit=1) for line in LINES if line.strip() and not line.startswith("#")]
LAST = max(at for at, (word, _) in enumerate(STEPS) if word == "FROM")


def said(word: str) -> str:
    """The argument of a word in the last stage, which has it once."""
    (found,) = [rest for name, rest in STEPS[LAST:] if name == word]
    return found


def test_it_runs_as_a_user_without_rights_and_both_stages_have_one_python() -> None:
    user, group = said("USER").split(":")
    assert int(user) >= 1000
    assert int(group) >= 1000
    images = {rest.split()[0] for word, rest in STEPS if word == "FROM"}
    assert len(images) == 1  # else the virtual environment would not find its interpreter
    (image,) = images
    assert re.fullmatch(r"docker\.io/library/python:3\.\d+-slim-\w+", image)
    assert said("STOPSIGNAL") == "SIGTERM"


def test_its_command_is_one_of_the_package() -> None:
    assert json.loads(said("ENTRYPOINT")) == ["temperfill"]
    command, *words = json.loads(said("CMD"))
    assert command == "serve"
    options = parse(ServeOptions, command, words)
    assert (options.host, str(options.port)) == ("0.0.0.0", said("EXPOSE"))


class Health(BaseHTTPRequestHandler):
    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status if self.path == "/healthz" else 404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Health)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (503, False)])
def test_its_health_is_that_of_the_service(
    port: int, status: int, healthy: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Health, "status", status)
    _, command = said("HEALTHCHECK").split("CMD", 1)
    program, *words = json.loads(command)
    assert program == "python3"
    words = [word.replace(f":{said('EXPOSE')}/", f":{port}/") for word in words]
    assert any(f":{port}/healthz" in word for word in words)
    assert (subprocess.run([sys.executable, *words], stderr=subprocess.DEVNULL).returncode == 0) == healthy


def test_it_is_given_what_the_wheel_is_made_of_and_little_else() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    allowed = {line[1:] for line in lines if line.startswith("!")}
    assert "*" in lines
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    needed = {project["project"]["readme"], *project["project"]["license-files"], "constraints.txt"}
    needed |= set(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])
    assert all(any(name == one or name.startswith(f"{one}/") for one in allowed) for name in needed)
    assert all((ROOT / name).exists() for name in allowed)
    assert not {".git", "runs", "tests", ".venv"} & allowed
