"""How a model stands against methods that learn nothing, kind by kind and group by group of masks.

python benchmarks/against_classical.py base runs/evaluation/rows.json ... --output against.md

Reads the rows that ``temperfill evaluate`` writes, of one evaluation or of several with the same methods. The first
table names, for every measure, the methods that the model does not beat: the 95 % bootstrap interval of the mean
difference over the same pictures does not exclude zero; those that beat it are in bold. The second takes all groups
together, against the best of the methods in each measure by itself, with 95 % bootstrap intervals over the pictures.
"""

import argparse
import json
from collections import defaultdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from temperfill.report import Record, pairwise
from temperfill.report.bootstrap import resampled_means

MEASURES = {"mae": -1, "psnr": 1, "ssim": 1, "vgg": -1, "squeeze": -1}
"""Whether more (1) or less (-1) is better."""
Rows = dict[tuple[str, str, str], dict[str, dict[str, float]]]
"""Kind, group, method to stem to measures."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="label of the model in the rows")
    parser.add_argument("rows", nargs="+", type=Path, help="rows.json")
    parser.add_argument("--output", type=Path, help="Markdown file")
    arguments = parser.parse_args()
    rows: Rows = defaultdict(dict)
    for path in arguments.rows:
        for row in json.loads(path.read_text()):
            same = rows[row["kind"], row["group"], row["method"]]
            if row["stem"] in same:
                parser.error(f"{path}: {row['method']} has two results for {row['stem']}; evaluate one run of a method")
            lacking = [measure for measure in (*MEASURES, "sharp") if measure not in row]
            if lacking:
                parser.error(f"{path}: rows lack {', '.join(lacking)}; evaluate with --vgg and --squeezenet")
            same[row["stem"]] = row
    if arguments.model not in {method for _, _, method in rows}:
        parser.error(f"no rows of {arguments.model!r}")
    kinds = list(dict.fromkeys(kind for kind, _, _ in rows))
    groups = sorted({group for _, group, _ in rows})
    model = arguments.model
    others = [method for method in dict.fromkeys(m for _, _, m in rows) if method != model]
    lines = [*by_group(rows, model, others, kinds, groups), "", *together(rows, model, others, kinds)]
    print("\n".join(lines))
    if arguments.output:
        arguments.output.write_text("\n".join(lines) + "\n")


def by_group(rows: Rows, model: str, others: list[str], kinds: list[str], groups: list[str]) -> list[str]:
    """Which methods are not beaten in which measure.

    Raises:
        SystemExit: the methods did not fill the same pictures.
    """
    lines = [
        "| kind | masks | n | MAE | PSNR | SSIM | VGG distance | SqueezeNet distance |",
        "|---|---|---:|" + "---|" * 5,
    ]
    for kind in kinds:
        for group in (group for group in groups if (kind, group, model) in rows):
            found = {method: rows[kind, group, method] for method in (model, *others)}
            if any(pictures.keys() != found[model].keys() for pictures in found.values()):
                raise SystemExit("the methods were not measured on the same pictures; evaluate them in one command")
            records = [
                Record(method, kind, group, stem, {measure: row[measure] for measure in MEASURES}, False)
                for method, pictures in found.items()
                for stem, row in pictures.items()
            ]
            comparison = pairwise(records, model, {})
            cells = []
            for measure in MEASURES:
                verdicts = {other: comparison[other][kind][measure]["verdict"] for other in others}
                marks = {other: "**" if verdict == "worse" else "" for other, verdict in verdicts.items()}
                left = [f"{marks[other]}{other}{marks[other]}" for other in others if verdicts[other] != "better"]
                cells.append(", ".join(left) or "better")
            lines.append(f"| {kind} | {group} | {len(found[model])} | " + " | ".join(cells) + " |")
    return lines


def together(rows: Rows, model: str, others: list[str], kinds: list[str]) -> list[str]:
    """Means over all pictures and groups, and the model against the best of the others in each measure."""
    lines = [
        "| kind | method | MAE, % | PSNR, dB | SSIM | VGG distance | SqueezeNet distance | sharpness |",
        "|---|---|" + "---:|" * 6,
    ]
    for kind in kinds:
        means = {method: mean(rows, kind, method) for method in (model, *others)}
        for method, (mae, psnr, ssim, vgg, squeeze, sharp) in means.items():
            lines.append(
                f"| {kind} | {method} | {mae:.3f} | {psnr:.2f} | {ssim:.4f} | {vgg:.3f} | {squeeze:.3f} | {sharp:.2f} |"
            )
        lines.append(f"| {kind} | {model} against the best | {' | '.join(against_best(rows, kind, model, means))} | |")
    return lines


def against_best(rows: Rows, kind: str, model: str, means: dict[str, NDArray[np.float64]]) -> list[str]:
    """A cell for each measure: ratio (x) or difference, with its 95 % interval, to the method with the best mean.

    Raises:
        SystemExit: the methods did not fill the same pictures.
    """
    cells = []
    for column, (measure, sign) in enumerate(MEASURES.items()):
        best = max((other for other in means if other != model), key=lambda other: sign * means[other][column])
        values = [by_picture(rows, kind, method, measure) for method in (model, best)]
        if values[0].keys() != values[1].keys():
            raise SystemExit("the methods were not measured on the same pictures; evaluate them in one command")
        pairs = np.array([[value[stem] for value in values] for stem in values[0]])
        ours, theirs = resampled_means(pairs).T
        mean_ours, mean_theirs = means[model][column], means[best][column]
        relative = measure not in ("psnr", "ssim")
        figure = mean_ours / mean_theirs if relative else mean_ours - mean_theirs
        low, high = np.percentile(ours / theirs if relative else ours - theirs, [2.5, 97.5])
        form = "x{:.3f}" if relative else {"psnr": "{:+.2f}", "ssim": "{:+.4f}"}[measure]
        cells.append(f"{form.format(figure)} [{form.format(low)}, {form.format(high)}]")
    return cells


def by_picture(rows: Rows, kind: str, method: str, measure: str) -> dict[str, float]:
    """Stem to mean over all groups of masks."""
    found: dict[str, list[float]] = defaultdict(list)
    for (k, _, m), pictures in rows.items():
        if (k, m) == (kind, method):
            for stem, row in pictures.items():
                found[stem].append(row[measure])
    return {stem: float(np.mean(values)) for stem, values in sorted(found.items())}


def mean(rows: Rows, kind: str, method: str) -> NDArray[np.float64]:
    """(measures + sharpness,) over all pictures and groups of a kind."""
    found = [row for (k, _, m), pictures in rows.items() if (k, m) == (kind, method) for row in pictures.values()]
    return np.array([np.nanmean([np.nan if row[m] is None else row[m] for row in found]) for m in (*MEASURES, "sharp")])


if __name__ == "__main__":
    main()
