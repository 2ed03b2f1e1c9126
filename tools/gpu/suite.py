"""The package's own tests on the device. Without torch, so that it starts at once and the time is the tests'."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from . import ROOT

_TAIL = 8000
"""Characters that are kept of what the tests said."""


def run_tests(output: Path, seconds: float) -> dict[str, Any]:
    """Runs ``pytest -m gpu``; what fails is written down, and time that runs out is no error.

    Args:
        output: file for all that the tests say.
        seconds: after which they are stopped.
    """
    command = [sys.executable, "-m", "pytest", "-m", "gpu", "-v", "--tb=short", "-p", "no:cacheprovider", "tests/gpu"]
    paths = [str(ROOT / "src"), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths)), "PYTHONUNBUFFERED": "1"}
    with output.open("w", encoding="utf-8") as file:
        began = time.monotonic()
        process = subprocess.Popen(command, cwd=ROOT, stdout=file, stderr=subprocess.STDOUT, env=environment)
        try:
            ended = process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            ended = None
    text = output.read_text(encoding="utf-8", errors="replace")
    tests = [line for line in text.splitlines() if "::" in line]
    return {
        "exit status": "stopped: the time was over" if ended is None else ended,
        "seconds": round(time.monotonic() - began, 1),
        "passed": sum(" PASSED" in line for line in tests),
        "skipped": sum(" SKIPPED" in line for line in tests),
        "failed": [line.split(" ")[0] for line in tests if " FAILED" in line or " ERROR" in line],
        "end of the output": "" if ended in (0, 5) else text[-_TAIL:],
    }
