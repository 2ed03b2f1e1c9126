"""The page on a run: complete in itself, the same each time, and safe with names that mean something in HTML."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from temperfill import images
from temperfill.runs.page import SHEETS, write_run_page

pytest.importorskip("matplotlib")


def line(step: int) -> dict[str, Any]:
    heat = [0.1 / step, 0.2]
    temperatures = {"temperature": heat, "temperature_low": [heat[0] / 2, 0.1], "temperature_high": [heat[0] * 2, 0.3]}
    return {"step": step, "refined": 1 / step, **temperatures, "seconds": 72.0 * step, "images_per_second": 4.0}


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "a run <1>"
    (folder / "samples").mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"num_steps": 1000, "batch_size": 8, "name": "<b>"}))
    validations = [
        {"step": step, "seconds": 1.0, "validation": {"loss": loss}} for step, loss in ((50, 0.25), (90, 0.5))
    ]
    lines = [*map(line, range(20, 120, 20)), *validations]
    (folder / "log.jsonl").write_text("".join(json.dumps(x) + "\n" for x in lines))
    return folder


def page(run_dir: Path, tmp_path: Path) -> str:
    write_run_page(run_dir, tmp_path / "page.html")
    return (tmp_path / "page.html").read_text(encoding="utf-8")


def sheet(run_dir: Path, name: str) -> None:
    images.save_picture(run_dir / "samples" / name, images.open_picture(np.zeros((6, 9, 3), np.uint8)))


def test_facts_stand_at_the_top(run_dir: Path, tmp_path: Path) -> None:
    text = page(run_dir, tmp_path)
    assert "<title>a run &lt;1&gt;: training run</title>" in text
    cells = dict(re.findall(r"<tr><th>(.*?)</th><td>(.*?)</td></tr>", text))
    assert cells == {
        "Steps": "100 of 1,000",
        "Pictures a step": "8",
        "Hours of training": "2.00",
        "Images per second, last": "4.00",
        "Lowest validation loss": "0.25 at step 50",
    }
    assert "&lt;b&gt;" in text
    assert "<b>" not in text


def test_it_needs_nothing_else_and_is_the_same_again(run_dir: Path, tmp_path: Path) -> None:
    sheet(run_dir, "0000020.png")
    text = page(run_dir, tmp_path)
    assert not re.search(r'(src|href)="(?!data:|#)', text)
    assert page(run_dir, tmp_path) == text


def test_sheets_are_spread_over_the_run_the_latest_first(run_dir: Path, tmp_path: Path) -> None:
    assert "<p>None yet.</p>" in page(run_dir, tmp_path)
    for step in range(10, 210, 10):
        sheet(run_dir, f"{step:07d}.png")
    steps = [int(step) for step in re.findall(r"<figcaption>Step (\d+):", page(run_dir, tmp_path))]
    assert len(steps) == SHEETS
    assert (steps[0], steps[-1]) == (200, 10)
    assert steps == sorted(steps, reverse=True)


def test_a_run_without_temperatures_and_validation_has_fewer_plots(run_dir: Path, tmp_path: Path) -> None:
    headings = re.findall(r"<h2>(.*?)</h2>", page(run_dir, tmp_path))
    plots = ["Losses", "Temperatures, mean and range over pictures", "Validation: loss", "Rate"]
    assert headings == [*plots, "Samples", "Configuration"]
    bare = {"step": 20, "refined": 0.5, "seconds": 1.0, "images_per_second": 4.0}
    (run_dir / "log.jsonl").write_text(json.dumps(bare) + "\n")
    assert re.findall(r"<h2>(.*?)</h2>", page(run_dir, tmp_path)) == ["Losses", "Rate", "Samples", "Configuration"]


def test_a_run_without_a_line_is_refused(run_dir: Path, tmp_path: Path) -> None:
    (run_dir / "log.jsonl").write_text("")
    with pytest.raises(ValueError, match="has no line yet"):
        write_run_page(run_dir, tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()
