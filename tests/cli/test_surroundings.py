"""The command line wherever it runs: file names of other systems, terminals, no network, full disks, little memory."""

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import temperfill
from temperfill import cli
from temperfill.config import GeneratorConfig
from temperfill.nets.generator import Generator
from temperfill.weights_files import save_generator

SOURCE = str(Path(temperfill.__file__).parents[1])
NAMES = {
    "spaces": " a  b ",
    "Unicode": "猫 é e\u0301",
    "Windows-1252": os.fsdecode(b"caf\xe9 \x80 b\xfcro"),  # no UTF-8
    "quotes": "a'b\"$(c)%s{d}",
    "dash": "-output",
}


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    torch.manual_seed(0)
    rng, mask = np.random.default_rng(0), np.zeros((30, 41), np.uint8)
    mask[8:15, 10:20] = 255
    Image.fromarray(rng.integers(0, 256, (30, 41, 3), np.uint8)).save(tmp_path / "a.png")
    Image.fromarray(mask).save(tmp_path / "mask.png")
    save_generator(tmp_path / "tiny.safetensors", Generator(GeneratorConfig(width=4, head_dim=4)))
    return {name: tmp_path / f"{name}.png" for name in ("a", "mask", "out")} | {"model": tmp_path / "tiny.safetensors"}


def words(files: dict[str, Path]) -> list[str]:
    places = ["--mask", str(files["mask"]), "--output", str(files["out"]), "--model", str(files["model"])]
    return ["inpaint", str(files["a"]), *places, "--device", "cpu"]


def process(command: list[str], **environment: str) -> subprocess.CompletedProcess[bytes]:
    usual = {name: value for name, value in os.environ.items() if name not in ("PYTHONUTF8", "PYTHONIOENCODING")}
    return subprocess.run(
        [sys.executable, "-m", "temperfill", *command],
        capture_output=True,
        env=usual | {"PYTHONPATH": SOURCE} | environment,
        check=False,
    )


def read(path: Path) -> Any:
    with Image.open(path) as image:
        return np.asarray(image)


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="file names are Unicode there")
def test_names_of_every_kind(files: dict[str, Path], tmp_path: Path) -> None:
    """Names as other systems wrote them, in one process each for a result and for a refusal, on a plain locale."""
    folder = tmp_path / NAMES["Windows-1252"]
    folder.mkdir()
    moved = {name: files[name].rename(folder / f"{NAMES['Windows-1252']} {name}.png") for name in ("a", "mask")}
    given = files | moved | {"out": folder / f"{NAMES['Windows-1252']} out.png"}
    plain = {"LC_ALL": "C", "LANG": "C"}
    done = process(words(given), **plain)
    assert done.returncode == 0, done.stderr
    known = read(given["mask"]) == 0
    assert np.array_equal(read(given["out"])[known], read(given["a"])[known])
    assert not np.array_equal(read(given["out"]), read(given["a"]))
    for options in (plain, {"PYTHONIOENCODING": "cp1252"}, {"PYTHONIOENCODING": "ascii"}):
        done = process(words(given | {"a": folder / "gone \udce9 猫.png"}), **options)
        assert done.returncode == 2
        assert done.stdout == b""
        assert done.stderr.startswith(b"temperfill: error: ")
        assert done.stderr.count(b"\n") == 1
        assert b"gone" in done.stderr


@pytest.mark.parametrize("kind", NAMES)
def test_odd_names_are_names(
    files: dict[str, Path], tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind == "Windows-1252" and sys.platform in ("win32", "darwin"):
        pytest.skip("file names are Unicode there")
    said: list[str] = []
    monkeypatch.setattr("temperfill.cli.inpaint.say", said.append)
    folder = tmp_path / NAMES[kind]
    folder.mkdir()
    given = files | {name: files[name].rename(folder / f"{NAMES[kind]}{name}.png") for name in ("a", "mask")}
    cli.main(words(given | {"out": folder / f"{NAMES[kind]}out.png"}))
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        f"{NAMES[kind]}{n}.png" for n in ("a", "mask", "out")
    )
    assert any(f"{NAMES[kind]}out.png" in line for line in said)


@pytest.mark.skipif(sys.platform == "win32", reason="no such names there")
def test_control_characters_of_names_do_not_reach_the_terminal(
    files: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "bad\x1b[31m\x1b]0;x\x07\nfaked: temperfill: error.png"
    for folder in ("in", "masks"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_bytes(files["mask"].read_bytes() if folder == "masks" else b"damaged")
    for where in (("in", "masks", "out"), (f"in/{name}", f"masks/{name}", "out.png")):
        picture, mask, output = (str(tmp_path / part) for part in where)
        with pytest.raises(SystemExit):
            cli.main(["inpaint", picture, "--mask", mask, "--output", output, "--model", str(files["model"])])
        said = capsys.readouterr().err
        assert "bad\\x1b[31m" in said
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]|^faked", said, re.MULTILINE)


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
@pytest.mark.parametrize("command", [["--help"], ["inpaint", "--help"], ["models"], ["models", "--all"]], ids=" ".join)
def test_what_is_printed_needs_no_unicode(command: list[str], encoding: str) -> None:
    done = process(command, PYTHONIOENCODING=encoding)
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode(encoding).strip()


UNREAD = [["--help"], ["inpaint", "--help"], ["train", "--help"], ["study", "compare", "--help"], ["models", "--all"]]


@pytest.mark.skipif(sys.platform == "win32", reason="pipes end otherwise there")
@pytest.mark.parametrize("command", UNREAD, ids=" ".join)
def test_output_that_nobody_reads_ends_quietly(command: list[str]) -> None:
    done = into_a_closed_pipe(command, "stdout")
    assert (done.returncode, done.stderr) == (cli.BROKEN_PIPE, b"")


@pytest.mark.skipif(sys.platform == "win32", reason="pipes end otherwise there")
def test_errors_that_nobody_reads_end_quietly() -> None:
    done = into_a_closed_pipe(["models", "--modle"], "stderr")
    assert (done.returncode, done.stdout) == (cli.BROKEN_PIPE, b"")


def into_a_closed_pipe(command: list[str], stream: str) -> subprocess.CompletedProcess[bytes]:
    """A process one of whose outputs has nobody at its other end; the other output is read."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | {stream: writing}
        line = [sys.executable, "-m", "temperfill", *command]
        return subprocess.run(line, **streams, env=os.environ | {"PYTHONPATH": SOURCE}, check=False)
    finally:
        os.close(writing)


def test_a_broken_pipe_of_the_work_is_an_error(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(_: list[str]) -> None:
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr("temperfill.cli.models.run", fail)
    with pytest.raises(SystemExit) as end:
        cli.main(["models"])
    assert end.value.code == 2
    assert "Broken pipe" in capfd.readouterr().err


PROGRESS = """
import time
from temperfill.progress import reported
with reported("filling") as on_progress:
    for number in range(4):
        on_progress(number, 3)
        time.sleep(0.15)
"""
COLOUR = re.compile(rb"\x1b\[[\d;]*(?:3\d|4\d|9\d|38|48)[\d;]*m")


def on_a_terminal(script: str, **environment: str) -> bytes:
    """What a script shows on a pseudo-terminal."""
    pty = pytest.importorskip("pty")
    usual = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLORTERM", "CI")}
    master, slave = pty.openpty()
    options = usual | {"PYTHONPATH": SOURCE} | environment
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=slave, stdout=slave, stderr=slave, env=options
    ) as child:
        os.close(slave)
        shown = b""
        with contextlib.suppress(OSError):  # how Linux tells that the other side is closed
            while part := os.read(master, 4096):
                shown += part
        assert child.wait(30) == 0, shown
    os.close(master)
    return shown


def test_colours_are_left_out_where_they_are_not_wanted() -> None:
    shown = on_a_terminal(PROGRESS, TERM="xterm-256color")
    assert COLOUR.search(shown)
    assert b"3/3" in shown
    shown = on_a_terminal(PROGRESS, TERM="xterm-256color", NO_COLOR="1")
    assert not COLOUR.search(shown)
    assert b"3/3" in shown


# A process in which every way to another machine is an error, and is noted where the error is swallowed.
OFFLINE = """
import json, socket, sys
from pathlib import Path

tried = []

def watch(event, arguments):
    if event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.sendto"):
        tried.append(event)
    elif event == "socket.connect" and arguments[0].family != getattr(socket, "AF_UNIX", None):
        tried.append(event)
    else:
        return
    raise OSError("there is no network")

sys.addaudithook(watch)
from temperfill import cli
for command in json.loads(sys.argv[1]):
    cli.main(command)
noted = list(tried)
try:
    socket.create_connection(("192.0.2.1", 9), timeout=1)
except OSError as error:
    print(json.dumps({"noted": noted, "last": str(error)}))
"""


@pytest.mark.slow
def test_no_command_needs_a_network(files: dict[str, Path], tmp_path: Path) -> None:
    demo, run = tmp_path / "demo", tmp_path / "run"
    train = ["--data.train", str(demo), "--data.resize", "36", "--data.crop-size", "32", "--num-steps", "1"]
    train += ["--batch-size", "2", "--loss.perceptual-weight", "0", "--machine.workers", "0", "--machine.device", "cpu"]
    commands = [
        ["sample", str(demo)],
        ["models"],
        ["models", "--all"],
        words(files),
        ["train", "tiny", *train, "--run-dir", str(run)],
        ["bundle", str(run / "generator.safetensors"), "--output", str(tmp_path / "half.safetensors")],
        words(files | {"model": tmp_path / "half.safetensors"}),
    ]
    done = subprocess.run(
        [sys.executable, "-c", OFFLINE, json.dumps(commands)],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": SOURCE},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found == {"noted": [], "last": "there is no network"}
    assert files["out"].is_file()


def test_no_test_can_reach_the_network() -> None:
    """What the whole suite relies on: a connection to another machine fails the test that asks for it."""
    for ask in (
        lambda: socket.create_connection(("192.0.2.1", 9), timeout=1),
        lambda: socket.getaddrinfo("a.test", 80),
    ):
        with pytest.raises(pytest.fail.Exception, match="asked the network"):
            ask()


def test_full_disk_keeps_the_old_result(files: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    """A limit on the size of files stands for the full disk."""
    resource = pytest.importorskip("resource")
    files["out"].write_bytes(b"old")
    before, limits = sorted(files["out"].parent.iterdir()), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(SystemExit) as end:
            cli.main(words(files))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert end.value.code == 2
    assert re.search(r"error: .*out\.png: .*File too large", capsys.readouterr().err)
    assert files["out"].read_bytes() == b"old"
    assert sorted(files["out"].parent.iterdir()) == before


def test_too_little_memory_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(_: list[str]) -> None:
        np.empty(2**62, np.uint8)

    monkeypatch.setattr("temperfill.cli.models.run", fail)
    with pytest.raises(SystemExit) as end:
        cli.main(["models"])
    assert end.value.code == 2
    assert capsys.readouterr().err.startswith("temperfill: error: not enough memory; ")
