"""Plots as PNG files. matplotlib is imported inside: nothing else of the package needs it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from temperfill.files import atomic_write
from temperfill.report.records import METRICS, SET_METRICS

_DPI = 120
_COLOURS = ("#1b6ca8", "#d1495b", "#2e933c", "#8d5a97", "#c97b12", "#4b4e6d")


@dataclass(frozen=True)
class Curve:
    """A line over steps with the range around it.

    Attributes:
        label: in the legend.
        steps: at which there are values.
        mean: value at each step.
        low: lowest value of the steps that a mean stands for.
        high: highest.
    """

    label: str
    steps: Sequence[float]
    mean: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]


def need_matplotlib() -> None:
    """Raises ModuleNotFoundError if there is no matplotlib, before work whose end would need it."""
    import matplotlib  # noqa: F401


def _save(figure: Any, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Without the version of matplotlib in it, the same values give the same file.
    atomic_write(path, lambda file: figure.savefig(file, format="png", dpi=_DPI, metadata={"Software": None}))


def _axes(columns: int, rows: int, width: float, height: float) -> tuple[Any, list[Any]]:
    # The figure itself, without pyplot: no state of the process, no display.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, list(figure.subplots(rows, columns, squeeze=False).flat)


def plot_curves(panels: Mapping[str, Sequence[Curve]], path: Path, ylabel: str) -> None:
    """Draws curves with bands of their ranges, one panel beside the other, on one scale of steps and one of values.

    The scale of values is logarithmic where all are positive; else it is linear between -c and c and logarithmic
    beyond, c being a hundredth of the largest, and zero is marked.

    Args:
        panels: title to curves.
        path: of the PNG.
        ylabel: what the curves show.

    Raises:
        OSError: cannot be written.
        ModuleNotFoundError: matplotlib is missing.
        ValueError: no panel.
    """
    if not panels:
        raise ValueError("no curves to draw")
    columns = 2 if len(panels) in (2, 4) else min(len(panels), 3)  # of four, two beside two
    rows = -(-len(panels) // columns)
    figure, axes = _axes(columns, rows, 5.2, 3.8)
    values = [v for curves in panels.values() for curve in curves for v in (*curve.low, *curve.high)]
    largest = max(map(abs, values))
    for axis, (title, curves) in zip(axes, panels.items(), strict=False):
        for curve, colour in zip(curves, _COLOURS * (len(curves) // len(_COLOURS) + 1), strict=False):
            axis.fill_between(curve.steps, curve.low, curve.high, color=colour, alpha=0.2, linewidth=0)
            # A single point has no line.
            marker = "o" if len(curve.steps) == 1 else None
            axis.plot(curve.steps, curve.mean, color=colour, label=curve.label, linewidth=1.4, marker=marker)
        if min(values) > 0:
            axis.set_yscale("log")
        else:
            axis.set_yscale("symlog", linthresh=max(largest / 100, 1e-6))
            axis.axhline(0, color="black", linewidth=0.8)
        axis.set(title=title, xlabel="step", ylabel=ylabel)
        axis.set_ylim(*_limits(min(values), max(values)))
        axis.grid(alpha=0.25)
        axis.legend(fontsize="small", loc="upper right")
    for axis in axes[len(panels) :]:
        axis.remove()
    _save(figure, path)


def _limits(low: float, high: float) -> tuple[float, float]:
    """A little room below and above, on the scale that is used."""
    if low > 0:
        return low / 1.2, high * 1.2
    return (low * 1.5 if low < 0 else -high / 100), (high * 1.5 if high > 0 else 1e-6)


def plot_metrics(groups: dict[str, dict[str, dict[str, Any]]], path: Path) -> None:
    """Draws the means with their 95 % intervals: one panel per metric, masks along it, methods in colours.

    Draws nothing where no metric is known of all methods.

    Args:
        groups: method to group to cell (values by name, ``interval``), all kinds pooled.
        path: of the PNG.

    Raises:
        OSError: cannot be written.
        ModuleNotFoundError: matplotlib is missing.
    """
    known = METRICS | SET_METRICS
    columns = list(dict.fromkeys(group for cells in groups.values() for group in cells))
    names = [n for n in known if all(n in cell for cells in groups.values() for cell in cells.values())]
    if not names:
        return
    across = min(len(names), 3)
    figure, axes = _axes(across, -(-len(names) // across), 4.6, 3.4)
    step = 0.8 / len(groups)
    for axis, name in zip(axes, names, strict=False):
        for i, (method, cells) in enumerate(groups.items()):
            places = [j - 0.4 + step * (i + 0.5) for j, group in enumerate(columns) if group in cells]
            chosen = [cells[group] for group in columns if group in cells]
            means = [cell[name] for cell in chosen]
            bounds = [cell["interval"].get(name, (cell[name], cell[name])) for cell in chosen]
            errors = [
                [max(m - low, 0) for m, (low, _) in zip(means, bounds, strict=True)],
                [max(high - m, 0) for m, (_, high) in zip(means, bounds, strict=True)],
            ]
            colour = _COLOURS[i % len(_COLOURS)]
            marker = "osD^vP*X"[i // len(_COLOURS) % 8]
            axis.errorbar(places, means, errors, fmt=marker, color=colour, label=method, capsize=3, markersize=5)
        arrow = {"low": "lower is better", "high": "higher is better", "one": "best is 1"}[known[name].best]
        axis.set_title(f"{known[name].heading} ({arrow})", fontsize="medium")
        axis.set_xticks(range(len(columns)), columns, rotation=15 if len(columns) > 2 else 0, fontsize="small")
        axis.set_xlim(-0.6, len(columns) - 0.4)
        axis.grid(alpha=0.25, axis="y")
    for axis in axes[len(names) :]:
        axis.remove()
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize="small")
    _save(figure, path)
