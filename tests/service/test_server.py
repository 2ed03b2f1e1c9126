"""The service as a process: real sockets, real signals, clients that stall or leave."""

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
import torch
from PIL import ExifTags, Image

from service.clients import decode, encode, form, hole, pixels
from temperfill import cli
from temperfill.config import GeneratorConfig
from temperfill.nets.generator import Generator
from temperfill.service import server
from temperfill.weights_files import save_generator

ROOT = Path(__file__).parents[2]
# A service whose work ends when it is told to, or, with the word "deaf", never.
HELD = """
import sys, time
from service.clients import Held, single
from temperfill.methods.finding import Found
from temperfill.service import app, server
from temperfill.service.settings import ServiceLimits

server.STALL_SECONDS = 0.5
app.SECONDS_TO_CLOSE = 0.5
held = Held()
if "deaf" in sys.argv:
    held.let_go.wait = lambda seconds: time.sleep(600)
listener = server.listen("127.0.0.1", 0)
print(server.address_of(listener), file=sys.stderr, flush=True)
settings = ServiceLimits(max_bytes=2_000_000, queue=2)
server.serve(app.create_app(single(lambda: held, Found("held", None)), settings), listener, grace=0.3)
"""


@contextlib.contextmanager
def process(*words: str, **variables: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A Python process that tells its address on stderr, ready to work; it is killed at the end."""
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT / 'tests'}"} | variables
    child = subprocess.Popen([sys.executable, *words], stderr=subprocess.PIPE, text=True, env=environment)
    try:
        assert child.stderr is not None
        found = None
        while found is None:
            line = child.stderr.readline()
            assert line, "the process ended without an address"
            found = re.search(r"http://\S+?:\d+", line)
        address = found[0]
        wait_until_ready(address)
        yield child, address
    finally:
        child.kill()
        child.wait()
        if child.stderr is not None:
            child.stderr.close()


def wait_until_ready(address: str, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(f"{address}/healthz", timeout=10) as response:
                assert json.load(response)["status"] == "ok"
                return
        except urllib.error.HTTPError as error:
            if error.code != 503 or time.monotonic() > end:
                raise
            time.sleep(0.1)


def request(**more: bytes) -> tuple[bytes, dict[str, str]]:
    """Body and headers of a request to fill."""
    parts = []
    for name, (file, content) in form(**more).items():
        head = f'--X\r\nContent-Disposition: form-data; name="{name}"; filename="{file}"\r\n\r\n'
        parts.append(head.encode() + content + b"\r\n")
    return b"".join(parts) + b"--X--\r\n", {"Content-Type": "multipart/form-data; boundary=X"}


def post(address: str, added: Mapping[str, str] = MappingProxyType({}), **more: bytes) -> bytes:
    body, headers = request(**more)
    sent = urllib.request.Request(f"{address}/v1/inpaint", body, {**headers, **added})
    with urllib.request.urlopen(sent, timeout=60) as response:
        content: bytes = response.read()
    return content


def connect(address: str) -> socket.socket:
    host, port = address.removeprefix("http://").rsplit(":", 1)
    return socket.create_connection((host, int(port)), timeout=30)


def begin(address: str, name: str) -> socket.socket:
    """Sends a request to fill on a connection of its own, and waits until it is worked on."""
    body, headers = request()
    connection = connect(address)
    lines = [f"POST /v1/inpaint HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\nX-Job: {name}\r\n"]
    lines += [f"{key}: {value}\r\n" for key, value in headers.items()]
    connection.sendall("".join([*lines, "\r\n"]).encode() + body)
    wait_for_state(address, name, "running")
    return connection


def wait_for_state(address: str, name: str, wanted: str, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    state = ""
    while state != wanted:
        assert time.monotonic() < end, f"the job stays {state}"
        asked = contextlib.suppress(urllib.error.HTTPError)  # until the job is there
        with asked, urllib.request.urlopen(f"{address}/v1/jobs/{name}", timeout=10) as response:
            state = json.load(response)["state"]
        time.sleep(0.02)


def drip(connection: socket.socket, seconds: float) -> None:
    """Sends one header after the other."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        connection.sendall(b"X: y\r\n")
        time.sleep(0.05)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_generator(path, Generator(GeneratorConfig(width=4, head_dim=4)))
    return path


@pytest.fixture(scope="module")
def held() -> Iterator[str]:
    """The address of a service whose work goes on until it is cancelled."""
    with process("-c", HELD) as (_, address):
        yield address


def test_command_serves_and_ends_with_status_0(weights: Path) -> None:
    words = ("-m", "temperfill", "serve", "--port", "0", "--model", str(weights), "--device", "cpu")
    with process(*words) as (child, address):
        after = np.asarray(decode(post(address)))
        assert np.array_equal(after[hole() == 0], pixels()[hole() == 0])
        assert not np.array_equal(after, pixels())
        child.send_signal(signal.SIGTERM)
        _, said = child.communicate(timeout=60)
        assert child.returncode == 0
        assert "Traceback" not in said
        assert "stopped" in said


@pytest.mark.parametrize("words", [[], ["deaf"]], ids=["work that listens", "work that cannot be interrupted"])
def test_signal_during_work_ends_the_process_with_status_0(words: list[str]) -> None:
    with process("-c", HELD, *words) as (child, address):
        connection = begin(address, "job-at-the-end")
        child.send_signal(signal.SIGTERM)
        start = time.monotonic()
        answer = connection.recv(10_000)
        assert answer.startswith(b"HTTP/1.1 503")
        _, said = child.communicate(timeout=60)
        assert child.returncode == 0
        assert time.monotonic() - start < 30
        assert "Traceback" not in said


def test_client_that_leaves_cancels_its_job(held: str) -> None:
    connection = begin(held, "job-of-nobody")
    connection.close()
    wait_for_state(held, "job-of-nobody", "cancelled")


@pytest.mark.parametrize("sent", [b"", b"GET /healthz HT", b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX: y\r\n"])
def test_connections_without_a_whole_request_are_cut(held: str, sent: bytes) -> None:
    with connect(held) as connection:
        connection.sendall(sent)
        with contextlib.suppress(ConnectionResetError):
            assert connection.recv(1000) == b""


def test_heads_that_drip_are_cut_on_first_and_later_requests(held: str) -> None:
    whole = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    for first in (b"", whole):
        with connect(held) as connection:
            connection.sendall(first + b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n")
            with pytest.raises((BrokenPipeError, ConnectionResetError)):
                drip(connection, 20)


def test_body_above_the_limit_is_told_to_a_client_that_sends_all_of_it_first(held: str) -> None:
    for body in (bytes(20_000_000), iter([bytes(100_000)] * 50)):  # with its length, and in chunks
        headers = request()[1]
        sent = urllib.request.Request(f"{held}/v1/inpaint", body, headers)  # type: ignore[arg-type]
        with pytest.raises(urllib.error.HTTPError) as error:
            urllib.request.urlopen(sent, timeout=60)
        with error.value as response:
            assert response.code in (413, 400)  # chunks of zeros are no form
            assert set(json.load(response)) == {"error"}


def test_bytes_that_are_not_http_are_refused(held: str) -> None:
    for sent in (b"\x16\x03\x01\x02\x00" + bytes(500), b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: " + b"y" * 100_000):
        with connect(held) as connection, contextlib.suppress(OSError):
            connection.sendall(sent)
            assert connection.recv(100).startswith(b"HTTP/1.1 400")
    with urllib.request.urlopen(f"{held}/healthz", timeout=10) as response:
        assert response.status == 200


def largest_memory(process_id: int) -> int:
    """Bytes that a process held at most."""
    status = Path(f"/proc/{process_id}/status").read_text(encoding="ascii")
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found is not None
    return 1024 * int(found[1])


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system does not tell the largest memory used")
def test_eighty_large_requests_at_once_take_little_memory() -> None:
    """One is worked on, two wait, the others are turned away; 150 MB arrive, and next to none of them is kept."""
    body, headers = request(image=encode(pixels()) + bytes(1_900_000))
    lines = [f"{key}: {value}\r\n" for key, value in (headers | {"Content-Length": str(len(body))}).items()]
    head = "".join(["POST /v1/inpaint HTTP/1.1\r\nHost: 127.0.0.1\r\n", *lines, "\r\n"]).encode()

    async def ask(host: str, port: int) -> bytes:
        reader, writer = await asyncio.open_connection(host, port)
        try:
            writer.write(head)
            for start in range(0, len(body), 65_536):
                writer.write(body[start : start + 65_536])
                await writer.drain()
            return await reader.readuntil(b"\r\n\r\n")
        finally:
            writer.close()

    async def main(host: str, port: int) -> list[bytes]:
        asked = [asyncio.ensure_future(ask(host, port)) for _ in range(80)]
        end = time.monotonic() + 60
        while sum(task.done() for task in asked) < 77:
            assert time.monotonic() < end
            await asyncio.sleep(0.05)
        answers = [task.result() for task in asked if task.done()]
        for task in asked:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
        return answers

    patient = HELD.replace("server.STALL_SECONDS = 0.5\n", "")
    with process("-c", patient) as (child, address):
        before = largest_memory(child.pid)
        host, port = address.removeprefix("http://").split(":")
        answers = asyncio.run(main(host, int(port)))
        assert largest_memory(child.pid) - before < 50_000_000
        with urllib.request.urlopen(f"{address}/healthz", timeout=10) as response:
            assert response.status == 200
    assert len(answers) == 77
    for answer in answers:
        assert answer.startswith(b"HTTP/1.1 503")
        assert b"retry-after: " in answer.lower()


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The last line of a command that ends with status 2."""
    with pytest.raises(SystemExit) as end:
        cli.main(words)
    said = capsys.readouterr().err
    assert end.value.code == 2
    assert "Traceback" not in said
    return said.splitlines()[-1]


def test_model_that_cannot_be_loaded_ends_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.safetensors").write_bytes(b"no weights")
    said = refused(capsys, "serve", "--port", "0", "--model", str(tmp_path / "bad.safetensors"))
    assert "bad.safetensors" in said
    assert "did you mean base" in refused(capsys, "serve", "--port", "0", "--model", "bse")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--port", "70000"), "--port"),
        (("--grace", "-1"), "--grace"),
        (("--queue", "-1"), "queue"),
        (("--timeout", "nan"), "timeout"),
        (("--token", "two words"), "token"),
        (("--host", "192.0.2.1"), "192.0.2.1"),  # an address of no machine
    ],
)
def test_options_out_of_range_end_the_command(
    words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lookup = socket.getaddrinfo
    literal = {"192.0.2.1": (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("192.0.2.1", 0))}
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *a, **k: [literal[host]] if host in literal else lookup(host, *a, **k)
    )
    assert said in refused(capsys, "serve", *words)


def test_command_listens_on_this_machine_alone_unless_told_otherwise(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, int]] = []

    def listen(host: str, port: int) -> None:
        asked.append((host, port))
        raise OSError("that is enough")

    monkeypatch.setattr(server, "listen", listen)
    assert "that is enough" in refused(capsys, "serve")
    assert asked == [("127.0.0.1", 8017)]


def test_port_that_is_taken_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with server.listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        assert f"cannot listen on 127.0.0.1, port {port}" in refused(capsys, "serve", "--port", str(port))


def test_editor_opens_the_browser_at_its_address_with_the_picture(weights: Path, tmp_path: Path) -> None:
    photo = tmp_path / "my photo.png"
    photo.write_bytes(encode(pixels()))
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > "{tmp_path}/part" && mv "{tmp_path}/part" "{tmp_path}/address"\n')
    browser.chmod(0o755)
    words = ("-m", "temperfill", "edit", str(photo), "--model", str(weights), "--device", "cpu")
    with process(*words, BROWSER=f"{browser} %s") as (child, address):
        end = time.monotonic() + 60
        while not (tmp_path / "address").exists():
            assert time.monotonic() < end
            time.sleep(0.05)
        opened, _, token = (tmp_path / "address").read_text().strip().partition("/#token=")
        assert opened == address
        assert len(token) > 20
        bearer = {"Authorization": f"Bearer {token}"}
        with urllib.request.urlopen(urllib.request.Request(f"{address}/start", headers=bearer), timeout=10) as response:
            start: Any = json.load(response)
        assert start["image"] == {"name": "my photo.png"}
        picture = urllib.request.Request(f"{address}/start/image", headers=bearer)
        with urllib.request.urlopen(picture, timeout=10) as response:
            assert response.read() == photo.read_bytes()
        with pytest.raises(urllib.error.HTTPError, match="401"):  # other users of this machine
            urllib.request.urlopen(f"{address}/start/image", timeout=10)
        exif = Image.Exif()
        exif[ExifTags.Base.Artist] = "a name of a person"
        kept = decode(post(address, bearer, image=encode(pixels(), exif=exif))).getexif()
        assert kept.get(ExifTags.Base.Artist) == "a name of a person"
        child.send_signal(signal.SIGINT)
        child.communicate(timeout=60)
        assert child.returncode == 0


@pytest.mark.parametrize("kind", ["missing", "text", "large", "animated"])
def test_editor_refuses_what_it_could_not_open(
    tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def listen(host: str, port: int) -> None:
        raise OSError("the picture was let in")

    monkeypatch.setattr(server, "listen", listen)
    path = tmp_path / "picture.png"
    words = "picture.png"
    if kind == "text":
        path.write_text("no picture")
    if kind == "large":
        Image.new("1", (200, 100)).save(path)
    if kind == "animated":
        Image.fromarray(pixels()).save(path, save_all=True, append_images=[Image.fromarray(pixels(seed=1))])
        words = f"{path} has several frames or pages"
    assert words in refused(capsys, "edit", str(path), "--max-pixels", "19999", "--no-browser")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_addresses_are_for_browsers(host: str) -> None:
    try:
        listener = server.listen(host, 0)
    except OSError:
        pytest.skip("this machine has no such address")
    with listener:
        assert server.is_local(listener)
        assert re.fullmatch(r"http://(127\.0\.0\.1|\[::1\]):\d+", server.address_of(listener))


def test_address_of_all_networks_is_open_and_told_as_one_of_this_machine() -> None:
    with socket.socket() as everywhere:
        everywhere.bind(("0.0.0.0", 0))
        assert not server.is_local(everywhere)
        assert server.address_of(everywhere).startswith("http://127.0.0.1:")
