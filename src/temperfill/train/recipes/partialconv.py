"""The losses of partial convolutions (Liu et al. 2018, section 3.3); there is no discriminator."""

from torch import Tensor, nn

from temperfill import losses
from temperfill.config import PartialConvRun
from temperfill.data import Batch
from temperfill.nets.generator import GeneratorOutput
from temperfill.nets.vgg import VGGFeatures
from temperfill.tensors import composite


class Distances(nn.Module):
    """VGG distances and distances of Gram matrices of output and composite from the truth."""

    def __init__(self, vgg: VGGFeatures) -> None:
        super().__init__()
        self.vgg = vgg

    def forward(self, output: Tensor, composed: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Three (B, 3, H, W) in [0, 1] to the perceptual and the style distance, sums over output and composite."""
        truth = self.vgg(target)
        pairs = [(self.vgg(image), truth) for image in (output, composed)]
        first, second = ([distance(*pair) for pair in pairs] for distance in (losses.perceptual, losses.style))
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
        perceptual, style = distance(output.refined, composed, image)
        terms |= {"perceptual": loss.perceptual_weight * perceptual, "style": loss.style_weight * style}
    return terms | {"variation": loss.variation_weight * losses.total_variation(composed, mask)}
