"""Which metrics an evaluation can give, by the weights that are there; and what to get for those that it cannot."""

from pathlib import Path

import torch

from temperfill import report
from temperfill.config import MetricsConfig
from temperfill.nets.inception import HINT as INCEPTION_HINT
from temperfill.nets.lpips import HEADS_HINT, NETWORK_HINT

Files = dict[str, tuple[Path, ...]]

_NAMES: dict[str, tuple[tuple[str, ...], ...]] = {
    "vgg": (("vgg19_normalised_to_relu3_1.safetensors", "vgg16-397923af.pth"),),
    "squeeze": (("squeezenet1_1_keras_notop.safetensors",),),
    "lpips": (("alexnet-owt-7be5be79.pth",), ("alex.pth",)),
    "fid": (("pt_inception-2015-12-05-6726825d.pth", "weights-inception-2015-12-05-6726825d.pth"),),
}
"""For each metric its files, each with the names under which it is looked for in a folder."""
_NEEDS = {"kernel": "squeeze"}
_OPTIONS = {
    "vgg": "--vgg",
    "squeeze": "--squeezenet",
    "lpips": "--lpips-network and --lpips-heads",
    "fid": "--inception",
}
_HINTS = {
    "vgg": "torchvision's VGG-16 (vgg16-397923af.pth from https://download.pytorch.org/models/), or the weights of the "
    "perceptual loss, a VGG-19 safetensors file with the layers up to conv3_1",
    "squeeze": "the SqueezeNet 1.1 features of github.com/DeepCognition/keras-squeezenet as a safetensors file with "
    "torchvision's names",
    "lpips": f"{NETWORK_HINT}; {HEADS_HINT}",
    "fid": INCEPTION_HINT,
}


def choose_metrics(config: MetricsConfig) -> tuple[list[str], Files, dict[str, str]]:
    """The metrics to report, the files of their weights, and what to get for those that are left out.

    Weights are those that the configuration names; else files of their published names in its folder; else, for a
    metric that is asked for by name, such files in torch's own cache.

    Raises:
        ValueError: an unknown metric, one that is asked for by name lacks its weights, or metrics of sets alone.
    """
    known = report.METRICS | report.SET_METRICS
    unknown = [name for name in config.metrics if name not in known]
    if unknown:
        raise ValueError(f"unknown metric {unknown[0]!r}; known are {', '.join(known)}")
    given = {
        "vgg": (config.vgg,),
        "squeeze": (config.squeezenet,),
        "lpips": (config.lpips_network, config.lpips_heads),
        "fid": (config.inception,),
    }
    if config.weights is not None and not config.weights.is_dir():
        raise NotADirectoryError(f"no folder of weights at {config.weights}")
    folders = [] if config.weights is None else [config.weights]
    files: Files = {}
    missing: dict[str, str] = {}
    for name, metric in known.items():
        source = _NEEDS.get(name, name)
        asked = name in config.metrics
        if source not in _NAMES or (config.metrics and not asked):
            continue
        cache = [Path(torch.hub.get_dir()) / "checkpoints"] if asked else []
        found = _find(given[source], _NAMES[source], [*folders, *cache])
        if found:
            files[source] = found
        else:
            missing[name] = f"{metric.heading}: give {_OPTIONS[source]}: {_HINTS[source]}"
        if not found and (asked or any(given[source])):
            raise ValueError(f"no weights for {missing[name]}; or put the files into the folder of --weights")
    unwanted = {"lines"} if not config.edges and not config.metrics else set()
    names = [n for n in known if n not in {*missing, *unwanted} and (not config.metrics or n in config.metrics)]
    if not any(name in report.METRICS for name in names):
        raise ValueError(f"{', '.join(names)}: a per-picture metric is needed as well, such as psnr")
    return names, files, missing


def _find(
    given: tuple[Path | None, ...], names: tuple[tuple[str, ...], ...], folders: list[Path]
) -> tuple[Path, ...] | None:
    """Each file where it was given or found; None if one is nowhere."""
    found = []
    for path, known in zip(given, names, strict=True):
        places = (folder / name for folder in folders for name in known)
        chosen = path or next((place for place in places if place.is_file()), None)
        if chosen is None:
            return None
        found.append(chosen)
    return tuple(found)
