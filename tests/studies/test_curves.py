"""Curves of temperatures: every value of the log, what is said of them, refusals."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from temperfill import studies
from temperfill.config import GeneratorConfig, RunConfig, TrainConfig, to_json
from temperfill.systems.atma import ATMARun


def write_run(folder: Path, config: RunConfig, lines: list[dict[str, Any]]) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(to_json(config)))
    (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"step": 99, "temp')
    return folder


def line(step: int, mean: float, low: float, high: float) -> dict[str, Any]:
    keys = ("temperature", "temperature_low", "temperature_high")
    return {"step": step} | {key: [value, 2.0] for key, value in zip(keys, (mean, low, high), strict=True)}


def test_curves_hold_the_log(tmp_path: Path) -> None:
    lines = [line(10, 0.1, 0.05, 0.2), {"step": 10, "validation": {"loss": 1.0}}, line(20, 0.02, -0.01, 0.3)]
    runs = [
        write_run(tmp_path / "a" / "seed-0", TrainConfig(), [*lines, line(30, 0.04, 0.03, 0.05)]),
        write_run(tmp_path / "b" / "seed-0", ATMARun(), lines),
    ]
    data = studies.curves(runs, tmp_path / "out")
    assert json.loads((tmp_path / "out" / "temperatures.json").read_text()) == data
    assert {title: entry["attention"] for title, entry in data["runs"].items()} == {
        "a/seed-0": "mhtma",
        "b/seed-0": "atma",
    }
    first = data["runs"]["a/seed-0"]
    assert first["steps"] == [10, 20, 30]
    assert first["heads"][0] == {
        "mean": [0.1, 0.02, 0.04],
        "low": [0.05, -0.01, 0.03],
        "high": [0.2, 0.3, 0.05],
        "start": 0.1,
        "lowest": 0.02,
        "lowest_step": 20,
        "end": 0.04,
        "negative_share": round(1 / 3, 6),
        "median_change": 1.0,
    }
    with Image.open(tmp_path / "out" / "temperatures.png") as picture:
        assert picture.width > picture.height
    before = (tmp_path / "out" / "temperatures.png").read_bytes()
    studies.curves(runs, tmp_path / "out")
    assert (tmp_path / "out" / "temperatures.png").read_bytes() == before


def test_refusals(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    plain = write_run(tmp_path / "plain", TrainConfig(generator=GeneratorConfig(attention="none")), [{"step": 1}])
    for runs, error, message in (
        ([], ValueError, "at least one run folder"),
        ([tmp_path / "absent"], OSError, "no run folder at"),
        ([tmp_path / "empty"], OSError, "is not a run folder"),
        ([plain], ValueError, "no temperatures: its attention is none"),
        ([plain, plain], ValueError, "named twice"),
    ):
        with pytest.raises(error, match=message):
            studies.curves(runs, tmp_path / "out")
    assert not (tmp_path / "out").exists()
