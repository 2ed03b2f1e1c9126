"""Checkpoints that others released: their layer tables, as stored from the public definitions, are those that fit."""

import os
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from temperfill import cli, methods
from temperfill.nets.weights_file import read_checkpoint
from temperfill.systems import released
from temperfill.systems.building import build
from temperfill.systems.deepfillv2 import DeepFillV2Config
from temperfill.systems.lama import LamaConfig
from temperfill.systems.partialconv import PartialConvConfig
from temperfill.systems.released import Layout, from_released, layouts
from temperfill.weights_files import load_generator
from temperfill.weights_reading import read_metadata

TABLES = Path(__file__).with_name("layouts")
FILES = {
    "deepfillv2-tf": layouts("deepfillv2")[0],
    "deepfillv2-pt": layouts("deepfillv2")[1],
    "partialconv": layouts("partialconv")[0],
    "lama": layouts("lama")[0],
}
SMALL: dict[str, Any] = {
    "deepfillv2-tf": DeepFillV2Config(width=2, tensorflow=True),
    "deepfillv2-pt": DeepFillV2Config(width=2),
    "partialconv": PartialConvConfig(width=2),
    "lama": LamaConfig(width=4),
}


def table(name: str) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a stored table; [a-b] stands for every number from a to b."""
    found = {}
    for line in (TABLES / f"{name}.txt").read_text(encoding="utf-8").splitlines()[1:]:
        names, shape = [line.split()[0]], line.split()[1]
        while match := re.search(r"\[(\d+)-(\d+)\]", names[0]):
            numbers = range(int(match[1]), int(match[2]) + 1)
            names = [each.replace(match[0], str(number), 1) for each in names for number in numbers]
        found |= dict.fromkeys(names, () if shape == "-" else tuple(map(int, shape.split("x"))))
    return found


def shapes(config: Any) -> dict[str, tuple[int, ...]]:
    with torch.device("meta"):
        return {name: tuple(tensor.shape) for name, tensor in build(config).state_dict().items()}


@pytest.mark.parametrize("name", FILES)
def test_layout_is_the_stored_table(name: str) -> None:
    """Every tensor of ours has its place in the released network, in the same shape, and no other is left over."""
    layout, expected = FILES[name], table(name)
    wanted = {layout.name(ours): shape for ours, shape in shapes(layout.config).items()}
    ignored = {key for key in expected if layout.ignored and key.endswith(layout.ignored)}
    assert wanted == {key: shape for key, shape in expected.items() if key not in ignored}
    assert len(expected) > 80


def test_the_smaller_lama_lies_in_the_same_way() -> None:
    layout = layouts("lama")[1]
    names = {layout.name(ours) for ours in shapes(layout.config)}
    assert {"model.13.conv2.bn_g.weight", "model.15.weight", "model.22.running_var", "model.25.bias"} <= names
    assert not any(name.startswith("model.14.") for name in names)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, Tensor]]:
    """Released state dicts with random values, of networks that are as narrow as the layouts then say."""
    torch.manual_seed(0)
    narrow = {name: FILES[name]._replace(config=config) for name, config in SMALL.items()}

    def found(method: str) -> list[Layout]:
        return [layout for name, layout in narrow.items() if name.startswith(method)]

    monkeypatch.setattr(released, "layouts", found)
    states = {}
    for name, layout in narrow.items():
        states[name] = {layout.name(ours): torch.rand(shape) for ours, shape in shapes(layout.config).items()}
    states["partialconv"]["enc_1.conv.mask_conv.weight"] = torch.ones(2, 3, 7, 7)
    states["deepfillv2-pt"]["stage2.contextual_attention.fuse_weight"] = torch.eye(3)[None, None]
    return states


def wrapped(name: str, state: dict[str, Tensor]) -> dict[str, Any]:
    """As the programs of the authors save it."""
    if name == "lama":
        inner = {f"generator.{key}": tensor for key, tensor in state.items()} | {"discriminator.a": torch.ones(1)}
        return {"epoch": 3, "state_dict": inner}
    return {"partialconv": {"n_iter": 9, "model": state}}.get(name, {"G": state, "D": {"a": torch.ones(1)}})


@pytest.mark.parametrize("name", FILES)
def test_every_tensor_reaches_its_place(name: str, small: dict[str, dict[str, Tensor]]) -> None:
    for content in (wrapped(name, small[name]), small[name]):
        generator, layout = from_released(content, "file")
        assert (layout.source, generator.config) == (FILES[name].source, SMALL[name])
        assert not generator.training
        for ours, tensor in generator.state_dict().items():
            expected = small[name][layout.name(ours)]
            if name == "partialconv" and ours.endswith("convolution.weight"):
                expected = expected / expected[0].numel()
            torch.testing.assert_close(tensor, expected.to(tensor.dtype), rtol=1e-6, atol=0)


@pytest.mark.parametrize("name", FILES)
def test_what_does_not_fit_is_named(name: str, small: dict[str, dict[str, Tensor]]) -> None:
    state = small[name]
    first = next(iter(state))
    for changed, message in (
        (state | {"head.weight": torch.ones(2)}, r"not quite: unknown head\.weight$"),
        ({key: tensor for key, tensor in state.items() if key != first}, rf"not quite: missing {re.escape(first)}$"),
        (state | {first: torch.ones(1, 2)}, rf"{re.escape(first)} has shape \(1, 2\), expected \("),
    ):
        with pytest.raises(ValueError, match=rf"^file.*{message}" if "shape" not in message else message):
            from_released(wrapped(name, changed), "file")


def test_foreign_checkpoints_are_refused_with_what_is_known() -> None:
    with pytest.raises(ValueError, match=r"no known layout; known are nipponjo/.*; naoto0804/.*; advimman/lama"):
        from_released({"weight": torch.ones(1), "epoch": 3}, "file")


class Hyper:
    """Stands for a configuration that a training program saves beside its weights."""

    def __init__(self) -> None:
        self.rate = 1.0


def make(folder: str) -> None:
    Path(folder).mkdir()


def test_no_code_of_a_checkpoint_runs(tmp_path: Path) -> None:
    """Foreign classes are read as inert objects, even where their module is not there."""
    path = tmp_path / "best.ckpt"
    torch.save({"callbacks": {Hyper: 3}, "hyper": Hyper(), "state_dict": {"a": torch.ones(2)}}, path)
    content = read_checkpoint(path)
    assert torch.equal(content["state_dict"]["a"], torch.ones(2))
    assert not any(isinstance(value, Hyper) for value in content.values())
    assert not hasattr(content["hyper"], "rate")

    class Evil:
        def __init__(self, function: Any) -> None:
            self.function = function

        def __reduce__(self) -> Any:
            return (self.function, (str(tmp_path / "made"),))

    torch.save({"evil": Evil(make), "a": torch.ones(1)}, path)
    assert torch.equal(read_checkpoint(path)["a"], torch.ones(1))
    torch.save({"evil": Evil(os.mkdir), "a": torch.ones(1)}, path)
    with pytest.raises(ValueError, match="not a readable file of weights: Trying to load unsupported GLOBAL"):
        read_checkpoint(path)
    assert not (tmp_path / "made").exists()
    path.write_bytes(b"no checkpoint")
    with pytest.raises(ValueError, match="not a readable file of weights"):
        read_checkpoint(path)
    torch.save([1], path)
    with pytest.raises(ValueError, match="holds list"):
        read_checkpoint(path)
    with pytest.raises(FileNotFoundError, match="no checkpoint"):
        read_checkpoint(tmp_path / "none")


def test_a_released_checkpoint_becomes_a_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From a file of the published size to pictures, by the commands."""
    torch.manual_seed(0)
    state = {name: 0.05 * torch.randn(shape) for name, shape in table("deepfillv2-tf").items()}
    torch.save({"G": state}, tmp_path / "states_tf_places2.pth")
    save_file(state, tmp_path / "same.safetensors")
    outputs = [tmp_path / "one.safetensors", tmp_path / "two.safetensors"]
    for source, output in zip(("states_tf_places2.pth", "same.safetensors"), outputs, strict=True):
        cli.main(["convert", str(tmp_path / source), "--output", str(output), "--terms", "non-commercial use only"])
        assert "deepfillv2, from the layout of nipponjo" in " ".join(capsys.readouterr().err.split())
    one, two = (load_generator(path) for path in outputs)
    assert one.config.tensorflow
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), two.state_dict().values(), strict=True))
    assert read_metadata(outputs[0])["terms"] == "non-commercial use only"
    method = methods.load(outputs[0])
    assert method.name == "deepfillv2"
    image, mask = torch.rand(1, 3, 64, 64), torch.zeros(1, 1, 64, 64)
    mask[..., 16:40, 16:40] = 1
    filled = method(image, mask)
    assert filled.shape == image.shape
    assert filled.std() > 0


def test_lama_without_weights_says_how_to_get_them() -> None:
    with pytest.raises(ValueError, match="convert released ones with temperfill convert"):
        methods.load("lama")
