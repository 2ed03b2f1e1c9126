"""``temperfill fine-tune``: from a weights file to a run that goes on by the same words."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from temperfill import cli, images
from temperfill.config import GeneratorConfig
from temperfill.nets.generator import Generator
from temperfill.systems.building import build
from temperfill.systems.partialconv import PartialConvConfig
from temperfill.weights_files import load_generator, save_generator


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(5):
        pixels = np.random.default_rng(number).integers(0, 256, (60, 70, 3), np.uint8)
        images.save_picture(folder / f"{number}.png", images.open_picture(pixels))
    return folder


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    path = tmp_path / "start.safetensors"
    save_generator(path, Generator(GeneratorConfig(width=4, head_dim=4, detail=True)), dtype=torch.float16)
    return path


def call(*words: object) -> int:
    try:
        cli.main(["fine-tune", *map(str, words)])
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def test_a_model_is_trained_further(
    pictures: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_dir = tmp_path / "run"
    words = [pictures, "--model", weights, "--run-dir", run_dir, "--num-steps", 4, "--crop-size", 40, "--workers", 0]
    assert call(*words, "--batch-size", 2, "--device", "cpu") == 0
    said = capsys.readouterr().err
    assert f"temperfill inpaint --model {run_dir / 'generator.safetensors'}" in " ".join(said.split())
    config = json.loads((run_dir / "config.json").read_text())
    assert config["loss"]["perceptual_weight"] == 0
    assert config["generator"]["detail"]
    before, after = (load_generator(path).state_dict() for path in (weights, run_dir / "generator.safetensors"))
    moved = [(after[name] - before[name]).abs().max().item() for name in before]
    assert 0 < max(moved) < 0.05
    assert call(*words, "--batch-size", 2, "--device", "cpu") == 0  # done already
    again = load_generator(run_dir / "generator.safetensors").state_dict()
    assert all(torch.equal(again[name], after[name]) for name in after)
    assert call(*words, "--batch-size", 3, "--device", "cpu") == 2
    assert "batch_size" in capsys.readouterr().err


def test_validation_pictures_are_none_of_training(
    pictures: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [pictures, "--model", weights, "--run-dir", tmp_path / "run", "--num-steps", 1, "--crop-size", 40]
    words += ["--batch-size", 1, "--workers", 0, "--device", "cpu", "--val", pictures]
    assert call(*words) == 2
    assert "5 in common" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "run").exists()
    assert call(*words, "--overlap", "allow") == 0
    assert "5 in common" in " ".join(capsys.readouterr().err.split())
    assert call(*words) == 0  # goes on: what began with it is not refused later


def test_a_model_without_lines_can_learn_them(pictures: Path, weights: Path, tmp_path: Path) -> None:
    sketches = tmp_path / "sketches"
    assert not cli.main(["sketch", str(pictures), "--output", str(sketches), "--edges", "canny", "--short-side", "256"])
    words = [pictures, "--model", weights, "--run-dir", tmp_path / "run", "--crop-size", 40, "--sketches", sketches]
    assert call(*words, "--num-steps", 2, "--batch-size", 4, "--workers", 0, "--device", "cpu") == 0
    generator = load_generator(tmp_path / "run" / "generator.safetensors")
    assert generator.config.sketch
    assert generator.coarse[0].convolution.weight[:, 4].abs().sum() > 0  # zero at the start


@pytest.mark.parametrize("case", ["unknown", "other method", "empty folder", "crop"])
def test_what_cannot_be_is_one_line(
    case: str, pictures: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words: list[object] = [pictures, "--run-dir", tmp_path / "run", "--model", weights]
    if case == "unknown":
        words[-1], message = "bass", "unknown model 'bass', did you mean base?"
    elif case == "other method":
        save_generator(weights, build(PartialConvConfig(width=4)))
        message = "of the method partialconv"
    elif case == "empty folder":
        words[0], message = tmp_path / "run2", "run2"
    else:
        words, message = [*words, "--crop-size", "41"], "crop_size must be a multiple of 4"
    assert call(*words) == 2
    assert message in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "run").exists()
