"""Figures of composites, for evaluations and for the validation of a training run."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from temperfill import images, masks, metrics, report, sketch
from temperfill.config import JudgeConfig, RunConfig
from temperfill.data import list_pictures
from temperfill.evaluate.inputs import evenly
from temperfill.evaluate.weights import choose_figures
from temperfill.nets.building import Network
from temperfill.nets.inception import InceptionFeatures
from temperfill.nets.lpips import LPIPSFeatures
from temperfill.nets.squeezenet import SqueezeNetFeatures
from temperfill.nets.vgg import VGGFeatures
from temperfill.tensors import composite

_PIXEL_METRICS = {"mae": metrics.mae, "psnr": metrics.psnr}
_FEATURE_METRICS = {"vgg": metrics.vgg_distance, "squeeze": metrics.squeeze_distance}
LINES_TOLERANCE = 2.0
"""Distance in pixels up to which the figure lines takes two lines for the same."""
_VALIDATION_STREAM = 4  # of the seed; training draws from 0 to 3
_VALIDATION_BATCH = 8

Features = dict[str, Any]
"""Activations by the figure they serve."""


def full_precision() -> AbstractContextManager[None]:
    """While it lasts, convolutions on CUDA compute in float32, not in TF32 as torch has them by default."""
    cudnn = torch.backends.cudnn
    context: AbstractContextManager[None] = cudnn.flags(
        cudnn.enabled, cudnn.benchmark, deterministic=cudnn.deterministic, allow_tf32=False
    )
    return context


class Judge:
    """Figures of composites, by the names of ``report.METRICS`` and ``report.SET_METRICS``.

    Args:
        config: which figures, and where the weights are.
        device: of the feature networks.

    Attributes:
        names: of the figures.
        missing: what to get for those that are left out, by name.
        files: the weights in use, by figure.

    Raises:
        OSError: a weights file is missing.
        ValueError: an unknown figure, one that was asked for and lacks its weights, or a weights file is another one.
    """

    def __init__(self, config: JudgeConfig, device: torch.device | str = "cpu") -> None:
        self.names, self.files, self.missing = choose_figures(config)
        self.networks: dict[str, Any] = {}
        if "vgg" in self.names:
            self.networks["vgg"] = VGGFeatures.from_file(self.files["vgg"][0])
        if "squeeze" in self.names or "kernel" in self.names:
            self.networks["squeeze"] = SqueezeNetFeatures.from_file(self.files["squeeze"][0])
        if "lpips" in self.names:
            self.networks["lpips"] = LPIPSFeatures.from_files(*self.files["lpips"])
        if "lines" in self.names:
            self.networks["lines"] = _Lines(sketch.load_detector(config.edges or "auto", device))
        if "fid" in self.names:
            self.networks["fid"] = InceptionFeatures.from_file(self.files["fid"][0])
        self.to(device)

    def to(self, device: torch.device | str) -> "Judge":
        """Moves the feature networks."""
        for network in self.networks.values():
            network.to(device)
        return self

    def features(self, image: Tensor) -> Features:
        """What (B, 3, H, W) in [0, 1] shows, by the figure it serves.

        Lists of maps of activations; (B, 2048) of them for fid; the sketches (H, W) of lines.
        """
        return {name: network(image) for name, network in self.networks.items()}

    def figures(
        self, image: Tensor, features: Features, target: Tensor, target_features: Features, mask: Tensor
    ) -> dict[str, Tensor]:
        """Every figure of a picture, (B,) each; SSIM is left out below its window of 11 pixels.

        Args:
            image: (B, 3, H, W) in [0, 1], the composite.
            features: what :meth:`features` gives for ``image``.
            target: (B, 3, H, W) in [0, 1], the truth.
            target_features: the same for ``target``.
            mask: (B, 1, H, W), 1 = missing.
        """
        values: dict[str, Tensor] = {}
        for name in (n for n in self.names if n not in report.SET_METRICS):
            if name in _PIXEL_METRICS:
                values[name] = _PIXEL_METRICS[name](image, target)
            elif name == "ssim" and min(image.shape[2:]) > 2 * metrics.SSIM_RADIUS:
                values[name] = metrics.ssim(image, target)
            elif name in _FEATURE_METRICS:
                values[name] = _FEATURE_METRICS[name](features[name], target_features[name])
            elif name == "lpips":
                values[name] = metrics.lpips(features[name], target_features[name], self.networks[name].heads)
            elif name == "sharp":
                values[name] = metrics.sharpness(image, target, mask)
            elif name == "lines":
                pairs = zip(features[name], target_features[name], mask[:, 0].cpu().numpy() > 0.5, strict=True)
                found = [sketch.agreement(own, true, LINES_TOLERANCE, hole).f1 for own, true, hole in pairs]
                values[name] = torch.tensor(found, dtype=torch.float64)
        return values


class _Lines:
    """Pictures to sketches, called as a feature network is."""

    def __init__(self, detector: sketch.Detector) -> None:
        self.detector = detector

    def to(self, _: torch.device | str) -> None:
        """The detector has its device from the start."""

    def __call__(self, image: Tensor) -> list[sketch.Lines]:
        pixels = image.permute(0, 2, 3, 1).cpu().numpy()
        return [sketch.to_sketch(self.detector(rgb)) for rgb in pixels]


def set_features(features: Features) -> dict[str, Tensor]:
    """Vectors (B, d) of pictures for the figures of sets, from what :meth:`Judge.features` gives."""
    vectors = {"fid": features["fid"]} if "fid" in features else {}
    if "squeeze" in features:
        vectors["kernel"] = features["squeeze"][-1].mean((2, 3))  # of the last fire module, fire9
    return vectors


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
    judge = Judge(JudgeConfig(vgg=config.machine.perceptual_path))
    weights = config.loss.refined_weight / 100, config.loss.perceptual_weight

    @torch.inference_mode()
    def score(generator: Network) -> dict[str, float]:
        device = next(generator.parameters()).device
        judge.to(device)
        training = generator.training
        generator.eval()
        sums: dict[str, metrics.ExactSum] = {}
        parts = zip(images_stack.split(_VALIDATION_BATCH), holes_stack.split(_VALIDATION_BATCH), strict=True)
        for pixels, hole in parts:
            image = pixels.to(device).permute(0, 3, 1, 2).float() / 255
            mask = hole[:, None].to(device).float()
            with full_precision():
                result = composite(generator(image, mask).refined.float().clamp(0, 1), image, mask)
                features, target_features = judge.features(result), judge.features(image)
                figures = judge.figures(result, features, image, target_features, mask)
            for name, value in figures.items():
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


def _centre(path: Path, resize: int, crop: int) -> NDArray[np.uint8]:
    picture = images.resize_short_side(images.read_rgb(path), resize)
    top, left = ((side - crop) // 2 for side in picture.shape[:2])
    return picture[top : top + crop, left : left + crop]
