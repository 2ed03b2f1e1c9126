"""One update of both networks: the terms of their losses (paper, section III-B), and the learning rate."""

import math
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from temperfill import losses
from temperfill.config import LossConfig, TrainConfig
from temperfill.data import Batch
from temperfill.nets.discriminator import local_patches
from temperfill.nets.vgg import VGGFeatures
from temperfill.tensors import composite
from temperfill.train.networks import Networks


def learning_rate(config: TrainConfig, step: int) -> float:
    """Learning rate of a step; a function of the step alone."""
    rate = config.learning_rate
    if step < config.warmup_steps:
        return rate * (step + 1) / config.warmup_steps
    if config.schedule == "cosine":
        share = (step - config.warmup_steps) / max(config.num_steps - config.warmup_steps, 1)
        return rate * (0.01 + 0.99 * (1 + math.cos(math.pi * min(share, 1))) / 2)
    return rate


class PerceptualLoss(nn.Module):
    """VGG distance of two images, in one module so that it compiles as one."""

    def __init__(self, vgg: VGGFeatures) -> None:
        super().__init__()
        self.vgg = vgg

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        return losses.perceptual(self.vgg(pred), self.vgg(target))


def generator_terms(
    config: LossConfig, batch: Batch, coarse: Tensor, refined: Tensor, perceptual: nn.Module | None
) -> dict[str, Tensor]:
    """Weighted terms of the generator's loss but the adversarial one (Eqs. 2, 3, 6)."""
    image, mask = batch.image, batch.mask
    terms = {
        "coarse": config.coarse_weight * losses.reconstruction(coarse, image, mask, config.hole_weight),
        "refined": config.refined_weight * losses.reconstruction(refined, image, mask, config.hole_weight),
    }
    if perceptual is not None:
        outputs = {"coarse": [coarse], "refined": [refined], "both": [coarse, refined]}[config.perceptual_on]
        pairs = [(composite(output, image, mask), image) for output in outputs]
        if config.perceptual_local:
            pairs = [tuple(local_patches(x, batch.centre) for x in pair) for pair in pairs]  # type: ignore[misc]
        terms["perceptual"] = config.perceptual_weight * sum(perceptual(*pair) for pair in pairs)
    return terms


def discriminator_terms(
    config: TrainConfig, discriminator: nn.Module, plain: nn.Module, batch: Batch, fake: Tensor, step: int
) -> dict[str, Tensor]:
    """Terms of the discriminator's loss (Eq. 4, or WGAN-GP).

    Args:
        config: the run.
        discriminator: as Fabric wraps it; real and fake go through it in one batch.
        plain: the same, not wrapped, for the penalty: Fabric takes every gradient to be the loss's, and the length of
            one needs the digits of fp32.
        batch: the samples.
        fake: (B, 3, H, W), composites, detached.
        step: draws the mixing of the penalty.
    """
    scores = discriminator(torch.cat([batch.image, fake]), torch.cat([batch.centre, batch.centre])).float()
    real_scores, fake_scores = scores.chunk(2)
    if config.loss.adversarial == "hinge":
        return {"discriminator": losses.hinge_discriminator(real_scores, fake_scores)}
    mixing = np.random.default_rng([config.seed, 2, step]).random(len(fake), np.float32)
    penalty = losses.gradient_penalty(
        lambda x: plain(x, batch.centre), batch.image, fake, torch.from_numpy(mixing).to(fake.device)
    )
    return {
        "discriminator": losses.wasserstein_discriminator(real_scores, fake_scores),
        "penalty": config.loss.gradient_penalty_weight * penalty,
    }


def finite_values(terms: dict[str, Tensor], step: int) -> dict[str, float]:
    """Values of the terms of a step, counted from 0.

    Raises:
        ValueError: one is not finite; the run folder keeps the last good state.
    """
    values = dict(zip(terms, torch.stack([t.detach().float() for t in terms.values()]).tolist(), strict=True))
    for name, value in values.items():
        if not math.isfinite(value):
            raise ValueError(
                f"the {name} loss became {value} at step {step + 1}; the last good state is kept: "
                "lower the learning rate and start a new run from it with --init-path"
            )
    return values


class Stepper:
    """One update of both networks from one forward pass of the generator.

    Args:
        config: the run.
        networks: on the device of ``fabric``, with the weights to start from.
        fabric: Lightning's Fabric, which knows device and precision.

    Raises:
        ValueError: the perceptual loss is wanted without weights, or they cannot be read.
        OSError: there is no file with them.
    """

    def __init__(self, config: TrainConfig, networks: Networks, fabric: Any) -> None:
        vgg = _load_vgg(config)
        self.config = config
        self.fabric = fabric
        self.networks = networks

        def compiled(module: nn.Module) -> nn.Module:
            return cast(nn.Module, torch.compile(module)) if config.machine.compile else module

        self.generator, self.generator_optimizer = fabric.setup(
            compiled(networks.generator.train()), networks.generator_optimizer
        )
        # The double backward pass of WGAN-GP does not compile.
        hinge = config.loss.adversarial == "hinge"
        self.discriminator, self.discriminator_optimizer = fabric.setup(
            compiled(networks.discriminator.train()) if hinge else networks.discriminator.train(),
            networks.discriminator_optimizer,
        )
        self.perceptual: nn.Module | None = None
        if vgg is not None:
            vgg.to(fabric.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
            self.perceptual = compiled(PerceptualLoss(vgg))

    def __call__(self, batch: Batch, step: int) -> tuple[dict[str, float], Tensor]:
        """Updates both networks; gives the values of all loss terms and the temperatures (B, heads).

        Raises:
            ValueError: a term is not finite.
        """
        config, networks = self.config, self.networks
        for optimizer in (self.generator_optimizer, self.discriminator_optimizer):
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(config, step)
        output = self.generator(batch.image, batch.mask)
        coarse, refined = output.coarse.float(), output.refined.float()
        fake = composite(refined, batch.image, batch.mask)
        values: dict[str, float] = {}
        adversarial = config.loss.adversarial_weight > 0
        if adversarial:
            terms = discriminator_terms(config, self.discriminator, networks.discriminator, batch, fake.detach(), step)
            values |= finite_values(terms, step)
            self._update(self.discriminator_optimizer, terms)
        with self.fabric.autocast():
            terms = generator_terms(config.loss, batch, coarse, refined, self.perceptual)
            if adversarial and step >= config.loss.adversarial_start:
                networks.discriminator.requires_grad_(False)
                judged = networks.discriminator(fake, batch.centre).float()
                networks.discriminator.requires_grad_(True)
                terms["adversarial"] = config.loss.adversarial_weight * losses.adversarial_generator(judged)
        values |= finite_values(terms, step)
        self._update(self.generator_optimizer, terms)
        networks.average(min(config.ema_decay, (1 + step) / (10 + step)))
        return values, output.temperatures.detach().float()

    def _update(self, optimizer: Any, terms: dict[str, Tensor]) -> None:
        optimizer.zero_grad(set_to_none=True)
        self.fabric.backward(torch.stack([term.float() for term in terms.values()]).sum())
        optimizer.step()


def _load_vgg(config: TrainConfig) -> VGGFeatures | None:
    """The features of the perceptual loss; raises ValueError or OSError if it is wanted without its weights."""
    if config.loss.perceptual_weight == 0:
        return None
    if config.machine.perceptual_path is None:
        raise ValueError(
            "the perceptual loss needs VGG weights: give --machine.perceptual-path (torchvision's "
            "vgg16-397923af.pth or a VGG-19 safetensors file) or set --loss.perceptual-weight 0"
        )
    return VGGFeatures.from_file(config.machine.perceptual_path)
