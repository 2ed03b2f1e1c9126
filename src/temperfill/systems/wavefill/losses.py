"""The losses of WaveFill (Yu et al. 2021, section 3.4): each of the wavelet bands has its own.

The low band has an L1 distance, the high ones the hinge loss and feature matching of a discriminator for each level,
which sees the generator's own bands, not pasted; and VGG-19 compares whole images.
"""

import torch
from torch import Tensor, nn

from temperfill import losses
from temperfill.attention.patches import reduce_mask
from temperfill.data import Batch
from temperfill.nets.network import GeneratorOutput
from temperfill.nets.vgg import VGGFeatures
from temperfill.systems.building import Recipe
from temperfill.systems.wavefill import WaveFillRun
from temperfill.systems.wavefill.discriminator import WaveFillDiscriminator
from temperfill.systems.wavefill.wavelet import haar

LAYER_WEIGHTS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0)
"""Of the layers of the VGG distance, from the first on."""
CONTENT_LAYER = 3


def relative_reconstruction(pred: Tensor, target: Tensor, mask: Tensor, hole_weight: float) -> Tensor:
    """Mean absolute difference over the hole, weighted, plus that over the known part, each by its own size (WaveFill).

    Every picture has its own sizes, so that a batch split over ranks gives the same loss.

    Args:
        pred: (B, C, H, W).
        target: (B, C, H, W).
        mask: (B, 1, H, W), 1 = missing.
        hole_weight: factor on the mean over the hole.

    Returns:
        Scalar; an empty part counts as 0.
    """
    difference = (pred - target).abs().mean(1, keepdim=True)
    parts = [(difference * part).sum((1, 2, 3)) / part.sum((1, 2, 3)).clamp(min=1) for part in (mask, 1 - mask)]
    return (hole_weight * parts[0] + parts[1]).mean()


def feature_matching(fake: list[list[Tensor]], real: list[list[Tensor]]) -> Tensor:
    """Mean absolute difference of a discriminator's features, summed over layers, mean over its parts.

    Args:
        fake: for each part of the discriminator the features of its layers.
        real: likewise; they get no gradient.
    """
    sums = [losses.perceptual(a, [x.detach() for x in b]) for a, b in zip(fake, real, strict=True)]
    return torch.stack(sums).mean()


class Distances(nn.Module):
    """Weighted L1 distance of VGG's layers, and the squared distance at relu4_2 where the weights reach it."""

    def __init__(self, vgg: VGGFeatures) -> None:
        super().__init__()
        self.vgg = vgg

    def forward(self, pred: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Two (B, 3, H, W) in [0, 1] to two scalars."""
        pairs = [(a.float(), b.float()) for a, b in zip(self.vgg(pred), self.vgg(target), strict=True)]
        # The shortened VGG gives fewer layers than there are weights.
        layers = [w * (a - b).abs().mean() for w, (a, b) in zip(LAYER_WEIGHTS, pairs, strict=False)]
        content = (pairs[CONTENT_LAYER][0] - pairs[CONTENT_LAYER][1]).square().mean() if len(pairs) > 3 else None
        return torch.stack(layers).sum(), layers[0].new_zeros(()) if content is None else content


def distances(_: WaveFillRun, vgg: VGGFeatures) -> Distances:
    """The distances that the generator's terms are given."""
    return Distances(vgg)


def build_discriminator(config: WaveFillRun) -> WaveFillDiscriminator:
    """The discriminator of high bands."""
    return WaveFillDiscriminator(config.discriminator)


def low_band(image: Tensor) -> Tensor:
    """(B, 3, H, W) in [0, 1] to the low band (B, 3, H/4, W/4) of the second level, of the image in [-1, 1]."""
    return haar(haar(image * 2 - 1)[0])[0]


def generator_terms(
    config: WaveFillRun, batch: Batch, output: GeneratorOutput, distance: nn.Module | None
) -> dict[str, Tensor]:
    """L1 of the low band, and VGG distances of the image."""
    loss = config.loss
    low, truth = low_band(output.refined), low_band(batch.image)
    mask = reduce_mask(batch.mask, (low.shape[2], low.shape[3]))
    l1 = relative_reconstruction(low, truth, mask, loss.hole_weight)
    terms = {"low": loss.refined_weight * l1}
    if distance is not None:
        perceptual, content = distance(output.refined, batch.image)
        terms["perceptual"] = loss.perceptual_weight * perceptual
        if loss.content_weight > 0:
            terms["content"] = loss.content_weight * content
    return terms


def _judged(
    discriminator: nn.Module, batch: Batch, output: GeneratorOutput
) -> tuple[list[list[Tensor]], list[list[Tensor]]]:
    """Features of real and of fake bands, for each part of the discriminator, from one batch of both."""
    features = discriminator(torch.cat([batch.image, output.refined]), torch.cat([batch.centre, batch.centre]))
    halves = [[x.float().chunk(2) for x in part] for part in features]
    real, fake = ([[layer[i] for layer in part] for part in halves] for i in range(2))
    return real, fake


def discriminator_terms(
    _: WaveFillRun,
    discriminator: nn.Module,
    unwrapped: nn.Module,
    batch: Batch,
    output: GeneratorOutput,
    fake: Tensor,
    step: int,
) -> dict[str, Tensor]:
    """Hinge loss: mean over the parts of a level, sum over levels."""
    hinges = [
        losses.hinge_discriminator(a[-1], b[-1]) for a, b in zip(*_judged(discriminator, batch, output), strict=True)
    ]
    return {"discriminator": torch.stack(hinges).sum() / 2}


def adversarial_terms(
    config: WaveFillRun, unwrapped: nn.Module, batch: Batch, output: GeneratorOutput, fake: Tensor
) -> dict[str, Tensor]:
    """Minus the mean of the judgements, and feature matching: mean over the parts of a level, sum over levels."""
    real, judged = _judged(unwrapped, batch, output)
    hinge = torch.stack([losses.adversarial_generator(part[-1]) for part in judged]).sum() / 2
    matching = 2 * feature_matching([part[:-1] for part in judged], [part[:-1] for part in real])
    return {
        "adversarial": config.loss.adversarial_weight * hinge,
        "matching": config.loss.matching_weight * matching,
    }


RECIPE = Recipe(generator_terms, distances, build_discriminator, discriminator_terms, adversarial_terms)
