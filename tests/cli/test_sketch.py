"""temperfill sketch: what it writes, and what it refuses before and during its work."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from temperfill import cli, images, sketch
from temperfill.nets.pidinet import PiDiNet


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with pictures whose one border lies at column 40, one of them in a subfolder and turned by EXIF."""
    pixels = np.full((60, 80, 3), 30, np.uint8)
    pixels[:, 40:] = 220
    (tmp_path / "in" / "sub").mkdir(parents=True)
    Image.fromarray(pixels).save(tmp_path / "in" / "a.png")
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn clockwise makes it upright
    Image.fromarray(pixels).save(tmp_path / "in" / "sub" / "b.jpg", exif=exif)
    return tmp_path


def call(*words: object) -> None:
    cli.main(["sketch", *map(str, words), "--device", "cpu"])


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    with pytest.raises(SystemExit) as caught:
        call(*words)
    assert caught.value.code == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("temperfill: error: ")
    return last


def read(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        assert image.format == "PNG"
        return np.asarray(image)


def written(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_a_folder_is_drawn_with_its_subfolders(folder: Path) -> None:
    call(folder / "in", "--output", folder / "out", "--edges", "canny", "--min-component", 50)
    assert written(folder / "out") == {"a.png", "sub/b.png"}
    upright, turned = read(folder / "out" / "a.png"), read(folder / "out" / "sub" / "b.png")
    assert upright.shape == (60, 80)
    assert turned.shape == (80, 60)
    for lines in (upright, turned.T):
        assert set(np.unique(lines)) == {0, 255}
        assert (np.abs(np.nonzero(lines)[1] - 40) <= 2).all()


def test_one_picture_with_the_steps_to_its_sketch(folder: Path) -> None:
    call(folder / "in" / "a.png", "--output", folder / "new" / "out", "--edges", "canny", "--steps")
    assert written(folder / "new") == {"out/a.png", "out/a-steps.png"}
    assert read(folder / "new" / "out" / "a-steps.png").shape[1] >= 4 * 80


def test_sketches_for_training_have_the_size_of_pictures_there(folder: Path) -> None:
    call(folder / "in", "--output", folder / "out", "--edges", "canny", "--min-component", 10, "--short-side", 32)
    pictures = {path: images.read_rgb(folder / "in" / path) for path in ("a.png", "sub/b.jpg")}
    for path, pixels in pictures.items():
        lines = read((folder / "out" / path).with_suffix(".png"))
        assert lines.shape == images.resize_short_side(pixels, 32).shape[:2]
        assert lines.any()


def test_edges_of_a_network_and_its_agreement_with_itself(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.manual_seed(0)
    weights = folder / "e.safetensors"
    sketch.save_network(weights, PiDiNet(20))
    call(folder / "in", "--output", folder / "out", "--edges", weights, "--threshold", 0.5, "--compare", weights)
    report = json.loads((folder / "out" / "agreement.json").read_text())
    assert [record["f1"] for record in report["records"]] == [1, 1]
    assert report["summary"]["difference"] == 0
    assert report["summary"]["pictures"] == 2
    assert "f1 1" in capsys.readouterr().out


def test_a_damaged_picture_does_not_keep_others_from_being_drawn(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "in" / "0.png").write_bytes(b"no picture")
    said = refused(capsys, folder / "in", "--output", folder / "out", "--edges", "canny")
    assert "1 of 3 pictures" in said
    assert "0.png" in said
    assert written(folder / "out") == {"a.png", "sub/b.png"}


def test_pictures_are_never_overwritten(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (folder / "in" / "a.png").read_bytes()
    assert "choose another --output" in refused(capsys, folder / "in", "--output", folder / "in")
    assert (folder / "in" / "a.png").read_bytes() == before
    Image.new("RGB", (8, 8)).save(folder / "in" / "a.jpg")
    assert "would both be written" in refused(capsys, folder / "in", "--output", folder / "out")
    (folder / "in" / "a.jpg").rename(folder / "in" / "a-steps.jpg")
    assert "would both be written" in refused(capsys, folder / "in", "--output", folder / "out", "--steps")
    assert not (folder / "out").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--threshold", "1"], "--threshold must be at least"),
        (["--threshold", "nan"], "--threshold must be at least"),
        (["--compare", "canny", "--compare-threshold", "2"], "--compare-threshold must be at least"),
        (["--compare-threshold", "0.5"], "--compare-threshold needs --compare"),
        (["--min-component", "-1"], "--min-component must not be negative"),
        (["--edges", "absent.pth"], "no edge network at absent.pth"),
    ],
)
def test_wrong_options_are_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert said in refused(capsys, folder / "in", "--output", folder / "out", *words)


def test_missing_and_empty_sources_are_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no picture or folder" in refused(capsys, folder / "absent.png", "--output", folder / "out")
    (folder / "empty").mkdir()
    assert "no pictures in" in refused(capsys, folder / "empty", "--output", folder / "out")


def test_parsing_imports_nothing_heavy() -> None:
    code = "import sys, temperfill.cli.sketch; print('torch' in sys.modules, 'numpy' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["False", "False"]
