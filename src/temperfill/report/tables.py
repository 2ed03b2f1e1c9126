"""Summaries and comparisons as tables, in Markdown and LaTeX."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from temperfill.report.records import (
    METRICS,
    ONE_SEED,
    SET_METRICS,
    Comparison,
    Metric,
    Summary,
    distance_from_best,
)

_LATEX = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
_LATEX |= {sign: f"\\{sign}" for sign in "&%$#_{}"} | {"±": r"$\pm$", "−": "$-$", "×": r"$\times$"}


@dataclass(frozen=True)
class Cell:
    """One entry of a table.

    Attributes:
        text: shown; stands in bold if it is the best.
        interval: shown behind it, smaller.
        bold: whether it is the best.
    """

    text: str
    interval: str = ""
    bold: bool = False


@dataclass(frozen=True)
class Table:
    """A table with a title.

    Attributes:
        title: above it.
        header: of its columns.
        rows: of cells; plain strings are text.
        align: of each column, l or r.
        note: below it.
    """

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[Cell | str]]
    align: str
    note: str = ""


def markdown(tables: Iterable[Table], level: int = 3) -> str:
    """The tables in Markdown, each below a heading where it has a title."""
    lines: list[str] = []
    for table in tables:
        lines += [f"{'#' * level} {table.title}", ""] if table.title else []
        lines += [_row(table.header), _row({"l": "---", "r": "---:"}[a] for a in table.align)]
        lines += [_row(_markdown_cell(cell) for cell in row) for row in table.rows]
        lines += ["", *([table.note, ""] if table.note else [])]
    return "\n".join(lines)


def latex(tables: Iterable[Table]) -> str:
    """The tables in LaTeX: table environments that need no package."""
    lines: list[str] = []
    for table in tables:
        lines += [r"\begin{table}[ht]", r"\centering"]
        if table.title:
            note = f" {table.note}" if table.note else ""
            lines += [r"\caption{" + _escape(table.title + "." + note) + "}"]
        lines += [r"\begin{tabular}{" + table.align + "}", r"\hline"]
        lines += [" & ".join(map(_escape, table.header)) + r" \\", r"\hline"]
        lines += [" & ".join(_latex_cell(cell) for cell in row) + r" \\" for row in table.rows]
        lines += [r"\hline", r"\end{tabular}", r"\end{table}", ""]
    return "\n".join(lines)


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _markdown_cell(cell: Cell | str) -> str:
    if isinstance(cell, str):
        return cell
    text = f"**{cell.text}**" if cell.bold else cell.text
    return f"{text} {cell.interval}" if cell.interval else text


def _latex_cell(cell: Cell | str) -> str:
    if isinstance(cell, str):
        return _escape(cell)
    text = r"\textbf{" + _escape(cell.text) + "}" if cell.bold else _escape(cell.text)
    return text + (r" {\scriptsize " + _escape(cell.interval) + "}" if cell.interval else "")


def _escape(text: str) -> str:
    return "".join(_LATEX.get(sign, sign) for sign in text)


def result_tables(summary: Summary, ranked: bool = True) -> list[Table]:
    """One table per kind and group: means with 95 % intervals, numbers of pictures and, where there are, of runs.

    Args:
        summary: of the records.
        ranked: whether the best means stand in bold; else nothing is ranked.
    """
    places = dict.fromkeys(
        (kind, group) for kinds in summary.values() for kind, groups in kinds.items() for group in groups
    )
    tables = []
    for kind, group in places:
        cells = {method: kinds[kind][group] for method, kinds in summary.items() if group in kinds.get(kind, {})}
        names = [name for name in METRICS if all(name in cell for cell in cells.values())]
        tables.append(_methods_by_figures(f"{kind}, {group}", cells, names, METRICS, ranked))
    return tables


def set_tables(sets: dict[str, dict[str, dict[str, Any]]], ranked: bool = True) -> list[Table]:
    """One table per group of masks, all kinds pooled: the metrics of sets.

    Args:
        sets: method to group to ``n`` (composites), ``runs``, and each metric with its ``interval`` or without.
        ranked: as for :func:`result_tables`.
    """
    tables = []
    for group in dict.fromkeys(group for groups in sets.values() for group in groups):
        cells = {method: groups[group] for method, groups in sets.items() if group in groups}
        names = [name for name in SET_METRICS if all(name in cell for cell in cells.values())]
        tables.append(_methods_by_figures(f"all pictures, {group}", cells, names, SET_METRICS, ranked))
    return tables


def _methods_by_figures(
    title: str, cells: dict[str, dict[str, Any]], names: list[str], known: dict[str, Metric], ranked: bool
) -> Table:
    ranked = ranked and len(cells) > 1
    several = any(cell.get("runs", 1) > 1 for cell in cells.values())
    best = {name: _best(name, [cell[name] for cell in cells.values()]) for name in names}
    rows: list[list[Cell | str]] = []
    for method, cell in cells.items():
        shown = [
            Cell(_number(cell[name]), _interval(cell["interval"].get(name)), ranked and best[name](cell[name]))
            for name in names
        ]
        rows.append([method, *shown, *([str(cell["runs"])] if several else []), str(cell["n"])])
    header = ["method", *(known[name].heading for name in names), *(["runs"] if several else []), "n"]
    return Table(title, header, rows, "l" + "r" * (len(header) - 1))


def _best(name: str, values: Sequence[float]) -> Callable[[float], bool]:
    """Whether a value is the best; as shown, so that equal values are equally bold."""
    least = min(distance_from_best(name, round(value, 4)) for value in values)
    return lambda value: distance_from_best(name, round(value, 4)) == least


def _interval(bounds: Sequence[float] | None, sign: Literal["", "+"] = "") -> str:
    return "" if bounds is None else f"[{_number(bounds[0], sign)}, {_number(bounds[1], sign)}]"


def _number(value: float, sign: Literal["", "+"] = "") -> str:
    """Four decimals, or whole numbers where those would be noise."""
    return f"{value:{sign}.4f}" if abs(value) < 10_000 else f"{value:{sign},.0f}"


def group_tables(
    groups: dict[str, dict[str, dict[str, Any]]], sets: dict[str, dict[str, dict[str, Any]]], ranked: bool = True
) -> list[Table]:
    """One table per metric, methods by groups of masks, all kinds pooled (as Table IV of the paper).

    Args:
        groups: method to group to cell, from ``by_group``.
        sets: metrics of sets, as for :func:`set_tables`.
        ranked: as for :func:`result_tables`.
    """
    columns = list(dict.fromkeys(group for cells in groups.values() for group in cells))
    tables = []
    for name, metric in (METRICS | SET_METRICS).items():
        found = sets if name in SET_METRICS else groups
        if not found or not all(name in found[m].get(g, {}) for m in found for g in columns):
            continue
        best = {g: _best(name, [found[m][g][name] for m in found]) for g in columns}
        rows: list[list[Cell | str]] = []
        for method in found:
            cells = [found[method][g] for g in columns]
            shown = [
                Cell(_number(c[name]), _interval(c["interval"].get(name)), ranked and best[g](c[name]))
                for g, c in zip(columns, cells, strict=True)
            ]
            rows.append([method, *shown])
        counts = ", ".join(f"{groups[next(iter(groups))][g]['n']}" for g in columns)
        note = f"Pictures in each column: {counts}."
        tables.append(Table(f"{metric.heading} by masks", ["method", *columns], rows, "l" + "r" * len(columns), note))
    return tables


def comparison_tables(comparison: Comparison) -> list[Table]:
    """Differences from the best baseline with 95 % intervals; better and worse where they exclude zero."""
    rows = [
        [method, kind, METRICS[name].heading, cells[name]["baseline"], *_difference(cells, name)]
        for method, kind, name, cells in _lines(comparison)
    ]
    header = ["method", "kind", "figure", "best baseline", "difference", "95 % interval", "verdict", "n"]
    return [Table("", header, rows, "llllrrlr")]


def pairwise_tables(comparison: Comparison, reference: str) -> list[Table]:
    """Differences of one method from each other."""
    rows = [
        [f"{reference} − {other}", kind, (METRICS | SET_METRICS)[name].heading, *_difference(cells, name)]
        for other, kind, name, cells in _lines(comparison)
    ]
    header = ["difference of", "kind", "figure", "difference", "95 % interval", f"{reference} is", "n"]
    return [Table("", header, rows, "lllrrlr")]


def _lines(comparison: Comparison) -> Iterable[tuple[str, str, str, dict[str, Any]]]:
    for method, kinds in comparison.items():
        for kind, cells in kinds.items():
            for name in METRICS | SET_METRICS:
                if name in cells:
                    yield method, kind, name, cells


def _difference(cells: dict[str, Any], name: str) -> list[Cell | str]:
    f = cells[name]
    verdict = {"none": "", ONE_SEED: "not ranked: one seed"}.get(f["verdict"], f["verdict"])
    said: Cell | str = Cell(verdict, bold=True) if verdict == "better" else verdict
    return [f"{f['difference']:+.4f}", _interval(f["interval"], "+"), said, str(cells["n"])]
