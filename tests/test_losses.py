"""Losses: known values, gradients, and that two halves of a batch average to the whole."""

import pytest
import torch
from torch import Tensor

from temperfill import losses


def pictures(batch: int = 4) -> tuple[Tensor, Tensor, Tensor]:
    """Prediction, target, mask."""
    generator = torch.Generator().manual_seed(0)
    draw = [torch.rand(batch, 3, 8, 6, generator=generator, dtype=torch.float64) for _ in range(2)]
    return (*draw, (torch.rand(batch, 1, 8, 6, generator=generator, dtype=torch.float64) > 0.6).double())  # type: ignore[return-value]


def test_reconstruction_is_the_mean_absolute_difference() -> None:
    pred, target, mask = pictures()
    torch.testing.assert_close(losses.reconstruction(pred, target, mask, 1.0), (pred - target).abs().mean())
    assert losses.reconstruction(pred, pred, mask, 7.0) == 0
    shifted = losses.reconstruction(target + 0.25, target, mask, 1.0)
    assert shifted.item() == pytest.approx(0.25)


def test_the_hole_counts_by_its_weight() -> None:
    pred, target, mask = pictures()
    inside = ((pred - target).abs() * mask).mean()
    outside = ((pred - target).abs() * (1 - mask)).mean()
    torch.testing.assert_close(losses.reconstruction(pred, target, mask, 6.0), 6 * inside + outside)
    torch.testing.assert_close(losses.reconstruction(pred, target, torch.zeros_like(mask), 6.0), inside + outside)
    torch.testing.assert_close(losses.reconstruction(pred, target, mask, 0.5), 0.5 * inside + outside)


def test_perceptual_sums_the_means_of_its_layers() -> None:
    a = [torch.rand(2, 4, 8, 8), torch.rand(2, 8, 4, 4)]
    b = [torch.rand(2, 4, 8, 8), torch.rand(2, 8, 4, 4)]
    expected = sum((x - y).abs().mean() for x, y in zip(a, b, strict=True))
    torch.testing.assert_close(losses.perceptual(a, b), expected)
    assert losses.perceptual(a, a) == 0
    torch.testing.assert_close(losses.perceptual(a, b), losses.perceptual(b, a))
    assert losses.perceptual([x.bfloat16() for x in a], [x.bfloat16() for x in b]).dtype == torch.float32
    with pytest.raises(ValueError, match="zip"):
        losses.perceptual(a, b[:1])


def test_texture_asks_how_much_detail_there_is_not_where_it_lies() -> None:
    stripes = (0.5 + 0.2 * ((torch.arange(64) // 2) % 2 * 2 - 1).double()).expand(1, 3, 64, 64)
    moved, flat = stripes.roll(2, 3), torch.full_like(stripes, 0.5)
    assert (stripes - moved).abs().mean() > (stripes - flat).abs().mean()  # a blur is nearer, pixel by pixel
    mask = torch.zeros(1, 1, 64, 64, dtype=torch.float64)
    mask[..., 16:48, 16:48] = 1
    blurred, displaced = losses.texture(flat, stripes, mask), losses.texture(moved, stripes, mask)
    # One step of 0.4 in every two columns; the flat picture has the root's small constant.
    assert blurred.item() == pytest.approx(0.2, abs=0.01)
    assert displaced < 0.1 * blurred
    assert losses.texture(stripes, stripes, mask) == 0


def test_texture_looks_at_the_hole_alone() -> None:
    pred, target, mask = (x.repeat(1, 1, 4, 4) for x in pictures())
    mask[:] = 0
    assert losses.texture(pred, target, mask) == 0
    mask[:, :, 4:12, 4:12] = 1
    found = losses.texture(pred, target, mask)
    changed = pred.clone()
    changed[:, :, 14:] = 0
    changed[..., 14:] = 0
    torch.testing.assert_close(losses.texture(changed, target, mask), found)
    changed[:, :, 6:8] = 0
    assert (losses.texture(changed, target, mask) - found).abs() > 1e-4


def test_texture_of_a_flat_picture_has_a_finite_gradient() -> None:
    pred = torch.full((1, 3, 32, 32), 0.5, requires_grad=True)
    losses.texture(pred, torch.rand(1, 3, 32, 32), torch.ones(1, 1, 32, 32)).backward()
    assert pred.grad is not None
    assert pred.grad.isfinite().all()


def test_hinge_values() -> None:
    real, fake = torch.tensor([[2.0], [0.5], [-1.0]]), torch.tensor([[-3.0], [0.0], [1.0]])
    assert losses.hinge_discriminator(real, fake).item() == pytest.approx((0 + 0.5 + 2) / 3 + (0 + 1 + 2) / 3)
    assert losses.hinge_discriminator(torch.full((4, 1), 1.5), torch.full((4, 1), -1.5)) == 0
    assert losses.adversarial_generator(fake).item() == pytest.approx(2 / 3)
    assert losses.wasserstein_discriminator(real, fake).item() == pytest.approx(-2 / 3 - 0.5)


def test_generator_and_discriminator_pull_in_opposite_directions() -> None:
    for discriminator_loss in (losses.hinge_discriminator, losses.wasserstein_discriminator):
        real, fake = torch.zeros(2, 1, requires_grad=True), torch.zeros(2, 1, requires_grad=True)
        discriminator_loss(real, fake).backward()
        assert real.grad is not None
        assert fake.grad is not None
        assert (real.grad < 0).all()
        assert (fake.grad > 0).all()
    judged = torch.zeros(2, 1, requires_grad=True)
    losses.adversarial_generator(judged).backward()
    assert judged.grad is not None
    assert (judged.grad < 0).all()


def test_hinge_leaves_alone_what_is_beyond_the_margin() -> None:
    real = torch.tensor([[1.5], [0.5]], requires_grad=True)
    losses.hinge_discriminator(real, torch.zeros(2, 1)).backward()
    assert real.grad is not None
    assert real.grad.flatten().tolist() == [0.0, -0.5]


@pytest.mark.parametrize("length", [0.0, 0.5, 1.0, 3.0])
def test_the_penalty_of_a_linear_critic_is_known(length: float) -> None:
    """Its gradient is its direction everywhere: the penalty is (length - 1)^2 whatever the pictures."""
    real, fake, _ = pictures()
    direction = torch.randn(3 * 8 * 6, dtype=torch.float64)
    direction = direction / direction.norm() * length
    mixing = torch.tensor([0.0, 0.3, 0.9, 1.0], dtype=torch.float64)
    penalty = losses.gradient_penalty(lambda x: (x.flatten(1) @ direction)[:, None], real, fake, mixing)
    assert penalty.item() == pytest.approx((length - 1) ** 2, abs=1e-5)


def test_the_penalty_looks_at_interpolates_and_each_picture_has_its_own() -> None:
    real, fake, _ = pictures()
    mixing = torch.tensor([0.0, 0.25, 0.5, 1.0], dtype=torch.float64)
    seen: list[Tensor] = []

    def critic(x: Tensor) -> Tensor:
        seen.append(x.detach())
        return x.square().sum((1, 2, 3))[:, None] / 2  # gradient: the picture itself

    penalty = losses.gradient_penalty(critic, real, fake, mixing)
    share = mixing[:, None, None, None]
    torch.testing.assert_close(seen[0], share * real + (1 - share) * fake)
    lengths = seen[0].flatten(1).norm(dim=1)
    assert penalty.item() == pytest.approx((lengths - 1).square().mean().item(), rel=1e-5)


def test_the_penalty_trains_the_critic() -> None:
    """Its own gradient is that of (|w| - 1)^2, which pulls a linear critic's length to one."""
    real, fake, _ = pictures()
    direction = torch.full((3 * 8 * 6,), 0.25, dtype=torch.float64, requires_grad=True)
    losses.gradient_penalty(
        lambda x: (x.flatten(1) @ direction)[:, None], real, fake, torch.full((4,), 0.5, dtype=torch.float64)
    ).backward()
    length = direction.detach().norm()
    assert direction.grad is not None
    torch.testing.assert_close(direction.grad, 2 * (length - 1) * direction.detach() / length, rtol=1e-5, atol=1e-5)


def test_a_critic_without_slope_has_a_finite_gradient() -> None:
    real, fake, _ = pictures()
    slope = torch.zeros((), dtype=torch.float64, requires_grad=True)
    penalty = losses.gradient_penalty(lambda x: slope * x.sum((1, 2, 3))[:, None], real, fake, torch.rand(4).double())
    penalty.backward()
    assert penalty.item() == pytest.approx(1, abs=1e-5)
    assert slope.grad is not None
    assert slope.grad.isfinite()


def test_two_halves_average_to_the_whole_batch() -> None:
    """So that two ranks, whose gradients are averaged, equal one big batch; the masks of the halves differ."""
    pred, target, mask = pictures()
    mask[:2], mask[2:] = 0, 1
    values = torch.randn(4, 1, dtype=torch.float64)
    mixing = torch.rand(4, dtype=torch.float64)

    def critic(x: Tensor) -> Tensor:
        return x.pow(3).sum((1, 2, 3))[:, None]

    def every(part: slice) -> Tensor:
        a, b, hole, value = pred[part], target[part], mask[part], values[part]
        return torch.stack(
            [
                losses.reconstruction(a, b, hole, 4.0),
                losses.perceptual([a], [b]).double(),
                losses.texture(a, b, hole, 4),
                losses.hinge_discriminator(value, value.flip(1) * 2),
                losses.wasserstein_discriminator(value, value * 3),
                losses.adversarial_generator(value),
                losses.gradient_penalty(critic, a, b, mixing[part]).double(),
            ]
        )

    whole, halves = every(slice(0, 4)), (every(slice(0, 2)) + every(slice(2, 4))) / 2
    torch.testing.assert_close(halves, whole, rtol=1e-5, atol=1e-7)
