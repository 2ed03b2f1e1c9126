"""The evaluation from folders to report: the one function behind ``temperfill evaluate``."""

import importlib.metadata
import os
import platform
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from temperfill import __version__, images, report
from temperfill.evaluate.contest import Composites, Contestant, contestants, tensor
from temperfill.evaluate.inputs import FREE_FORM_SQUARE, Bytes, Item, choose, mask_kinds, square, with_masks
from temperfill.evaluate.judge import Judge
from temperfill.inpainter import choose_device
from temperfill.nets.squeezenet import MINIMUM as MINIMUM_SIZE

_SHEET_ROWS = 4
_PACKAGES = ("torch", "numpy", "pillow", "scikit-image", "opencv-python-headless", "opencv-python")
_SCOPE = (
    "These figures hold for these pictures and masks at this size. They cannot be compared with published tables, "
    "which were made on other pictures."
)
_MISSING = {
    "vgg": "VGG distance: give the weights of the perceptual loss, a VGG-19 safetensors file with the layers up to "
    "conv3_1",
    "squeeze": "SqueezeNet distance: give the SqueezeNet 1.1 features of github.com/DeepCognition/keras-squeezenet as "
    "a safetensors file with torchvision's names",
}


def run(
    methods: Sequence[str],
    pictures: Path | Sequence[Path],
    output: Path,
    masks: Path | None = None,
    *,
    mask_kind: str = FREE_FORM_SQUARE,
    groups: Sequence[str] = (),
    limit: int = 0,
    size: int = 256,
    seed: int = 0,
    device: str = "auto",
    vgg: Path | None = None,
    squeezenet: Path | None = None,
    command: str | None = None,
    progress: bool = True,
) -> dict[str, Any]:
    """Fills every picture with every mask by every method, measures the composites and writes a report.

    Writes ``<output>/<method>/<group>/<kind>/<stem>.png``, ``report.json``, ``report.md``, ``rows.json`` (one record
    per composite), ``sheets/`` and, where masks are drawn, ``masks/``. Run again, it takes over the composites that
    were made from the same pixels, mask and weights.

    Args:
        methods: names of methods, or paths of weights files.
        pictures: folders, or one; each is a kind, named after itself, or after its parent if called train, val, ...
        output: where to write; made if missing.
        masks: folder with ``<group>/<kind>/<stem>.png`` (white = missing, ``size`` pixels wide and high); None draws.
        mask_kind: what to draw, seeded by picture: ``free-form-square`` or ``ratio-LOW-HIGH``; commas join several.
        groups: of the folder of masks; none means all.
        limit: at most this many pictures of each folder, evenly spread; 0 takes all.
        size: side of the squares that pictures are cropped and resized to, pixels.
        seed: of drawn masks.
        device: of the networks: auto, cpu or cuda:N.
        vgg: weights for the VGG distance; None leaves it out.
        squeezenet: weights for the SqueezeNet distance; None leaves it out.
        command: the command line, for the report; None takes that of the process.
        progress: show a bar on the standard error output.

    Returns:
        What ``report.json`` holds.

    Raises:
        OSError: a folder, mask or weights file is missing, or the output cannot be written. Before any work.
        ValueError: no pictures, unknown method, unfit weights or masks, ambiguous names. Before any work; a damaged
            picture when its turn comes.
    """
    if size < MINIMUM_SIZE or limit < 0 or seed < 0:
        found = f"{size}, {limit} and {seed}"
        raise ValueError(f"size must be at least {MINIMUM_SIZE}, limit and seed not negative; got {found}")
    folders = [pictures] if isinstance(pictures, Path) else list(pictures)
    chosen, kinds = choose(folders, limit), mask_kinds(mask_kind)
    for folder in folders:
        if output.resolve().is_relative_to(folder.resolve()):
            raise ValueError(f"the output {output} lies in the folder of pictures {folder}; write elsewhere")
    device = choose_device(device)
    judge = Judge(vgg, squeezenet, device)
    entrants = contestants(methods, device)
    output.mkdir(parents=True, exist_ok=True)
    items = with_masks(chosen, masks, groups, kinds, output / "masks", size, seed)
    records = list(_records(items, entrants, judge, output, size, device, progress))
    settings = {"pictures": [str(folder) for folder in folders], "masks": str(masks or mask_kind), "size": size}
    settings |= {"limit": limit, "seed": seed, "device": device}
    data = _report_data(records, entrants, settings, shlex.join(sys.argv) if command is None else command)
    report.write_json(output / "rows.json", [record.flat() for record in records])
    report.write_json(output / "report.json", data)
    report.write_text(output / "report.md", _markdown(data))
    _write_sheets(items, entrants, output, size)
    return data


@torch.inference_mode()
def _records(
    items: list[Item], entrants: list[Contestant], judge: Judge, output: Path, size: int, device: str, progress: bool
) -> Iterator[report.Record]:
    """Composites and their figures, picture by picture: a truth is read, and its features are computed, once."""
    from rich.console import Console
    from rich.progress import track

    stores = [Composites(output / entrant.label, entrant, device) for entrant in entrants]
    for item in track(items, "evaluate", console=Console(stderr=True), disable=not progress):
        truth = square(item.path, size)
        target = tensor(truth, device)
        target_features = judge.features(target)
        for group, mask_path in item.masks.items():
            hole = images.to_mask(mask_path, (size, size))
            mask = torch.from_numpy(hole)[None, None].to(target)
            for store in stores:
                made = store.make(f"{group}/{item.kind}/{item.path.stem}", truth, hole)
                figures = judge.figures(tensor(made, device), target, target_features, mask)
                values = {name: value.item() for name, value in figures.items()}
                changed = bool((made[~hole] != truth[~hole]).any())
                yield report.Record(store.entrant.label, item.kind, group, item.path.stem, values, changed)


def _report_data(
    records: list[report.Record], entrants: list[Contestant], settings: dict[str, Any], command: str
) -> dict[str, Any]:
    names = report.metric_names(records)
    return {
        "format": "temperfill-evaluation-1",
        "scope": _SCOPE,
        "protocol": "Centre squares, Lanczos; composites as PNG, known pixels untouched; figures are means over "
        "pictures; 95 % bootstrap intervals over pictures.",
        "settings": settings,
        "methods": {e.label: {"source": e.source, "identity": e.identity, "baseline": e.baseline} for e in entrants},
        "results": report.summarise(records),
        "comparison": report.compare(records, [e.label for e in entrants if e.baseline]),
        "missing": [_MISSING[name] for name in _MISSING if name not in names],
        "versions": _versions(),
        "machine": _machine(settings["device"]),
        "command": command,
    }


def _versions() -> dict[str, str]:
    versions = {"temperfill": __version__, "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def _machine(device: str) -> dict[str, Any]:
    machine: dict[str, Any] = {
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
        "threads": torch.get_num_threads(),
    }
    if device.startswith("cuda"):
        machine["gpu"] = torch.cuda.get_device_name(device)
    return machine


def _markdown(data: dict[str, Any]) -> str:
    lines = [
        "# Evaluation",
        "",
        data["scope"],
        "",
        data["protocol"],
        "",
        "## Results",
        "",
        report.summary_tables(data["results"]),
    ]
    if data["comparison"]:
        lines += [
            "## Against the best baseline",
            "",
            "Method minus baseline, paired by picture. The best baseline is chosen",
        ]
        lines += ["for each kind and figure. better and worse mean that the interval excludes zero.", ""]
        lines.append(report.comparison_table(data["comparison"]))
    lines += ["## Methods", ""]
    lines += [f"- {label}: {method['source']}, {method['identity']}" for label, method in data["methods"].items()]
    if data["missing"]:
        lines += ["", "## Left out for want of weights", "", *(f"- {text}" for text in data["missing"])]
    lines += ["", "## Made with", ""]
    for part in ("settings", "versions", "machine"):
        lines.append(f"- {part}: " + ", ".join(f"{key} {value}" for key, value in data[part].items()))
    return "\n".join([*lines, *([f"- command: `{data['command']}`"] if data["command"] else []), ""])


def _write_sheets(items: list[Item], entrants: list[Contestant], output: Path, size: int) -> None:
    """One sheet per kind and group: a few pictures, masked, filled by every method, and true."""
    (output / "sheets").mkdir(exist_ok=True)
    for kind in dict.fromkeys(item.kind for item in items):
        members = [item for item in items if item.kind == kind]
        count = min(_SHEET_ROWS, len(members))
        shown = [members[i * len(members) // count] for i in range(count)]
        truths = [square(item.path, size) for item in shown]
        for group in shown[0].masks:
            holes = [images.to_mask(item.masks[group], (size, size)) for item in shown]
            columns: dict[str, list[Bytes]] = {
                "masked input": [np.where(h[..., None], np.uint8(255), t) for h, t in zip(holes, truths, strict=True)]
            }
            for entrant in entrants:
                paths = [output / entrant.label / group / kind / f"{item.path.stem}.png" for item in shown]
                columns[entrant.label] = [images.read_rgb(path) for path in paths]
            report.contact_sheet(columns | {"truth": truths}, output / "sheets" / f"{kind}-{group}.png")
