"""SqueezeNet features: shapes, taps, and files that must be refused."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from temperfill.nets import squeezenet
from temperfill.nets.squeezenet import SqueezeNetFeatures


def random_tensors() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        name: torch.randn(shape, generator=generator) * (2 / max(torch.Size(shape[1:]).numel(), 1)) ** 0.5
        for name, shape in squeezenet._shapes().items()
    }


def plain(tensors: dict[str, torch.Tensor], image: torch.Tensor) -> list[torch.Tensor]:
    """The network written out layer by layer."""

    def conv(name: str, x: torch.Tensor, **options: int) -> torch.Tensor:
        return F.relu(F.conv2d(x, tensors[f"features.{name}.weight"], tensors[f"features.{name}.bias"], **options))

    def fire(i: int, x: torch.Tensor) -> torch.Tensor:
        s = conv(f"{i}.squeeze", x)
        return torch.cat([conv(f"{i}.expand1x1", s), conv(f"{i}.expand3x3", s, padding=1)], 1)

    blue_first = image[:, [2, 1, 0]] * 255 - torch.tensor([103.939, 116.779, 123.68]).view(1, 3, 1, 1)
    second = fire(4, fire(3, F.max_pool2d(conv("0", blue_first, stride=2), 3, 2)))
    fourth = fire(7, fire(6, F.max_pool2d(second, 3, 2)))
    eighth = fire(12, fire(11, fire(10, fire(9, F.max_pool2d(fourth, 3, 2)))))
    return [second, fourth, eighth]


@pytest.mark.parametrize(("height", "width"), [(31, 31), (64, 47), (96, 96)])
def test_equals_the_network_written_out(height: int, width: int) -> None:
    tensors = random_tensors()
    image = torch.rand(2, 3, height, width)
    got = SqueezeNetFeatures(tensors)(image)
    assert [f.shape[1] for f in got] == [128, 256, 512]
    for a, b in zip(got, plain(tensors, image), strict=True):
        torch.testing.assert_close(a, b)


def test_loads_from_a_file_and_has_nothing_to_train(tmp_path: Path) -> None:
    tensors = random_tensors()
    save_file(tensors, tmp_path / "s.safetensors")
    module = SqueezeNetFeatures.from_file(tmp_path / "s.safetensors")
    assert not list(module.parameters())
    image = torch.rand(1, 3, 40, 40)
    for a, b in zip(module(image), SqueezeNetFeatures(tensors)(image), strict=True):
        assert torch.equal(a, b)


def test_half_precision_files_compute_in_float32() -> None:
    module = SqueezeNetFeatures({name: t.half() for name, t in random_tensors().items()})
    assert all(f.dtype == torch.float32 for f in module(torch.rand(1, 3, 32, 32).double()))


def test_missing_file_says_what_to_get(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"no SqueezeNet weights at .*keras-squeezenet"):
        SqueezeNetFeatures.from_file(tmp_path / "absent.safetensors")


@pytest.mark.parametrize("content", [b"", b"hello", b"\xff" * 100])
def test_damaged_file_says_what_to_get(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "s.safetensors"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"s\.safetensors is not a readable safetensors file.*keras-squeezenet"):
        SqueezeNetFeatures.from_file(path)


def test_other_weights_are_refused_by_name(tmp_path: Path) -> None:
    tensors = random_tensors()
    path = tmp_path / "s.safetensors"
    save_file(tensors | {"classifier.1.weight": torch.zeros(1000, 512, 1, 1)}, path)
    with pytest.raises(ValueError, match=r"s\.safetensors: .*unknown \['classifier\.1\.weight'\]"):
        SqueezeNetFeatures.from_file(path)
    del tensors["features.7.squeeze.bias"]
    with pytest.raises(ValueError, match=r"lack \['features\.7\.squeeze\.bias'\]"):
        SqueezeNetFeatures(tensors)
    wrong = random_tensors() | {"features.0.weight": torch.zeros(64, 3, 7, 7)}
    with pytest.raises(ValueError, match=r"features\.0\.weight must have shape \(64, 3, 3, 3\), got \(64, 3, 7, 7\)"):
        SqueezeNetFeatures(wrong)


def test_small_pictures_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 31x31 pixels, got 30x64"):
        SqueezeNetFeatures(random_tensors())(torch.rand(1, 3, 30, 64))
