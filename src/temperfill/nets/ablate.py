"""Parts of a trained generator switched off, to see what they do (the paper's Fig. 8)."""

import torch
from torch import Tensor, nn

from temperfill.attention import TemperatureNetwork
from temperfill.nets.generator import Generator
from temperfill.nets.layers import last_width

ABLATED = {
    "full": "nothing is switched",
    "convolution-only": "what the attention branch gives to the decoder is zero, carried detail too",
    "attention-only": "what the convolution branch gives to the decoder is zero",
    "high-temperature": "every head takes the highest of the picture's temperatures",
    "low-temperature": "every head takes the lowest of the picture's temperatures",
}
"""Ablations of a trained generator, and what they do."""


def ablate(generator: Generator, name: str) -> None:
    """Switches a part of a generator off for good, by hooks; its weights stay as they are.

    Args:
        generator: with both branches.
        name: of ABLATED.

    Raises:
        ValueError: an unknown name, or the generator lacks the branch or the temperatures.
    """
    if name not in ABLATED:
        raise ValueError(f"unknown ablation {name!r}; known are {', '.join(ABLATED)}")
    refinement = generator.refinement
    branch = refinement.attention_branch
    if branch is None or refinement.convolution_branch is None:
        raise ValueError("branches can only be switched off in a generator that has both")
    if name.endswith("-only"):
        attention_off = name == "convolution-only"
        width = last_width(refinement.convolution_branch)

        def silence(_: nn.Module, inputs: tuple[Tensor, Tensor | None]) -> tuple[Tensor, Tensor | None]:
            features, detail = inputs
            convolution, attention = features[:, :width], features[:, width:]  # in this order
            if attention_off:
                silent = None if detail is None else torch.zeros_like(detail)
                return torch.cat([convolution, torch.zeros_like(attention)], 1), silent
            return torch.cat([torch.zeros_like(convolution), attention], 1), detail

        refinement.decoder.register_forward_pre_hook(silence)
    elif name.endswith("-temperature"):
        parts = [] if branch.attention is None else branch.attention.modules()
        network = next((part for part in parts if isinstance(part, TemperatureNetwork)), None)
        if network is None:
            raise ValueError(f"the attention {generator.config.attention} has no learned temperatures")
        highest = name == "high-temperature"

        def level(_: nn.Module, __: tuple[Tensor, ...], temperatures: Tensor) -> Tensor:
            chosen = temperatures.amax(1, keepdim=True) if highest else temperatures.amin(1, keepdim=True)
            return chosen.expand_as(temperatures)

        network.register_forward_hook(level)
