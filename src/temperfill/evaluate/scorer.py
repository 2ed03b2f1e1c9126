"""Values of the metrics of composites, for evaluations and for the validation of a training run."""

from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor

from temperfill import metrics, report, sketch
from temperfill.config import MetricsConfig
from temperfill.evaluate.choose_metrics import choose_metrics
from temperfill.nets.inception import InceptionFeatures
from temperfill.nets.lpips import LPIPSFeatures
from temperfill.nets.squeezenet import SqueezeNetFeatures
from temperfill.nets.vgg import VGGFeatures

_PIXEL_METRICS = {"mae": metrics.mae, "psnr": metrics.psnr}
_FEATURE_METRICS = {"vgg": metrics.vgg_distance, "squeeze": metrics.squeeze_distance}
LINES_TOLERANCE = 2.0
"""Distance in pixels up to which the metric lines takes two lines for the same."""

Features = dict[str, Any]
"""Activations by the metric they serve."""


def full_precision() -> AbstractContextManager[None]:
    """While it lasts, convolutions on CUDA compute in float32, not in TF32 as torch has them by default."""
    cudnn = torch.backends.cudnn
    context: AbstractContextManager[None] = cudnn.flags(
        cudnn.enabled, cudnn.benchmark, deterministic=cudnn.deterministic, allow_tf32=False
    )
    return context


class Scorer:
    """Metrics of composites, by the names of ``report.METRICS`` and ``report.SET_METRICS``.

    Args:
        config: which metrics, and where the weights are.
        device: of the feature networks.

    Attributes:
        names: of the metrics.
        missing: what to get for those that are left out, by name.
        files: the weights in use, by metric.

    Raises:
        OSError: a weights file is missing.
        ValueError: an unknown metric, one that was asked for and lacks its weights, or a weights file is another one.
    """

    def __init__(self, config: MetricsConfig, device: torch.device | str = "cpu") -> None:
        self.names, self.files, self.missing = choose_metrics(config)
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

    def to(self, device: torch.device | str) -> "Scorer":
        """Moves the feature networks."""
        for network in self.networks.values():
            network.to(device)
        return self

    def features(self, image: Tensor) -> Features:
        """What (B, 3, H, W) in [0, 1] shows, by the metric it serves.

        Lists of maps of activations; (B, 2048) of them for fid; the sketches (H, W) of lines.
        """
        return {name: network(image) for name, network in self.networks.items()}

    def values(
        self, image: Tensor, features: Features, target: Tensor, target_features: Features, mask: Tensor
    ) -> dict[str, Tensor]:
        """Every metric of a picture, (B,) each; SSIM is left out below its window of 11 pixels.

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
    """Vectors (B, d) of pictures for the metrics of sets, from what :meth:`Scorer.features` gives."""
    vectors = {"fid": features["fid"]} if "fid" in features else {}
    if "squeeze" in features:
        vectors["kernel"] = features["squeeze"][-1].mean((2, 3))  # of the last fire module, fire9
    return vectors
