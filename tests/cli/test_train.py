"""``temperfill train``: each method has its own configuration, and its own flags."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from temperfill import cli
from temperfill.config import from_json, to_json
from temperfill.systems.table import BASELINES, published


def printed(words: list[str], capsys: pytest.CaptureFixture[str]) -> Any:
    cli.main(["train", *words, "--run-dir", "nowhere", "--dry-run"])
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("name", BASELINES)
def test_method_is_a_first_word(name: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert printed([name], capsys) == to_json(published(name))
    changed = printed([name, "--generator.width", "8", "--num-steps", "7"], capsys)
    assert changed["generator"]["width"] == 8
    run = from_json(type(published(name)), changed)
    (tmp_path / "config.json").write_text(json.dumps(changed))
    assert printed([str(tmp_path / "config.json")], capsys) == to_json(run)


def test_validation_pictures_are_none_of_training(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "val").mkdir()
    Image.radial_gradient("L").save(tmp_path / "val" / "a.png")
    words = ["tiny", "--data.train", str(tmp_path), "--data.val", str(tmp_path / "val")]
    with pytest.raises(SystemExit):
        cli.main(["train", *words, "--run-dir", str(tmp_path / "run")])
    said = " ".join(capsys.readouterr().err.split())
    assert "1 held-out pictures were compared with 1 of training" in said
    assert "a.png is the same file as" in said
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["deepfillv2", "--generator.heads", "2"], "generator.heads"),
        (["partialconv", "--discriminator.width", "2"], "discriminator.width"),
        (["wavefill", "--method", "ours"], "--method"),
        (["deepfillv3"], "did you mean deepfillv2?"),
        (["wavefill", "--data.crop-size", "64"], "crop_size of at least 68"),
    ],
)
def test_wrong_flags_are_one_line(words: list[str], part: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["train", *words, "--run-dir", "nowhere", "--dry-run"])
    assert caught.value.code == 2
    assert part in capsys.readouterr().err
