"""Distances of feature maps, one value per picture: (B,) float64.

The lists of maps are those that :mod:`temperfill.nets.vgg`, :mod:`temperfill.nets.squeezenet` and
:mod:`temperfill.nets.lpips` give.
"""

from collections.abc import Sequence

import torch
from torch import Tensor


def _check_features(features_a: list[Tensor], features_b: list[Tensor]) -> None:
    shapes_a, shapes_b = ([tuple(f.shape) for f in features] for features in (features_a, features_b))
    if not shapes_a or shapes_a != shapes_b or any(len(shape) != 4 for shape in shapes_a):
        raise ValueError(f"both lists must hold (B, C, h, w) maps of the same shapes, got {shapes_a} and {shapes_b}")


def _unit(features: Tensor, floor: float) -> Tensor:
    """Each position's vector at unit length, in float64; the floor is added to lengths."""
    features = features.double()
    return features / (features.norm(dim=1, keepdim=True) + floor)


def vgg_distance(features_a: list[Tensor], features_b: list[Tensor]) -> Tensor:
    """Sum over layers of the mean absolute difference of VGG's activations; lower is better.

    Args:
        features_a: maps (B, C, h, w) of one image, one per layer.
        features_b: those of the other.

    Returns:
        (B,), 0 for equal pictures.

    Raises:
        ValueError: the lists differ in length or shapes, or are empty.
    """
    _check_features(features_a, features_b)
    layers = [
        (a - b).abs().flatten(1).mean(1, dtype=torch.float64) for a, b in zip(features_a, features_b, strict=True)
    ]
    return torch.stack(layers).sum(0)


def squeeze_distance(features_a: list[Tensor], features_b: list[Tensor]) -> Tensor:
    """Distance of SqueezeNet's activations, each position's vector scaled to unit length; lower is better.

    Sum over layers of the mean over positions of the squared distance of the unit vectors, which is LPIPS (Zhang et al.
    2018) without its learned weights.

    Args:
        features_a: maps (B, C, h, w) of one image, one per layer.
        features_b: those of the other.

    Returns:
        (B,), 0 for equal pictures.

    Raises:
        ValueError: the lists differ in length or shapes, or are empty.
    """
    _check_features(features_a, features_b)

    layers = [
        (_unit(a, 1e-6) - _unit(b, 1e-6)).square().sum(1).flatten(1).mean(1)
        for a, b in zip(features_a, features_b, strict=True)
    ]
    return torch.stack(layers).sum(0)


def lpips(features_a: list[Tensor], features_b: list[Tensor], heads: Sequence[Tensor]) -> Tensor:
    """LPIPS (Zhang et al. 2018, version 0.1) from a network's activations and its linear heads; lower is better.

    Sum over layers of the mean over positions of the weighted squared difference of unit vectors.

    Args:
        features_a: maps (B, C, h, w) of one image, one per layer.
        features_b: those of the other.
        heads: weights (C,) of each layer's channels.

    Returns:
        (B,), 0 for equal pictures.

    Raises:
        ValueError: the lists differ in length or shapes, or are empty.
    """
    _check_features(features_a, features_b)
    channels, weights = [f.shape[1] for f in features_a], [tuple(head.shape) for head in heads]
    if weights != [(c,) for c in channels]:
        raise ValueError(f"heads must have one weight for each of the channels {channels}, got shapes {weights}")

    layers = [
        ((_unit(a, 1e-10) - _unit(b, 1e-10)).square() * head.double().view(1, -1, 1, 1)).sum(1).flatten(1).mean(1)
        for a, b, head in zip(features_a, features_b, heads, strict=True)
    ]
    return torch.stack(layers).sum(0)
