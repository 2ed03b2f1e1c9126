"""Progress: figures of an interval, the time left (after a resume too), a bar on a terminal, plain lines elsewhere."""

import io
import math
import re

import pytest
from rich.console import Console

from temperfill.progress import Display, TimeLeft, duration, reported, tracked
from temperfill.runs.record import describe


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("first_step", [0, 900])
def test_time_left_follows_the_pace_of_this_start(first_step: int) -> None:
    clock = Clock()
    left = TimeLeft(1000, clock=clock)
    assert math.isnan(left.seconds())
    clock.now += 100  # a slow first step: compilation
    left.mark(first_step + 1)
    assert math.isnan(left.seconds())
    for step in range(first_step + 2, first_step + 22):
        clock.now += 2
        left.mark(step)
    assert left.seconds() == pytest.approx(2 * (1000 - first_step - 21))


def test_time_left_follows_a_change_of_pace_and_the_time_limit() -> None:
    clock = Clock()
    left = TimeLeft(1000, clock=clock)
    for step in range(1, 500):
        clock.now += 1 if step < 300 else 4
        left.mark(step)
    assert left.seconds() == pytest.approx(4 * 501)
    left.deadline = clock.now + 60
    assert left.seconds() == 60
    clock.now += 100
    assert left.seconds() == 0


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.4, "59 s"), (59.9, "1 min"), (90, "2 min"), (3570, "1 h 00 min"),
     (7500, "2 h 05 min"), (360_000, "100 h 00 min")],
)  # fmt: skip
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text


RECORD = {"step": 20, "seconds": 3.0, "refined": 0.25, "temperature": [0.1, 0.2], "images_per_second": 3.0}


def terminal(width: int = 60) -> tuple[Console, io.StringIO]:
    stream = io.StringIO()
    return Console(file=stream, force_terminal=True, width=width, color_system=None), stream


def no_terminal() -> Console:
    return Console(file=io.StringIO())


def test_plain_lines_go_to_the_log_elsewhere(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "temperfill")
    with Display("step", 100, 10, console=no_terminal()) as display:
        display.note("[bold] is no markup")
        display.move(11)
        display.show(19, "not yet due")
        display.show(20, describe(RECORD), now=True)
    lines = caplog.messages
    assert lines[0] == "[bold] is no markup"
    assert lines[1].startswith("step 20/100, refined 0.250 T 0.100/0.200 3.0 images/s, ")
    assert lines[1].endswith(" left")
    assert len(lines) == 2


def test_plain_lines_come_now_and_then(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "temperfill")
    clock = Clock()
    monkeypatch.setattr("temperfill.progress.time.monotonic", clock)
    with Display("filling", console=no_terminal()) as display:
        display.time_left.clock = clock
        for done in range(31):
            display.show(done, total=30)
            clock.now += 1
    assert caplog.messages == ["filling 10/30, 20 s left", "filling 20/30, 10 s left"]


def test_the_first_line_says_what_is_done_and_no_guess(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "temperfill")
    with Display("filling", console=no_terminal()) as display:
        display.show(0, total=1, now=True)
        display.show(1, total=2, now=True)
    assert caplog.messages[0] == "filling …"
    assert caplog.messages[1].startswith("filling 1/2, ")
    console, stream = terminal()
    with Display("filling", console=console) as display:
        display.show(0, total=1)
    assert "filling 0/1" in stream.getvalue()
    assert "left" not in stream.getvalue()


def test_bar_on_a_terminal() -> None:
    console, stream = terminal()
    with Display("step", 100, 10, console=console) as display:
        display.note("a [bold] message")
        for step in range(11, 21):
            display.move(step)
        display.show(20, describe(RECORD))
    shown = stream.getvalue()
    assert "a [bold] message" in shown
    for part in ("step", " 20/100 ━", " left", "refined 0.250 T 0.100/0.200 3.0 images/s"):
        assert part in shown


@pytest.mark.parametrize("use", ["tracked", "reported"])
def test_every_use_shows_the_same_bar(use: str, monkeypatch: pytest.MonkeyPatch) -> None:
    console, stream = terminal()
    if use == "tracked":
        assert list(tracked("abc", "filling", console=console)) == ["a", "b", "c"]
    else:
        monkeypatch.setattr("rich.console.Console", lambda **_: console)
        with reported("filling") as on_progress:
            on_progress(2, 3)
            on_progress(3, 3)
    last = [line for line in stream.getvalue().splitlines() if "3/3" in line][-1]
    assert re.fullmatch(r".*filling 3/3 ━+ \S+.* left.*", last)


def test_nothing_is_shown_where_it_is_not_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    console, stream = terminal()
    assert list(tracked("abc", "filling", enabled=False, console=console)) == ["a", "b", "c"]
    assert stream.getvalue() == ""


def test_dumb_terminal_gets_plain_lines(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "temperfill")
    monkeypatch.setenv("TERM", "dumb")
    with Display("step", 100, console=Console(file=io.StringIO(), force_terminal=True)) as display:
        display.show(20, now=True)
    assert caplog.messages == ["step 20/100"]
