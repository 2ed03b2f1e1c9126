"""The log of a run, which may still be written."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from temperfill import images
from temperfill.runs.log import read_log


def line(step: int, **more: Any) -> dict[str, Any]:
    heat = [0.1 / step, 0.2]
    temperatures = {"temperature": heat, "temperature_low": [heat[0] / 2, 0.1], "temperature_high": [heat[0] * 2, 0.3]}
    rates = {"seconds": 2.0 * step, "images_per_second": 4.0, "learning_rate": 1e-4}
    return {"step": step, "refined": 1 / step, "adversarial": -0.5, **temperatures, **rates, **more}


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "a run <1>"
    (folder / "samples").mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"num_steps": 1000, "batch_size": 8, "seed": 3}))
    lines: list[dict[str, Any]] = [line(step) for step in range(20, 120, 20)]
    lines[2:2] = [{"step": 50, "seconds": 100.0, "validation": {"loss": 0.25, "psnr": 21.0}}]
    (folder / "log.jsonl").write_text("".join(json.dumps(x) + "\n" for x in lines) + '{"step": 120, "refi')
    for step in range(100, 900, 100):
        pixels = np.full((6, 9, 3), step // 10, np.uint8)
        images.save_picture(folder / "samples" / f"{step:07d}.png", images.open_picture(pixels))
    return folder


def test_a_log_that_is_being_written_is_read_up_to_its_last_whole_line(run_dir: Path) -> None:
    log = read_log(run_dir / "log.jsonl")
    assert [x["step"] for x in log.steps] == [20, 40, 60, 80, 100]
    assert log.validations[0]["validation"] == {"loss": 0.25, "psnr": 21.0}
    assert log.names() == ["refined", "adversarial"]
    assert log.curve("refined") == ([20, 40, 60, 80, 100], [1 / 20, 1 / 40, 1 / 60, 1 / 80, 1 / 100])
    assert log.heads() == 2
    assert log.temperature(1, "temperature_high")[1] == [0.3] * 5


@pytest.mark.parametrize("broken", ['{"step": 20', "[1]", '{"refined": 1}', '{"step": "x"}', "null"])
def test_a_damaged_line_in_the_middle_is_named(run_dir: Path, broken: str) -> None:
    (run_dir / "log.jsonl").write_text(f"{json.dumps(line(20))}\n{broken}\n{json.dumps(line(40))}\n")
    with pytest.raises(ValueError, match=r"log\.jsonl, line 2 is no line"):
        read_log(run_dir / "log.jsonl")
