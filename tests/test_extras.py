"""The package without torch, and how many threads it takes."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from temperfill import extras
from temperfill.inpainter import choose_device, choose_precision, devices

CORE = """
import sys
from importlib.machinery import PathFinder

real = PathFinder.find_spec
away = ("torch", "scipy", "skimage", "rich", "cv2")
PathFinder.find_spec = lambda name, *rest: None if name.split(".")[0] in away else real(name, *rest)
import temperfill
assert not {"numpy", "PIL", "onnxruntime"} & sys.modules.keys()
from temperfill.cli import main
main(sys.argv[1:])
"""


def core(*words: str) -> "subprocess.CompletedProcess[str]":
    """A command of the package, where nothing is installed that an extra brings."""
    return subprocess.run([sys.executable, "-c", CORE, *words], capture_output=True, text=True, check=False)


@pytest.fixture
def drawn(tmp_path: Path) -> tuple[Path, Path]:
    """A picture with a thick hole."""
    rows, columns = np.mgrid[:200, :260]
    tiles = ((rows // 7 + columns // 9) % 3 * 60 + 40).astype(np.uint8)
    hole = np.zeros((200, 260), np.uint8)
    hole[60:140, 70:150] = 255
    for folder, pixels in (("pictures", tiles), ("masks", hole)):
        (tmp_path / folder).mkdir()
        Image.fromarray(pixels).save(tmp_path / folder / "tiles.png")
    return tmp_path / "pictures", tmp_path / "masks"


@pytest.mark.weights
def test_the_core_fills_folders_and_copies_texture_without_any_extra(drawn: tuple[Path, Path], tmp_path: Path) -> None:
    pictures, masks = drawn
    done = core("inpaint", str(pictures), "--mask", str(masks), "--output", str(tmp_path / "out"), "--texture", "copy")
    assert done.returncode == 0, done.stderr
    assert '"onnxruntime"' in (tmp_path / "out/report.json").read_text()
    before, hole = (np.asarray(Image.open(folder / "tiles.png")) for folder in (pictures, masks))
    filled = np.asarray(Image.open(tmp_path / "out/tiles.png"))
    assert np.array_equal(filled[hole == 0], before[hole == 0])
    assert np.abs(np.diff(filled.astype(int), axis=1))[hole[:, 1:] > 0].max() > 40  # tiles with sharp edges


def test_what_an_extra_brings_is_named(tmp_path: Path) -> None:
    picture, output = tmp_path / "scan.png", tmp_path / "clean.png"
    Image.new("RGB", (20, 20)).save(picture)
    done = core("dust", str(picture), "--output", str(output))
    assert "pip install 'temperfill[dust]'" in done.stderr
    done = core("prune", "base", "--output", str(tmp_path / "small.safetensors"))
    assert "pip install 'temperfill[torch]'" in done.stderr


def test_without_torch_there_is_the_cpu_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "has_torch", lambda: False)
    assert choose_device() == choose_device("cpu", needs_float64=True) == "cpu"
    assert choose_precision("auto", "cpu") == choose_precision("fp32", "cpu") == "fp32"
    with pytest.raises(ValueError, match=r"device 'cuda' needs torch.*temperfill\[torch\]"):
        choose_device("cuda")
    with pytest.raises(ValueError, match=r"precision bf16 needs torch"):
        choose_precision("bf16", "cpu")


def test_tensors_are_known_without_importing_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    assert extras.is_tensor(torch.zeros(1))
    assert not extras.is_tensor(np.zeros(1))
    monkeypatch.delitem(sys.modules, "torch")
    assert not extras.is_tensor(np.zeros(1))
    assert "torch" not in sys.modules


@pytest.mark.parametrize(("asked", "expected"), [("3", 3), ("0", None), ("many", None), ("", None)])
def test_threads_are_those_asked_for_or_one_for_each_core(
    monkeypatch: pytest.MonkeyPatch, asked: str, expected: int | None
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", asked)
    assert extras.cores() == (expected or extras.cores()) >= 1
