"""Training on a device: it starts as on the CPU, whatever the layout, in every precision, from pinned batches."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric

from temperfill.config import DataConfig, LossConfig, MachineConfig, TrainConfig
from temperfill.data import Batch
from temperfill.presets import PRESETS
from temperfill.train import train
from temperfill.train.networks import Networks
from temperfill.train.step import Stepper
from temperfill.weights_files import load_generator
from tools.gpu.drawing import Draws, draws_ahead, to_batch

CONFIG = replace(
    PRESETS["tiny"],
    loss=LossConfig(perceptual_weight=0, texture_weight=0.1),
    data=DataConfig(resize=72, crop_size=64),
    num_steps=4,
    batch_size=4,
    log_every=1,
    save_every=2,
    sample_every=4,
)
DRAWS = Draws(6, 72, np.zeros((0, 72, 9), np.uint8), CONFIG.data, 4, 0)
PICTURES = torch.randint(0, 256, (6, 3, 72, 72), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def first_losses(device: str, precision: str = "fp32", channels_last: bool = True) -> dict[str, float]:
    """Of two steps, the sums."""
    config = replace(CONFIG, precision=precision)  # type: ignore[arg-type]
    fabric = Fabric(accelerator=device, devices=1, precision="bf16-mixed" if precision == "bf16" else "32-true")
    networks = Networks(config).to(fabric.device)
    if not channels_last:
        networks.generator.to(memory_format=torch.contiguous_format)
    stepper, found = Stepper(config, networks, fabric), {}
    for step in range(2):
        batch = to_batch(DRAWS[step], PICTURES.to(fabric.device), 4 * step)
        batch = batch if channels_last else batch._replace(image=batch.image.contiguous())
        for name, value in stepper(batch, step)[0].items():
            found[name] = found.get(name, 0.0) + value
    return found


@pytest.mark.parametrize(
    ("device", "precision", "tolerance"),
    [
        ("cpu", "bf16", 0.05),
        pytest.param("cuda", "fp32", 0.01, marks=pytest.mark.gpu),
        pytest.param("cuda", "bf16", 0.05, marks=pytest.mark.gpu),
    ],
)
def test_losses_begin_as_on_the_cpu(device: str, precision: str, tolerance: float) -> None:
    assert first_losses(device, precision) == pytest.approx(first_losses("cpu"), rel=tolerance, abs=tolerance / 10)


def test_the_layout_of_memory_changes_nothing(device: str) -> None:
    expected = first_losses(device)
    assert first_losses(device, channels_last=False) == pytest.approx(expected, rel=0.01, abs=1e-3)


def test_pinned_batches_arrive_whole(device: str) -> None:
    """Copies that are not waited for must not be overtaken by the worker's next batch."""
    ahead = draws_ahead(DRAWS, 0, 1, pinned=device == "cuda")
    batches = [to_batch(next(ahead), PICTURES.to(device), 4 * step) for step in range(6)]
    for step, batch in enumerate(batches):
        assert torch.equal(batch.mask.cpu().bool(), DRAWS[step].mask)


def goes_on(config: TrainConfig, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trains, with an interruption."""
    real = Stepper.__call__

    def interrupted(self: Stepper, batch: Batch, step: int) -> Any:
        if step == 3:
            raise KeyboardInterrupt
        return real(self, batch, step)

    monkeypatch.setattr(Stepper, "__call__", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(config, folder)
    monkeypatch.setattr(Stepper, "__call__", real)
    train(config, folder)
    records = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert [record["step"] for record in records] == [1, 2, 3, 4]
    assert all(np.isfinite(record[name]) for record in records for name in ("coarse", "refined", "discriminator"))
    generator = load_generator(folder / "generator.safetensors")
    assert all(p.isfinite().all() for p in generator.parameters())


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("adversarial", ["hinge", "wgan-gp"])
def test_training_runs_and_goes_on(
    device: str, pictures: Path, precision: str, adversarial: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(
        CONFIG,
        loss=replace(CONFIG.loss, adversarial=adversarial),  # type: ignore[arg-type]
        data=replace(CONFIG.data, train=(pictures,)),
        machine=MachineConfig(device=device, workers=1),
        precision=precision,  # type: ignore[arg-type]
    )
    goes_on(config, tmp_path, monkeypatch)


@pytest.mark.gpu
@pytest.mark.parametrize("adversarial", ["hinge", "wgan-gp"])
def test_compiled_training_runs_and_goes_on(
    pictures: Path, adversarial: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(
        CONFIG,
        loss=replace(CONFIG.loss, adversarial=adversarial),  # type: ignore[arg-type]
        data=replace(CONFIG.data, train=(pictures,)),
        machine=MachineConfig(device="cuda:0", workers=1, compile=True),
        precision="bf16",
    )
    goes_on(config, tmp_path, monkeypatch)
