"""The log for TensorBoard: what a run logs is read back, once, also after it went on."""

import json
from pathlib import Path

import pytest

from temperfill.config import DataConfig, DiscriminatorConfig, GeneratorConfig, LossConfig, MachineConfig, TrainConfig
from temperfill.runs.tensorboard import TensorBoardLog, scalars
from temperfill.train import train

pytest.importorskip("tensorboard")


def read(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Steps and values by name, as TensorBoard shows them."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    return {name: [(e.step, e.value) for e in events.Scalars(name)] for name in events.Tags()["scalars"]}


def test_names_group_losses_temperatures_and_validations() -> None:
    line = {"step": 4, "seconds": 2.5, "refined": 0.5, "temperature": [0.1, 0.2], "learning_rate": 1e-4}
    assert dict(scalars(line)) == {
        "run/seconds": 2.5,
        "loss/refined": 0.5,
        "temperature/head 1": 0.1,
        "temperature/head 2": 0.2,
        "run/learning_rate": 1e-4,
    }
    assert dict(scalars({"step": 4, "seconds": 3.0, "validation": {"loss": 0.3}})) == {"validation/loss": 0.3}


def test_a_run_that_goes_on_takes_back_what_came_after_its_state(tmp_path: Path) -> None:
    for steps in ((1, 2, 3), (3, 4)):
        with TensorBoardLog(tmp_path) as log:
            for step in steps:
                log({"step": step, "refined": step + len(steps) / 10})
    assert [(s, round(v, 1)) for s, v in read(tmp_path)["loss/refined"]] == [(1, 1.3), (2, 2.3), (3, 3.2), (4, 4.2)]


def test_training_calls_it_with_every_line_of_its_log(pictures: Path, tmp_path: Path) -> None:
    config = TrainConfig(
        generator=GeneratorConfig(width=4, head_dim=4),
        discriminator=DiscriminatorConfig(width=4),
        loss=LossConfig(perceptual_weight=0.0, adversarial_weight=0.0),
        data=DataConfig(train=(pictures,), val=(pictures,), resize=16, crop_size=16),
        machine=MachineConfig(device="cpu", workers=0),
        num_steps=4,
        batch_size=2,
        log_every=2,
        val_every=4,
    )
    with TensorBoardLog(tmp_path / "events") as log:
        train(config, tmp_path / "run", lambda generator: {"loss": 0.25}, log)
    lines = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    found = read(tmp_path / "events")
    assert found["validation/loss"] == [(4, 0.25)]
    named = [line for line in lines if "refined" in line]
    assert found["loss/refined"] == [(line["step"], pytest.approx(line["refined"])) for line in named]
    assert len(named) == 2
