"""DeepFillv2 and ATMA: the published sizes, what each network sees, no leak, one mask for each image."""

import pytest
import torch
from torch import Tensor, nn

from temperfill.attention import ATMA, ContextualAttention
from temperfill.nets.network import Network
from temperfill.systems import building
from temperfill.systems.atma import ATMAConfig
from temperfill.systems.deepfillv2 import DeepFillV2Config
from temperfill.systems.deepfillv2.network import DeepFillV2, Gated

CONFIGS = [DeepFillV2Config(width=4), ATMAConfig(width=4)]


def build(config: DeepFillV2Config) -> Network:
    """With larger weights than at the start of training, so that the output depends on the picture."""
    torch.manual_seed(0)
    network = building.build(config).eval()
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if "convolution.weight" in name:
                parameter.mul_(2)
    return network


def pictures(height: int = 32, width: int = 40) -> tuple[Tensor, Tensor]:
    noise = torch.Generator().manual_seed(1)
    image, mask = torch.rand(3, 3, height, width, generator=noise), torch.zeros(3, 1, height, width)
    mask[0, :, 5:20, 8:20], mask[1, :, 20:, 30:], mask[2, :, 3] = 1, 1, 1
    return image, mask


def test_parameters_of_the_published_network() -> None:
    with torch.device("meta"):
        network = DeepFillV2(DeepFillV2Config())
    assert sum(p.numel() for p in network.parameters()) == 4_052_478
    outputs = [m.out_channels for m in network.coarse.modules() if isinstance(m, nn.Conv2d)]
    assert outputs == [48, 96, 96, *[192] * 9, 96, 96, 48, 24, 3]
    inputs = [m.in_channels for m in network.modules() if isinstance(m, nn.Conv2d) and m.kernel_size == (5, 5)]
    assert inputs == [5, 3, 3]  # ones and mask for the coarse network alone


def test_atma_is_deepfillv2_with_normalisation_and_its_attention() -> None:
    plain, atma = (build(config) for config in CONFIGS)
    assert isinstance(plain.refinement.attention, ContextualAttention)
    assert isinstance(atma.refinement.attention, ATMA)
    gated = [m for m in atma.modules() if isinstance(m, Gated)]
    assert len(gated) == 16 + 10 + 8 + 6
    assert all(isinstance(layer.norm, nn.BatchNorm2d) for layer in gated)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in plain.modules())
    assert plain(*pictures()).temperatures.tolist() == [[pytest.approx(0.1)]] * 3
    assert atma(*pictures()).temperatures.shape == (3, 2)
    state = atma.state_dict().keys()
    assert {n for n in state if ".norm." not in n and ".attention." not in n} == plain.state_dict().keys()


def test_gated_layer_is_elu_or_relu_times_sigmoid() -> None:
    for relu, activation in ((False, torch.nn.functional.elu), (True, torch.relu)):
        layer, x = Gated(3, 2, relu=relu), torch.randn(1, 3, 6, 6)
        y = layer.convolution(x)
        torch.testing.assert_close(layer(x), activation(y[:, :2]) * torch.sigmoid(y[:, 2:]))
    assert Gated(3, 2, up=True)(x).shape == (1, 2, 12, 12)
    bound = (6 / (9 * 3 + 9 * 4)) ** 0.5  # Glorot's
    assert 0.8 * bound < layer.convolution.weight.abs().max() <= bound


@pytest.mark.parametrize("config", CONFIGS, ids=["deepfillv2", "atma"])
def test_each_image_has_its_own_mask_and_no_hole_leaks(config: DeepFillV2Config) -> None:
    network = build(config)
    image, mask = pictures()
    with torch.no_grad():
        output = network(image, mask)
        singles = [network(image[i : i + 1], mask[i : i + 1]) for i in range(3)]
        other = network(torch.where(mask > 0, torch.rand_like(image), image), mask)
        negative = network(1 - image, mask)
    for name in ("coarse", "refined"):
        whole = getattr(output, name)
        assert 0 <= whole.min() <= whole.max() <= 1
        torch.testing.assert_close(torch.cat([getattr(s, name) for s in singles]), whole, atol=1e-5, rtol=1e-4)
        assert torch.equal(getattr(other, name), whole)
        assert (getattr(negative, name) - whole).abs().max() > 1e-3


def test_refinement_sees_the_coarse_image_in_the_hole_alone() -> None:
    network, seen = build(CONFIGS[0]), []
    network.refinement.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    image, mask = pictures()
    coarse = network(image, mask).coarse
    torch.testing.assert_close(seen[0], torch.where(mask > 0, coarse, image) * 2 - 1)


def test_wrong_size_is_refused() -> None:
    with pytest.raises(ValueError, match="multiples of 4"):
        build(CONFIGS[0])(torch.rand(1, 3, 30, 32), torch.zeros(1, 1, 30, 32))
