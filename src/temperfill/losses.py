"""Losses of generator and discriminator (paper, section III-B, Eqs. 2-6), as functions of tensors."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor


def reconstruction(pred: Tensor, target: Tensor, mask: Tensor, hole_weight: float) -> Tensor:
    """Mean absolute difference over all pixels (Eq. 2), those of the hole weighted.

    The weights' mean is not divided out, so that a batch split over ranks sums to the same loss.

    Args:
        pred: (B, 3, H, W) in [0, 1].
        target: (B, 3, H, W) in [0, 1].
        mask: (B, 1, H, W), 1 = missing.
        hole_weight: factor on pixels of the hole.

    Returns:
        Scalar.
    """
    weight = 1 + (hole_weight - 1) * mask
    return ((pred - target).abs() * weight).mean()


def perceptual(pred_features: list[Tensor], target_features: list[Tensor]) -> Tensor:
    """Sum over layers of the mean absolute difference of activations (Eq. 3)."""
    differences = [(a.float() - b.float()).abs().mean() for a, b in zip(pred_features, target_features, strict=True)]
    return torch.stack(differences).sum()


def texture(pred: Tensor, target: Tensor, mask: Tensor, window: int = 16) -> Tensor:
    """Mean absolute difference of local strengths of the gradient in the hole: how much detail, not where it lies.

    The strength is the mean length of the grey picture's gradient over the hole's pixels of a square window; windows
    overlap by half. Unlike a distance of pixels it does not punish detail that is a little out of place, which a blur
    avoids by having none.

    Args:
        pred: (B, 3, H, W) in [0, 1].
        target: (B, 3, H, W) in [0, 1].
        mask: (B, 1, H, W), 1 = missing.
        window: side of the windows, pixels; even.

    Returns:
        Scalar; windows count by their share of the hole, pictures equally, one without a hole as 0.
    """
    hole = F.avg_pool2d(mask, window, window // 2, window // 2)
    strengths = [
        F.avg_pool2d(_gradient_length(image) * mask, window, window // 2, window // 2) for image in (pred, target)
    ]
    difference = (strengths[0] - strengths[1]).abs()
    return (difference.sum((1, 2, 3)) / hole.sum((1, 2, 3)).clamp(min=1e-6)).mean()


def _gradient_length(image: Tensor) -> Tensor:
    """(B, C, H, W) to (B, 1, H, W): length of the forward differences of the channels' mean; the last ones are 0."""
    grey = image.mean(1, keepdim=True)
    down = F.pad(grey[:, :, 1:] - grey[:, :, :-1], (0, 0, 0, 1))
    right = F.pad(grey[..., 1:] - grey[..., :-1], (0, 1, 0, 0))
    # The root has no derivative at 0. A thousandth is a quarter of a grey level of 256.
    return (down.square() + right.square() + 1e-6).sqrt()


def hinge_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """relu(1 - D(real)) + relu(1 + D(fake)), means over the batch (Eq. 4)."""
    return F.relu(1 - real).mean() + F.relu(1 + fake).mean()


def wasserstein_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """D(fake) - D(real), means over the batch (WGAN)."""
    return fake.mean() - real.mean()


def adversarial_generator(fake: Tensor) -> Tensor:
    """-D(fake), mean over the batch (Eq. 5); the same for hinge and WGAN."""
    return -fake.mean()


def gradient_penalty(critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, mixing: Tensor) -> Tensor:
    """Mean of (|gradient of the critic at interpolates of whole images| - 1)^2 (Gulrajani et al. 2017).

    Args:
        critic: (B, 3, H, W) to (B, 1).
        real: (B, 3, H, W).
        fake: (B, 3, H, W), detached.
        mixing: (B,) in [0, 1], the share of ``real``.
    """
    mixed = torch.lerp(fake, real, mixing[:, None, None, None]).requires_grad_(True)
    (gradient,) = torch.autograd.grad(critic(mixed).sum(), mixed, create_graph=True)
    length = gradient.float().flatten(1).square().sum(1).add(1e-12).sqrt()
    return (length - 1).square().mean()
