"""One update of both networks: its learning rate and its averaging can be given, and schedules follow the step."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from lightning_fabric import Fabric

from temperfill.config import DataConfig, LossConfig, TrainConfig
from temperfill.data import Batch
from temperfill.presets import PRESETS
from temperfill.train.networks import Networks
from temperfill.train.step import Stepper
from temperfill.weights_files import load_generator, save_generator

CONFIG = replace(
    PRESETS["tiny"], loss=LossConfig(perceptual_weight=0), data=DataConfig(resize=32, crop_size=32), batch_size=2
)


def batch() -> Batch:
    mask = torch.zeros(2, 1, 32, 32)
    mask[:, :, 8:20, 8:20] = 1
    image = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    return Batch(image, mask, torch.full((2, 2), 10), torch.full((2,), -1), torch.arange(2), torch.zeros(2, 0, 32, 32))


def trained(config: TrainConfig, **given: float) -> Networks:
    """The networks after three steps."""
    networks = Networks(config)
    stepper = Stepper(config, networks, Fabric(accelerator="cpu", devices=1))
    for step in range(3):
        stepper(batch(), step, **given)
    return networks


def same(one: torch.nn.Module, two: torch.nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))


@pytest.mark.parametrize("constant", [1e-3, 2e-4])
def test_a_given_rate_is_that_of_a_constant_schedule(constant: float) -> None:
    expected = trained(replace(CONFIG, learning_rate=constant))
    found = trained(replace(CONFIG, learning_rate=0.5, schedule="cosine"), rate=constant)
    assert same(found.generator, expected.generator)
    assert same(found.discriminator, expected.discriminator)


def test_a_given_decay_averages_instead_of_that_of_the_step() -> None:
    followed, kept = trained(CONFIG, decay=0.0), trained(CONFIG, decay=1.0)
    assert same(followed.ema, followed.generator)
    assert same(kept.ema, Networks(CONFIG).generator)
    assert not same(trained(CONFIG).ema, followed.ema)


def test_a_schedule_of_the_temperature_is_a_function_of_the_step(tmp_path: Path) -> None:
    generator = replace(CONFIG.generator, temperature="annealed", temperature_end=0.001, temperature_steps=4)
    config = replace(CONFIG, generator=generator)
    networks = Networks(config)
    stepper = Stepper(config, networks, Fabric(accelerator="cpu", devices=1))
    for step, expected in ((2, 0.01), (0, 0.1), (3, 0.001**0.75 * 0.1**0.25)):
        assert stepper(batch(), step)[1].flatten().tolist() == pytest.approx([expected] * 4)
    save_generator(tmp_path / "weights.safetensors", networks.ema)
    kept = load_generator(tmp_path / "weights.safetensors")
    one = batch()
    assert kept(one.image, one.mask).temperatures.flatten().tolist() == pytest.approx([expected] * 4)
