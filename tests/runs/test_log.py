"""The log of a run, which may still be written."""

import json
from pathlib import Path

import pytest

from running import line, write_run
from temperfill.runs.log import read_log


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    return write_run(tmp_path / "a run <1>")


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
