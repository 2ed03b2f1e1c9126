"""temperfill inpaint DIR: exit codes, lines, refusals; terminals and plain output."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import temperfill
from temperfill import cli
from temperfill.config import GeneratorConfig
from temperfill.nets.generator import Generator
from temperfill.weights_files import save_generator


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three pictures with masks, and weights; the folder has spaces and more in its name."""
    root = tmp_path / "Ünï cödé 猫"
    rng = np.random.default_rng(0)
    for name in ("in/sub", "masks/sub"):
        (root / name).mkdir(parents=True)
    mask = np.zeros((24, 33), np.uint8)
    mask[5:12, 6:20] = 255
    for name in ("a.png", "b 猫.jpg", "sub/c.png"):
        Image.fromarray(rng.integers(0, 256, (24, 33, 3), np.uint8)).save(root / "in" / name)
        Image.fromarray(mask).save((root / "masks" / name).with_suffix(".png"))
    torch.manual_seed(0)
    save_generator(root / "tiny.safetensors", Generator(GeneratorConfig(width=4, head_dim=4)))
    return root


def words(folder: Path, *more: str, masks: str = "masks", out: str = "out") -> list[str]:
    places = [str(folder / "in"), "--mask", str(folder / masks), "--output", str(folder / out)]
    return ["inpaint", *places, "--model", str(folder / "tiny.safetensors"), "--device", "cpu", *more]


def ended(command: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[object, list[str]]:
    """Exit status, None for 0, and the lines on standard error; nothing is on standard output."""
    try:
        cli.main(command)
        code: object = None
    except SystemExit as end:
        code = end.code
    said = capsys.readouterr()
    assert said.out == ""
    return code, said.err.splitlines()


def test_a_folder_is_filled_and_a_second_start_has_nothing_to_do(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, lines = ended(words(folder), capsys)
    assert code is None
    assert any(line.startswith("temperfill: 3 filled; ") and "images/s" in line for line in lines)
    with Image.open(folder / "in" / "a.png") as before, Image.open(folder / "out" / "a.png") as after:
        same = (np.asarray(before) == np.asarray(after)).all(2)
    assert same[:5].all()
    assert not same[5:12, 6:20].all()
    report = json.loads((folder / "out" / "report.json").read_text())
    assert report["command"].startswith("temperfill inpaint ")
    code, lines = ended(words(folder), capsys)
    assert code is None
    assert any("0 filled, 3 done before" in line for line in lines)


def test_times_of_pictures_are_kept_on_demand(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number, path in enumerate(sorted((folder / "in").rglob("*.*"))):
        os.utime(path, ns=(10**18 + number, 10**18 + 7 * number))
    assert ended(words(folder, "--preserve-times"), capsys)[0] is None
    ended(words(folder, out="other"), capsys)
    for path in (folder / "in").rglob("*.*"):
        name = path.relative_to(folder / "in")
        assert (folder / "out" / name).stat().st_mtime_ns == path.stat().st_mtime_ns
        assert (folder / "other" / name).stat().st_mtime > 1.5e9


def test_failures_exit_with_1_and_are_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "in" / "b 猫.jpg").write_bytes(b"nothing")
    code, lines = ended(words(folder), capsys)
    assert code == 1
    assert sum("b 猫.jpg" in line for line in lines) == 1
    assert (folder / "out" / "sub" / "c.png").is_file()
    (folder / "masks" / "a.png").unlink()
    (folder / "in" / "b 猫.jpg").unlink()
    assert ended(words(folder, "--unmasked", "skip"), capsys)[0] is None
    code, lines = ended(words(folder), capsys)
    assert code == 1
    assert any("without a mask: a.png" in line for line in lines)


@pytest.mark.parametrize(
    ("more", "named"),
    [
        (["--shard", "0/3"], "from 1/N to N/N"),
        (["--shard", "x"], "from 1/N to N/N"),
        (["--format", "jxl"], "jxl"),
        (["--workers", "-1"], "workers"),
        (["--engine", "spark"], "ray"),
        (["--temperature", "20"], "--temperature"),
        (["--model", "bsae"], "did you mean base"),
        (["--output", "nonsense://x"], "nonsense"),
        (["--preserve-times", "--output", "memory://there"], "--preserve-times"),
    ],
    ids=" ".join,
)
def test_refusals_end_in_one_line_and_fill_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str], more: list[str], named: str
) -> None:
    code, lines = ended(words(folder, *more), capsys)
    assert code == 2
    assert named in lines[-1]
    assert not any("Traceback" in line for line in lines)
    assert not list((folder / "out").rglob("*.png"))


def test_options_of_folders_are_refused_for_a_picture(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [str(folder / "in" / "a.png"), "--mask", str(folder / "masks" / "a.png"), "--output", str(folder / "o.png")]
    code, lines = ended(["inpaint", *files, "--shard", "1/2"], capsys)
    assert code == 2
    assert "--shard applies to folders only" in lines[-1]


def test_a_folder_that_is_not_there_is_what_is_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "in").rename(folder / "elsewhere")
    code, lines = ended(words(folder, "--format", "png"), capsys)
    assert code == 2
    assert lines == [f"temperfill: error: there is no picture or folder {folder / 'in'}"]


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_a_process_that_gets_sigterm_ends_with_130_and_goes_on(folder: Path) -> None:
    """On a locale without Unicode: SIGTERM in the middle ends with 130 and no partial file, then the rest follows."""
    for number in range(60):
        for place in ("in", "masks"):
            (folder / place / f"x{number}.png").symlink_to(folder / place / "a.png")
    source = str(Path(temperfill.__file__).parents[1])
    environment = os.environ | {"PYTHONPATH": source, "LC_ALL": "C", "PYTHONIOENCODING": "ascii", "NO_COLOR": "1"}
    command = [sys.executable, "-m", "temperfill", *words(folder, "--workers", "1")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, env=environment) as process:
        while not list((folder / "out").glob("*.png")) and process.poll() is None:
            time.sleep(0.005)
        process.send_signal(signal.SIGTERM)
        said = process.communicate()[1].decode("ascii")
    assert process.returncode == 130, said
    assert "done; the same command goes on" in said
    assert not list(folder.rglob("*.partial"))
    assert subprocess.run(command, env=environment, check=False).returncode == 0
    counts = json.loads((folder / "out" / "report.json").read_text())["counts"]
    assert counts["filled"] + counts["skipped"] == 63
    assert counts["skipped"] >= 1
