"""Draws how far models are from what is aimed at, over their training, and says when a straight line would be there.

python tools/plot_validation.py OUTPUT_FOLDER rows.json

The rows are those of one `temperfill evaluate` with the measures mae, psnr, vgg, squeeze and sharp. Methods named
MODEL-CROPS, such as base-112936, are weights of that model after so many crops; all others are the methods that learn
nothing, and the best of them in each measure and kind is what the models are compared with. Writes validation.png, one
panel for each aim and one curve for each kind and model, and prints the table of the aims.

The line is that of least squares through a model's points from --since crops on, the measure over the logarithm of the
crops. Its interval is that of lines through resampled pictures; it says nothing of whether a line is right. Models with
fewer than five points get none.
"""

import argparse
import json
import math
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
import numpy as np
from numpy.typing import NDArray

from temperfill.report.bootstrap import resampled_means

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes

Array = NDArray[np.float64]
MANY = 1e9
"""Crops beyond which a line is as good as never there: eleven years of the two cores that `base` was trained on."""
POINTS = 5
"""Of a line, at least: a model that has just begun falls steeply, and a line through that leads anywhere."""
STYLES = ("-", "--", "-.", ":")
MARKERS = "os^d"


class Aim(NamedTuple):
    """What a measure is to reach.

    Attributes:
        title: of the panel.
        bar: the value aimed at, once compared.
        sign: 1 where more is better, -1 where less is.
        compared: with the best other method: ``minus``, ``over``, or not at all.
    """

    title: str
    bar: float
    sign: int
    compared: str = "over"

    def value(self, found: Array, best: Array) -> Array:
        """The measure as it is compared."""
        return found - best if self.compared == "minus" else found / best if self.compared == "over" else found


AIMS = {
    "psnr": Aim("PSNR more than the best, dB", 1.5, 1, "minus"),
    "mae": Aim("MAE / the best's", 0.8, -1),
    "vgg": Aim("VGG distance / the best's", 0.75, -1),
    "squeeze": Aim("SqueezeNet distance / the best's", 0.7, -1),
    "sharp": Aim("sharpness, 1 = the truth's", 0.8, 1, ""),
}


class Curve(NamedTuple):
    """A model on one kind of pictures in one measure.

    Attributes:
        crops: (n,) seen, in ascending order.
        means: (n,) as the aim compares.
        resampled: (resamples, n), the same over resampled pictures.
    """

    crops: Array
    means: Array
    resampled: Array

    def since(self, crops: float) -> "Curve":
        """The part from so many crops on."""
        kept = self.crops >= crops
        return Curve(self.crops[kept], self.means[kept], self.resampled[:, kept])


def curves_of(rows: list[dict[str, Any]], measure: str) -> dict[tuple[str, str], Curve]:
    """Model and kind to what it is worth after so many crops.

    Raises:
        SystemExit: the methods did not fill the same pictures, or no method learns nothing.
    """
    aim, curves = AIMS[measure], {}
    for kind, values in values_of(rows, measure).items():
        trained: dict[str, dict[int, Array]] = defaultdict(dict)
        others = []
        for name, column in values.items():
            if match := re.fullmatch(r"(.+)-(\d+)", name):
                trained[match[1]][int(match[2])] = column
            else:
                others.append(column)
        if not others:
            raise SystemExit("the rows have no method that learns nothing; evaluate telea and others, too")
        # The best is that of all pictures, also where they are resampled.
        best = max(others, key=lambda column: aim.sign * column.mean())
        for model, columns in trained.items():
            crops = sorted(columns)
            both = np.column_stack([*(columns[n] for n in crops), best])
            means, resampled = both.mean(0), resampled_means(both)
            compared = aim.value(means[:-1], means[-1]), aim.value(resampled[:, :-1], resampled[:, -1:])
            curves[model, kind] = Curve(np.array(crops, float), *compared)
    return curves


def values_of(rows: list[dict[str, Any]], measure: str) -> dict[str, dict[str, Array]]:
    """Kind and method to the measure of every picture with every mask, in one order for all methods of a kind.

    Raises:
        SystemExit: the methods did not fill the same pictures.
    """
    found: dict[str, dict[str, dict[tuple[str, str], float]]] = defaultdict(lambda: defaultdict(dict))
    for row in rows:
        found[row["kind"]][row["method"]][row["group"], row["stem"]] = row[measure]
    values = {}
    for kind, methods in found.items():
        cases = sorted(next(iter(methods.values())))
        if any(sorted(cells) != cases for cells in methods.values()):
            raise SystemExit(f"the methods did not fill the same pictures of {kind}; evaluate them together")
        values[kind] = {name: np.array([cells[case] for case in cases]) for name, cells in methods.items()}
    return values


def line(crops: Array, values: Array) -> tuple[Array, Array]:
    """Slope and height of the lines of least squares of values (..., n) over the decimal logarithm of crops (n,)."""
    x = np.log10(crops)
    away = x - x.mean()
    slope = (values * away).sum(-1) / (away**2).sum()
    return slope, values.mean(-1) - slope * x.mean()


def crops_at(crops: Array, values: Array, aim: Aim) -> Array:
    """How many crops the lines through values (..., n) need to reach the aim; infinity where they lead away from it."""
    slope, height = line(crops, values)
    with np.errstate(divide="ignore", over="ignore"):
        needed = 10 ** ((aim.bar - height) / slope)
    return np.where(slope * aim.sign > 0, needed, math.inf)


def amount(crops: float) -> str:
    """A number of crops in words."""
    if crops > MANY:
        return "never"
    digits = -math.floor(math.log10(crops)) + 1
    return f"{round(crops, digits) / 1e6:,g} M"


def answer(curve: Curve, aim: Aim, since: float = 0) -> str:
    """When the aim is reached: it is, or the crops that the line needs, with a 95 % interval."""
    late = curve.since(since)
    if (curve.means[-1] - aim.bar) * aim.sign >= 0:
        return "reached"
    if len(late.crops) < POINTS:
        return "too few points"
    low, high = np.percentile(crops_at(late.crops, late.resampled, aim), [2.5, 97.5], method="nearest")
    return f"{amount(float(crops_at(late.crops, late.means, aim)))} [{amount(low)}, {amount(high)}]"


def table(aim: Aim, curves: dict[tuple[str, str], Curve], since: float = 0) -> list[str]:
    """Of each model and kind: from where to where it has come, and how many crops the aim takes at this pace."""
    models, kinds = (list(dict.fromkeys(names)) for names in zip(*curves, strict=True))
    lines = [f"| aim | model | {' | '.join(kinds)} |", "|---|---|" + "---|" * len(kinds)]
    for model in models:
        cells = []
        for kind in kinds:
            curve = curves[model, kind]
            cells.append(f"{curve.means[0]:.2f} to {curve.means[-1]:.2f}; {answer(curve, aim, since)}")
        lines.append(f"| {aim.title}: {aim.bar:g} | {model} | {' | '.join(cells)} |")
    return lines


def draw(axis: Axes, aim: Aim, curves: dict[tuple[str, str], Curve], since: float = 0) -> None:
    """One panel: points, their lines up to ten times the crops, and the bar."""
    models, kinds = (list(dict.fromkeys(names)) for names in zip(*curves, strict=True))
    last = 10 * max(curve.crops[-1] for curve in curves.values())
    for (model, kind), curve in curves.items():
        colour, style = f"C{kinds.index(kind)}", models.index(model) % len(STYLES)
        axis.plot(
            curve.crops, curve.means, STYLES[style], marker=MARKERS[style], color=colour, ms=4, label=f"{model}, {kind}"
        )
        late = curve.since(since)
        if len(late.crops) >= POINTS:
            slope, height = line(late.crops, late.means)
            ends = np.array([late.crops[0], last])
            axis.plot(ends, height + slope * np.log10(ends), ":", color=colour, lw=1)
    axis.axhline(aim.bar, color="black", lw=1)
    axis.annotate(f"aim: {aim.bar:g}", (last, aim.bar), ha="right", va="bottom", fontsize=9)
    axis.set(xlabel="crops seen", title=aim.title, xscale="log")
    axis.grid(alpha=0.3)


def main(words: Sequence[str] | None = None) -> None:
    """Reads the rows, writes validation.png and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("rows", type=Path)
    parser.add_argument("--since", type=float, default=0, help="crops from which on lines are drawn")
    arguments = parser.parse_args(words)
    rows = json.loads(arguments.rows.read_text(encoding="utf-8"))
    figure, axes = plt.subplots(2, 3, figsize=(15, 8.5), constrained_layout=True)
    for number, (axis, (measure, aim)) in enumerate(zip(axes.flat, AIMS.items(), strict=False)):
        curves = curves_of(rows, measure)
        draw(axis, aim, curves, arguments.since)
        print("\n".join(table(aim, curves, arguments.since)[0 if number == 0 else 2 :]))
    axes.flat[5].axis("off")
    handles, labels = axes.flat[0].get_legend_handles_labels()
    order = sorted(range(len(labels)), key=lambda n: labels[n].partition(",")[0])
    axes.flat[5].legend([handles[n] for n in order], [labels[n] for n in order], loc="center", fontsize=11)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(arguments.folder / "validation.png", dpi=100)


if __name__ == "__main__":
    main()
