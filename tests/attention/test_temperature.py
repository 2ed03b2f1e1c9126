"""The temperature network: positive with Softplus whatever its weights, and what happens to ATMA without it."""

import pytest
import torch
from torch import Tensor

from temperfill.attention import ATMA, GivenTemperature, TemperatureNetwork, atma
from temperfill.attention.contextual import patch_scores


def network(channels: int = 16, heads: int = 3, **options: object) -> TemperatureNetwork:
    torch.manual_seed(0)
    return TemperatureNetwork(channels, heads, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (16, 16), (64, 48)])
@pytest.mark.parametrize("scale", [0.0, 0.1, 1.0, 5.0])
@pytest.mark.parametrize("channels", [1, 16, 96])
def test_temperatures_start_near_a_tenth(channels: int, scale: float, size: tuple[int, int]) -> None:
    temperatures = network(channels)(torch.randn(4, channels, *size) * scale)
    assert temperatures.shape == (4, 3)
    assert (temperatures - 0.1).abs().max() < 0.02


@pytest.mark.parametrize("initial", [0.05, 0.1, 1.0, 10.0])
@pytest.mark.parametrize("activation", ["softplus", "leaky_relu", "exponential"])
def test_temperatures_start_where_they_are_told_to(activation: str, initial: float) -> None:
    temperatures = network(initial=initial, activation=activation)(torch.zeros(1, 16, 8, 8))
    torch.testing.assert_close(temperatures, torch.full((1, 3), initial), rtol=1e-5, atol=0)


def poison(net: TemperatureNetwork, bias: float, weight: float) -> None:
    torch.nn.init.constant_(net.linear.bias, bias)
    torch.nn.init.constant_(net.linear.weight, weight)


ADVERSARIAL = [(-1e30, 0.0), (-1e4, -1e4), (-20.0, 0.0), (0.0, -1e10), (-100.0, -1.0), (1e4, -1e6)]


@pytest.mark.parametrize("activation", ["softplus", "exponential"])
@pytest.mark.parametrize(("bias", "weight"), ADVERSARIAL)
def test_it_stays_positive_and_finite_under_adversarial_weights(bias: float, weight: float, activation: str) -> None:
    net = network(activation=activation)
    poison(net, bias, weight)
    for scale in (0.0, 1.0, 1e3):
        temperatures = net(torch.randn(4, 16, 9, 9).abs() * scale)
        assert temperatures.isfinite().all()
        assert (temperatures >= net.floor).all()
        assert net.floor > 0


def test_the_floor_is_added_and_leaves_a_gradient() -> None:
    """A clamp would give none at the bottom."""
    net = network(floor=0.05)
    poison(net, -8.0, 0.0)
    temperatures = net(torch.randn(2, 16, 8, 8))
    assert (temperatures - 0.05).abs().max() < 1e-3
    temperatures.sum().backward()
    assert net.linear.bias.grad is not None
    assert (net.linear.bias.grad > 0).all()


@pytest.mark.parametrize("activation", ["softplus", "leaky_relu", "exponential"])
@pytest.mark.parametrize("size", [(1, 1), (16, 16)])
def test_gradient_reaches_every_parameter_and_the_features(activation: str, size: tuple[int, int]) -> None:
    net = network(activation=activation)
    features = torch.randn(2, 16, *size, requires_grad=True)
    net(features).square().sum().backward()
    assert len(list(net.parameters())) == 10
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name
    assert features.grad is not None
    assert features.grad.abs().max() > 0


def test_each_image_has_its_own_temperatures() -> None:
    net = network()
    torch.nn.init.normal_(net.linear.weight)
    features = torch.randn(3, 16, 12, 12)
    together = net(features)
    assert together.unique().numel() == together.numel()
    torch.testing.assert_close(net(features[[2, 0, 1]]), together[[2, 0, 1]], rtol=0, atol=1e-6)


def test_it_pools_by_average_and_by_maximum() -> None:
    """The first half of the last layer reads the mean, the second the maximum."""
    net = network()
    x = torch.randn(1, 16, 32, 32)
    maps = x
    for convolution in net.convolutions:
        maps = torch.nn.functional.leaky_relu(convolution(maps), 0.2)
    assert maps.shape == (1, 8, 2, 2)
    pooled = torch.cat([maps.mean((2, 3)), maps.amax((2, 3))], 1)
    expected = torch.nn.functional.softplus(net.linear(pooled)) + 0.01
    torch.testing.assert_close(net(x), expected)


def test_it_computes_in_float32_under_autocast() -> None:
    net, features = network(), torch.randn(2, 16, 12, 12)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(net(features), net(features.float()))
        assert net(features.bfloat16()).dtype == torch.float32
    assert torch.equal(net(features), network()(features))


def captured_weights(attention: ATMA, features: Tensor, mask: Tensor, monkeypatch: pytest.MonkeyPatch) -> list[Tensor]:
    """What ATMA's forward hands to the pasting, per head: (B, queries, keys)."""
    seen: list[Tensor] = []
    paste = atma.paste
    monkeypatch.setattr(atma, "paste", lambda weights, *rest: (seen.append(weights), paste(weights, *rest))[1])
    attention(features, mask)
    return seen


def test_leaky_relu_goes_negative_and_then_the_least_similar_patch_gets_the_largest_weight(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The instability that Softplus removes. With a positive temperature the same code ranks as it should."""
    torch.manual_seed(0)
    features, mask = torch.rand(2, 6, 12, 12), torch.zeros(2, 1, 12, 12)
    mask[0, :, 4:6, 4:6] = 1
    attention = ATMA(6, heads=2)
    scores, valid, _ = patch_scores(features, mask)
    assert (scores[valid.expand_as(scores) > 0] > 0).all()
    poison(attention.temperature, 0.0, 0.0)
    with torch.no_grad():
        attention.temperature.linear.bias.copy_(torch.tensor([-20.0, 4.0]))
    temperatures = attention.temperatures(features)
    assert (temperatures[:, 0] < 0).all()
    assert (temperatures[:, 1] > 0).all()
    cold, warm = captured_weights(attention, features, mask, monkeypatch)
    least = scores.masked_fill(valid == 0, torch.inf).argmin(-1)
    most = scores.masked_fill(valid == 0, -torch.inf).argmax(-1)
    assert torch.equal(cold.argmax(-1), least)
    assert torch.equal(warm.argmax(-1), most)
    assert not (least == most).any()


def test_the_weights_that_turn_leaky_relu_negative_leave_softplus_positive() -> None:
    features = torch.randn(2, 16, 12, 12)
    signs = {}
    for activation in ("leaky_relu", "softplus"):
        net = network(activation=activation)
        poison(net, -1.0, 0.0)
        signs[activation] = bool((net(features) > 0).all())
    assert signs == {"leaky_relu": False, "softplus": True}


def test_given_temperatures_are_constant_or_fall_by_the_same_factor_in_each_step() -> None:
    features = torch.randn(3, 16, 8, 8)
    constant = GivenTemperature(2, 0.3)
    constant.set_step(1000)
    assert torch.equal(constant(features), torch.full((3, 2), 0.3))
    falling = GivenTemperature(2, 0.1, 0.001, 100)
    found = []
    for step in (0, 50, 51, 100, 1000):
        falling.set_step(step)
        found.append(float(falling(features)[0, 0]))
    assert found == pytest.approx([0.1, 0.01, 0.01 * 0.01**0.01, 0.001, 0.001])
    assert not list(falling.parameters())
    again = GivenTemperature(2, 0.5, 0.1, 7)
    again.load_state_dict(falling.state_dict())
    assert torch.equal(again(features), falling(features))


def test_given_temperatures_leave_the_number_of_pictures_free_in_an_exported_network() -> None:
    features = {"features": {0: torch.export.Dim("batch")}}
    program = torch.export.export(GivenTemperature(2, 0.1), (torch.zeros(3, 4, 8, 8),), dynamic_shapes=features)
    assert program.module()(torch.zeros(5, 4, 8, 8)).shape == (5, 2)
