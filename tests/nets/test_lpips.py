"""LPIPS: both networks against plain layers in torchvision's order, the distance by hand, refusals."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from temperfill.metrics import lpips
from temperfill.nets.lpips import _ALEXNET, _TAPS, _VGG16, LPIPSFeatures


def plain(kind: str) -> nn.Sequential:
    """The convolutions, activations and pools of torchvision's ``features``."""
    layers: list[nn.Module] = []
    alexnet = kind == "alexnet"
    pools_after = (0, 3) if alexnet else (2, 7, 14, 21, 28)
    for index, channels, out, side, stride, padding in _ALEXNET if alexnet else _VGG16:
        assert len(layers) == index  # the indices are those of this order
        layers += [nn.Conv2d(channels, out, side, stride, padding), nn.ReLU()]
        if index in pools_after:
            layers.append(nn.MaxPool2d(3 if alexnet else 2, 2))
    return nn.Sequential(*layers)


def weights(kind: str) -> tuple[nn.Sequential, dict[str, Tensor], dict[str, Tensor]]:
    torch.manual_seed(0)
    layers = plain(kind)
    network = {f"features.{name}": tensor for name, tensor in layers.state_dict().items()}
    network["classifier.1.weight"] = torch.zeros(2, 2)
    channels = [layers[index].out_channels for index in _TAPS[kind]]
    heads = {f"lin{i}.model.1.weight": torch.rand(1, c, 1, 1) for i, c in enumerate(channels)}
    return layers, network, heads


@pytest.mark.parametrize("kind", ["alexnet", "vgg16"])
@torch.no_grad()
def test_distance_is_its_definition(kind: str, tmp_path: Path) -> None:
    layers, network, heads = weights(kind)
    torch.save(network, tmp_path / "network.pth")
    torch.save(heads, tmp_path / "heads.pth")
    own = LPIPSFeatures.from_files(tmp_path / "network.pth", tmp_path / "heads.pth")
    assert own.kind == kind
    images = torch.rand(2, 3, 35, 48)
    shift, scale = (torch.tensor(x).view(1, 3, 1, 1) for x in ([-0.030, -0.088, -0.188], [0.458, 0.448, 0.450]))
    x, expected = (images * 2 - 1 - shift) / scale, torch.zeros((), dtype=torch.float64)
    taps = iter(heads.values())
    for index, layer in enumerate(layers):
        x = layer(x)
        if index - 1 in _TAPS[kind]:  # after its activation
            unit = x.double() / (x.double().norm(dim=1, keepdim=True) + 1e-10)
            expected += ((unit[0] - unit[1]) ** 2 * next(taps)[0].double()).sum(0).mean()
    a, b = own(images[:1]), own(images[1:])
    assert lpips(a, b, own.heads).item() == pytest.approx(expected.item(), rel=1e-5)
    assert lpips(a, a, own.heads).item() == 0


def test_refusals(tmp_path: Path) -> None:
    _, network, heads = weights("alexnet")
    _, other, wide = weights("vgg16")
    with pytest.raises(ValueError, match="lin1"):
        LPIPSFeatures(network, wide)
    with pytest.raises(ValueError, match=r"lacks .*features\.28"):
        LPIPSFeatures({n: t for n, t in other.items() if not n.startswith("features.28")}, wide)
    with pytest.raises(FileNotFoundError, match=r"alexnet-owt-7be5be79\.pth"):
        LPIPSFeatures.from_files(tmp_path / "absent.pth", tmp_path / "absent.pth")
    own = LPIPSFeatures(network, heads)
    with pytest.raises(ValueError, match="at least 31x31"):
        own(torch.rand(1, 3, 30, 40))
    maps = own(torch.rand(1, 3, 31, 31))
    with pytest.raises(ValueError, match="one weight for each"):
        lpips(maps, maps, own.heads[:4])
