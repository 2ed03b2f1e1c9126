"""One update of both networks, by the terms of their losses that the method's recipe gives, and the learning rate."""

import math
from typing import Any, cast

import torch
from torch import Tensor, nn

from temperfill.config import RunConfig
from temperfill.data import Batch
from temperfill.nets.network import GeneratorOutput
from temperfill.nets.vgg import VGGFeatures
from temperfill.systems.building import recipe_of
from temperfill.tensors import composite
from temperfill.train.networks import Networks


def learning_rate(config: RunConfig, step: int) -> float:
    """Learning rate of the generator in a step; a function of the step alone."""
    rate = config.learning_rate
    if step < config.warmup_steps:
        return rate * (step + 1) / config.warmup_steps
    if config.schedule == "cosine":
        share = (step - config.warmup_steps) / max(config.num_steps - config.warmup_steps, 1)
        return rate * (0.01 + 0.99 * (1 + math.cos(math.pi * min(share, 1))) / 2)
    if config.schedule == "linear":
        return rate * min(1.0, 2 * max(1 - step / config.num_steps, 0.0))
    return rate


def finite_values(terms: dict[str, Tensor], step: int, fabric: Any) -> dict[str, float]:
    """Values of the terms of a step, counted from 0: means over all processes, so that all find the same.

    Raises:
        ValueError: one is not finite; the run folder keeps the last good state.
    """
    means = fabric.all_reduce(torch.stack([t.detach().float() for t in terms.values()]), reduce_op="mean")
    values = dict(zip(terms, means.tolist(), strict=True))
    for name, value in values.items():
        if not math.isfinite(value):
            raise ValueError(
                f"the {name} loss became {value} at step {step + 1}; the last saved state is kept, if "
                "there is one: lower the learning rate and start a new run, from that state with --init-path"
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

    def __init__(self, config: RunConfig, networks: Networks, fabric: Any) -> None:
        vgg = _load_vgg(config)
        self.config = config
        self.recipe = recipe_of(config.method)
        self.fabric = fabric
        self.networks = networks

        def compiled(module: nn.Module) -> nn.Module:
            return cast(nn.Module, torch.compile(module)) if config.machine.compile else module

        self.generator, self.generator_optimizer = fabric.setup(
            compiled(networks.generator.train()), networks.generator_optimizer
        )
        self.discriminator: nn.Module | None = None
        if networks.discriminator is not None:
            discriminator = networks.discriminator.train()
            # The double backward pass of a gradient penalty does not compile.
            penalised = config.loss.has_gradient_penalty
            self.discriminator, self.discriminator_optimizer = fabric.setup(
                discriminator if penalised else compiled(discriminator), networks.discriminator_optimizer
            )
        self.distances: nn.Module | None = None
        if vgg is not None:
            assert self.recipe.distances is not None
            vgg.to(fabric.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
            self.distances = compiled(self.recipe.distances(config, vgg))

    def __call__(
        self, batch: Batch, step: int, rate: float | None = None, decay: float | None = None
    ) -> tuple[dict[str, float], Tensor]:
        """Updates both networks; gives the values of all loss terms and the temperatures (B, heads), on the CPU.

        A GPU is waited for once, before the generator's backward pass: while it works on that, the next batch is made.

        Args:
            batch: on the device, ``centre`` and what follows it excepted.
            step: its number, from 0.
            rate: learning rate of the generator; None takes that of the configuration for this step.
            decay: of the averaged weights, likewise.

        Raises:
            ValueError: a term is not finite.
        """
        config, discriminator = self.config, self.networks.discriminator
        rate = learning_rate(config, step) if rate is None else rate
        _set_rate(self.generator_optimizer, rate)
        self.networks.generator.set_step(step)
        output = self.generator(*batch.given)
        output = output._replace(coarse=output.coarse.float(), refined=output.refined.float())
        fake = composite(output.refined, batch.image, batch.mask)
        judged: dict[str, Tensor] = {}
        adversarial = discriminator is not None and config.loss.adversarial_weight > 0
        if adversarial:
            _set_rate(self.discriminator_optimizer, rate * config.discriminator_rate)
            judged = self._discriminator_terms(batch, output, fake, step)
            self._update(self.discriminator_optimizer, judged)
        with self.fabric.autocast():
            terms = self.recipe.generator_terms(config, batch, output, self.distances)
            if adversarial and step >= config.loss.adversarial_start:
                terms |= self._adversarial_terms(batch, output, fake)
        values = finite_values(judged | terms, step, self.fabric)
        temperatures = output.temperatures.detach().float().cpu()
        self._update(self.generator_optimizer, terms)
        self.networks.average(min(config.ema_decay, (1 + step) / (10 + step)) if decay is None else decay)
        return values, temperatures

    def _discriminator_terms(self, batch: Batch, output: GeneratorOutput, fake: Tensor, step: int) -> dict[str, Tensor]:
        assert self.recipe.discriminator_terms is not None
        unwrapped, output = self.networks.discriminator, GeneratorOutput(*(x.detach() for x in output))
        return self.recipe.discriminator_terms(
            self.config, self.discriminator, unwrapped, batch, output, fake.detach(), step
        )

    def _adversarial_terms(self, batch: Batch, output: GeneratorOutput, fake: Tensor) -> dict[str, Tensor]:
        """The generator's terms from the discriminator, which is frozen and called unwrapped."""
        unwrapped = self.networks.discriminator
        assert unwrapped is not None
        assert self.recipe.adversarial_terms is not None
        unwrapped.requires_grad_(False)
        terms = self.recipe.adversarial_terms(self.config, unwrapped, batch, output, fake)
        unwrapped.requires_grad_(True)
        return terms

    def _update(self, optimizer: Any, terms: dict[str, Tensor]) -> None:
        optimizer.zero_grad(set_to_none=True)
        self.fabric.backward(torch.stack([term.float() for term in terms.values()]).sum())
        optimizer.step()


def _set_rate(optimizer: Any, rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate


def _load_vgg(config: RunConfig) -> VGGFeatures | None:
    """The features of the perceptual loss; raises ValueError or OSError if it is wanted without its weights."""
    wanted = [name for name in config.loss.VGG_WEIGHTS if getattr(config.loss, name) > 0]
    if not wanted:
        return None
    deep = config.loss.needs_whole_vgg
    if config.machine.perceptual_path is None:
        files = (
            "torchvision's vgg19-dcbb9e9d.pth"
            if deep
            else ("torchvision's vgg16-397923af.pth or a VGG-19 safetensors file")
        )
        without = " and ".join(f"--loss.{name.replace('_', '-')} 0" for name in wanted)
        raise ValueError(
            f"the perceptual loss needs VGG weights: give --machine.perceptual-path ({files}) or set {without}"
        )
    return VGGFeatures.from_file(config.machine.perceptual_path, deep, narrow=True)
