"""On CUDA: attention without its matrix, training in every precision, filling and evaluating as on the CPU."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from PIL import Image

import temperfill
from temperfill import evaluate
from temperfill.attention import MHTMA
from temperfill.config import DataConfig, EvaluationConfig, JudgeConfig, LossConfig, MachineConfig, TrainConfig
from temperfill.data import Batch
from temperfill.inpainter import Inpainter
from temperfill.presets import PRESETS
from temperfill.train import train
from temperfill.train.step import Stepper
from temperfill.weights_files import load_generator

pytestmark = pytest.mark.gpu
DEVICE = "cuda"


def attended(implementation: Literal["fused", "reference"]) -> list[torch.Tensor]:
    """Refined features, and gradients of features and parameters."""
    torch.manual_seed(0)
    module = MHTMA(channels=16, heads=2, head_dim=8, implementation=implementation).to(DEVICE)
    features = torch.randn(2, 16, 24, 20, device=DEVICE, requires_grad=True)
    mask = torch.zeros(2, 1, 24, 20, device=DEVICE)
    mask[0, :, 4:13, 5:12], mask[1, :, 10:, :8] = 1, 1
    refined = module(features, mask)
    (refined * torch.linspace(-1, 1, refined.numel(), device=DEVICE).view_as(refined)).sum().backward()
    found = [refined, features.grad, *(p.grad for p in module.parameters())]
    return [x.detach() for x in found if x is not None]


def test_fused_attention_equals_the_reference() -> None:
    for fused, reference in zip(attended("fused"), attended("reference"), strict=True):
        bound = 1e-4 * max(1, float(reference.abs().max()))
        assert float((fused - reference).abs().max()) <= bound


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_attention_holds_no_matrix(precision: torch.dtype) -> None:
    """Of 16,384 queries and keys it would take 2.1 GB for two heads in float32, and more with its gradient."""
    module = MHTMA(channels=96, heads=2, head_dim=24).to(DEVICE)
    features = torch.randn(1, 96, 128, 128, device=DEVICE, requires_grad=True)
    mask = torch.zeros(1, 1, 128, 128, device=DEVICE)
    mask[:, :, 40:90, 40:90] = 1
    torch.cuda.reset_peak_memory_stats()
    with torch.autocast(DEVICE, precision, enabled=precision != torch.float32):
        module(features, mask).float().sum().backward()
    assert torch.cuda.max_memory_allocated() < 1.5e9


@pytest.fixture
def config(pictures: Path) -> TrainConfig:
    return replace(
        PRESETS["tiny"],
        loss=LossConfig(perceptual_weight=0, texture_weight=0.1),
        data=DataConfig(train=(pictures,), resize=72, crop_size=64),
        machine=MachineConfig(device=DEVICE, workers=1),
        num_steps=4,
        batch_size=4,
        log_every=1,
        save_every=2,
        sample_every=4,
    )


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("adversarial", ["hinge", "wgan-gp"])
def test_training_runs_and_goes_on(
    config: TrainConfig,
    precision: str,
    adversarial: str,
    compiled: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loss = replace(config.loss, adversarial=adversarial)  # type: ignore[arg-type]
    machine = replace(config.machine, compile=compiled)
    config = replace(config, precision=precision, loss=loss, machine=machine)  # type: ignore[arg-type]
    real = Stepper.__call__

    def interrupted(self: Stepper, batch: Batch, step: int) -> Any:
        if step == 3:
            raise KeyboardInterrupt
        return real(self, batch, step)

    monkeypatch.setattr(Stepper, "__call__", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(config, tmp_path)
    monkeypatch.setattr(Stepper, "__call__", real)
    train(config, tmp_path)
    records = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [record["step"] for record in records] == [1, 2, 3, 4]
    assert all(np.isfinite(record[name]) for record in records for name in ("coarse", "refined", "discriminator"))
    generator = load_generator(tmp_path / "generator.safetensors")
    assert all(p.isfinite().all() for p in generator.parameters())


@pytest.mark.weights
def test_pictures_are_filled_as_on_the_cpu() -> None:
    folder = Path(temperfill.__file__).parent / "samples"
    picture, mask = Image.open(folder / "photo.jpg"), Image.open(folder / "mask.png")
    hole = np.asarray(mask.convert("L")) > 127
    on = {
        (device, precision): np.asarray(Inpainter.from_pretrained("base", device, precision)(picture, mask), np.float64)  # type: ignore[arg-type]
        for device, precision in (("cpu", "fp32"), (DEVICE, "fp32"), (DEVICE, "bf16"))
    }
    expected = on["cpu", "fp32"]
    for result in on.values():
        assert np.array_equal(result[~hole], expected[~hole])
    # TF32, which torch takes for convolutions in fp32, keeps ten bits.
    error = {key: np.sqrt(((result - expected)[hole] ** 2).mean()) for key, result in on.items()}
    assert error[DEVICE, "fp32"] < 1.5
    assert error[DEVICE, "bf16"] < 4


@pytest.mark.weights
def test_figures_are_those_of_the_cpu(pictures: Path, tmp_path: Path) -> None:
    settings = EvaluationConfig((pictures,), size=64, limit=3, judge=JudgeConfig(metrics=("mae", "psnr", "ssim")))
    found = [
        evaluate.run(["base", "biharmonic"], settings, tmp_path / device, device=device, progress=False)
        for device in ("cpu", DEVICE)
    ]
    for method in ("base", "biharmonic"):
        cpu, gpu = (data["results"][method][pictures.name]["free-form-square"] for data in found)
        for name, tolerance in (("mae", 0.01), ("psnr", 0.05), ("ssim", 1e-3)):
            assert gpu[name] == pytest.approx(cpu[name], abs=tolerance), (method, name)
