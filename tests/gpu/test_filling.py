"""Filling and judging on a device: as on the CPU, in batches, with little memory, by its name with a number."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import temperfill
from temperfill import evaluate
from temperfill.config import EvaluationConfig, MetricsConfig
from temperfill.inpainter import Inpainter

SAMPLES = Path(temperfill.__file__).parent / "samples"
pytestmark = pytest.mark.weights


def sample() -> tuple[Image.Image, Image.Image]:
    """The bundled photograph and its mask at a third of their size."""
    picture, mask = Image.open(SAMPLES / "photo.jpg"), Image.open(SAMPLES / "mask.png").convert("L")
    size = (picture.width // 3, picture.height // 3)
    return picture.resize(size), mask.resize(size, Image.Resampling.NEAREST)


def filled(device: str, precision: Any = "fp32") -> np.ndarray:
    return np.asarray(Inpainter.from_pretrained("base", device, precision)(*sample()), np.float64)


def error(found: np.ndarray, expected: np.ndarray) -> float:
    """Root of the mean square in the hole, grey levels; known pixels must be the same."""
    hole = np.asarray(sample()[1]) > 127
    assert np.array_equal(found[~hole], expected[~hole])
    return float(np.sqrt(((found - expected)[hole] ** 2).mean()))


# TF32, which torch takes for convolutions in fp32 on CUDA, keeps ten bits.
@pytest.mark.parametrize(
    ("device", "precision", "bound"),
    [
        ("cpu", "bf16", 4),
        pytest.param("cuda", "fp32", 1.5, marks=pytest.mark.gpu),
        pytest.param("cuda", "bf16", 4, marks=pytest.mark.gpu),
        pytest.param("cuda", "fp16", 4, marks=pytest.mark.gpu),
    ],
)
def test_pictures_are_filled_as_on_the_cpu(device: str, precision: str, bound: float) -> None:
    assert error(filled(device, precision), filled("cpu")) < bound


@pytest.mark.gpu
def test_a_device_may_have_its_number() -> None:
    assert error(filled("cuda:0"), filled("cuda")) == pytest.approx(0, abs=0.1)


def test_a_list_is_filled_as_its_pictures_are(device: str) -> None:
    """A GPU fills pictures of one size in one batch."""
    picture, mask = sample()
    masks = [mask, mask.transpose(Image.Transpose.FLIP_LEFT_RIGHT)]
    inpainter = Inpainter.from_pretrained("base", device, "fp32")
    together = inpainter([picture, picture], masks)
    for found, own in zip(together, masks, strict=True):
        alone = np.asarray(inpainter(picture, own), np.float64)
        assert np.abs(np.asarray(found, np.float64) - alone).mean() < 0.1


@pytest.mark.gpu
def test_too_little_memory_is_lived_with() -> None:
    """The device's own error, not one that a test raises: fewer queries are matched at once, and the result stays."""
    expected = filled("cuda")
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    filled("cuda")
    peak, total = torch.cuda.max_memory_reserved(), torch.cuda.get_device_properties(0).total_memory
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(0.8 * peak / total)
    try:
        assert error(filled("cuda"), expected) < 3
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


@pytest.mark.gpu
def test_figures_are_those_of_the_cpu(pictures: Path, tmp_path: Path) -> None:
    settings = EvaluationConfig((pictures,), size=64, limit=3, judge=MetricsConfig(metrics=("mae", "psnr", "ssim")))
    found = [
        evaluate.run(["base", "biharmonic"], settings, tmp_path / name, device=name, progress=False)
        for name in ("cpu", "cuda")
    ]
    for method in ("base", "biharmonic"):
        cpu, gpu = (data["results"][method][pictures.name]["free-form-square"] for data in found)
        for name, tolerance in (("mae", 0.01), ("psnr", 0.05), ("ssim", 1e-3)):
            assert gpu[name] == pytest.approx(cpu[name], abs=tolerance), (method, name)
