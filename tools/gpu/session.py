"""The order of a session: each part in a process of its own, within its time, whatever became of those before."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from . import ROOT
from .options import Options

LIMITS = {"check": 40.0, "test": 60.0}
"""Most seconds of a part; others have what they are told, or what is left."""
_START = 60.0
"""Seconds that training may take beside its steps: starting, decoding, the last save."""
_JUDGED = 0.6
"""Share of what is left after training that the evaluation may take."""
REPORT = "report.json"


def run(options: Options) -> dict[str, Any]:
    """Runs a session; the report is written after every part.

    Args:
        options: what it is told.

    Returns:
        The report: for each part what it found, ``failed`` among it where it failed, and its seconds.

    Raises:
        OSError: the output cannot be written.
    """
    began = time.monotonic()
    options.output.mkdir(parents=True, exist_ok=True)
    report: dict[str, Any] = {"options": {key: str(value) for key, value in vars(options).items()}}
    with tempfile.TemporaryDirectory() as work:
        options.write(Path(work) / "options.json")
        for name in options.parts:
            left = options.limit - (time.monotonic() - began)
            seconds = _allowed(name, options, left)
            print(f"{name}: at most {seconds:.0f} s", flush=True)
            report[name] = _part(name, Path(work), seconds)
            print(f"{name}: {_line(report[name])}", flush=True)
            text = json.dumps(report | {"wall seconds": round(time.monotonic() - began, 1)}, indent=1)
            (options.output / REPORT).write_text(text, encoding="utf-8")
    return report


def _allowed(name: str, options: Options, left: float) -> float:
    """Seconds that a part may take."""
    if name == "train":
        return min(options.seconds + _START, left)
    if name == "judge" and "speed" in options.parts:
        return _JUDGED * left
    return min(LIMITS.get(name, left), left)


def _part(name: str, work: Path, seconds: float) -> dict[str, Any]:
    """Runs a part; gives what it found, and how it failed if it did."""
    began = time.monotonic()
    result, log = work / f"{name}.json", work / f"{name}.log"
    if seconds < 1:
        return {"failed": "not begun: the time was over"}
    command = [sys.executable, "-m", "tools.gpu.part", name, str(work / "options.json"), str(result), str(seconds)]
    paths = [str(ROOT), str(ROOT / "src"), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    cache = {"TORCHINDUCTOR_CACHE_DIR": str(work / "inductor"), "TRITON_CACHE_DIR": str(work / "triton")}
    environment = os.environ | cache | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
    failed = None
    with log.open("w", encoding="utf-8") as file:
        process = subprocess.Popen(
            command, stdout=file, stderr=subprocess.STDOUT, env=environment, start_new_session=True
        )
        try:
            if process.wait(seconds + _GRACE):
                said = log.read_text(encoding="utf-8", errors="replace")
                failed = f"exit status {process.returncode}: {said[-3000:]}"
        except subprocess.TimeoutExpired:
            process.terminate()
            try:
                process.wait(_GRACE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            failed = "stopped: the time was over"
        with contextlib.suppress(ProcessLookupError):  # what it started, such as the tests
            os.killpg(process.pid, signal.SIGKILL)
    found = json.loads(result.read_text(encoding="utf-8")) if result.is_file() else {}
    told = {} if failed is None else {"failed": failed}
    return found | told | {"wall": round(time.monotonic() - began, 1)}


_GRACE = 5.0
"""Seconds after the end of its time, and once more after it was told to end, before a part is killed."""


def _line(found: dict[str, Any]) -> str:
    """A result in a line."""
    text = " ".join(json.dumps(found).split())
    return text if len(text) < 700 else f"{text[:700]} ..."
