"""``temperfill prune``: a weights file becomes a smaller one that works like any other."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from temperfill import cli
from temperfill.config import GeneratorConfig
from temperfill.nets.generator import Generator
from temperfill.weights_files import load_generator, save_generator
from temperfill.weights_reading import read_metadata


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    for i in range(3):
        noise = np.random.default_rng(i).integers(0, 255, (5, 5, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
        Image.fromarray(noise).save(tmp_path / "photos" / f"{i}.png")
    torch.manual_seed(0)
    generator = Generator(GeneratorConfig(width=8, head_dim=4))
    save_generator(tmp_path / "whole.safetensors", generator, extra_metadata={"terms": "research use only"})
    return tmp_path


def test_a_pruned_file_is_a_model_like_any_other(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["prune", "photos", "--model", "whole.safetensors", "--output", "small.safetensors", "--size", "32"]
    cli.main([*words, "--share", "0.5"])
    assert "temperfill fine-tune PICTURES --model small.safetensors" in capsys.readouterr().err
    small, whole = (load_generator(place / f"{name}.safetensors") for name in ("small", "whole"))
    assert small.config.widths
    counts = [sum(p.numel() for p in network.parameters()) for network in (small, whole)]
    assert counts[0] < 0.6 * counts[1]
    assert read_metadata(place / "small.safetensors")["terms"] == "research use only"
    first = read_metadata(place / "small.safetensors")["sha256"]
    cli.main([*words, "--share", "0.5"])
    assert read_metadata(place / "small.safetensors")["sha256"] == first
    mask = Image.new("L", (40, 40))
    mask.paste(255, (10, 10, 22, 22))
    mask.save("mask.png")
    cli.main(["inpaint", "photos/0.png", "--mask", "mask.png", "--model", "small.safetensors", "--output", "f.png"])
    assert Image.open("f.png").size == (40, 40)


@pytest.mark.parametrize(
    ("words", "part"),
    [
        ("prune photos --model whole.safetensors --output o.safetensors --share 1.5", "share must lie between 0 and 1"),
        ("prune photos --model whole.safetensors --output o.onnx", "--output must end in .safetensors"),
        ("prune photos --model telea --output o.safetensors", "telea"),
    ],
)
@pytest.mark.usefixtures("place")
def test_bad_input_is_one_line(words: str, part: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(words.split())
    assert part in capsys.readouterr().err
