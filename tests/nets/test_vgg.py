"""VGG features: which layers are given out, and files that must be refused."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor

from temperfill.nets.vgg import VGGFeatures

VGG19 = {0: (64, 3), 2: (64, 64), 5: (128, 64), 7: (128, 128), 10: (256, 128)}
VGG16 = VGG19 | {12: (256, 256), 14: (256, 256)}
MEAN, STD = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])


def tensors_of(widths: dict[int, tuple[int, int]], preprocess: bool = False) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    tensors = {}
    for index, (out, channels) in widths.items():
        scale = (2 / (9 * channels)) ** 0.5
        tensors[f"features.{index}.weight"] = torch.randn(out, channels, 3, 3, generator=generator) * scale
        tensors[f"features.{index}.bias"] = torch.randn(out, generator=generator) * 0.1
    if preprocess:
        tensors["preprocess.weight"] = torch.randn(3, 3, 1, 1, generator=generator)
        tensors["preprocess.bias"] = torch.randn(3, generator=generator)
    return tensors


def plain(tensors: dict[str, Tensor], x: Tensor, order: list[int | str]) -> list[Tensor]:
    """The network written out: an index is a convolution with ReLU, a word what to do between."""
    taps = []
    for step in order:
        if step == "pool":
            x = F.max_pool2d(x, 2)
        elif step == "tap":
            taps.append(x)
        else:
            x = F.relu(F.conv2d(x, tensors[f"features.{step}.weight"], tensors[f"features.{step}.bias"], padding=1))
    return taps


VGG19_ORDER: list[int | str] = [0, 2, "tap", "pool", 5, 7, "tap", "pool", 10, "tap"]
VGG16_ORDER: list[int | str] = [0, 2, "pool", "tap", 5, 7, "pool", "tap", 10, 12, 14, "pool", "tap"]


@pytest.mark.parametrize("size", [(32, 32), (17, 40)])
def test_vgg16_gives_its_first_three_poolings(size: tuple[int, int]) -> None:
    tensors, image = tensors_of(VGG16), torch.rand(2, 3, *size)
    normalised = (image - MEAN[:, None, None]) / STD[:, None, None]
    got, expected = VGGFeatures(tensors)(image), plain(tensors, normalised, VGG16_ORDER)
    assert [x.shape[1:] for x in got] == [(64 * f // 2, size[0] // f, size[1] // f) for f in (2, 4, 8)]
    for a, b in zip(got, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("preprocess", [True, False])
def test_vgg19_gives_three_activations_and_its_own_preprocessing(preprocess: bool) -> None:
    tensors, image = tensors_of(VGG19, preprocess), torch.rand(2, 3, 24, 32)
    if preprocess:
        normalised = F.conv2d(image, tensors["preprocess.weight"], tensors["preprocess.bias"])
    else:
        normalised = (image - MEAN[:, None, None]) / STD[:, None, None]
    got, expected = VGGFeatures(tensors)(image), plain(tensors, normalised, VGG19_ORDER)
    assert [x.shape[1:] for x in got] == [(64, 24, 32), (128, 12, 16), (256, 6, 8)]
    for a, b in zip(got, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("widths", [VGG16, VGG19])
def test_only_the_wanted_activations_are_computed(widths: dict[int, tuple[int, int]]) -> None:
    features, image = VGGFeatures(tensors_of(widths)), torch.rand(1, 3, 16, 16)
    whole = features(image)
    assert [len(features(image, count)) for count in (1, 2, 3)] == [1, 2, 3]
    for count, later in ((2, "weight_10"), (1, "weight_5")):
        delattr(features, later)  # would be missed by what goes on
        for a, b in zip(features(image, count), whole, strict=False):
            assert torch.equal(a, b)


def test_a_whole_vgg19_is_not_mistaken_for_vgg16() -> None:
    whole = tensors_of(VGG19 | {12: (256, 256), 14: (256, 256), 34: (512, 512)})
    image = torch.rand(1, 3, 16, 16)
    for a, b in zip(VGGFeatures(whole)(image), VGGFeatures(tensors_of(VGG19))(image), strict=True):
        assert torch.equal(a, b)


def test_a_whole_vgg19_gives_five_activations_where_they_are_wanted(tmp_path: Path) -> None:
    widths = VGG19 | {12: (256, 256), 14: (256, 256), 16: (256, 256), 19: (512, 256)}
    widths |= dict.fromkeys((21, 23, 25, 28, 30, 32, 34), (512, 512))
    tensors, image = tensors_of(widths), torch.rand(1, 3, 32, 48)
    normalised = (image - MEAN[:, None, None]) / STD[:, None, None]
    order: list[int | str] = [0, 2, "tap", "pool", 5, 7, "tap", "pool", 10, 12, "tap", 14, 16, "pool", 19, 21, "tap"]
    expected = plain(tensors, normalised, [*order, 23, 25, "pool", 28, 30, "tap"])
    save_file(tensors, tmp_path / "vgg19.safetensors")
    got = VGGFeatures.from_file(tmp_path / "vgg19.safetensors", deep=True)(image)
    assert [x.shape[1] for x in got] == [64, 128, 256, 512, 512]
    for a, b in zip(got, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)
    for short in (VGG19, VGG16):
        with pytest.raises(ValueError, match=r"a whole VGG-19 .*vgg19-dcbb9e9d\.pth"):
            VGGFeatures(tensors_of(short), deep=True)


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_loads_from_a_file_and_has_nothing_to_train(tmp_path: Path, suffix: str) -> None:
    tensors, path = tensors_of(VGG19, True), tmp_path / f"vgg{suffix}"
    if suffix == ".pth":
        torch.save(tensors, path)
    else:
        save_file(tensors, path)
    features = VGGFeatures.from_file(path)
    assert not list(features.parameters())
    assert not features.state_dict()
    image = torch.rand(1, 3, 16, 16, requires_grad=True)
    got = features(image)
    for a, b in zip(got, VGGFeatures(tensors)(image), strict=True):
        assert torch.equal(a, b)
    got[-1].sum().backward()
    assert image.grad is not None
    assert image.grad.abs().max() > 0


def test_half_precision_weights_compute_in_float32() -> None:
    features = VGGFeatures({name: tensor.half() for name, tensor in tensors_of(VGG19, True).items()})
    assert all(x.dtype == torch.float32 for x in features(torch.rand(1, 3, 16, 16)))


def test_a_missing_file_says_what_to_get(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.pth", tmp_path):
        with pytest.raises(OSError, match=r"no VGG weights at .*vgg16-397923af\.pth.*perceptual weight to 0"):
            VGGFeatures.from_file(path)


DAMAGED = [b"", b"hello", b"{}", b"\x80\x02junk", b"PK\x03\x04" + b"x" * 100, b"\xff" * 200, b"<html>not found</html>"]


@pytest.mark.parametrize("content", DAMAGED)
@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_damaged_files_are_refused_in_one_line(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"vgg{suffix}"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"vgg\.\w+ is not a readable file of weights.*vgg16-397923af") as caught:
        VGGFeatures.from_file(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("share", [0.001, 0.3, 0.99])
@pytest.mark.parametrize("zipped", [True, False])
def test_truncated_files_are_refused(tmp_path: Path, share: float, zipped: bool) -> None:
    path = tmp_path / "vgg.pth"
    torch.save(tensors_of(VGG19), path, _use_new_zipfile_serialization=zipped)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(ValueError, match=r"vgg\.pth is not a readable file of weights"):
        VGGFeatures.from_file(path)


@pytest.mark.parametrize("content", [[1, 2], torch.zeros(3), {"state_dict": {"features.0.weight": torch.zeros(1)}}])
def test_files_without_a_state_dict_are_refused(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "vgg.pth")
    with pytest.raises(ValueError, match=r"vgg\.pth holds no state dict of tensors"):
        VGGFeatures.from_file(tmp_path / "vgg.pth")


def test_pickled_code_is_not_run(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(2, 2), tmp_path / "vgg.pth")
    with pytest.raises(ValueError, match="holds no state dict of tensors"):
        VGGFeatures.from_file(tmp_path / "vgg.pth")


@pytest.mark.parametrize("name", ["features.0.weight", "features.5.bias", "features.10.weight", "preprocess.bias"])
def test_missing_and_misshapen_tensors_are_named(tmp_path: Path, name: str) -> None:
    tensors, path = tensors_of(VGG19, True), tmp_path / "vgg.safetensors"
    original = tensors.pop(name)
    save_file(tensors, path)
    with pytest.raises(ValueError, match=rf"vgg\.safetensors: VGG weights lack {name}"):
        VGGFeatures.from_file(path)
    save_file(tensors | {name: torch.zeros(2, 2)}, path)
    with pytest.raises(ValueError, match=rf"VGG weight {name} must have shape .{original.shape[0]},.*got \(2, 2\)"):
        VGGFeatures.from_file(path)


HALF = {0: (32, 3), 2: (32, 32), 5: (64, 32), 7: (64, 64), 10: (128, 64)}


def test_a_narrow_network_is_taken_where_it_is_asked_for(tmp_path: Path) -> None:
    tensors, image = tensors_of(HALF, preprocess=True), torch.rand(1, 3, 24, 32)
    x = F.conv2d(image, tensors["preprocess.weight"], tensors["preprocess.bias"])
    for a, b in zip(VGGFeatures(tensors, narrow=True)(image), plain(tensors, x, VGG19_ORDER), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)
    save_file(tensors, tmp_path / "own.safetensors")
    with pytest.raises(ValueError, match=r"own.safetensors: VGG weight features.0.weight must have shape \(64, 3"):
        VGGFeatures.from_file(tmp_path / "own.safetensors")  # its distance would be called VGG's


def test_a_narrow_network_has_the_proportions_of_vgg() -> None:
    with pytest.raises(ValueError, match=r"features.5.weight must have shape \(64, 32, 3, 3\)"):
        VGGFeatures(tensors_of(HALF | {5: (128, 32)}), narrow=True)
