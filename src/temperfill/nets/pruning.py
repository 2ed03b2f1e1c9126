"""Structured pruning of the generator: whole channels of its gated convolutions go, and the network gets smaller.

A channel of a gated convolution is a pair, its feature and its gate, and a column of every convolution that reads it.
Features that the attention sees are left alone: its projections and its temperature network build on them. Importance
is the first-order change of a loss when a channel is set to zero (Molchanov et al., Pruning Convolutional Neural
Networks for Resource Efficient Inference, ICLR 2017).
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from temperfill.nets.generator import Generator
from temperfill.nets.layers import GatedConv2d
from temperfill.nets.network import GeneratorOutput

_SEEN_BY_ATTENTION = "refinement.attention_branch.before.5"
_DECODER = "refinement.decoder"
MULTIPLE = 4
"""Channels are kept in multiples of it, which suits the processors' vectors."""

Read = list[tuple[str | None, int]]
"""What the input channels of a convolution are, in order: the gated convolution whose result they are (None: something
that is not pruned), and how many."""


def gated_convolutions(generator: Generator) -> dict[str, GatedConv2d]:
    """The gated convolutions by name, in the order in which ``GeneratorConfig.widths`` counts them."""
    return {name: part for name, part in generator.named_modules() if isinstance(part, GatedConv2d)}


def importance(
    generator: Generator, loss: Callable[[GeneratorOutput, Tensor, Tensor], Tensor], image: Tensor, mask: Tensor
) -> dict[str, Tensor]:
    """How much a loss depends on each channel of each gated convolution, to first order.

    Args:
        generator: in evaluation mode; its weights are not changed.
        loss: of the output, the image and the mask; a scalar.
        image: (B, 3, H, W) in [0, 1].
        mask: (B, 1, H, W), 1 = missing.

    Returns:
        By name of the convolution, (channels,): the mean over pictures of the absolute sum over positions of the value
        times its gradient.
    """
    kept: dict[str, Tensor] = {}

    def keep(name: str) -> Callable[[nn.Module, Any, Tensor], None]:
        def hook(_: nn.Module, __: Any, result: Tensor) -> None:
            result.retain_grad()
            kept[name] = result

        return hook

    handles = [layer.register_forward_hook(keep(name)) for name, layer in gated_convolutions(generator).items()]
    before = {parameter: parameter.requires_grad for parameter in generator.parameters()}
    try:
        generator.requires_grad_(True)
        with torch.enable_grad():
            value = loss(generator(image, mask), image, mask)
            value.backward()
    finally:
        for handle in handles:
            handle.remove()
        for parameter, wanted in before.items():
            parameter.requires_grad_(wanted).grad = None
    scores = {}
    for name, result in kept.items():
        gradient = torch.zeros_like(result) if result.grad is None else result.grad
        scores[name] = (result.detach() * gradient).sum((2, 3)).abs().mean(0)
    return scores


def chosen(scores: dict[str, Tensor], share: float) -> dict[str, Tensor]:
    """The channels to keep: of each gated convolution the same share, the most important ones, in their order.

    Args:
        scores: from ``importance``.
        share: of the channels, above 0 and at most 1; rounded to multiples of ``MULTIPLE``.

    Returns:
        Sorted numbers of channels by name.
    """
    kept = {}
    for name, score in scores.items():
        number = len(score)
        if name != _SEEN_BY_ATTENTION:
            number = min(max(round(number * share / MULTIPLE), 1) * MULTIPLE, number)
        kept[name] = score.topk(number).indices.sort().values
    return kept


def pruned(generator: Generator, kept: dict[str, Tensor]) -> Generator:
    """A smaller generator with the channels that are kept.

    Args:
        generator: its weights are copied.
        kept: sorted numbers of channels of every gated convolution by name.

    Raises:
        ValueError: channels that the attention sees would go.
    """
    layers = gated_convolutions(generator)
    smaller = Generator(replace(generator.config, widths=tuple(len(kept[name]) for name in layers)))
    state = dict(generator.state_dict())
    for name, read in _reads(generator).items():
        columns, start = [], 0
        for source, number in read:
            own = torch.arange(number) if source is None else kept[source]
            columns.append(own + start)
            start += number
        weight, bias = (f"{name}.convolution.{part}" if name in layers else f"{name}.{part}" for part in _PARTS)
        state[weight] = state[weight][:, torch.cat(columns)]
        if name in layers:
            rows = torch.cat([kept[name], kept[name] + layers[name].width])  # features, then their gates
            state[weight], state[bias] = state[weight][rows], state[bias][rows]
    smaller.load_state_dict(state)
    return smaller.train(generator.training)


_PARTS = ("weight", "bias")


def _reads(generator: Generator) -> dict[str, Read]:
    """What every convolution reads whose input or output may shrink, by name."""
    layers = gated_convolutions(generator)
    reads: dict[str, Read] = {}
    first: Read = [(None, 5 if generator.config.sketch else 4)]
    features: Read = [(None, 4 * generator.config.width)]  # of the attention's result

    def chain(prefix: str, read: Read) -> Read:
        for name in layers:
            if name.rpartition(".")[0] == prefix:
                reads[name] = read
                read = [(name, layers[name].width)]
        return read

    reads[f"coarse.{len(generator.coarse) - 2}"] = chain("coarse", first)  # the last but Tanh
    refinement, branches = generator.refinement, []
    if refinement.convolution_branch is not None:
        branches += chain("refinement.convolution_branch", first)
    if refinement.attention_branch is not None:
        chain("refinement.attention_branch.before", first)
        branches += chain("refinement.attention_branch.after", features)
    read = chain(f"{_DECODER}.up", branches)
    last = layers[f"{_DECODER}.last"]
    detail = last.convolution.in_channels - read[0][1]
    reads[f"{_DECODER}.last"] = [*read, (None, detail)] if detail else read
    reads[f"{_DECODER}.output"] = [(f"{_DECODER}.last", last.width)]
    return reads
