"""What a state file of a run holds: the networks with their optimizers, and how far the run is."""

import copy
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from temperfill.config import RunConfig
from temperfill.config.values import LARGEST
from temperfill.runs.folder import load_state
from temperfill.systems.building import build, recipe_of, sized
from temperfill.weights_files import check_finite, check_tensors, load_generator, load_tensors
from temperfill.weights_reading import terms_of

_AVERAGED_BUFFERS = ("running_mean", "running_var")


@dataclass
class RunState:
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

    @classmethod
    def read(cls, progress: dict[str, Any], where: str) -> "RunState":
        """The state of a run from a file.

        Raises:
            ValueError: other fields, or values that a run does not have; names the file.
        """
        try:
            state = cls(**progress)
        except TypeError as error:
            raise ValueError(f"{where} is of another version ({error}); remove it to start anew") from None
        whole = (state.step, state.best_step, state.stale_validations, state.pictures)
        numbers = (state.best_loss, state.seconds)
        corrupt: object = state.corrupt
        fits = isinstance(corrupt, list) and all(_is_count(value) for value in (*whole, *corrupt))
        fits = fits and all(type(value) in (int, float) and not math.isnan(value) for value in numbers)
        if not fits:
            raise ValueError(f"{where} says of the run what cannot be; remove it to start anew")
        return state


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < LARGEST


class Networks:
    """Both networks, their optimizers, and the averaged generator: what a state file holds.

    A method without a discriminator has None in its place and in that of its optimizer.
    """

    def __init__(self, config: RunConfig) -> None:
        with torch.random.fork_rng():
            torch.manual_seed(config.seed)
            self.generator = build(config.generator)
            discriminator = recipe_of(config.method).discriminator
            self.discriminator = None if discriminator is None else sized(lambda: discriminator(config))
        self.ema = copy.deepcopy(self.generator).eval().requires_grad_(False)
        betas, judge = (config.beta1, config.beta2), self.discriminator
        self.generator_optimizer = torch.optim.Adam(self.generator.parameters(), config.learning_rate, betas)
        self.discriminator_optimizer = (
            None if judge is None else torch.optim.Adam(judge.parameters(), config.learning_rate, betas)
        )

    def _parts(self) -> dict[str, Any]:
        return {name: part for name, part in vars(self).items() if part is not None}

    def start_from(self, path: Path) -> None:
        """Takes the weights of another run: its averaged generator and its discriminator; or a generator alone.

        What comes of them has their terms of use. A generator that takes sketches can start from one that does not.

        Raises:
            OSError: cannot be read.
            ValueError: damaged, or networks of another shape.
        """
        if path.is_dir():
            state = load_state(path / "state.pt")["networks"]
            load_tensors(self.generator, self._widened(state.get("ema", {})), f"{path}: generator")
            if self.discriminator is not None:
                load_tensors(self.discriminator, state.get("discriminator", {}), f"{path}: discriminator")
        else:
            load_tensors(self.generator, self._widened(load_generator(path).state_dict()), str(path))
        self.ema.load_state_dict(self.generator.state_dict())
        self.ema.terms = terms_of(path / "generator.safetensors" if path.is_dir() else path)

    def _widened(self, weights: dict[str, Tensor]) -> dict[str, Tensor]:
        """Weights of a generator without a sketch for one that takes it: it sees the fifth channel, and ignores it."""
        check_tensors(weights, "the generator")
        own = self.generator.state_dict()
        result = dict(weights)
        for name, weight in weights.items():
            if name in own and weight.dim() == 4 and weight.shape[1] == 4 and own[name].shape[1] == 5:
                result[name] = F.pad(weight, (0, 0, 0, 0, 0, 1))
        return result

    def state(self) -> dict[str, Any]:
        return {name: part.state_dict() for name, part in self._parts().items()}

    def load(self, state: dict[str, Any], where: str) -> None:
        """Takes over a state; call it after ``to``, as optimizers keep theirs where the weights are.

        Raises:
            ValueError: it does not fit.
        """
        try:
            for name, part in self._parts().items():
                if isinstance(part, nn.Module):
                    load_tensors(part, state[name], f"{where}: {name}")
                else:
                    _load_optimizer(part, state[name], f"{where}: {name}")
        except KeyError as error:
            raise ValueError(f"{where} lacks {error}; remove it to start anew") from None

    def check_finite(self, where: str) -> None:
        """Raises ValueError if a weight is not finite, naming it."""
        for name, part in self._parts().items():
            if isinstance(part, nn.Module):
                check_finite(part.state_dict(), f"{where}: {name}")

    def to(self, device: torch.device) -> "Networks":
        for part in self._parts().values():
            if isinstance(part, nn.Module):
                part.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        return self

    @torch.no_grad()
    def average(self, decay: float) -> None:
        """Moves the averaged generator towards the trained one.

        Means and variances of batch normalisation are averaged with the weights that they go with; the vectors of
        spectral normalisation are taken over, as averages of them would be no unit vectors.
        """
        for average, parameter in zip(self.ema.parameters(), self.generator.parameters(), strict=True):
            average.lerp_(parameter, 1 - decay)
        for (name, kept), buffer in zip(self.ema.named_buffers(), self.generator.buffers(), strict=True):
            if name.endswith(_AVERAGED_BUFFERS):
                kept.lerp_(buffer, 1 - decay)
            else:
                kept.copy_(buffer)


def _load_optimizer(optimizer: torch.optim.Optimizer, state: Any, where: str) -> None:
    """Gives an optimizer its state; raises ValueError, as torch does not, for moments of other shapes or no numbers."""
    fits = isinstance(state, dict) and isinstance(state.get("state"), dict)
    if not fits or not set(state["state"]) <= set(range(len(optimizer.param_groups[0]["params"]))):
        raise ValueError(f"{where} is not the state of an optimizer; remove it to start anew")
    parameters = optimizer.param_groups[0]["params"]
    for number, entry in state["state"].items():
        shape = parameters[number].shape
        moments = {"exp_avg": shape, "exp_avg_sq": shape, "step": torch.Size()}
        fits = isinstance(entry, dict) and entry.keys() == moments.keys()
        fits = fits and all(isinstance(part, Tensor) and part.shape == moments[name] for name, part in entry.items())
        if not fits:
            raise ValueError(f"{where} holds moments that do not fit; remove it to start anew")
        check_finite(entry, where)
    try:
        optimizer.load_state_dict(state)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"{where} does not fit ({error}); remove it to start anew") from None
