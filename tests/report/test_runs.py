"""Several training runs of one method: intervals over pictures and runs, pairs, verdicts; LaTeX and tables by masks."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from temperfill import report
from temperfill.report import Record


def records(offsets: dict[str, list[float]], pictures: int = 30, groups: tuple[str, ...] = ("g",)) -> list[Record]:
    """Method to the offset of each of its runs, on pictures with a noise of their own."""
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(pictures, len(groups)))
    return [
        Record(
            method,
            "street",
            group,
            f"p{i}",
            {"mae": 5 + noise[i, j] + offset},
            run=f"seed-{run}" if len(runs) > 1 else "",
        )
        for method, runs in offsets.items()
        for run, offset in enumerate(runs)
        for i in range(pictures)
        for j, group in enumerate(groups)
    ]


def test_one_run_is_the_plain_bootstrap() -> None:
    values = np.random.default_rng(1).normal(size=(40, 3))
    np.testing.assert_array_equal(report.bootstrap_interval(values), report.bootstrap_interval(values[None]))


def test_interval_knows_how_runs_differ() -> None:
    """Pictures alike and runs apart: the interval spans the runs, and the mean of both is likelier than either."""
    values = np.stack([np.full((50, 1), 1.0), np.full((50, 1), 3.0)])
    low, high = report.bootstrap_interval(values)
    assert (low[0], high[0]) == (1, 3)
    means = report.resampled_runs(np.stack([np.full((2000, 1), 1.0), np.full((2000, 1), 3.0)]))
    assert (means == 2).mean() == pytest.approx(0.5, abs=0.05)


def test_summary_averages_runs_and_lists_them() -> None:
    cell = report.summarise(records({"a": [0.0, 2.0]}))["a"]["street"]["g"]
    assert cell["mae"] == pytest.approx(np.mean([run["mae"] for run in cell["by_run"].values()]), abs=1e-6)
    assert cell["by_run"]["seed-1"]["mae"] == pytest.approx(cell["by_run"]["seed-0"]["mae"] + 2, abs=1e-6)
    assert (cell["n"], cell["runs"]) == (30, 2)


def test_means_do_not_depend_on_the_order_of_records() -> None:
    made = records({"a": [0.0, 1e-9], "b": [0.1]})
    shuffled = [made[i] for i in np.random.default_rng(2).permutation(len(made))]
    first, second = report.summarise(made), report.summarise(shuffled)
    for method in ("a", "b"):
        assert first[method]["street"]["g"]["mae"] == second[method]["street"]["g"]["mae"]


def test_pairs_share_seeds_and_rank_from_two_on() -> None:
    """A difference that every seed shows is found though the seeds themselves lie far apart."""
    made = records({"ours": [0.0, 4.0], "near": [0.5, 4.5], "swapped": [4.0, 0.0], "plain": [9.0]})
    pairs = report.pairwise(made, "ours", {"ours": 2, "near": 2, "swapped": 2})
    found = {other: kinds["street"]["mae"] for other, kinds in pairs.items()}
    assert found["near"]["difference"] == pytest.approx(-0.5)
    assert found["near"]["interval"] == pytest.approx([-0.5, -0.5])
    assert [found[m]["verdict"] for m in ("near", "swapped", "plain")] == ["better", "undecided", "better"]
    once = report.pairwise(made, "ours", {"ours": 2, "near": 1, "swapped": 2})
    assert once["near"]["street"]["mae"]["verdict"] == report.ONE_SEED
    assert "not ranked: one seed" in report.markdown(report.pairwise_tables(once, "ours"))


def test_runs_of_other_seeds_are_not_paired() -> None:
    a, b = (records({m: [0.0, 1.0]}) for m in ("a", "b"))
    renamed = [Record(r.method, r.kind, r.group, r.stem, r.values, run=r.run + "0") for r in b]
    low, high = report.pairwise([*a, *renamed], "a", {"a": 2, "b": 2})["b"]["street"]["mae"]["interval"]
    assert low < -0.4
    assert high > 0.4


def test_unranked_tables_have_no_bold() -> None:
    summary = report.summarise(records({"a": [0.0], "b": [1.0]}))
    assert "**" in report.markdown(report.result_tables(summary))
    assert "**" not in report.markdown(report.result_tables(summary, ranked=False))
    assert "textbf" not in report.latex(report.result_tables(summary, ranked=False))


def test_latex_escapes_and_balances() -> None:
    labels = ("a_b & 50% {x}", "worse")
    made = [Record(m, "k#1", "g", f"p{i}", {"mae": float(i + j)}) for j, m in enumerate(labels) for i in range(2)]
    text = report.latex(report.result_tables(report.summarise(made)))
    assert r"a\_b \& 50\% \{x\}" in text
    assert r"\caption{k\#1, g.}" in text
    assert r"\textbf{0.5000} {\scriptsize [0.0000, 1.0000]}" in text
    for row in (line for line in text.splitlines() if line.endswith(r"\\")):
        assert row.replace(r"\&", "").count("&") == 2
    assert text.count("{") == text.count("}")


def test_tables_by_masks_have_the_bins_as_columns() -> None:
    groups = ("ratio-0.0-0.1", "ratio-0.1-0.2")
    pooled = report.by_group(records({"a": [0.0], "b": [1.0]}, groups=groups))
    sets = {m: {g: {"fid": 12345.678, "n": 30, "runs": 1, "interval": {}} for g in groups} for m in "ab"}
    mae, fid = report.group_tables(pooled, sets)
    assert list(mae.header) == ["method", *groups]
    assert [row[0] for row in mae.rows] == ["a", "b"]
    for row, column in itertools.product(range(2), (1, 2)):
        cell = mae.rows[row][column]
        assert isinstance(cell, report.Cell)
        assert cell.bold == (row == 0)
    assert "**12,346**" in report.markdown([fid])


def test_no_plot_is_drawn_of_nothing(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    report.plot_metrics({"ours": {"near": {"n": 1, "runs": 1, "interval": {}}}}, tmp_path / "sets.png")
    assert not (tmp_path / "sets.png").exists()
