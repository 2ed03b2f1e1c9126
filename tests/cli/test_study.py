"""``temperfill study``: flags reach the studies, bad input is one line."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from temperfill import cli, studies
from temperfill.config import RATIO_BINS


@pytest.fixture
def pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("pictures", "empty", "norun"):
        (tmp_path / name).mkdir()
    Image.fromarray(np.zeros((40, 40, 3), np.uint8)).save(tmp_path / "pictures" / "a.png")
    for group in RATIO_BINS:
        folder = tmp_path / "masks" / group / "pictures"
        folder.mkdir(parents=True)
        Image.fromarray(np.full((40, 40), 255, np.uint8)).save(folder / "a.png")
    (tmp_path / "bad.json").write_text('{"study": {"step": 3}}')
    (tmp_path / "none.json").write_text('{"methods": ["telea"]}')
    return tmp_path / "pictures"


@pytest.mark.parametrize(
    ("words", "part"),
    [
        ("compare --pictures empty --methods telea", "no pictures in empty"),
        ("compare --pictures pictures --methods telia", "did you mean telea"),
        ("compare --pictures pictures --methods norun", "the run folder norun has no checkpoint"),
        ("compare --pictures pictures --methods telea --masks masks --by-ratio --size 64", "40x40"),
        ("compare --pictures pictures --methods telea --size 20", "size must be at least 31"),
        ("compare --pictures pictures --methods telea --metrics fid", "pt_inception-2015-12-05-6726825d.pth"),
        ("compare --pictures pictures --methods wavefill", "with --train to train them here"),
        ("compare --pictures pictures --methods wavefill --train pictures --crop-size 64", "crop_size of at least 68"),
        ("ablation attention --pictures pictures", "--train"),
        ("ablation attention --pictures pictures --train empty", "no pictures in empty"),
        ("ablation attention --pictures pictures --train pictures --width 3", "width must be even"),
        ("ablation attention --pictures pictures --train pictures --seeds 1 1", "every seed must be named once"),
        ("ablation colour --pictures pictures --train pictures", "colour"),
        ("ablation own.json --pictures pictures --train pictures", "own.json"),
        ("ablation bad.json --pictures pictures", "bad.json.study.step: unknown key"),
        ("compare none.json --train pictures", "no pictures: name at least one folder with --pictures"),
        ("curves norun", "norun is not a run folder"),
        ("branches --pictures pictures --model telea", "no such branches"),
        ("guidance --pictures pictures --model telea", "takes no sketch; give a model"),
        ("curvs norun", "unknown study 'curvs', did you mean curves?"),
    ],
)
def test_bad_input_is_one_line(words: str, part: str, pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["study", *words.split(), "--output", "out"])
    assert caught.value.code == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line]
    assert len(lines) == 1
    assert lines[0].startswith("temperfill: error: ")
    assert part in lines[0]


def test_flags_reach_the_studies(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: dict[str, Any] = {}
    for name in ("compare", "ablation"):
        monkeypatch.setattr(studies, name, lambda *arguments, name=name: calls.update({name: arguments}))
    shared = [
        "--pictures",
        "pictures",
        "--output",
        "o",
        "--train",
        "t",
        "--seeds",
        "3",
        "4",
        "--width",
        "8",
        "--limit",
        "5",
    ]
    cli.main(["study", "ablation", "adversarial", *shared])
    what, evaluation, output, study, command = calls["ablation"]
    assert (what, output, study.seeds, study.width, evaluation.limit) == ("adversarial", Path("o"), (3, 4), 8, 5)
    assert command.startswith("temperfill study ablation adversarial --pictures pictures")
    cli.main(["study", "compare", *shared, "--by-ratio", "--methods", "ours", "telea"])
    methods, evaluation, *_ = calls["compare"]
    assert methods == ("ours", "telea")
    assert evaluation.mask_kind == ",".join(RATIO_BINS)
    cli.main(["study", "compare", *shared, "--by-ratio", "--masks", "m"])
    assert calls["compare"][1].groups == RATIO_BINS


def test_a_file_gives_settings_and_variants_and_flags_override_it(
    pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: dict[str, Any] = {}
    for name in ("compare", "ablation"):
        monkeypatch.setattr(studies, name, lambda *arguments, name=name: calls.update({name: arguments}))
    Path("own.json").write_text(
        json.dumps(
            {
                "evaluation": {"pictures": ["pictures"], "limit": 5},
                "study": {"train": ["t"], "steps": 7, "width": 8},
                "changes": {"learning_rate": 1e-3, "generator": {"heads": 1}},
                "variants": {"plain": {}, "wide": {"method": "deepfillv2", "generator": {"width": 32}}},
            }
        )
    )
    cli.main(["study", "ablation", "own.json", "--output", "o", "--steps", "9"])
    what, evaluation, output, study, command = calls["ablation"]
    assert what["plain"] == {"learning_rate": 1e-3, "generator": {"heads": 1}}
    assert what["wide"] == what["plain"] | {"method": "deepfillv2", "generator": {"heads": 1, "width": 32}}
    assert (evaluation.pictures, evaluation.limit, output) == ((Path("pictures"),), 5, Path("o"))
    assert (study.train, study.steps, study.width) == ((Path("t"),), 9, 8)
    assert "own.json" in command
    cli.main(["study", "compare", "own.json", "--output", "o"])
    assert calls["compare"][0] == ("plain", "wide")
    assert calls["compare"][-1] == what


def test_missing_matplotlib_names_the_extra(
    pictures: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(SystemExit):
        cli.main(["study", "compare", "--pictures", "pictures", "--methods", "telea", "--output", "out"])
    assert "pip install 'temperfill[report]'" in capsys.readouterr().err
    assert not Path("out").exists()


def test_help_names_every_study(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["study"], ["study", "--help"]):
        cli.main(words)
        listed = capsys.readouterr().out
        assert re.findall(r"^  (\w+)  ", listed, re.M) == ["compare", "ablation", "curves", "branches", "guidance"]
