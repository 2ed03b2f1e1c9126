"""Counts, reports and lines of a job."""

import io

import pytest
from rich.console import Console

from temperfill.bulk.matching import Plan, Task
from temperfill.bulk.summary import Display, Summary
from temperfill.bulk.work import Outcome


def plan(number: int, unmasked: tuple[str, ...] = ()) -> Plan:
    return Plan(tuple(Task(f"{n} é.png", f"{n}.png", f"{n} é.png") for n in range(number)), unmasked)


def test_a_report_accounts_for_every_picture() -> None:
    summary = Summary(plan(5, ("x.png",)))
    for task, status in zip(summary.plan.tasks, ("filled", "skipped", "failed", "failed"), strict=False):
        summary.add(Outcome(task, status, "reason", notes=("a warning",)))  # type: ignore[arg-type]
    summary.end(interrupted=True)
    counts = summary.report()["counts"]
    assert counts["filled"] + counts["skipped"] + counts["failed"] + counts["not_tried"] == counts["results"] == 5
    assert counts["pictures"] == 6
    assert {failure["picture"] for failure in summary.failures} == {"x.png", "2 é.png", "3 é.png"}
    assert (summary.state, summary.failed, summary.done) == ("interrupted", True, 2)
    assert "2 failed" in summary.line()
    assert "1 not tried" in summary.line()


def test_a_signal_after_the_last_picture_is_none() -> None:
    summary = Summary(plan(1))
    summary.add(Outcome(summary.plan.tasks[0], "filled"))
    summary.end(interrupted=True)
    assert (summary.state, summary.failed) == ("done", False)


@pytest.mark.parametrize("terminal", [False, True])
def test_failures_are_named_until_they_are_many(terminal: bool, capsys: pytest.CaptureFixture[str]) -> None:
    summary = Summary(plan(30))
    console = Console(file=io.StringIO(), force_terminal=terminal, width=150)
    with Display(summary, console) as display:
        for task in summary.plan.tasks:
            outcome = Outcome(task, "failed", "no [bold]reason[/bold]")
            summary.add(outcome)
            display.show(outcome)
    assert isinstance(console.file, io.StringIO)
    said = console.file.getvalue() if terminal else capsys.readouterr().err
    assert said.count("temperfill: failed: ") == 20
    assert "0 é.png: no [bold]reason[/bold]" in said
    assert said.count("in the report only") == 1
    assert ("30/30" in said) == terminal
    assert ("left" in said) == terminal
