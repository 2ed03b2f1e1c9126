"""Records of an evaluation to summaries, comparisons, JSON and Markdown; pictures to contact sheets.

Intervals are percentile bootstrap intervals (95 %, 2,000 resamples) over pictures. Their random numbers start from one
fixed seed, so that the same records give the same report.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from temperfill.files import atomic_write

RESAMPLES = 2000
"""Bootstrap resamples of an interval."""
DIGITS = 6
"""Decimals of means and intervals in JSON."""
ALL = "all"
"""Name of the kind that pools all kinds, in comparisons."""
_RESAMPLES_AT_ONCE = 100  # bounds the memory: resamples x pictures x metrics numbers at a time
_GAP, _BACKGROUND, _INK = 4, (255, 255, 255), (0, 0, 0)  # pixels between cells; colours of a sheet
_LEAST_CELL = 128  # pixels; labels cannot be read above narrower cells
_LEAST_FONT = 12  # pixels


class Metric(NamedTuple):
    """How a figure is shown.

    Attributes:
        heading: of its column, with unit.
        best: whether low or high values are best, or those near one.
    """

    heading: str
    best: Literal["low", "high", "one"]


METRICS: dict[str, Metric] = {
    "mae": Metric("MAE, %", "low"),
    "psnr": Metric("PSNR, dB", "high"),
    "ssim": Metric("SSIM", "high"),
    "vgg": Metric("VGG distance", "low"),
    "squeeze": Metric("SqueezeNet distance", "low"),
    "sharp": Metric("sharpness", "one"),
}
"""Figures by name, in the order of tables."""


@dataclass(frozen=True)
class Record:
    """What one method made of one picture with one mask.

    Attributes:
        method: label of the method.
        kind: of the picture, such as faces.
        group: of the mask, such as ratio-0.1-0.2.
        stem: file name of the picture without its suffix.
        values: figures by name; a subset of ``METRICS``, the same in all records of a report.
        known_changed: whether a known pixel differs from the truth.
    """

    method: str
    kind: str
    group: str
    stem: str
    values: dict[str, float]
    known_changed: bool = False

    def flat(self) -> dict[str, Any]:
        """One level of plain JSON values."""
        places = {"method": self.method, "kind": self.kind, "group": self.group, "stem": self.stem}
        return places | self.values | {"known_changed": self.known_changed}


Summary = dict[str, dict[str, dict[str, dict[str, Any]]]]
Comparison = dict[str, dict[str, dict[str, Any]]]


def bootstrap_interval(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """95 % percentile bootstrap intervals of the means of columns, rows drawn together.

    Args:
        values: (n, m), one row per picture; n at least 1.

    Returns:
        Lower and upper bounds, (m,) each.

    Raises:
        ValueError: not such an array.
    """
    if values.ndim != 2 or 0 in values.shape:
        raise ValueError(f"values must have shape (n, m) without empty axes, got {values.shape}")
    rng = np.random.default_rng(0)
    means = [
        values[rng.integers(0, len(values), (_RESAMPLES_AT_ONCE, len(values)))].mean(1)
        for _ in range(RESAMPLES // _RESAMPLES_AT_ONCE)
    ]
    low, high = np.percentile(np.concatenate(means), [2.5, 97.5], axis=0)
    return low, high


def metric_names(records: Sequence[Record]) -> list[str]:
    """The figures that all records hold, in the order of tables.

    Raises:
        ValueError: no records.
    """
    if not records:
        raise ValueError("a report needs at least one record")
    return [name for name in METRICS if all(name in record.values for record in records)]


def _grouped(records: Iterable[Record], *fields: str) -> dict[tuple[str, ...], list[Record]]:
    groups: dict[tuple[str, ...], list[Record]] = {}
    for record in records:
        groups.setdefault(tuple(getattr(record, field) for field in fields), []).append(record)
    return groups


def summarise(records: Sequence[Record]) -> Summary:
    """Means per method, kind and group.

    Returns:
        ``summary[method][kind][group]`` with the mean of each figure by its name, ``n`` (pictures), ``known_changed``
        (pictures with a changed known pixel) and ``interval`` (figure to [low, high]).

    Raises:
        ValueError: no records.
    """
    names = metric_names(records)
    summary: Summary = {}
    for (method, kind, group), members in _grouped(records, "method", "kind", "group").items():
        values = np.array([[record.values[name] for name in names] for record in members])
        low, high = bootstrap_interval(values)
        cell: dict[str, Any] = dict(zip(names, np.round(values.mean(0), DIGITS).tolist(), strict=True))
        cell |= {"n": len(members), "known_changed": sum(record.known_changed for record in members)}
        cell["interval"] = dict(zip(names, np.round(np.stack([low, high], 1), DIGITS).tolist(), strict=True))
        summary.setdefault(method, {}).setdefault(kind, {})[group] = cell
    return summary


def _per_picture(records: Iterable[Record], names: list[str]) -> dict[str, dict[tuple[str, str], NDArray[np.float64]]]:
    """Method to picture to its figures, averaged over masks: the picture is what varies independently."""
    result: dict[str, dict[tuple[str, str], NDArray[np.float64]]] = {}
    for (method, kind, stem), members in _grouped(records, "method", "kind", "stem").items():
        values = np.array([[record.values[name] for name in names] for record in members])
        result.setdefault(method, {})[kind, stem] = values.mean(0)
    return result


def distance_from_best(name: str, value: float) -> float:
    """Order of a figure's values: the lower, the better."""
    best = METRICS[name].best
    return {"low": value, "high": -value, "one": abs(value - 1)}[best]


def compare(records: Sequence[Record], baselines: Sequence[str]) -> Comparison:
    """Paired comparison of every method with the best other baseline, chosen for each kind and figure by its mean.

    Pictures are paired; the figures of one picture with several masks are averaged first.

    Args:
        records: of all methods on the same pictures and masks; pictures that a method lacks are left out of its pairs.
        baselines: labels of the methods to compare with.

    Returns:
        ``comparison[method][kind]`` (kinds, and ``all`` where there are several) with ``n`` (pairs) and, for every
        figure, ``baseline``, ``difference`` (method minus baseline), ``interval`` ([low, high]) and ``verdict``:
        better or worse if the interval excludes zero, else undecided; none for sharpness, whose best value is one.

    Raises:
        ValueError: no records.
    """
    names = metric_names(records)
    pictures = _per_picture(records, names)
    kinds = list(dict.fromkeys(record.kind for record in records))
    comparison: Comparison = {}
    for method, own in pictures.items():
        others = [b for b in baselines if b != method and b in pictures]
        for kind in [*kinds, ALL] if len(kinds) > 1 else kinds:
            keys = [k for k in own if kind in (ALL, k[0]) and all(k in pictures[b] for b in others)]
            if others and keys:
                figures = {m: np.array([pictures[m][k] for k in keys]) for m in (method, *others)}
                comparison.setdefault(method, {})[kind] = {"n": len(keys)} | _differences(figures, method, names)
    return comparison


def _differences(figures: dict[str, NDArray[np.float64]], method: str, names: list[str]) -> dict[str, Any]:
    others = [m for m in figures if m != method]
    means = {b: figures[b].mean(0) for b in others}
    scores = [[distance_from_best(name, float(means[b][i])) for b in others] for i, name in enumerate(names)]
    best = [others[row.index(min(row))] for row in scores]
    difference = figures[method] - np.stack([figures[b][:, i] for i, b in enumerate(best)], 1)
    low, high = bootstrap_interval(difference)
    result: dict[str, Any] = {}
    for i, name in enumerate(names):
        result[name] = {
            "baseline": best[i],
            "difference": round(float(difference[:, i].mean()), DIGITS),
            "interval": [round(float(low[i]), DIGITS), round(float(high[i]), DIGITS)],
            "verdict": _verdict(name, float(low[i]), float(high[i])),
        }
    return result


def _verdict(name: str, low: float, high: float) -> str:
    if METRICS[name].best == "one":
        return "none"
    if low <= 0 <= high:
        return "undecided"
    return "better" if (high < 0) == (METRICS[name].best == "low") else "worse"


def summary_tables(summary: Summary) -> str:
    """Markdown: one table per kind and group; best means in bold, with 95 % intervals and numbers of pictures."""
    places = dict.fromkeys(
        (kind, group) for kinds in summary.values() for kind, groups in kinds.items() for group in groups
    )
    lines: list[str] = []
    for kind, group in places:
        cells = {method: kinds[kind][group] for method, kinds in summary.items() if group in kinds.get(kind, {})}
        names = [name for name in METRICS if all(name in cell for cell in cells.values())]
        # As shown, so that equal figures are equally bold.
        best = {name: min(distance_from_best(name, round(cell[name], 4)) for cell in cells.values()) for name in names}
        lines += [f"### {kind}, {group}", "", _row(["method", *(METRICS[n].heading for n in names), "n"])]
        lines += [_row(["---", *("---:" for _ in names), "---:"])]
        for method, cell in cells.items():
            shown = [
                _figure(
                    cell[name], cell["interval"][name], distance_from_best(name, round(cell[name], 4)) == best[name]
                )
                for name in names
            ]
            lines.append(_row([method, *shown, str(cell["n"])]))
        lines.append("")
    return "\n".join(lines)


def comparison_table(comparison: Comparison) -> str:
    """Markdown: differences from the best baseline with 95 % intervals; better and worse where they exclude zero."""
    lines = [_row(["method", "kind", "figure", "best baseline", "difference", "95 % interval", "verdict", "n"])]
    lines.append(_row(["---", "---", "---", "---", "---:", "---:", "---", "---:"]))
    for method, kinds in comparison.items():
        for kind, figures in kinds.items():
            for name in (n for n in METRICS if n in figures):
                f = figures[name]
                verdict = {"none": "", "better": "**better**"}.get(f["verdict"], f["verdict"])
                interval = "[{:+.4f}, {:+.4f}]".format(*f["interval"])
                place = [method, kind, METRICS[name].heading, f["baseline"]]
                lines.append(_row([*place, f"{f['difference']:+.4f}", interval, verdict, str(figures["n"])]))
    return "\n".join([*lines, ""])


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _figure(mean: float, interval: Sequence[float], best: bool) -> str:
    text = f"**{mean:.4f}**" if best else f"{mean:.4f}"
    return f"{text} [{interval[0]:.4f}, {interval[1]:.4f}]"


def write_json(path: Path, data: object) -> None:
    """Writes indented JSON; numbers that are not finite are refused.

    Raises:
        OSError: cannot be written.
        ValueError: a number is not finite.
    """
    write_text(path, json.dumps(data, indent=1, allow_nan=False, ensure_ascii=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Writes UTF-8 text.

    Raises:
        OSError: cannot be written.
    """
    atomic_write(path, lambda file: file.write(text.encode()))


def contact_sheet(columns: dict[str, list[NDArray[np.uint8]]], path: Path, max_width: int = 2048) -> None:
    """Writes a PNG with pictures side by side: one row per picture, one labelled column per method.

    Args:
        columns: label to pictures (H, W, 3) RGB, as many in each column; sizes may differ.
        path: of the PNG.
        max_width: widest sheet, pixels. Pictures shrink to fit it; ones below 128 pixels are enlarged for the label's
            sake if there is room.

    Raises:
        OSError: cannot be written.
        ValueError: no column or no row, columns of different lengths, arrays of another form, or too many columns.
    """
    lengths = {label: len(pictures) for label, pictures in columns.items()}
    if not lengths or len(set(lengths.values())) != 1 or 0 in lengths.values():
        raise ValueError(f"a contact sheet needs columns with the same number of pictures, at least one; got {lengths}")
    for label, pictures in columns.items():
        for picture in pictures:
            if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or 0 in picture.shape:
                raise ValueError(f"{label}: pictures must be uint8 (H, W, 3), got {picture.dtype} {picture.shape}")
    room = (max_width + _GAP) // len(columns) - _GAP
    if room < 1:
        raise ValueError(f"{len(columns)} columns do not fit into {max_width} pixels; show fewer")
    cell = min(max(_LEAST_CELL, *(p.shape[1] for pictures in columns.values() for p in pictures)), room)
    rows = [[_fit(p, cell) for p in row] for row in zip(*columns.values(), strict=True)]
    font = ImageFont.load_default(max(_LEAST_FONT, cell // 14))
    top = sum(font.getmetrics()) + 2 * _GAP  # type: ignore[union-attr]
    heights = [max(p.height for p in row) for row in rows]
    size = (len(columns) * (cell + _GAP) - _GAP, top + sum(heights) + _GAP * (len(rows) - 1))
    sheet = Image.new("RGB", size, _BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    for i, label in enumerate(columns):
        text = _shorten(label, cell, draw, font)
        draw.text((i * (cell + _GAP) + (cell - draw.textlength(text, font)) / 2, _GAP), text, _INK, font)
    for row, height in zip(rows, heights, strict=True):
        for i, shown in enumerate(row):
            left = i * (cell + _GAP) + (cell - shown.width) // 2
            sheet.paste(shown, (left, top + (height - shown.height) // 2))
        top += height + _GAP
    atomic_write(path, lambda file: sheet.save(file, "PNG"))


def _fit(picture: NDArray[np.uint8], cell: int) -> Image.Image:
    """The picture at the width of a cell, and at most twice as high; its pixels untouched if it has that width."""
    image = Image.fromarray(picture)
    scale = min(cell / image.width, 2 * cell / image.height)
    if scale == 1:
        return image
    size = (max(round(image.width * scale), 1), max(round(image.height * scale), 1))
    return image.resize(size, Image.Resampling.LANCZOS if scale < 1 else Image.Resampling.NEAREST)


def _shorten(label: str, width: int, draw: ImageDraw.ImageDraw, font: Any) -> str:
    """The label, cut with an ellipsis where it is wider than its column."""
    if draw.textlength(label, font) <= width:
        return label
    while label and draw.textlength(label + "…", font) > width:
        label = label[:-1]
    return label + "…"
