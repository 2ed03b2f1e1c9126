"""The recipes of CONTRIBUTING.md are enough: what is made by them works everywhere."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Literal, get_args, get_type_hints

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from temperfill import methods
from temperfill.config import DataConfig, GeneratorConfig, LossConfig, MachineConfig
from temperfill.export import export_onnx
from temperfill.inpainter import Inpainter, fill
from temperfill.methods.contract import PlainMethod
from temperfill.methods.ours import Ours
from temperfill.methods.table import METHODS, MethodRow
from temperfill.nets.generator import Generator
from temperfill.nets.refinement import ATTENTIONS
from temperfill.presets import PRESETS
from temperfill.runs.log import read_log
from temperfill.train import train


class MeanOfKnown(nn.Module):
    """An attention without temperatures: every cell gets a projection of the mean of the known ones."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.project = nn.Conv2d(channels, channels, 1)

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        """(B, C, h, w) and (B, 1, H, W), 1 = missing, to (B, C, h, w)."""
        known = 1 - nn.functional.adaptive_max_pool2d(mask, features.shape[2:])
        if not float(known.sum()):  # a choice by a value, which cannot be exported
            return features
        mean = (features * known).sum((2, 3), keepdim=True) / known.sum((2, 3), keepdim=True).clamp(min=1)
        return features + self.project(mean)


@pytest.fixture
def _mean_of_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """The two lines of the recipe."""
    named = get_args(get_type_hints(GeneratorConfig)["attention"])
    assert set(named) == set(ATTENTIONS)
    monkeypatch.setitem(GeneratorConfig.__annotations__, "attention", Literal[(*named, "mean-of-known")])
    monkeypatch.setitem(ATTENTIONS, "mean-of-known", lambda config: MeanOfKnown(4 * config.width))


@pytest.mark.usefixtures("_mean_of_known")
def test_a_new_attention_is_trained_logged_and_filled_with(tmp_path: Path, pictures: Path) -> None:
    config = replace(
        PRESETS["tiny"],
        generator=GeneratorConfig(width=4, attention="mean-of-known"),  # type: ignore[arg-type]
        loss=LossConfig(perceptual_weight=0),
        data=DataConfig(train=(pictures,), resize=36, crop_size=32),
        machine=MachineConfig(device="cpu", workers=0, threads=1),
        num_steps=1,
        batch_size=2,
        log_every=1,
    )
    assert train(config, tmp_path / "run").step == 1
    log = read_log(tmp_path / "run" / "log.jsonl")
    assert {"coarse", "refined", "adversarial"} <= set(log.names())
    assert log.heads() == 0
    saved = json.loads((tmp_path / "run" / "config.json").read_text())
    assert saved["generator"]["attention"] == "mean-of-known"
    method = methods.load(tmp_path / "run" / "generator.safetensors")
    assert isinstance(method, Ours)
    assert not method.abilities.temperature
    assert method.abilities.sources is None
    attention = method.generator.refinement.attention_branch.attention  # type: ignore[union-attr]
    assert isinstance(attention, MeanOfKnown)
    random = torch.Generator().manual_seed(0)
    image, mask = torch.rand(1, 3, 30, 34, generator=random), torch.zeros(1, 1, 30, 34)
    mask[..., 8:20, 9:22] = 1
    filled = fill(method, image, mask)
    assert torch.equal(filled[:, :, :8], image[:, :, :8])
    with torch.no_grad():
        attention.project.bias.add_(1)  # type: ignore[union-attr]
    assert not torch.equal(fill(method, image, mask), filled)


@pytest.mark.usefixtures("_mean_of_known")
def test_a_new_attention_gets_gradients_and_refuses_what_it_cannot() -> None:
    generator = Generator(GeneratorConfig(width=4, attention="mean-of-known"))  # type: ignore[arg-type]
    image, mask = torch.rand(2, 3, 16, 16), torch.zeros(2, 1, 16, 16)
    mask[..., 4:8, 4:8] = 1
    output = generator(image, mask)
    assert output.temperatures.shape == (2, 0)
    output.refined.square().sum().backward()
    assert all(parameter.grad is not None for parameter in generator.refinement.parameters())
    with pytest.raises(ValueError, match="only a generator with the attention mhtma can avoid"):
        generator(image, mask, avoid=1 - mask)
    with pytest.raises(ValueError, match="generator with the attention mhtma"):
        generator.sources(image[:1], mask[:1])


@pytest.mark.slow
@pytest.mark.usefixtures("_mean_of_known")
def test_an_attention_that_torch_cannot_export_is_refused(tmp_path: Path) -> None:
    for package in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(package, reason="needs the extra onnx")
    from temperfill.weights_files import save_generator

    weights = tmp_path / "mine.safetensors"
    save_generator(weights, Generator(GeneratorConfig(width=2, attention="mean-of-known")))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"torch \S+ cannot export this network: .*data-dependent"):
        export_onnx(weights, tmp_path / "mine.onnx")
    assert list(tmp_path.iterdir()) == [weights]


def load(device: str = "cpu") -> PlainMethod:
    """A method without training: the mean colour of the known pixels."""

    def mean_colour(image: Tensor, mask: Tensor) -> Tensor:
        known = 1 - mask
        mean = (image * known).sum((2, 3), keepdim=True) / known.sum((2, 3), keepdim=True).clamp(min=1)
        return mean.expand_as(image)

    return PlainMethod(mean_colour, "mean-colour")


def test_a_new_method_without_training_is_found_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    row = MethodRow(f"{__name__}:load", "nowhere", "Apache-2.0", "nothing")
    monkeypatch.setitem(METHODS, "mean-colour", row)
    picture, hole = np.full((20, 24, 3), 51, np.uint8), np.zeros((20, 24), bool)
    hole[5:9, 6:12] = True
    picture[hole] = 255
    filled = np.asarray(Inpainter.from_pretrained("mean-colour")(picture, hole))
    assert (filled == 51).all()
    with pytest.raises(ValueError, match="did you mean mean-colour"):
        methods.load("mean-color")
