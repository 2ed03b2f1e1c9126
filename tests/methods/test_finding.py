"""What a user names is found alike by every door, and a mistyped name is told the nearest one."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from temperfill.bulk.work import weights_file
from temperfill.cli.bundle import run as run_bundle
from temperfill.cli.fine_tune import FineTuneOptions, configuration
from temperfill.config import GeneratorConfig
from temperfill.evaluate import load_entrants
from temperfill.export import onnx_file
from temperfill.inpainter import Inpainter
from temperfill.methods.finding import Found, bundled, find, find_weights
from temperfill.nets.generator import Generator
from temperfill.weights_files import save_generator


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder with a checkpoint."""
    folder = tmp_path_factory.mktemp("runs") / "mine"
    folder.mkdir()
    torch.manual_seed(0)
    save_generator(folder / "generator.safetensors", Generator(GeneratorConfig(width=4, head_dim=4)))
    return folder


def fine_tune(name: str, tmp_path: Path) -> Any:
    return configuration(FineTuneOptions(model=name, pictures=(tmp_path,), run_dir=tmp_path / "out", device="cpu"))


def bundle(name: str, tmp_path: Path) -> None:
    output = tmp_path / "half.safetensors"
    run_bundle([name, "--output", str(output)])
    assert output.is_file()


DOORS: dict[str, Callable[[str, Path], Any]] = {
    "inpaint, edit and serve": lambda name, _: Inpainter.from_pretrained(name, "cpu"),
    "inpaint of a folder": lambda name, _: weights_file(name).read_bytes(),  # type: ignore[union-attr]
    "evaluate and study": lambda name, _: load_entrants([name], "cpu"),
    "export": lambda name, _: onnx_file._generator(find_weights(name), name),
    "fine-tune": fine_tune,
    "bundle": bundle,
}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("kind", ["bundled", "file", "folder"])
def test_every_door_takes_a_name_a_file_and_a_run_folder(door: str, kind: str, run: Path, tmp_path: Path) -> None:
    if kind == "bundled" and "base" not in bundled():
        pytest.skip("no bundled weights here")
    names = {"bundled": "base", "file": str(run / "generator.safetensors"), "folder": str(run)}
    DOORS[door](names[kind], tmp_path)


@pytest.mark.parametrize("door", DOORS)
def test_every_door_tells_the_nearest_name_and_misses_a_checkpoint(door: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"unknown model 'bse', did you mean base[?] known are base"):
        DOORS[door]("bse", tmp_path)
    with pytest.raises(FileNotFoundError, match=r"has no checkpoint generator\.safetensors"):
        DOORS[door](str(tmp_path), tmp_path)


def test_labels_and_kinds(run: Path, tmp_path: Path) -> None:
    assert find("telea") == Found("telea", None, "telea")
    assert find(run) == find(str(run)) == Found("mine", run / "generator.safetensors")
    assert find(tmp_path / "gone.safetensors").label == "gone"
    assert find(Path("telea")) == Found("telea", Path("telea"))
    assert find("ours").path == find("base").path


def test_only_names_are_bundled(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "base").mkdir()
    shutil.copy(run / "generator.safetensors", tmp_path / "base")
    monkeypatch.chdir(tmp_path)
    assert find("./base") == Found("base", Path("base/generator.safetensors"))
    assert not find("telea").is_bundled
    if "base" in bundled():
        assert find("base").is_bundled


@pytest.mark.parametrize("door", ["bundle", "export", "fine-tune"])
def test_a_method_without_weights_is_refused_where_weights_are_needed(door: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the method telea is no model with weights; name a bundled model"):
        DOORS[door]("telea", tmp_path)


def test_finding_imports_no_torch() -> None:
    find_one = "from temperfill.methods.finding import find; find('x.safetensors')"
    code = f"import sys; {find_one}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
