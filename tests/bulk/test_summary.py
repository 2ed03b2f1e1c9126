"""Counts, reports and lines of a job."""

from temperfill.bulk.matching import Plan, Task
from temperfill.bulk.summary import Summary
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


def test_failures_are_named_until_they_are_many() -> None:
    summary, said = Summary(plan(30)), []
    for task in summary.plan.tasks:
        outcome = Outcome(task, "failed", "no [bold]reason[/bold]")
        summary.add(outcome)
        said += [summary.complaint(outcome)]
    assert said[0] == "failed: 0 é.png: no [bold]reason[/bold]"
    assert all(text.startswith("failed: ") for text in said[:20])
    assert said[20:] == ["further failures are in the report only"] + [""] * 9
    assert summary.pace() == "30 failed, 0.00 images/s"


def test_what_is_filled_is_no_complaint() -> None:
    summary = Summary(plan(2))
    for task, status in zip(summary.plan.tasks, ("failed", "filled"), strict=True):
        outcome = Outcome(task, status, "of 0 é.png")  # type: ignore[arg-type]
        summary.add(outcome)
        assert summary.complaint(outcome) == ("failed: of 0 é.png" if status == "failed" else "")
