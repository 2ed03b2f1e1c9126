"""The command line of the tools for dust."""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors.numpy import load_file

from temperfill.data import list_pictures
from temperfill.dust import DustFinder
from temperfill.dust.network import load_network
from temperfill.options import DustOptions


def main() -> None:
    """Runs one of the steps."""
    parser = argparse.ArgumentParser(prog="python -m tools.dust")
    parser.add_argument("step", choices=["samples", "glance", "look", "measure"])
    parser.add_argument(
        "inputs", type=Path, nargs="+", help="folders of pictures; for glance and look files of samples"
    )
    parser.add_argument("--output", type=Path, default=Path("dust.npz"))
    parser.add_argument("--weights", type=Path, help="weights file; without one samples are those of glance")
    parser.add_argument("--most", type=int, default=800, help="pictures, drawn at random or, to measure, in even steps")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--side", type=int, default=256, help="shorter side to which pictures to measure are reduced")
    options = parser.parse_args()
    {"samples": _samples, "glance": _train, "look": _train, "measure": _measure}[options.step](options)


def _samples(options: argparse.Namespace) -> None:
    from tools.dust.samples import sample, view

    rng = np.random.default_rng(options.seed)
    paths = [path for folder in options.inputs for path in list_pictures(folder)]
    network = load_network(options.weights) if options.weights else None
    found = []
    for index in rng.permutation(len(paths))[: options.most]:
        found += sample(view(paths[index], rng), rng, network)
    figures, labels = (np.concatenate([part[place] for part in found]) for place in range(2))
    views = np.concatenate([part[2] for part in found]) if network else np.zeros(0, np.uint8)
    np.savez(options.output, figures=figures, labels=labels, views=views)


def _train(options: argparse.Namespace) -> None:
    from tools.dust import training

    parts = [np.load(path) for path in options.inputs]
    figures, labels = (np.concatenate([part[name] for part in parts]) for name in ("figures", "labels"))
    if options.step == "glance":
        tensors = training.glance(figures, labels)
        tensors |= training.Look().tensors() | {
            f"look.{name}": tensors[f"glance.{name}"] for name in ("mean", "deviation")
        }
    else:
        views = np.concatenate([part["views"] for part in parts])
        tensors = training.look((views, figures, labels), load_file(options.weights), options.minutes)
    training.write(options.output, tensors)


def _measure(options: argparse.Namespace) -> None:
    from tools.dust.measuring import measure

    pictures = []
    for folder in options.inputs:
        paths = list_pictures(folder)
        for path in paths[:: max(len(paths) // options.most, 1)][: options.most]:
            picture = Image.open(path).convert("RGB")
            factor = min(options.side / min(picture.size), 1)
            size = (round(picture.width * factor), round(picture.height * factor))
            pictures.append(np.asarray(picture.resize(size, Image.Resampling.LANCZOS)))
    for specks in (8, 1):
        found = measure(DustFinder(load_network(options.weights)), pictures, DustOptions(), specks, int(specks > 1))
        print(f"{specks} specks:", *(f"{name} {value:.4g}" for name, value in found.items()), sep="\n  ")


if __name__ == "__main__":
    main()
