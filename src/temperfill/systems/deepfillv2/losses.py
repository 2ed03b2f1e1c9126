"""The losses of DeepFillv2 (Yu et al. 2019, section 3.4): L1 of both images, and the hinge loss of SN-PatchGAN."""

import torch
from torch import Tensor, nn

from temperfill import losses
from temperfill.data import Batch
from temperfill.nets.network import GeneratorOutput
from temperfill.systems.building import Recipe
from temperfill.systems.deepfillv2 import DeepFillV2Run
from temperfill.systems.deepfillv2.discriminator import SNPatchGAN


def build_discriminator(config: DeepFillV2Run) -> SNPatchGAN:
    """SN-PatchGAN."""
    return SNPatchGAN(config.discriminator)


def generator_terms(
    config: DeepFillV2Run, batch: Batch, output: GeneratorOutput, _: nn.Module | None
) -> dict[str, Tensor]:
    """L1 distances over the whole picture."""
    loss = config.loss
    return {
        "coarse": loss.coarse_weight * losses.reconstruction(output.coarse, batch.image, batch.mask, 1.0),
        "refined": loss.refined_weight * losses.reconstruction(output.refined, batch.image, batch.mask, 1.0),
    }


def discriminator_terms(
    _: DeepFillV2Run,
    discriminator: nn.Module,
    unwrapped: nn.Module,
    batch: Batch,
    output: GeneratorOutput,
    fake: Tensor,
    step: int,
) -> dict[str, Tensor]:
    """Half of the hinge loss, over every element of the judgements."""
    scores = discriminator(torch.cat([batch.image, fake]), torch.cat([batch.mask, batch.mask])).float()
    return {"discriminator": 0.5 * losses.hinge_discriminator(*scores.chunk(2))}


def adversarial_terms(
    config: DeepFillV2Run, unwrapped: nn.Module, batch: Batch, _: GeneratorOutput, fake: Tensor
) -> dict[str, Tensor]:
    """Minus the mean of the judgements."""
    judged = unwrapped(fake, batch.mask).float()
    return {"adversarial": config.loss.adversarial_weight * losses.adversarial_generator(judged)}


RECIPE = Recipe(
    generator_terms,
    discriminator=build_discriminator,
    discriminator_terms=discriminator_terms,
    adversarial_terms=adversarial_terms,
)
