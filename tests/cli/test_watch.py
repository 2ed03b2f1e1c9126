"""``temperfill watch``: logs that are still written, curves in blocks, and the page."""

import re
from pathlib import Path
from typing import Any

import pytest

from running import write_run
from temperfill.cli import main
from temperfill.cli.watch import curve
from temperfill.runs.page import write_run_page


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    return write_run(tmp_path / "a run <1>")


def test_blocks_follow_the_values() -> None:
    assert curve([1.0, 2.0, 3.0]) == "▁▅█"
    assert curve([2.0]) == "▁"
    assert curve([5.0, 5.0]) == "▁▁"
    assert curve([float(i) for i in range(400)], 8) == "▁▂▃▄▅▆▇█"


def test_the_run_is_shown_once_without_a_terminal(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main_ok("watch", run_dir)
    shown = " ".join(capsys.readouterr().out.split())
    assert "step 100 of 1,000, 4.00 images/s, about 30 min left" in shown
    assert re.search(r"refined 0\.01 0\.01 █\S+▁ adversarial -0\.5 -0\.5", shown)
    assert re.search(r"temperature, head 2 0\.2 0\.2", shown)
    assert "validation psnr 21 21" in shown
    assert "0000800.png" in shown


def main_ok(*words: object) -> None:
    main([str(word) for word in words])


def test_a_run_without_a_step_says_so(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run_dir / "log.jsonl").unlink()
    main_ok("watch", run_dir, "--once")
    assert "no step has been logged yet" in " ".join(capsys.readouterr().out.split())


def test_the_page_stands_alone(run_dir: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    main_ok("watch", run_dir, "--html", page)
    text = page.read_text()
    assert "<title>a run &lt;1&gt;: training run</title>" in text
    assert "100 of 1,000" in text
    assert "0.25 at step 50" in text
    for heading in ("Losses", "Temperatures", "Validation: psnr", "Rate", "Samples", "Configuration"):
        assert f"<h2>{heading}" in text
    assert text.count("<svg") == 5  # losses, temperatures, two figures of validation, rate
    assert text.count("data:image/jpeg;base64,") == 6
    assert "Step 800" in text
    assert "Step 100:" in text
    assert not re.search(r'(src|href)="(?!data:|#)', text.replace('xlink:href="#', 'href="#'))  # nothing from outside
    again = tmp_path / "again.html"
    write_run_page(run_dir, again)
    assert again.read_bytes() == page.read_bytes()


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda d: (d / "config.json").unlink(), "is no run folder"),
        (lambda d: (d / "config.json").write_text("{"), "is no JSON"),
        (lambda d: (d / "config.json").write_text("[]"), "holds no configuration"),
        (lambda d: (d / "log.jsonl").unlink(), "has no line yet"),
    ],
)
def test_what_is_no_run_is_refused(
    run_dir: Path, tmp_path: Path, break_it: Any, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    break_it(run_dir)
    with pytest.raises(SystemExit, match="2"):
        main_ok("watch", run_dir, "--html", tmp_path / "page.html")
    assert message in capsys.readouterr().err
    assert not (tmp_path / "page.html").exists()
