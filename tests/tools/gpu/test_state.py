"""A state comes back nearly as it was, in files that are small enough and need not be of one save."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from lightning_fabric import Fabric

from temperfill.config import DataConfig, TrainConfig
from temperfill.train.networks import Networks
from temperfill.train.step import Stepper
from temperfill.weights_reading import read_metadata
from tools.gpu import state
from tools.gpu.drawing import Draws, to_batch

from .conftest import NO_LINES

pytestmark = pytest.mark.slow


def trained(config: TrainConfig, pictures: torch.Tensor, steps: int = 3) -> Networks:
    networks = Networks(config)
    stepper = Stepper(config, networks, Fabric(accelerator="cpu", devices=1))
    draws = Draws(len(pictures), 40, NO_LINES, DataConfig(resize=32, crop_size=32), 2, 0)
    for step in range(steps):
        stepper(to_batch(draws[step], pictures, 2 * step), step)
    return networks


def test_networks_and_moments_come_back(config: TrainConfig, pictures: torch.Tensor, tmp_path: Path) -> None:
    networks = trained(config, pictures)
    state.save(tmp_path, networks, 3, 1.5, 20.0, tmp_path / "start.safetensors")
    found = Networks(replace(config, seed=5))
    assert state.load(tmp_path, found) == (3, 1.5, 20.0)
    for name in ("generator", "ema", "discriminator"):
        for one, two in zip(getattr(networks, name).parameters(), getattr(found, name).parameters(), strict=True):
            assert torch.allclose(one, two, rtol=1e-3, atol=1e-6)
    for name in ("generator_optimizer", "discriminator_optimizer"):
        kept, back = (getattr(x, name).state_dict()["state"] for x in (networks, found))
        assert kept.keys() == back.keys()
        for index, values in kept.items():
            assert back[index]["step"] == 3
            one, two = values["exp_avg_sq"].sqrt(), back[index]["exp_avg_sq"].sqrt()
            assert torch.allclose(one, two, rtol=0.126, atol=float(one.max()) * 1e-6)
    # And it goes on.
    stepper = Stepper(config, found, Fabric(accelerator="cpu", devices=1))
    draw = Draws(len(pictures), 40, NO_LINES, DataConfig(resize=32, crop_size=32), 2, 0)[4]
    before = [p.detach().clone() for p in found.generator.parameters()]
    stepper(to_batch(draw, pictures, 8), 4, rate=1e-3)
    change = max(float((a - b.detach()).abs().max()) for a, b in zip(before, found.generator.parameters(), strict=True))
    assert 0 < change < 3e-3


def test_files_are_few_and_small(
    config: TrainConfig, pictures: torch.Tensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "LIMIT", 200_000)
    networks = trained(config, pictures)
    state.save(tmp_path, networks, 3, 1.5, 20.0, tmp_path / "start.safetensors")
    sizes = [path.stat().st_size for path in tmp_path.glob("state-*")]
    assert 1 < len(sizes) <= -(-sum(sizes) // 200_000) + 1
    assert max(sizes) < 1.1 * 200_000
    state.load(tmp_path, Networks(config))


def test_files_of_two_saves_fit_together(
    config: TrainConfig, pictures: torch.Tensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "LIMIT", 200_000)
    state.save(tmp_path, trained(config, pictures), 3, 1.5, 20.0, tmp_path / "start.safetensors")
    kept = (tmp_path / "state-0.safetensors").read_bytes()
    state.save(tmp_path, trained(config, pictures, 5), 5, 2.5, 20.0, tmp_path / "start.safetensors")
    (tmp_path / "state-0.safetensors").write_bytes(kept)
    assert state.load(tmp_path, Networks(config)) == (5, 2.5, 20.0)


def test_terms_of_use_stay(config: TrainConfig, tmp_path: Path) -> None:
    state.save(tmp_path, Networks(config), 0, 0.0, 1.0, tmp_path / "start.safetensors")
    assert read_metadata(tmp_path / state.GENERATOR)["terms"] == "for tests"


def test_a_missing_state_is_named(config: TrainConfig, tmp_path: Path) -> None:
    state.save(tmp_path, Networks(config), 0, 0.0, 1.0, tmp_path / "start.safetensors")
    for path in tmp_path.glob("state-*"):
        path.unlink()
    with pytest.raises(FileNotFoundError, match="no state-"):
        state.load(tmp_path, Networks(config))
