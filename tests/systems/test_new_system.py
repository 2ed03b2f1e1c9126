"""CONTRIBUTING's recipe for a learned system, followed: four files, and it is trained, stored, loaded and listed."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import temperfill
from temperfill.weights_reading import read_metadata

PACKAGE = Path(temperfill.__file__).parent
TOY = Path(__file__).parent / "toy"
TABLE = "SYSTEMS: dict[str, System] = {\n"
ROW = """    "toy": System(
        "temperfill.systems.toy:PUBLISHED",
        "temperfill.systems.toy.network:Toy",
        "temperfill.systems.toy.losses:RECIPE",
        "Nobody, Two Convolutions, never published",
        1_411,
    ),
"""


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a copy of the package to which the four files of the toy are added, and nothing else."""
    folder = tmp_path_factory.mktemp("extended")
    shutil.copytree(PACKAGE, folder / "temperfill", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(TOY, folder / "temperfill/systems/toy", ignore=shutil.ignore_patterns("__pycache__"))
    table = folder / "temperfill/systems/table.py"
    text = table.read_text(encoding="utf-8")
    assert TABLE in text
    table.write_text(text.replace(TABLE, TABLE + ROW), encoding="utf-8")
    return folder


def test_a_new_system_is_trained_stored_loaded_and_listed(extended: Path, tmp_path: Path) -> None:
    pictures, run = tmp_path / "pictures", tmp_path / "run"
    pictures.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (40, 48, 3), np.uint8)
    Image.fromarray(pixels).save(pictures / "a.png")
    hole = np.zeros((40, 48), np.uint8)
    hole[10:20, 10:30] = 255
    Image.fromarray(hole).save(tmp_path / "mask.png")
    options = "--data.crop-size 32 --data.resize 32 --num-steps 2 --batch-size 2 --machine.device cpu"
    commands = [
        f"train toy --run-dir {run} --data.train {pictures} --machine.workers 0 {options}".split(),
        f"inpaint {pictures}/a.png --mask {tmp_path}/mask.png --model {run} --output {tmp_path}/out.png".split(),
        ["models", "--all"],
    ]
    program = f"import sys; sys.path.insert(0, {str(extended)!r}); from temperfill.cli import main\n"
    program += "".join(f"main({command})\n" for command in commands)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert read_metadata(run / "generator.safetensors")["method"] == "toy"
    filled = np.asarray(Image.open(tmp_path / "out.png"))
    assert np.array_equal(filled[hole == 0], pixels[hole == 0])
    assert not np.array_equal(filled[hole > 0], pixels[hole > 0])
    listed = done.stdout[done.stdout.index("\ntoy\n") :]
    assert "Nobody" in listed
    assert "temperfill train toy" in listed
