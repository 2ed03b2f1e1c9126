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
