"""Pruning a weights file: which channels matter is measured on pictures with drawn masks."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from temperfill import losses
from temperfill.config import DataConfig
from temperfill.evaluate.validation import Batches
from temperfill.nets.generator import Generator
from temperfill.nets.network import GeneratorOutput
from temperfill.nets.pruning import chosen, importance, pruned
from temperfill.presets import BASE
from temperfill.progress import tracked
from temperfill.weights_files import load_generator, save_generator
from temperfill.weights_reading import read_metadata


def prune_weights(
    source: Path,
    output: Path,
    pictures: Sequence[Path],
    share: float,
    limit: int = 64,
    size: int = 256,
    seed: int = 0,
    progress: bool = True,
) -> tuple[int, int]:
    """Writes a generator with the most important channels of another.

    The loss that importance is measured by is the L1 distance of both outputs as in the preset base, at most 8 pictures
    at a time.

    Args:
        source: weights file of our network.
        output: weights file to write; its terms are those of ``source``.
        pictures: folders of pictures like those that are to be filled.
        share: of the channels of each gated convolution, above 0 and below 1.
        limit: most pictures, evenly spread over the folders; 0 takes all.
        size: side of their centre squares, pixels.
        seed: of the masks.
        progress: show it.

    Returns:
        Parameters before and after.

    Raises:
        OSError: a file or folder is missing, or cannot be written.
        ValueError: weights of another method, no pictures, or a share out of range.
    """
    if not 0 < share < 1:
        raise ValueError(f"share must lie between 0 and 1, got {share:g}")
    generator: Generator = load_generator(source, method="ours")
    data = DataConfig(val=tuple(pictures), val_limit=limit, resize=size, crop_size=size)
    batches = Batches(replace(BASE, data=data, seed=seed))
    total: dict[str, Tensor] = {}
    for pixels, hole in tracked(batches, "measure channels", progress):
        image, mask = pixels.permute(0, 3, 1, 2).float() / 255, hole[:, None].float()
        for name, score in importance(generator, _loss, image, mask).items():
            total[name] = total.get(name, torch.zeros_like(score)) + score * len(image)
    smaller = pruned(generator, chosen(total, share))
    terms = {key: value for key, value in read_metadata(source).items() if key == "terms"}
    save_generator(output, smaller, extra_metadata=terms)
    counts = (sum(p.numel() for p in network.parameters()) for network in (generator, smaller))
    return next(counts), next(counts)


def _loss(output: GeneratorOutput, image: Tensor, mask: Tensor) -> Tensor:
    weights = BASE.loss
    coarse = losses.reconstruction(output.coarse, image, mask, weights.hole_weight)
    refined = losses.reconstruction(output.refined, image, mask, weights.hole_weight)
    return weights.coarse_weight * coarse + weights.refined_weight * refined
