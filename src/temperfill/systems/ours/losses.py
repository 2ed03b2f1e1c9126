"""The losses of our network (paper, section III-B)."""

import numpy as np
import torch
from torch import Tensor, nn

from temperfill import losses
from temperfill.config import TrainConfig
from temperfill.data import Batch
from temperfill.nets.discriminator import Discriminator, local_patches
from temperfill.nets.network import GeneratorOutput
from temperfill.nets.vgg import VGGFeatures
from temperfill.systems.building import Recipe
from temperfill.tensors import composite


class PerceptualLoss(nn.Module):
    """VGG distance of two images, in one module so that it compiles as one.

    Args:
        vgg: its activations.
        layers: those that are compared, 1 for the shallowest.
    """

    def __init__(self, vgg: VGGFeatures, layers: tuple[int, ...]) -> None:
        super().__init__()
        self.vgg = vgg
        self.layers = layers

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        """Two (B, 3, H, W) in [0, 1] to a scalar."""
        found = [self.vgg(image, max(self.layers)) for image in (pred, target)]
        return losses.perceptual(*([features[layer - 1] for layer in self.layers] for features in found))


def perceptual_loss(config: TrainConfig, vgg: VGGFeatures) -> PerceptualLoss:
    """The distance that the generator's terms are given."""
    return PerceptualLoss(vgg, config.loss.perceptual_layers)


def build_discriminator(config: TrainConfig) -> Discriminator:
    """The global-local discriminator; WGAN-GP goes without spectral normalisation."""
    return Discriminator(config.discriminator, normalised=config.loss.adversarial == "hinge")


def generator_terms(
    config: TrainConfig, batch: Batch, output: GeneratorOutput, perceptual: nn.Module | None
) -> dict[str, Tensor]:
    """Weighted terms of the generator's loss but the adversarial one (Eqs. 2, 3, 6)."""
    loss, image, mask = config.loss, batch.image, batch.mask
    coarse, refined = output.coarse, output.refined
    terms = {
        "coarse": loss.coarse_weight * losses.reconstruction(coarse, image, mask, loss.hole_weight),
        "refined": loss.refined_weight * losses.reconstruction(refined, image, mask, loss.hole_weight),
    }
    if loss.texture_weight > 0:
        terms["texture"] = loss.texture_weight * losses.texture(refined, image, mask)
    if perceptual is not None:
        outputs = {"coarse": [coarse], "refined": [refined], "both": [coarse, refined]}[loss.perceptual_on]
        shown = [composite(o, image, mask) for o in outputs] if loss.perceptual_pasted else outputs
        pairs = [(output, image) for output in shown]
        if loss.perceptual_local:
            pairs = [tuple(local_patches(x, batch.centre) for x in pair) for pair in pairs]  # type: ignore[misc]
        terms["perceptual"] = loss.perceptual_weight * sum(perceptual(*pair) for pair in pairs)
    return terms


def discriminator_terms(
    config: TrainConfig,
    discriminator: nn.Module,
    unwrapped: nn.Module,
    batch: Batch,
    _: GeneratorOutput,
    fake: Tensor,
    step: int,
) -> dict[str, Tensor]:
    """Terms of the discriminator's loss (Eq. 4, or WGAN-GP).

    The penalty needs the discriminator that is not wrapped: Fabric takes every gradient to be the loss's, and the
    length of one needs the digits of fp32. Its mixing is drawn for the step and follows the samples' numbers, so that
    each process has the shares of its own samples.
    """
    scores = discriminator(torch.cat([batch.image, fake]), torch.cat([batch.centre, batch.centre])).float()
    real_scores, fake_scores = scores.chunk(2)
    if config.loss.adversarial == "hinge":
        return {"discriminator": losses.hinge_discriminator(real_scores, fake_scores)}
    drawn = np.random.default_rng([config.seed, 2, step]).random(config.batch_size, np.float32)
    mixing = torch.from_numpy(drawn)[batch.number % config.batch_size].to(fake)
    penalty = losses.gradient_penalty(lambda x: unwrapped(x, batch.centre), batch.image, fake, mixing)
    return {
        "discriminator": losses.wasserstein_discriminator(real_scores, fake_scores),
        "penalty": config.loss.gradient_penalty_weight * penalty,
    }


def adversarial_terms(
    config: TrainConfig, unwrapped: nn.Module, batch: Batch, _: GeneratorOutput, fake: Tensor
) -> dict[str, Tensor]:
    """The generator's adversarial term (Eq. 5)."""
    judged = unwrapped(fake, batch.centre).float()
    return {"adversarial": config.loss.adversarial_weight * losses.adversarial_generator(judged)}


RECIPE = Recipe(generator_terms, perceptual_loss, build_discriminator, discriminator_terms, adversarial_terms)
