"""The score of a generator during training, on fixed pictures and masks."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from temperfill import images, masks, metrics
from temperfill.config import DataConfig, MetricsConfig, RunConfig
from temperfill.data import list_pictures
from temperfill.evaluate.inputs import evenly
from temperfill.evaluate.scorer import Scorer, full_precision
from temperfill.nets.network import Network
from temperfill.tensors import composite

_VALIDATION_STREAM = 4  # of the seed; training draws from 0 to 3
_VALIDATION_BATCH = 8


def validation_score(config: RunConfig, limit: int = 64) -> Callable[[Network], dict[str, float]] | None:
    """The score of a generator on fixed validation pictures and masks, for early stop and the choice of the best.

    Pictures: up to ``limit``, evenly spread over each folder, the short side resized to ``config.data.resize``, centre
    square of ``config.data.crop_size``. Masks: strokes and square as in training, a function of ``config.seed`` alone.

    Args:
        config: names the folders of ``data.val``; without any there is no score.
        limit: most pictures; they are kept in memory as bytes.

    Returns:
        None without validation folders, else a function of a generator that gives means over the pictures: ``mae``,
        ``psnr``, ``ssim`` (from 11 pixels on), ``sharp``, with ``machine.perceptual_path`` also ``vgg``, and ``loss``
        (lower is better): the training's weights of L1 and VGG distance times those distances of the composite.

    Raises:
        OSError: a folder or the VGG weights are missing, or a picture cannot be read.
        ValueError: a folder without pictures, a damaged picture, or unfit weights; limit below 1.
    """
    if not config.data.val:
        return None
    if limit < 1:
        raise ValueError(f"limit must be at least 1, got {limit}")
    pictures = [_centre(path, config.data) for path in _spread(config.data.val, limit)]
    side = config.data.crop_size
    generators = (np.random.default_rng([config.seed, _VALIDATION_STREAM, i]) for i in range(len(pictures)))
    holes = [masks.for_training(config.data, side, rng) for rng in generators]
    images_stack, holes_stack = torch.from_numpy(np.stack(pictures)), torch.from_numpy(np.stack(holes))
    scorer = Scorer(MetricsConfig(vgg=config.machine.perceptual_path))
    weights = config.loss.refined_weight / 100, config.loss.perceptual_weight

    @torch.inference_mode()
    def score(generator: Network) -> dict[str, float]:
        device = next(generator.parameters()).device
        scorer.to(device)
        training = generator.training
        generator.eval()
        sums: dict[str, metrics.ExactSum] = {}
        parts = zip(images_stack.split(_VALIDATION_BATCH), holes_stack.split(_VALIDATION_BATCH), strict=True)
        for pixels, hole in parts:
            image = pixels.to(device).permute(0, 3, 1, 2).float() / 255
            mask = hole[:, None].to(device).float()
            with full_precision():
                result = composite(generator(image, mask).refined.float().clamp(0, 1), image, mask)
                features, target_features = scorer.features(result), scorer.features(image)
                found = scorer.values(result, features, image, target_features, mask)
            for name, value in found.items():
                sums.setdefault(name, metrics.ExactSum()).add(value.tolist())
        generator.train(training)
        means = {name: total.mean() for name, total in sums.items()}
        # mae is in percent; the L1 distance of the training loss is not
        loss = weights[0] * means["mae"] + weights[1] * means.get("vgg", 0.0)
        return {"loss": loss} | means

    return score


def _spread(folders: tuple[Path, ...], limit: int) -> list[Path]:
    """Up to ``limit`` pictures, as equally many of each folder as there are, evenly spread over each."""
    found = [list_pictures(folder) for folder in folders]
    taken = [0] * len(found)
    while sum(taken) < min(limit, sum(map(len, found))):
        # The folder with the fewest pictures taken that has more.
        open_folders = [i for i in range(len(found)) if taken[i] < len(found[i])]
        taken[min(open_folders, key=lambda i: taken[i])] += 1
    return [path for paths, count in zip(found, taken, strict=True) for path in evenly(paths, count)]


def _centre(path: Path, data: DataConfig) -> NDArray[np.uint8]:
    picture, crop = images.resize_short_side(images.read_rgb(path), data.resize, data.squash), data.crop_size
    top, left = ((side - crop) // 2 for side in picture.shape[:2])
    return picture[top : top + crop, left : left + crop]
