"""Figures of composites, for evaluations and for the validation of a training run."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from temperfill import images, masks, metrics
from temperfill.config import RunConfig
from temperfill.data import list_pictures
from temperfill.evaluate.inputs import evenly
from temperfill.nets.building import Network
from temperfill.nets.squeezenet import SqueezeNetFeatures
from temperfill.nets.vgg import VGGFeatures
from temperfill.tensors import composite

_PIXEL_METRICS = {"mae": metrics.mae, "psnr": metrics.psnr}
_FEATURE_METRICS = {"vgg": metrics.vgg_distance, "squeeze": metrics.squeeze_distance}
_VALIDATION_STREAM = 2  # of the seed; training draws from streams 0 and 1
_VALIDATION_BATCH = 8


class Judge:
    """Figures of composites, by the names of ``report.METRICS``.

    Args:
        vgg_path: weights for the VGG distance, or None to leave it out.
        squeezenet_path: weights for the SqueezeNet distance, or None to leave it out.
        device: of the feature networks.

    Raises:
        OSError: a weights file is missing.
        ValueError: a weights file is another one.
    """

    def __init__(self, vgg_path: Path | None, squeezenet_path: Path | None, device: torch.device | str = "cpu") -> None:
        self.networks: dict[str, torch.nn.Module] = {}
        if vgg_path is not None:
            self.networks["vgg"] = VGGFeatures.from_file(vgg_path).to(device)
        if squeezenet_path is not None:
            self.networks["squeeze"] = SqueezeNetFeatures.from_file(squeezenet_path).to(device)

    def to(self, device: torch.device | str) -> "Judge":
        """Moves the feature networks."""
        for network in self.networks.values():
            network.to(device)
        return self

    def features(self, image: Tensor) -> dict[str, list[Tensor]]:
        """Activations of (B, 3, H, W) in [0, 1], by the distance they serve."""
        return {name: network(image) for name, network in self.networks.items()}

    def figures(
        self, image: Tensor, target: Tensor, target_features: dict[str, list[Tensor]], mask: Tensor
    ) -> dict[str, Tensor]:
        """Every figure, (B,) each; SSIM is left out below its window of 11 pixels.

        Args:
            image: (B, 3, H, W) in [0, 1], the composite.
            target: (B, 3, H, W) in [0, 1], the truth.
            target_features: what :meth:`features` gives for ``target``.
            mask: (B, 1, H, W), 1 = missing.
        """
        values = {name: measure(image, target) for name, measure in _PIXEL_METRICS.items()}
        if min(image.shape[2:]) > 2 * metrics.SSIM_RADIUS:
            values["ssim"] = metrics.ssim(image, target)
        features = self.features(image)
        values |= {name: _FEATURE_METRICS[name](features[name], target_features[name]) for name in features}
        return values | {"sharp": metrics.sharpness(image, target, mask)}


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
    pictures = [_centre(path, config.data.resize, config.data.crop_size) for path in _spread(config.data.val, limit)]
    side = config.data.crop_size
    scale = config.data.mask_scale or side / 256
    holes = [
        masks.free_form_square(side, side, np.random.default_rng([config.seed, _VALIDATION_STREAM, i]), scale)
        for i in range(len(pictures))
    ]
    images_stack, holes_stack = torch.from_numpy(np.stack(pictures)), torch.from_numpy(np.stack(holes))
    judge = Judge(config.machine.perceptual_path, None)
    weights = config.loss.refined_weight / 100, config.loss.perceptual_weight

    @torch.inference_mode()
    def score(generator: Network) -> dict[str, float]:
        device = next(generator.parameters()).device
        judge.to(device)
        training = generator.training
        generator.eval()
        sums: dict[str, float] = {}
        parts = zip(images_stack.split(_VALIDATION_BATCH), holes_stack.split(_VALIDATION_BATCH), strict=True)
        for pixels, hole in parts:
            image = pixels.to(device).permute(0, 3, 1, 2).float() / 255
            mask = hole[:, None].to(device).float()
            result = composite(generator(image, mask).refined.float().clamp(0, 1), image, mask)
            for name, value in judge.figures(result, image, judge.features(image), mask).items():
                sums[name] = sums.get(name, 0.0) + value.sum().item()
        generator.train(training)
        means = {name: total / len(images_stack) for name, total in sums.items()}
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


def _centre(path: Path, resize: int, crop: int) -> NDArray[np.uint8]:
    picture = images.resize_short_side(images.read_rgb(path), resize)
    top, left = ((side - crop) // 2 for side in picture.shape[:2])
    return picture[top : top + crop, left : left + crop]
