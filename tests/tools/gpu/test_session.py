"""Parts run in their order and time, and one that fails or hangs leaves the others and the report."""

import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tools.gpu import session
from tools.gpu.options import Options

pytestmark = pytest.mark.slow


def options(tmp_path: Path, **changes: Any) -> Options:
    return Options(inputs=tmp_path / "in", output=tmp_path / "out", seconds=10, limit=100, device="cpu", **changes)


def runs(process: int) -> bool:
    """Whether a process is there and has not ended."""
    state = Path(f"/proc/{process}/stat")
    try:
        return state.read_text(encoding="utf-8").rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_options_come_back_from_their_file(tmp_path: Path) -> None:
    told = options(tmp_path, before=tmp_path, parts=("train", "judge"))
    told.write(tmp_path / "options.json")
    assert Options.read(tmp_path / "options.json") == told


def test_the_rest_goes_on_after_a_part_that_fails(tmp_path: Path) -> None:
    report = session.run(options(tmp_path, parts=("train", "check")))  # there are no inputs to train on
    assert "is not a folder with pictures" in report["train"]["failed"]
    assert "failed" not in report["check"]
    assert report["check"]["float32 products, TFLOP/s"] > 0
    written = json.loads((tmp_path / "out" / session.REPORT).read_text(encoding="utf-8"))
    assert written["check"] == report["check"]


def test_what_hangs_is_stopped_and_what_it_found_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "hangs.py"
    script.write_text(
        "import pathlib, subprocess, sys, time\n"
        "child = subprocess.Popen(['sleep', '600'])\n"
        f"pathlib.Path({str(tmp_path / 'child')!r}).write_text(str(child.pid))\n"
        "pathlib.Path(sys.argv[-2]).write_text('{\"rows\": [1]}')\n"
        "time.sleep(600)\n"
    )
    real = session.subprocess.Popen

    def popen(command: list[str], **rest: Any) -> Any:
        return real([sys.executable, str(script), *command[3:]], **rest)

    monkeypatch.setattr(session.subprocess, "Popen", popen)
    monkeypatch.setattr(session, "_GRACE", 0.5)
    monkeypatch.setattr(session, "LIMITS", {"speed": 2.0})
    report = session.run(options(tmp_path, parts=("speed",)))
    assert report["speed"]["failed"] == "stopped: the time was over"
    assert report["speed"]["rows"] == [1]
    child = int((tmp_path / "child").read_text(encoding="utf-8"))
    deadline = time.monotonic() + 20
    while runs(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not runs(child)


def test_times_add_up_to_the_limit(tmp_path: Path) -> None:
    told = Options(tmp_path, tmp_path, seconds=330, limit=570)
    assert session._allowed("check", told, 570) == 40
    assert session._allowed("test", told, 540) == 60
    assert session._allowed("train", told, 480) == 390
    assert session._allowed("train", told, 100) == 100
    assert session._allowed("judge", told, 100) == 60
    assert session._allowed("speed", told, 40) == 40


def test_nothing_begins_without_time(tmp_path: Path) -> None:
    report = session.run(Options(tmp_path, tmp_path / "out", seconds=10, limit=0, parts=("speed",)))
    assert report["speed"]["failed"].startswith("not begun")
