"""What a state file of a run holds: the networks with their optimizers, and how far the run is."""

import copy
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from temperfill.checkpoint import check_finite, load_generator, load_state, load_tensors
from temperfill.config import TrainConfig
from temperfill.nets.discriminator import Discriminator
from temperfill.nets.generator import Generator


@dataclass
class Progress:
    """How far a run is: all of it that is not a tensor.

    Attributes:
        step: steps done.
        best_loss: lowest validation loss.
        best_step: its step.
        stale_validations: validations since then.
        seconds: time spent in all starts.
        pictures: number of training pictures; 0 if unknown.
        corrupt: indices of the unreadable ones met so far.
    """

    step: int = 0
    best_loss: float = math.inf
    best_step: int = 0
    stale_validations: int = 0
    seconds: float = 0.0
    pictures: int = 0
    corrupt: list[int] = field(default_factory=list)


class Networks:
    """Both networks, their optimizers, and the averaged generator: what a state file holds."""

    def __init__(self, config: TrainConfig) -> None:
        with torch.random.fork_rng():
            torch.manual_seed(config.seed)
            self.generator = Generator(config.generator)
            self.discriminator = Discriminator(config.discriminator, normalised=config.loss.adversarial == "hinge")
        self.ema = copy.deepcopy(self.generator).eval().requires_grad_(False)
        betas = (config.beta1, config.beta2)
        self.generator_optimizer = torch.optim.Adam(self.generator.parameters(), config.learning_rate, betas)
        self.discriminator_optimizer = torch.optim.Adam(self.discriminator.parameters(), config.learning_rate, betas)

    def start_from(self, path: Path) -> None:
        """Takes the weights of another run: its averaged generator and its discriminator; or a generator alone.

        Raises:
            OSError: cannot be read.
            ValueError: damaged, or networks of another shape.
        """
        if path.is_dir():
            state = load_state(path / "state.pt")["networks"]
            load_tensors(self.generator, state["ema"], f"{path}: generator")
            load_tensors(self.discriminator, state["discriminator"], f"{path}: discriminator")
        else:
            load_tensors(self.generator, load_generator(path).state_dict(), str(path))
        self.ema.load_state_dict(self.generator.state_dict())

    def state(self) -> dict[str, Any]:
        return {name: part.state_dict() for name, part in vars(self).items()}

    def load(self, state: dict[str, Any], where: str) -> None:
        """Takes over a state; call it after ``to``, as optimizers keep theirs where the weights are.

        Raises:
            ValueError: it does not fit.
        """
        try:
            for name, part in vars(self).items():
                if isinstance(part, nn.Module):
                    load_tensors(part, state[name], f"{where}: {name}")
                else:
                    part.load_state_dict(state[name])
        except KeyError as error:
            raise ValueError(f"{where} lacks {error}; remove it to start anew") from None

    def check_finite(self, where: str) -> None:
        """Raises ValueError if a weight is not finite, naming it."""
        for name in ("generator", "discriminator", "ema"):
            check_finite(getattr(self, name).state_dict(), f"{where}: {name}")

    def to(self, device: torch.device) -> "Networks":
        for part in (self.generator, self.discriminator, self.ema):
            part.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        return self

    @torch.no_grad()
    def average(self, decay: float) -> None:
        for average, parameter in zip(self.ema.parameters(), self.generator.parameters(), strict=True):
            average.lerp_(parameter, 1 - decay)
