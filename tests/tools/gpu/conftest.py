"""A tiny run, and pictures for it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from temperfill.config import LossConfig, TrainConfig
from temperfill.nets.generator import Generator
from temperfill.presets import PRESETS
from temperfill.weights_files import save_generator
from tools.gpu.training import configuration


@pytest.fixture
def config(tmp_path: Path) -> TrainConfig:
    recipe = replace(PRESETS["tiny"], loss=LossConfig(perceptual_weight=0))
    torch.manual_seed(0)
    generator = Generator(recipe.generator)
    save_generator(tmp_path / "start.safetensors", generator, extra_metadata={"terms": "for tests"})
    return configuration(recipe, tmp_path / "start.safetensors", None, 32)


@pytest.fixture
def pictures() -> torch.Tensor:
    return torch.randint(0, 256, (6, 3, 40, 40), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


NO_LINES = np.zeros((0, 40, 5), np.uint8)
