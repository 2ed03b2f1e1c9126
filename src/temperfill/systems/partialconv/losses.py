"""The losses of partial convolutions (Liu et al. 2018, section 3.3); there is no discriminator."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from temperfill import losses
from temperfill.data import Batch
from temperfill.nets.network import GeneratorOutput
from temperfill.nets.vgg import VGGFeatures
from temperfill.systems.building import Recipe
from temperfill.systems.partialconv import PartialConvRun
from temperfill.tensors import composite


def gram(features: Tensor) -> Tensor:
    """Inner products of the channels over all positions, divided by C * H * W (Gatys et al. 2016).

    Args:
        features: (B, C, H, W).

    Returns:
        (B, C, C), in float32.
    """
    with torch.autocast(features.device.type, enabled=False):
        flat = features.float().flatten(2)
        return flat @ flat.transpose(1, 2) / (flat.shape[1] * flat.shape[2])


def style(pred_features: list[Tensor], target_features: list[Tensor]) -> Tensor:
    """Sum over layers of the mean absolute difference of Gram matrices (Liu et al. 2018, Eqs. 4 and 5)."""
    differences = [(gram(a) - gram(b)).abs().mean() for a, b in zip(pred_features, target_features, strict=True)]
    return torch.stack(differences).sum()


def total_variation(image: Tensor, mask: Tensor) -> Tensor:
    """Absolute differences of neighbours that both lie in the hole or one pixel around it (Liu et al. 2018, Eq. 6).

    Args:
        image: (B, 3, H, W), the composite.
        mask: (B, 1, H, W), 1 = missing.

    Returns:
        Scalar: their sum over the number of values of the image.
    """
    region = F.max_pool2d(mask, 3, 1, 1)
    down = (image[:, :, 1:] - image[:, :, :-1]).abs() * (region[:, :, 1:] * region[:, :, :-1])
    right = (image[..., 1:] - image[..., :-1]).abs() * (region[..., 1:] * region[..., :-1])
    return (down.sum() + right.sum()) / image.numel()


class Distances(nn.Module):
    """VGG distances and distances of Gram matrices of output and composite from the truth."""

    def __init__(self, vgg: VGGFeatures) -> None:
        super().__init__()
        self.vgg = vgg

    def forward(self, output: Tensor, composed: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Three (B, 3, H, W) in [0, 1] to the perceptual and the style distance, sums over output and composite."""
        truth = self.vgg(target)
        pairs = [(self.vgg(image), truth) for image in (output, composed)]
        first, second = ([distance(*pair) for pair in pairs] for distance in (losses.perceptual, style))
        return first[0] + first[1], second[0] + second[1]


def distances(_: PartialConvRun, vgg: VGGFeatures) -> Distances:
    """The distances that the generator's terms are given."""
    return Distances(vgg)


def generator_terms(
    config: PartialConvRun, batch: Batch, output: GeneratorOutput, distance: nn.Module | None
) -> dict[str, Tensor]:
    """L1 in hole and known part, perceptual, style and total variation (Eq. 7)."""
    loss, image, mask = config.loss, batch.image, batch.mask
    composed = composite(output.refined, image, mask)
    l1 = losses.reconstruction(output.refined, image, mask, loss.hole_weight)
    terms = {"refined": loss.refined_weight * l1}
    if distance is not None:
        perceptual, of_style = distance(output.refined, composed, image)
        terms |= {"perceptual": loss.perceptual_weight * perceptual, "style": loss.style_weight * of_style}
    return terms | {"variation": loss.variation_weight * total_variation(composed, mask)}


RECIPE = Recipe(generator_terms, distances)
