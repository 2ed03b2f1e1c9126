"""The job on Ray: a worker that is killed loses no picture, and doubles none."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from temperfill import cli
from temperfill.bulk import cluster
from temperfill.bulk.matching import Task
from temperfill.bulk.work import Outcome
from temperfill.config import GeneratorConfig
from temperfill.nets.generator import Generator
from temperfill.weights_files import save_generator

NUMBER, SIZE = 72, 256
LIMIT = 300.0  # seconds


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    """A command with many pictures, one of them damaged, read and written by URL."""
    torch.manual_seed(0)
    save_generator(tmp_path / "tiny.safetensors", Generator(GeneratorConfig(width=4, head_dim=4)))
    rng = np.random.default_rng(0)
    for name in ("in/sub ü", "masks/sub ü"):
        (tmp_path / name).mkdir(parents=True)
    mask = np.zeros((SIZE, SIZE), np.uint8)
    mask[40:200, 50:210] = 255
    for number in range(NUMBER):
        name = f"sub ü/{number}.png" if number % 3 else f"{number}.png"
        Image.fromarray(rng.integers(0, 256, (SIZE, SIZE, 3), np.uint8)).save(tmp_path / "in" / name)
        Image.fromarray(mask).save(tmp_path / "masks" / name)
    (tmp_path / "in" / "0.png").write_bytes(b"damaged")
    folders = [f"file://{tmp_path}/in", "--mask", f"file://{tmp_path}/masks"]
    return ["inpaint", *folders, "--model", str(tmp_path / "tiny.safetensors"), "--device", "cpu"]


def descendants(process: int) -> Iterator[int]:
    """Processes below one, by what /proc says."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        children.setdefault(int(fields[1]), []).append(int(path.parent.name))
    waiting = [process]
    while waiting:
        found = children.get(waiting.pop(), [])
        yield from found
        waiting += found


def workers(process: int) -> list[int]:
    found = []
    for number in descendants(process):
        try:
            line = Path(f"/proc/{number}/cmdline").read_bytes()
        except OSError:
            continue
        if line.startswith(b"ray::MapWorker"):
            found.append(number)
    return found


def test_tasks_and_outcomes_survive_the_way_to_a_worker_and_back() -> None:
    task = Task("sub ü/\udcff.png", "m.png", "o.png")
    outcome = Outcome(task, "filled", "reason", ("a", "b"), "k", "p", "m", "s", 7, 0.5, True)
    assert cluster._from_json(json.dumps(dataclasses.asdict(outcome))) == outcome
    told = json.loads(cluster._to_json(task, [("k", "s", 3)]))
    assert Task(**told["task"]) == task


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds the workers in /proc")
def test_a_killed_worker_loses_nothing_and_doubles_nothing(words: list[str], tmp_path: Path) -> None:
    """Two workers, one of which gets SIGKILL in the middle: each picture has one result, the one that threads give."""
    pytest.importorskip("ray")
    out = tmp_path / "out"
    command = [
        sys.executable,
        "-m",
        "temperfill",
        *words,
        "--output",
        f"file://{out}",
        "--engine",
        "ray",
        "--workers",
        "2",
    ]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, stderr=log, stdout=log, env=os.environ | {"OMP_NUM_THREADS": "1"})
        try:
            end = time.monotonic() + LIMIT
            while len(list(out.rglob("*.png"))) < 3:
                assert process.poll() is None, (tmp_path / "log").read_text()
                assert time.monotonic() < end
                time.sleep(0.02)
            alive = workers(process.pid)
            os.kill(alive[0], signal.SIGKILL)
            before = len(list(out.rglob("*.png")))
            status = process.wait(LIMIT)
        finally:
            process.kill()
    report = json.loads((out / "report.json").read_text())
    assert len(alive) == 2
    assert before < NUMBER - 1
    assert status == 1  # for the damaged one
    assert report["counts"]["filled"] == NUMBER - 1
    assert [failure["picture"] for failure in report["failures"]] == ["0.png"]
    lines = (out / ".temperfill" / "all" / "manifest.jsonl").read_text().splitlines()
    outputs = [json.loads(line)["output"] for line in lines]
    assert len(outputs) == len(set(outputs)) == NUMBER - 1

    with pytest.raises(SystemExit):  # by threads all of it is done already
        cli.main([*words, "--output", str(out)])
    assert json.loads((out / "report.json").read_text())["counts"]["skipped"] == NUMBER - 1
    with pytest.raises(SystemExit):
        cli.main([*words, "--output", str(tmp_path / "again"), "--workers", "1"])
    for name in outputs:
        with Image.open(out / name) as one, Image.open(tmp_path / "again" / name) as other:
            assert np.abs(np.asarray(one).astype(int) - np.asarray(other)).max() <= 1
