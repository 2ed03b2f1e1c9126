"""Training with sketches: it starts where a generator without them ended, and is shown lines."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from temperfill.config import DataConfig, GeneratorConfig, LossConfig, MachineConfig, TrainConfig
from temperfill.nets.generator import Generator
from temperfill.presets import PRESETS
from temperfill.train import train
from temperfill.train.networks import Networks
from temperfill.weights_files import load_generator, save_generator

PLAIN = GeneratorConfig(width=4, head_dim=4, detail=True)
GUIDED = replace(PLAIN, sketch=True)


@pytest.fixture
def config(tmp_path: Path) -> TrainConfig:
    """Pictures that are nothing but their lines: who sees the lines knows the picture."""
    rng = np.random.default_rng(0)
    for folder in ("pictures", "sketches"):
        (tmp_path / folder).mkdir()
    for i in range(8):
        lines = np.kron(rng.random((6, 6)) < 0.5, np.ones((6, 6))).astype(np.uint8) * 255
        Image.fromarray(np.repeat(lines[..., None], 3, 2)).save(tmp_path / "pictures" / f"{i}.png")
        Image.fromarray(lines).save(tmp_path / "sketches" / f"{i}.png")
    return replace(
        PRESETS["tiny"],
        generator=GUIDED,
        loss=LossConfig(perceptual_weight=0, adversarial_weight=0),
        data=DataConfig(
            train=(tmp_path / "pictures",),
            sketches=(tmp_path / "sketches",),
            sketch_parts=0.0,
            resize=36,
            crop_size=32,
        ),
        machine=MachineConfig(device="cpu", workers=0, threads=1),
        num_steps=2,
        batch_size=4,
        learning_rate=3e-3,
        ema_decay=0.9,
        log_every=1,
        sample_every=1000,
    )


def picture(seed: int = 0) -> list[torch.Tensor]:
    noise = torch.Generator().manual_seed(seed)
    mask = torch.zeros(1, 1, 32, 32)
    mask[..., 8:24, 8:24] = 1
    return [torch.rand(1, 3, 32, 32, generator=noise), mask, (torch.rand(1, 1, 32, 32, generator=noise) < 0.3).float()]


@torch.inference_mode()
def test_a_generator_without_sketches_gives_the_start(config: TrainConfig, tmp_path: Path) -> None:
    plain = Generator(PLAIN).eval()
    save_generator(tmp_path / "plain.safetensors", plain, dtype=torch.float32)
    networks = Networks(config)
    networks.start_from(tmp_path / "plain.safetensors")
    image, mask, sketch = picture()
    for lines in (None, sketch):  # it sees them, and ignores them
        torch.testing.assert_close(networks.ema(image, mask, lines).refined, plain(image, mask).refined)
    other = Networks(replace(config, generator=replace(GUIDED, width=8)))
    with pytest.raises(ValueError, match=r"plain\.safetensors"):
        other.start_from(tmp_path / "plain.safetensors")


def test_a_run_without_sketches_gives_the_start(config: TrainConfig, tmp_path: Path) -> None:
    plain = replace(config, generator=PLAIN, data=replace(config.data, sketches=()))
    train(plain, tmp_path / "plain")
    networks = Networks(config)
    networks.start_from(tmp_path / "plain")
    image, mask, sketch = picture()
    before = load_generator(tmp_path / "plain" / "generator.safetensors")
    with torch.inference_mode():
        gap = (networks.ema(image, mask, sketch).refined - before(image, mask).refined).abs().max()
    assert gap < 5e-3  # the file is in half precision


def test_lines_are_learned_from(config: TrainConfig, tmp_path: Path) -> None:
    """After some steps the drawn picture is nearer with its lines than without them."""
    train(replace(config, num_steps=60), tmp_path / "run")
    generator = load_generator(tmp_path / "run" / "generator.safetensors")
    errors = {True: 0.0, False: 0.0}
    for path in sorted((tmp_path / "pictures").iterdir()):
        pixels = np.asarray(Image.open(path))[:32, :32]
        image = torch.from_numpy(pixels.transpose(2, 0, 1).copy())[None].float() / 255
        mask = picture()[1]
        for shown in errors:
            with torch.inference_mode():
                refined = generator(image, mask, image[:, :1] if shown else None).refined
            errors[shown] += float(((refined - image).abs() * mask).sum() / mask.sum())
    assert errors[True] < 0.8 * errors[False]


def test_sketches_need_a_generator_that_takes_them(config: TrainConfig) -> None:
    with pytest.raises(ValueError, match=r"generator\.sketch"):
        replace(config, generator=PLAIN)


def test_what_is_said(config: TrainConfig, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "temperfill")
    train(config, tmp_path / "guided")
    assert "50% of the samples show lines of their sketches" in caplog.text
    train(replace(config, data=replace(config.data, sketches=())), tmp_path / "none")
    assert "about lines it learns nothing here" in caplog.text
