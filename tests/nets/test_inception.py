"""FID's Inception: size, input, fixed batch normalisation, refusals. Weights here are random."""

import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor

from temperfill.nets.inception import _LAYERS, InceptionFeatures


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    tensors: dict[str, Tensor] = {}
    for name, channels, out, side in _LAYERS:
        height, width = side if isinstance(side, tuple) else (side, side)
        scale = math.sqrt(2 / (channels * height * width))
        tensors[f"{name}.conv.weight"] = torch.randn(out, channels, height, width, generator=generator) * scale
        for statistic, low in (("weight", 0.5), ("bias", -0.1), ("running_mean", -0.1), ("running_var", 0.5)):
            tensors[f"{name}.bn.{statistic}"] = torch.rand(out, generator=generator) * abs(low) * 2 + low
        tensors[f"{name}.bn.num_batches_tracked"] = torch.tensor(0)
    return tensors | {"fc.weight": torch.zeros(1008, 2048), "fc.bias": torch.zeros(1008)}


def test_published_network_has_this_many_parameters(state: dict[str, Tensor]) -> None:
    """The convolutions of Inception-v3 without classifier: 21,785,568 weights, of gain and offset of the norm too."""
    names = ("conv.weight", "bn.weight", "bn.bias")
    assert sum(t.numel() for name, t in state.items() if name.endswith(names)) == 21_785_568
    assert len(_LAYERS) == 94


def test_features_of_any_size(state: dict[str, Tensor], tmp_path: Path) -> None:
    save_file({name: t.clone() for name, t in state.items()}, tmp_path / "inception.safetensors")
    torch.save(state, tmp_path / "inception.pth")
    image = torch.rand(1, 3, 40, 64, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        network = InceptionFeatures.from_file(tmp_path / "inception.safetensors")
        features = network(image)
        assert features.shape == (1, 2048)
        assert (features >= 0).all()
        assert torch.equal(InceptionFeatures.from_file(tmp_path / "inception.pth")(image), features)
        # The first layer as published: resized, in [-1, 1], convolution, batch normalisation, ReLU.
        x = F.interpolate(image, (299, 299), mode="bilinear", align_corners=False) * 2 - 1
        x = F.conv2d(x, state["Conv2d_1a_3x3.conv.weight"], stride=2)
        norm = [state[f"Conv2d_1a_3x3.bn.{name}"] for name in ("running_mean", "running_var", "weight", "bias")]
        expected = F.relu(F.batch_norm(x, *norm, eps=1e-3))
        x = F.interpolate(image, (299, 299), mode="bilinear", align_corners=False) * 2 - 1
        torch.testing.assert_close(network._chain(x, "Conv2d_1a_3x3"), expected, rtol=1e-4, atol=1e-4)
        assert expected.shape[2:] == (149, 149)


def test_refusals(state: dict[str, Tensor], tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"pt_inception-2015-12-05-6726825d\.pth"):
        InceptionFeatures.from_file(tmp_path / "absent.pth")
    (tmp_path / "broken.pth").write_bytes(b"no weights")
    with pytest.raises(ValueError, match="not a readable file of weights"):
        InceptionFeatures.from_file(tmp_path / "broken.pth")
    with pytest.raises(ValueError, match=r"lack \['Conv2d_1a_3x3\.bn\.bias'.*features\.0\.weight"):
        InceptionFeatures({"features.0.weight": torch.zeros(64, 3, 3, 3)})
    other = state | {"Mixed_7c.branch1x1.conv.weight": torch.zeros(320, 2048, 3, 3)}
    with pytest.raises(ValueError, match="must have shape"):
        InceptionFeatures(other)
