"""Training by the clock: it ends in time, saves on the way, goes on, and compiles where that pays."""

import json
import os
import signal
import threading
from pathlib import Path

import pytest
import torch

from temperfill.config import TrainConfig
from temperfill.weights_files import load_generator
from tools.gpu import training
from tools.gpu.compiling import pays
from tools.gpu.training import Settings, choose_batch_size, train

from .conftest import NO_LINES

pytestmark = pytest.mark.slow

SETTINGS = Settings(seconds=2.0, batch_size=2, workers=0, compile="no", save_every=0.5, device="cpu")


def test_it_trains_for_its_time_and_goes_on(
    config: TrainConfig, pictures: torch.Tensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "_LOG_EVERY", 0.1)
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
    found = train(pictures, NO_LINES, config, SETTINGS, first)
    assert found["steps"][1] > 1
    assert 1 < found["seconds"][1] < 6
    assert 0 <= found["share of waits"] < 1
    start = load_generator(tmp_path / "start.safetensors").state_dict()
    averaged = load_generator(first / "generator.safetensors").state_dict()
    assert any(not torch.allclose(start[name], averaged[name], atol=1e-4) for name in start)
    records = [json.loads(line) for line in (first / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {"step", "seconds", "rate", "waited", "coarse", "discriminator", "images_per_second"} <= records[-1].keys()
    assert "adversarial" in records[-1]

    again = train(pictures, NO_LINES, config, SETTINGS, second, first)
    assert again["steps"][0] == found["steps"][1]
    assert again["seconds"][0] == pytest.approx(found["seconds"][1], abs=1)
    assert again["of"] == pytest.approx(again["seconds"][0] + 2)


def test_an_interruption_leaves_what_was_learned(config: TrainConfig, pictures: torch.Tensor, tmp_path: Path) -> None:
    threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGTERM)).start()
    found = train(
        pictures, NO_LINES, config, Settings(300.0, batch_size=2, workers=0, compile="no", device="cpu"), tmp_path
    )
    assert found["seconds"][1] < 100
    assert load_generator(tmp_path / "generator.safetensors")
    assert list(tmp_path.glob("state-*"))


class Timed:
    """In the place of the second process: it is done after the third look."""

    def __init__(self, *_: object) -> None:
        self.outcome, self.compile_seconds, self.step_seconds, self.looks = "", 0.1, 1e-9, 0

    def poll(self, _: object) -> bool:
        self.looks += 1
        self.outcome = "timed" if self.looks == 3 else ""
        return self.looks == 3

    def close(self, outcome: str) -> None:
        self.outcome = self.outcome or outcome


class Slow(Timed):
    def poll(self, _: object) -> bool:
        return False


@pytest.mark.parametrize(("probe", "outcome", "taken"), [(Timed, "timed", True), (Slow, "given up", False)])
def test_the_compiled_step_is_taken_once_it_pays(
    config: TrainConfig,
    pictures: torch.Tensor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    probe: type,
    outcome: str,
    taken: bool,
) -> None:
    monkeypatch.setattr(training, "Probe", probe)
    monkeypatch.setattr(training, "_PATIENCE", 0.9 if taken else 0.1)
    compiled: list[bool] = []
    monkeypatch.setattr(torch, "compile", lambda module: compiled.append(True) or module)
    settings = Settings(4.0, batch_size=2, workers=0, device="cpu")
    found = train(pictures, NO_LINES, config, settings, tmp_path)
    assert found["compiling"]["outcome"].startswith(outcome)
    assert ("taken after" in found["compiling"]) == taken == bool(compiled)


def test_compiling_pays_where_the_time_left_makes_up_for_it() -> None:
    assert pays(plain=1.0, compiled=0.5, compile_seconds=60, seconds_left=100)
    assert not pays(plain=1.0, compiled=0.5, compile_seconds=60, seconds_left=50)
    assert not pays(plain=1.0, compiled=1.0, compile_seconds=1, seconds_left=1000)


def test_batches_are_as_large_as_the_memory_holds() -> None:
    assert [choose_batch_size(gibibytes) for gibibytes in (139, 78, 40, 24, 8)] == [64, 64, 32, 32, 16]
