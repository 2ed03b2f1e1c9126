"""Records of an evaluation to means, intervals and paired differences.

Intervals are percentile bootstrap intervals (95 %, 2,000 resamples) over pictures, and over training runs where a
method has several. Their random numbers start from fixed seeds, so that the same records give the same report. Means
are sums without rounding error, so that the order of the records does not matter either.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from temperfill.report.bootstrap import bootstrap_interval, exact_means

DIGITS = 6
"""Decimals of means and intervals in JSON."""
ALL = "all"
"""Name of the kind that pools all kinds, in comparisons."""
ONE_SEED = "one seed"
"""Verdict on trained methods of which one was trained once only."""


class Metric(NamedTuple):
    """How a metric is shown.

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
    "lpips": Metric("LPIPS", "low"),
    "vgg": Metric("VGG distance", "low"),
    "squeeze": Metric("SqueezeNet distance", "low"),
    "sharp": Metric("sharpness", "one"),
    "lines": Metric("F1 of lines", "high"),
}
"""Metrics of a picture by name, in the order of tables."""
SET_METRICS: dict[str, Metric] = {
    "fid": Metric("FID", "low"),
    "kernel": Metric("SqueezeNet kernel distance", "low"),
}
"""Metrics of a whole set of pictures by name, in the order of tables."""


@dataclass(frozen=True)
class Record:
    """What one method made of one picture with one mask.

    Attributes:
        method: label of the method.
        kind: of the picture, such as faces.
        group: of the mask, such as ratio-0.1-0.2.
        stem: file name of the picture without its suffix.
        values: of metrics by name; a subset of ``METRICS``, the same in all records of a report.
        known_changed: whether a known pixel differs from the truth.
        run: which of the method's training runs made it, such as seed-0; empty for a method without.
    """

    method: str
    kind: str
    group: str
    stem: str
    values: dict[str, float]
    known_changed: bool = False
    run: str = ""

    def flat(self) -> dict[str, Any]:
        """One level of plain JSON values."""
        places = {"method": self.method, "kind": self.kind, "group": self.group, "stem": self.stem}
        return places | ({"run": self.run} if self.run else {}) | self.values | {"known_changed": self.known_changed}


Summary = dict[str, dict[str, dict[str, dict[str, Any]]]]
Comparison = dict[str, dict[str, dict[str, Any]]]


def metric_names(records: Sequence[Record]) -> list[str]:
    """The metrics that all records hold, in the order of tables.

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


Values = dict[str, dict[tuple[str, str], NDArray[np.float64]]]
"""Run to picture (kind, stem) to its values (m,)."""


def _per_picture(records: Iterable[Record], names: list[str]) -> dict[str, Values]:
    """Method to its values, averaged over masks: the picture is what varies independently."""
    result: dict[str, Values] = {}
    for (method, run, kind, stem), members in _grouped(records, "method", "run", "kind", "stem").items():
        values = np.array([[record.values[name] for name in names] for record in members])
        result.setdefault(method, {}).setdefault(run, {})[kind, stem] = exact_means(values)
    return result


def _stacked(runs: Values, keys: Sequence[tuple[str, str]]) -> NDArray[np.float64]:
    """(runs, n, m) of the pictures ``keys``."""
    return np.array([[own[key] for key in keys] for own in runs.values()])


def summarise(records: Sequence[Record]) -> Summary:
    """Means per method, kind and group.

    Returns:
        ``summary[method][kind][group]`` with the mean of each metric by its name over pictures and runs, ``n``
        (pictures), ``runs``, ``known_changed`` (composites with a changed known pixel) and ``interval`` (metric to
        [low, high]); with several runs also ``by_run`` (run to metric to mean).

    Raises:
        ValueError: no records.
    """
    names = metric_names(records)
    summary: Summary = {}
    for (method, kind, group), members in _grouped(records, "method", "kind", "group").items():
        runs = _per_picture(members, names)[method]
        summary.setdefault(method, {}).setdefault(kind, {})[group] = _cell(runs, names, members)
    return summary


def by_group(records: Sequence[Record]) -> dict[str, dict[str, dict[str, Any]]]:
    """As :func:`summarise` with all kinds pooled: ``result[method][group]``."""
    names = metric_names(records)
    result: dict[str, dict[str, dict[str, Any]]] = {}
    for (method, group), members in _grouped(records, "method", "group").items():
        result.setdefault(method, {})[group] = _cell(_per_picture(members, names)[method], names, members)
    return result


def _cell(runs: Values, names: list[str], members: Sequence[Record]) -> dict[str, Any]:
    keys = _common(runs.values())
    if not keys:
        raise ValueError(f"the runs {', '.join(runs)} of {members[0].method} share no picture")
    values = _stacked(runs, keys)
    low, high = bootstrap_interval(values)
    means = exact_means(values.reshape(-1, len(names)))
    cell: dict[str, Any] = dict(zip(names, np.round(means, DIGITS).tolist(), strict=True))
    cell |= {"n": len(keys), "runs": len(values), "known_changed": sum(record.known_changed for record in members)}
    cell["interval"] = dict(zip(names, np.round(np.stack([low, high], 1), DIGITS).tolist(), strict=True))
    if len(values) > 1:
        by_run = zip(runs, values, strict=True)
        cell["by_run"] = {
            run: dict(zip(names, np.round(exact_means(own), DIGITS).tolist(), strict=True)) for run, own in by_run
        }
    return cell


def _common(parts: Iterable[dict[tuple[str, str], Any]]) -> list[tuple[str, str]]:
    """The pictures that all have, in the order of the first."""
    first, *others = parts
    return [key for key in first if all(key in other for other in others)]


def distance_from_best(name: str, value: float) -> float:
    """Order of a metric's values: the lower, the better."""
    best = (METRICS | SET_METRICS)[name].best
    return {"low": value, "high": -value, "one": abs(value - 1)}[best]


def compare(records: Sequence[Record], baselines: Sequence[str], once: Sequence[str] = ()) -> Comparison:
    """Paired comparison of every method with the best other baseline, chosen for each kind and metric by its mean.

    Pictures are paired; the values of one picture with several masks are averaged first.

    Args:
        records: of all methods on the same pictures and masks; pictures that a method lacks are left out of its pairs.
        baselines: labels of the methods to compare with.
        once: methods trained once only: among themselves there is no verdict.

    Returns:
        ``comparison[method][kind]`` (kinds, and ``all`` where there are several) with ``n`` (pairs) and, for every
        metric, ``baseline``, ``difference`` (method minus baseline), ``interval`` ([low, high]) and ``verdict``:
        better or worse if the interval excludes zero, else undecided; none for sharpness, whose best value is one.

    Raises:
        ValueError: no records.
    """
    names = metric_names(records)
    pictures = _per_picture(records, names)
    comparison: Comparison = {}
    for method, own in pictures.items():
        others = [b for b in baselines if b != method and b in pictures]
        for kind in _kinds(records):
            keys = [k for k in _common([*own.values(), *_runs(pictures, others)]) if kind in (ALL, k[0])]
            if not others or not keys:
                continue
            means = {b: exact_means(_stacked(pictures[b], keys).reshape(-1, len(names))) for b in others}
            best = [min(others, key=lambda b: distance_from_best(name, means[b][i])) for i, name in enumerate(names)]
            found = {b: _differences(own, pictures[b], keys, names) for b in dict.fromkeys(best)}
            line = {name: {"baseline": b} | found[b][name] for name, b in zip(names, best, strict=True)}
            for name in names:
                if method in once and line[name]["baseline"] in once:
                    line[name]["verdict"] = ONE_SEED
            comparison.setdefault(method, {})[kind] = {"n": len(keys)} | line
    return comparison


def pairwise(records: Sequence[Record], reference: str, trained: dict[str, int]) -> Comparison:
    """Paired differences of one method from each other.

    Args:
        records: of all methods on the same pictures and masks.
        reference: the method that the others are taken away from.
        trained: label of each trained method to its number of training runs; two trained methods are ranked only if
            both have two or more.

    Returns:
        ``comparison[other][kind]`` as :func:`compare`, the difference being that of ``reference`` minus ``other``;
        the verdict is on ``reference``, and ``one seed`` where there is none to give.

    Raises:
        ValueError: no records.
    """
    names = metric_names(records)
    pictures = _per_picture(records, names)
    comparison: Comparison = {}
    for other in pictures:
        keys = _common([*_runs(pictures, [reference, other])])
        unranked = all(m in trained for m in (reference, other)) and min(trained[m] for m in (reference, other)) < 2
        for kind in _kinds(records):
            chosen = [k for k in keys if kind in (ALL, k[0])]
            if other == reference or not chosen:
                continue
            line = _differences(pictures[reference], pictures[other], chosen, names)
            for name in names if unranked else ():
                line[name]["verdict"] = ONE_SEED
            comparison.setdefault(other, {})[kind] = {"n": len(chosen)} | line
    return comparison


def _runs(pictures: dict[str, Values], methods: Iterable[str]) -> list[dict[tuple[str, str], NDArray[np.float64]]]:
    return [own for method in methods for own in pictures[method].values()]


def _kinds(records: Iterable[Record]) -> list[str]:
    kinds = list(dict.fromkeys(record.kind for record in records))
    return [*kinds, ALL] if len(kinds) > 1 else kinds


def _differences(
    a: Values, b: Values, keys: Sequence[tuple[str, str]], names: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Of each metric the difference a - b with its interval and verdict.

    Runs are paired where both methods have the same ones (a seed gives both the same data and masks), else each run of
    one meets each of the other in the resamples.
    """
    if list(a) == list(b) or len(a) == 1 or len(b) == 1:
        difference = _stacked(a, keys) - _stacked(b, keys)
        low, high = bootstrap_interval(difference)
    else:
        difference = _stacked(a, keys).mean(0) - _stacked(b, keys).mean(0)
        low, high = bootstrap_interval(_stacked(a, keys), _stacked(b, keys))
    means = exact_means(difference.reshape(-1, len(names)))
    return {
        name: {
            "difference": round(float(means[i]), DIGITS),
            "interval": [round(float(low[i]), DIGITS), round(float(high[i]), DIGITS)],
            "verdict": verdict(name, float(low[i]), float(high[i])),
        }
        for i, name in enumerate(names)
    }


def verdict(name: str, low: float, high: float) -> str:
    """What an interval of a difference says: better, worse, undecided; none where the best value is one."""
    best = (METRICS | SET_METRICS)[name].best
    if best == "one":
        return "none"
    if low <= 0 <= high:
        return "undecided"
    return "better" if (high < 0) == (best == "low") else "worse"
