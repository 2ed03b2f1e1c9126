"""The score of a generator during training, on fixed pictures and masks."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from temperfill import images, masks, metrics
from temperfill.config import DataConfig, MetricsConfig, RunConfig
from temperfill.data import list_pictures
from temperfill.evaluate.inputs import evenly
from temperfill.evaluate.scorer import Scorer, full_precision
from temperfill.nets.network import Network
from temperfill.tensors import composite

_VALIDATION_STREAM = 4  # of the seed; training draws from 0 to 3
_BATCH = 8
_KEPT = 1000


def validation_score(config: RunConfig) -> Callable[[Network], dict[str, float]] | None:
    """The score of a generator on fixed validation pictures and masks, for early stop and the choice of the best.

    Pictures: all, or ``config.data.val_limit`` evenly spread over each folder; the short side resized to
    ``config.data.resize``, centre square of ``config.data.crop_size``. The first ``_KEPT`` stay in memory as bytes, the
    others are read each time. Masks: strokes and square as in training, a function of ``config.seed`` alone.

    Args:
        config: names the folders of ``data.val``; without any there is no score.

    Returns:
        None without validation folders, else a function of a generator that gives means over the pictures: ``mae``,
        ``psnr``, ``ssim`` (from 11 pixels on), ``sharp``, with ``machine.perceptual_path`` also ``vgg``, and ``loss``
        (lower is better): the training's weights of L1 and VGG distance times those distances of the composite.

    Raises:
        OSError: a folder or the VGG weights are missing, or a picture cannot be read.
        ValueError: a folder without pictures, a damaged picture, or unfit weights.
    """
    if not config.data.val:
        return None
    batches = Batches(config)
    scorer = Scorer(MetricsConfig(vgg=config.machine.perceptual_path))
    weights = config.loss.refined_weight / 100, config.loss.perceptual_weight

    @torch.inference_mode()
    def score(generator: Network) -> dict[str, float]:
        device = next(generator.parameters()).device
        scorer.to(device)
        training = generator.training
        generator.eval()
        sums: dict[str, metrics.ExactSum] = {}
        for pixels, hole in batches:
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


class Batches(Sequence[tuple[Tensor, Tensor]]):
    """Pictures (B, H, W, 3) and holes (B, H, W) as bytes, always the same; every picture is read once at the start."""

    def __init__(self, config: RunConfig) -> None:
        self.config = config
        self.paths = _spread(config.data.val, config.data.val_limit)
        self.kept = [_centre(path, config.data) for path in self.paths[:_KEPT]]
        for path in self.paths[_KEPT:]:
            _centre(path, config.data)  # shows a damaged one before training, not after an epoch

    def __len__(self) -> int:
        return -(-len(self.paths) // _BATCH)

    def __getitem__(self, number: Any) -> Any:
        """The batch of a number, as two tensors."""
        indices = range(len(self.paths))[number * _BATCH : (number + 1) * _BATCH]
        if not indices:
            raise IndexError(number)
        pictures, holes = [self._picture(i) for i in indices], [self._hole(i) for i in indices]
        return torch.from_numpy(np.stack(pictures)), torch.from_numpy(np.stack(holes))

    def _picture(self, index: int) -> NDArray[np.uint8]:
        return self.kept[index] if index < len(self.kept) else _centre(self.paths[index], self.config.data)

    def _hole(self, index: int) -> NDArray[np.bool_]:
        rng = np.random.default_rng([self.config.seed, _VALIDATION_STREAM, index])
        return masks.for_training(self.config.data, self.config.data.crop_size, rng)


def _spread(folders: tuple[Path, ...], limit: int) -> list[Path]:
    """Up to ``limit`` pictures (0 for all), as equally many of each folder as there are, evenly spread over each."""
    found = [list_pictures(folder) for folder in folders]
    if not limit:
        return [path for paths in found for path in paths]
    taken = [0] * len(found)
    while sum(taken) < min(limit, sum(map(len, found))):
        # The folder with the fewest pictures taken that has more.
        open_folders = [i for i in range(len(found)) if taken[i] < len(found[i])]
        taken[min(open_folders, key=lambda i: taken[i])] += 1
    return [path for paths, count in zip(found, taken, strict=True) for path in evenly(paths, count)]


def _centre(path: Path, data: DataConfig) -> NDArray[np.uint8]:
    picture, crop = images.read_rgb(path), data.crop_size
    picture = images.resize_short_side(picture, data.resize, data.squash, str(path))
    top, left = ((side - crop) // 2 for side in picture.shape[:2])
    return picture[top : top + crop, left : left + crop]
