"""The score of a generator during training: fixed pictures and masks, a mean over them, the weights of training."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from temperfill.config import TrainConfig
from temperfill.evaluate import validation, validation_score
from temperfill.nets.generator import Generator
from temperfill.presets import PRESETS


def write_picture(path: Path, seed: int, height: int = 60, width: int = 80) -> None:
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, 255, (height // 10 + 1, width // 10 + 1, 3), dtype=np.uint8).repeat(10, 0).repeat(10, 1)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(blocks[:height, :width]).save(path)


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    """Two with three pictures each."""
    found = [tmp_path / "street", tmp_path / "faces"]
    for i, folder in enumerate(found):
        for j in range(3):
            write_picture(folder / f"p{j}.png", 10 * i + j)
    return found


def validation_config(folders: list[Path], **data: Any) -> TrainConfig:
    base = PRESETS["tiny"]
    fields = {"val": tuple(folders), "resize": 40, "crop_size": 32} | data
    return replace(base, data=replace(base.data, **fields), seed=3)


class Spy(torch.nn.Module):
    """Stands in for a generator: gives a constant grey, and remembers what it was called with."""

    def __init__(self, grey: float = 0.5) -> None:
        super().__init__()
        self.grey = torch.nn.Parameter(torch.tensor(grey))
        self.calls: list[tuple[torch.Tensor, torch.Tensor]] = []

    def forward(self, image: torch.Tensor, mask: torch.Tensor) -> SimpleNamespace:
        assert not self.training
        assert torch.is_inference_mode_enabled()
        self.calls.append((image, mask))
        return SimpleNamespace(refined=self.grey.expand_as(image))


def score(config: TrainConfig, generator: Any) -> dict[str, float]:
    function = validation_score(config)
    assert function is not None
    return function(generator)


def test_there_is_none_without_folders() -> None:
    assert validation_score(PRESETS["tiny"]) is None


def test_it_is_the_mean_over_fixed_pictures_and_masks(folders: list[Path]) -> None:
    config = validation_config(folders)
    spy = Spy()
    result = score(config, spy)
    image, mask = (torch.cat(parts) for parts in zip(*spy.calls, strict=True))
    assert image.shape == (6, 3, 32, 32)
    difference = (0.5 - image).abs() * mask
    assert result["mae"] == pytest.approx(difference.mean().item() * 100, abs=1e-4)
    assert result["loss"] == pytest.approx(config.loss.refined_weight * difference.mean().item(), abs=1e-6)
    assert set(result) == {"loss", "mae", "psnr", "ssim", "sharp"}
    assert result["sharp"] < 1
    assert len({m.numpy().tobytes() for m in mask}) == 6
    again = Spy()
    assert score(config, again) == result
    other = Spy()
    score(replace(config, seed=4), other)
    assert not torch.equal(other.calls[0][1], spy.calls[0][1])


def test_strokes_have_the_direction_of_the_configuration(folders: list[Path]) -> None:
    upright, turned = Spy(), Spy()
    score(validation_config(folders), upright)
    score(validation_config(folders, mask_strokes="turned"), turned)
    assert torch.equal(upright.calls[0][0], turned.calls[0][0])
    assert not torch.equal(upright.calls[0][1], turned.calls[0][1])


def test_pictures_are_centre_crops(tmp_path: Path) -> None:
    write_picture(tmp_path / "v" / "a.png", 0, 40, 70)
    spy = Spy()
    score(validation_config([tmp_path / "v"], resize=40, crop_size=32), spy)
    expected = np.asarray(Image.open(tmp_path / "v" / "a.png"))[4:36, 19:51]
    np.testing.assert_array_equal((spy.calls[0][0][0] * 255).round().permute(1, 2, 0).byte().numpy(), expected)


def test_squashed_pictures_are_seen_whole(tmp_path: Path) -> None:
    write_picture(tmp_path / "v" / "a.png", 0, 40, 70)
    spy = Spy()
    score(validation_config([tmp_path / "v"], resize=32, crop_size=32, squash=True), spy)
    expected = np.asarray(Image.open(tmp_path / "v" / "a.png").resize((32, 32), Image.Resampling.LANCZOS))
    np.testing.assert_array_equal((spy.calls[0][0][0] * 255).round().permute(1, 2, 0).byte().numpy(), expected)


@pytest.mark.parametrize(("limit", "number"), [(0, 6), (1, 1), (3, 3), (4, 4), (5, 5), (64, 6)])
def test_takes_up_to_its_limit(folders: list[Path], limit: int, number: int) -> None:
    spy = Spy()
    score(validation_config(folders, val_limit=limit), spy)
    assert sum(len(image) for image, _ in spy.calls) == number


def test_takes_more_from_the_folder_that_has_them(tmp_path: Path) -> None:
    for name, number in (("few", 1), ("many", 9)):
        for i in range(number):
            write_picture(tmp_path / name / f"{i}.png", i, 40, 40)
    spy = Spy()
    score(validation_config([tmp_path / "few", tmp_path / "many"], val_limit=6), spy)
    assert sum(len(image) for image, _ in spy.calls) == 6


def test_more_pictures_than_are_kept_are_read_again(folders: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    whole, read = Spy(), Spy()
    expected = score(validation_config(folders), whole)
    monkeypatch.setattr(validation, "_KEPT", 2)
    assert score(validation_config(folders), read) == expected
    for kept, again in zip(whole.calls, read.calls, strict=True):
        assert torch.equal(kept[0], again[0])
        assert torch.equal(kept[1], again[1])
    (folders[-1] / "p2.png").write_text("no picture")
    with pytest.raises(ValueError, match="p2"):
        validation_score(validation_config(folders))


def test_of_a_real_generator_keeps_its_mode(folders: list[Path]) -> None:
    torch.manual_seed(0)
    config = validation_config(folders)
    generator = Generator(config.generator).train()
    first = score(config, generator)
    assert generator.training
    assert first == score(config, generator.eval())
    assert not generator.training
    assert all(np.isfinite(value) for value in first.values())
    assert all(p.grad is None and not p.is_inference() for p in generator.parameters())


def test_at_the_smallest_crop(folders: list[Path]) -> None:
    result = score(validation_config(folders, resize=8, crop_size=8), Spy())
    assert set(result) == {"loss", "mae", "psnr", "sharp"}  # below the window of SSIM


def test_with_perceptual_weights(folders: list[Path], tmp_path: Path) -> None:
    """The VGG distance enters the loss with the weight of training."""
    shapes = {0: (64, 3), 2: (64, 64), 5: (128, 64), 7: (128, 128), 10: (256, 128)}
    tensors = {f"features.{i}.weight": torch.randn(*shape, 3, 3) * 0.05 for i, shape in shapes.items()}
    tensors |= {f"features.{i}.bias": torch.zeros(shape[0]) for i, shape in shapes.items()}
    save_file(tensors, tmp_path / "vgg.safetensors")
    config = validation_config(folders)
    config = replace(config, machine=replace(config.machine, perceptual_path=tmp_path / "vgg.safetensors"))
    result = score(config, Spy())
    expected = config.loss.refined_weight * result["mae"] / 100 + config.loss.perceptual_weight * result["vgg"]
    assert result["vgg"] > 0
    assert result["loss"] == pytest.approx(expected)
    assert "squeeze" not in result


def test_spoilt_generator_shows_in_the_loss(folders: list[Path]) -> None:
    assert np.isnan(score(validation_config(folders), Spy(float("nan")))["loss"])
