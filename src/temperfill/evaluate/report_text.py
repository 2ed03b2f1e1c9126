"""The text of a report: Markdown and LaTeX of its data; versions and machine."""

import importlib.metadata
import os
import platform
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from temperfill import __version__, report

FORMAT = "temperfill-evaluation-2"
"""Value of the key ``format`` of report.json; 2 since a method can have several runs."""
SCOPE = (
    "These figures hold for these pictures and masks at this size. They cannot be compared with published tables, "
    "which were made on other pictures."
)
_UNRANKED = (
    "Some methods were trained once only, so their figures are listed without a ranking: a second training with "
    "another seed may turn the order around. Nothing is set in bold."
)
_FEW_RUNS = 5
_FEW = (
    "A trained method here has {least} trainings, too few for a firm ranking: two trainings each call one of two equal "
    "methods better in a third of cases, three in a quarter, five in a seventh (benchmarks/verdicts.py)."
)
_PACKAGES = ("torch", "numpy", "pillow", "scikit-image", "opencv-python-headless", "opencv-python", "matplotlib")


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that values depend on."""
    found = {"temperfill": __version__, "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def machine(device: str) -> dict[str, Any]:
    """The machine that values were measured on."""
    found: dict[str, Any] = {
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
        "threads": torch.get_num_threads(),
    }
    if device.startswith("cuda"):
        found["gpu"] = torch.cuda.get_device_name(device)
    return found


def shown_labels(methods: dict[str, Any]) -> dict[str, str]:
    """Labels of methods with the weights that they stand for, such as "ours (bundled base)"."""
    return {name: f"{name} ({method['weights']})" if method["weights"] else name for name, method in methods.items()}


def _shown(data: dict[str, Any]) -> dict[str, Any]:
    """The data of a report with the weights behind the labels of all methods in its tables."""
    labels = shown_labels(data["methods"])
    parts = {
        name: {labels[label]: found for label, found in (data[name] or {}).items()}
        for name in ("results", "sets", "by_group", "comparison")
    }
    for kinds in parts["comparison"].values():
        for kind, cells in kinds.items():
            named = {name: cell for name, cell in cells.items() if isinstance(cell, dict) and "baseline" in cell}
            kinds[kind] = cells | {n: cell | {"baseline": labels[cell["baseline"]]} for n, cell in named.items()}
    return data | parts | {"reference": labels.get(data["reference"])}


def _further(tables: Sequence[report.Table], data: dict[str, Any]) -> list[report.Table]:
    """Further tables, likewise."""
    labels = shown_labels(data["methods"])
    return [
        replace(table, rows=[[labels.get(str(row[0]), row[0]), *row[1:]] for row in table.rows]) for table in tables
    ]


def _tables(data: dict[str, Any]) -> dict[str, list[report.Table]]:
    """The report's tables by the heading above them."""
    data = _shown(data)
    ranked = data["ranked"]
    parts = {"Results": report.result_tables(data["results"], ranked)}
    if data["sets"]:
        parts["Figures of sets"] = report.set_tables(data["sets"], ranked)
    if len({group for groups in data["by_group"].values() for group in groups}) > 1:
        parts["By masks"] = report.group_tables(data["by_group"], data["sets"], ranked)
    if data["comparison"] and data["reference"]:
        parts[f"{data['reference']} against the others"] = report.pairwise_tables(data["comparison"], data["reference"])
    elif data["comparison"]:
        parts["Against the best baseline"] = report.comparison_tables(data["comparison"])
    return parts


def _caution(data: dict[str, Any]) -> list[str]:
    """What to keep in mind where several trained methods are compared."""
    if not data["ranked"]:
        return [_UNRANKED]
    least = min(data["trained"].values(), default=0)
    return [_FEW.format(least=least)] if len(data["trained"]) > 1 and least < _FEW_RUNS else []


def markdown(data: dict[str, Any], tables: Sequence[report.Table] = ()) -> str:
    """``report.md``.

    Args:
        data: of ``report.json``.
        tables: further ones, which come first.
    """
    lines = ["# Evaluation", "", data["scope"], "", data["protocol"], ""]
    for note in [*data["notes"], *_caution(data)]:
        lines += [note, ""]
    lines += [report.markdown(_further(tables, data), 2)] if tables else []
    for heading, found in _tables(data).items():
        lines += [f"## {heading}", "", *_explanation(heading, data), report.markdown(found)]
    lines += ["## Methods", ""]
    for label, method in data["methods"].items():
        for name, source in method["runs"].items():
            lines.append(f"- {label}{f', {name}' if name else ''}: {source['source']}, {source['identity']}")
    if data["missing"]:
        lines += ["", "## Not measured: weights missing", "", *_missing(data["missing"])]
    lines += ["", "## Made with", ""]
    settings = {name: value for name, value in data["settings"].items() if name != "judge"}
    for part, values in (("settings", settings), ("versions", data["versions"]), ("machine", data["machine"])):
        lines.append(f"- {part}: " + ", ".join(f"{key} {_plain(value)}" for key, value in values.items()))
    origin = "stored" if data["settings"]["masks"] else f"seed {data['settings']['seed']}"
    for group, found in data["masks"].items():
        about = f"{group}, {origin}, side {data['settings']['size']}, {found['masks']} masks"
        lines.append(f"- masks: {about}, SHA-256 {found['sha256']}")
    if data["weights"]:
        lines.append("- weights: " + ", ".join(path for paths in data["weights"].values() for path in paths))
    return "\n".join([*lines, *([f"- command: `{data['command']}`"] if data["command"] else []), ""])


def _missing(found: Sequence[str]) -> list[str]:
    """Lines of what was not measured; figures that need the same weights share one."""
    headings: dict[str, list[str]] = {}
    for text in found:
        heading, _, remedy = text.partition(": ")
        headings.setdefault(remedy, []).append(heading)
    return [f"- {', '.join(names)}: {remedy}" for remedy, names in headings.items()]


def _plain(value: Any) -> str:
    return " ".join(map(str, value)) or "all" if isinstance(value, list) else "drawn" if value is None else str(value)


def _explanation(heading: str, data: dict[str, Any]) -> list[str]:
    if heading == "Against the best baseline":
        return [
            "Method minus baseline, paired by picture. The best baseline is chosen for each kind and figure. better "
            "and worse mean that the 95 % interval excludes zero.",
            "",
        ]
    if data["reference"] and heading.startswith(shown_labels(data["methods"])[data["reference"]]):
        return [
            f"{data['reference']} minus the other method, paired by picture, and by seed where both have the same "
            "seeds. better and worse mean that the 95 % interval excludes zero.",
            "",
        ]
    if heading == "Figures of sets":
        return [
            "All kinds of pictures pooled. FID depends on the number of pictures, so that only figures with the same n "
            "compare; with few pictures it is far too high. The kernel distance is a V-statistic on SqueezeNet's fire9 "
            "averages; with a few hundred pictures both are noisy.",
            "",
        ]
    return []


def latex(data: dict[str, Any], tables: Sequence[report.Table] = ()) -> str:
    """``report.tex``: the same tables, to be included in a document."""
    head = [f"% {line}" for line in (data["scope"], *data["notes"], *_caution(data))]
    head.append(f"% Made by: {data['command']}")
    found = [*_further(tables, data), *(table for part in _tables(data).values() for table in part)]
    return "\n".join([*(line.replace("\n", " ") for line in head), "", report.latex(found)])
