"""Several seeds: a file each, and a word where they are all the same."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from temperfill.cli import main


@pytest.mark.parametrize(("texture", "alike"), [("network", True), ("copy", False)])
def test_seeds_that_change_nothing_are_named(
    texture: str, alike: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo, mask = tmp_path / "photo.png", tmp_path / "mask.png"
    Image.fromarray(np.random.RandomState(1).randint(0, 255, (64, 80, 3), np.uint8)).save(photo)
    hole = np.zeros((64, 80), np.uint8)
    hole[20:44, 24:56] = 255
    Image.fromarray(hole).save(mask)
    words = ["inpaint", str(photo), "--mask", str(mask), "--model", "telea", "--texture", texture]
    main([*words, "--seed", "0", "3", "--output", str(tmp_path / "out.png")])
    said = capsys.readouterr().err
    assert ("every seed gives the same here" in said) == alike
    assert ((tmp_path / "out-0.png").read_bytes() == (tmp_path / "out-3.png").read_bytes()) == alike
    main([*words, "--output", str(tmp_path / "one.png")])
    assert "every seed" not in capsys.readouterr().err
