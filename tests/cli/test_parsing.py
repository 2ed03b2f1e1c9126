"""What the package logs is shown by the command line, and by it alone."""

import logging
import subprocess
import sys

import pytest

from temperfill.cli.parsing import logged

log = logging.getLogger("temperfill")


def test_lines_of_the_log_are_shown_while_a_command_runs(capsys: pytest.CaptureFixture[str]) -> None:
    with logged():
        log.info("step %d/%d", 3, 9)
        log.error("another process ended")
        log.debug("never shown")
    log.info("after the command")
    assert capsys.readouterr().err == "step 3/9\ntemperfill: error: another process ended\n"


def test_the_library_says_nothing_by_itself() -> None:
    code = """
import logging
from temperfill.progress import Display
with Display("step", 9) as display:
    display.note("a note")
    display.show(3, now=True)
logging.basicConfig(level="INFO", format="%(name)s: %(message)s")
with Display("step", 9) as display:
    display.note("a note")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "temperfill: a note\n")
