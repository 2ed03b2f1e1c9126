"""temperfill inpaint --sketch: lines change the hole alone, and what cannot be followed is said."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from temperfill import cli
from temperfill.config import GeneratorConfig
from temperfill.nets.generator import Generator
from temperfill.weights_files import save_generator


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A picture, its mask, a sketch that crosses the hole, and two models, of which one takes sketches."""
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    for name, guided in (("guided", True), ("plain", False)):
        generator = Generator(GeneratorConfig(width=4, head_dim=4, sketch=guided))
        save_generator(tmp_path / f"{name}.safetensors", generator)
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 48, 3), np.uint8)).save("a.png")
    mask, sketch = np.zeros((2, 40, 48), np.uint8)
    mask[10:30, 10:30] = 255
    sketch[18:22] = 255
    Image.fromarray(mask).save("mask.png")
    Image.fromarray(sketch).save("sketch.png")
    return tmp_path


def fill(*words: str, model: str = "guided") -> np.ndarray:
    common = ["inpaint", "a.png", "--mask", "mask.png", "--output", "out.png", "--device", "cpu"]
    cli.main([*common, "--model", f"{model}.safetensors", *words])
    return np.asarray(Image.open("out.png"))


def test_lines_change_the_hole_alone(folder: Path) -> None:
    plain, guided = fill(), fill("--sketch", "sketch.png")
    hole = np.asarray(Image.open(folder / "mask.png")) > 0
    assert np.array_equal(plain[~hole], guided[~hole])
    assert not np.array_equal(plain[hole], guided[hole])


@pytest.mark.usefixtures("folder")
def test_lines_beside_the_hole_are_noticed(capsys: pytest.CaptureFixture[str]) -> None:
    lines = np.zeros((40, 48), np.uint8)
    lines[35] = 255
    Image.fromarray(lines).save("beside.png")
    assert np.array_equal(fill("--sketch", "beside.png"), fill())
    assert "beside.png has no white line inside the hole" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "model", "part"),
    [
        (["--sketch", "sketch.png"], "plain", "takes no sketch; leave it out"),
        (["--sketch", "none.png"], "guided", "none.png"),
        (["--sketch", "small.png"], "guided", "the sketch small.png is 9x9 but the image is 48x40"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_bad_sketches_are_one_line(words: list[str], model: str, part: str, capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("L", (9, 9)).save("small.png")
    with pytest.raises(SystemExit) as caught:
        fill(*words, model=model)
    assert caught.value.code == 2
    assert part in capsys.readouterr().err.strip().splitlines()[-1]
    assert not Path("out.png").exists()


def test_folders_take_none(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["inpaint", str(folder), "--mask", "mask.png", "--output", "results", "--sketch", "sketch.png"])
    assert "--sketch applies to one picture only" in capsys.readouterr().err
