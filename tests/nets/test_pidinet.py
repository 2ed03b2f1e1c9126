"""PiDiNet: difference convolutions by their definitions, the network written out, the authors' files and others."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from temperfill.nets.pidinet import (
    MULTIPLE,
    PARAMETERS,
    REACH,
    PiDiNet,
    from_file,
    from_published,
    plain_weight,
    published_names,
)

DIRECTIONS = [(-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)]
CLOCKWISE_RING = [(-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1)]


def tiny(seed: int = 0) -> PiDiNet:
    torch.manual_seed(seed)
    return PiDiNet(20).eval().requires_grad_(False)


def theirs(network: PiDiNet) -> dict[str, torch.Tensor]:
    names = published_names()
    return {names[name]: tensor.clone() for name, tensor in network.state_dict().items()}


def at(window: torch.Tensor, offset: tuple[int, int]) -> torch.Tensor:
    middle = window.shape[-1] // 2
    return window[..., middle + offset[0], middle + offset[1]]


@pytest.mark.parametrize("channels", PARAMETERS)
def test_number_of_parameters(channels: int) -> None:
    assert sum(p.numel() for p in PiDiNet(channels).parameters()) == PARAMETERS[channels]


def test_other_numbers_of_channels_are_refused() -> None:
    with pytest.raises(ValueError, match="60, 30, 20 channels, got 24"):
        PiDiNet(24)


def test_difference_convolutions_follow_their_definitions() -> None:
    torch.manual_seed(0)
    weight, window = torch.randn(4, 1, 3, 3).double(), torch.randn(4, 1, 5, 5).double()
    every = [(0, 0), *DIRECTIONS]
    expected = {
        "cv": sum(at(weight, d) * at(window, d) for d in every),
        "cd": sum(at(weight, d) * (at(window, d) - at(window, (0, 0))) for d in every),
        "ad": sum(
            at(weight, d) * (at(window, d) - at(window, clockwise))
            for d, clockwise in zip(CLOCKWISE_RING, CLOCKWISE_RING[1:] + CLOCKWISE_RING[:1], strict=True)
        ),
        "rd": sum(
            weight.flatten(2)[..., 1 + k] * (at(window, (2 * d[0], 2 * d[1])) - at(window, d))
            for k, d in enumerate(DIRECTIONS)
        ),
    }
    for kind, value in expected.items():
        plain = plain_weight(weight, kind)
        rim = (5 - plain.shape[-1]) // 2
        got = (F.pad(plain, [rim] * 4) * window).sum((2, 3))
        torch.testing.assert_close(got, value)


def written_out(tensors: dict[str, torch.Tensor], image: torch.Tensor) -> list[torch.Tensor]:
    """The five maps, layer by layer, from tensors with the authors' names."""

    def conv(name: str, x: torch.Tensor, **options: int) -> torch.Tensor:
        return F.conv2d(x, tensors[f"{name}.weight"], tensors.get(f"{name}.bias"), **options)

    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    x = (image - mean[:, None, None]) / std[:, None, None]
    weight = tensors["init_block.weight"]
    x = F.conv2d(x, weight, padding=1) - F.conv2d(x, weight.sum((2, 3), keepdim=True))
    sides = []
    for i, kinds in enumerate((("ad", "rd", "cv"), *[("cd", "ad", "rd", "cv")] * 3)):
        for j, kind in enumerate(kinds):
            name, straight = f"block{i + 1}_{j + 1}", x
            if i > 0 and j == 0:
                x = F.max_pool2d(x, 2)
                straight = conv(f"{name}.shortcut", x)
            depthwise = plain_weight(tensors[f"{name}.conv1.weight"], kind)
            y = F.conv2d(x, depthwise, padding=2 if kind == "rd" else 1, groups=x.shape[1])
            x = conv(f"{name}.conv2", F.relu(y)) + straight
        y = conv(f"dilations.{i}.conv1", F.relu(x))
        y = sum(conv(f"dilations.{i}.conv2_{k + 1}", y, padding=d, dilation=d) for k, d in enumerate((5, 7, 9, 11)))
        attention = torch.sigmoid(conv(f"attentions.{i}.conv2", conv(f"attentions.{i}.conv1", F.relu(y)), padding=1))
        side = conv(f"conv_reduces.{i}.conv", y * attention)
        sides.append(F.interpolate(side, image.shape[2:], mode="bilinear", align_corners=False))
    return [torch.sigmoid(side) for side in (*sides, conv("classifier", torch.cat(sides, 1)))]


@pytest.mark.parametrize(("height", "width"), [(16, 24), (27, 33)])
def test_equals_the_network_written_out(height: int, width: int) -> None:
    network = tiny()
    image = torch.rand(2, 3, height, width)
    expected = written_out(theirs(network), image)
    torch.testing.assert_close(torch.sigmoid(network.logits(image)), torch.cat(expected, 1))
    torch.testing.assert_close(network(image), expected[-1])


def test_nothing_beyond_the_reach_changes_an_output() -> None:
    network = tiny()
    image = torch.rand(1, 3, MULTIPLE, 480)
    changed = image.clone()
    changed[..., :MULTIPLE] = 1 - changed[..., :MULTIPLE]
    difference = (network.logits(image) - network.logits(changed)).abs().amax((0, 1, 2))
    assert difference[: REACH // 2].max() > 0
    assert difference[REACH + MULTIPLE :].max() == 0


def test_names_of_published_tensors_are_one_to_one() -> None:
    names = published_names()
    assert names.keys() == PiDiNet(20).state_dict().keys()
    assert len(set(names.values())) == len(names)


@pytest.mark.parametrize("form", ["safetensors", "pth", "state dict"])
def test_published_files_load(tmp_path: Path, form: str) -> None:
    network, path = tiny(), tmp_path / ("w.safetensors" if form == "safetensors" else "w.pth")
    if form == "safetensors":
        save_file(theirs(network), path)
    elif form == "pth":
        torch.save(theirs(network), path)
    else:
        torch.save({"epoch": 19, "state_dict": {f"module.{name}": t for name, t in theirs(network).items()}}, path)
    loaded = from_file(path)
    assert loaded.channels == 20
    assert not loaded.training
    image = torch.rand(1, 3, 16, 16)
    assert torch.equal(loaded(image), network(image))


@pytest.mark.parametrize("name", ["init_block.weight", "block3_1.shortcut.bias", "dilations.2.conv2_4.weight"])
def test_wrong_tensors_are_named(name: str) -> None:
    tensors = theirs(tiny())
    tensor = tensors.pop(name)
    with pytest.raises(ValueError, match=rf"lack \['{name}'\]"):
        from_published(tensors)
    with pytest.raises(ValueError, match=r"unknown \['more'\]"):
        from_published(tensors | {name: tensor, "more": tensor})
    with pytest.raises(ValueError, match=rf"{name} must have shape|has? 0 channels|have 0 channels"):
        from_published(tensors | {name: torch.tensor(0.0)})
    with pytest.raises(ValueError, match=rf"{name} holds values that are not finite"):
        from_published(tensors | {name: torch.full_like(tensor, torch.nan)})


def test_foreign_files_are_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="no edge network at"):
        from_file(tmp_path / "absent.pth")
    torch.save({"a": [1]}, tmp_path / "list.pth")
    torch.save(torch.nn.Linear(2, 2), tmp_path / "code.pth")
    (tmp_path / "junk.pth").write_bytes(b"\x80\x02junk")
    (tmp_path / "junk.safetensors").write_bytes(b"hello")
    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    for name in ("list.pth", "code.pth", "junk.pth", "junk.safetensors", "other.safetensors"):
        with pytest.raises(ValueError, match=rf"{name}.*github\.com/hellozhuo/pidinet") as caught:
            from_file(tmp_path / name)
        assert "\n" not in str(caught.value)
