"""Reports: figures by hand, the reference bootstrap, tables, files and sheets."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from temperfill import report
from temperfill.report import Record


def records(
    seed: int = 0, kinds: tuple[str, ...] = ("faces", "street"), groups: tuple[str, ...] = ("paper-0",)
) -> list[Record]:
    """Two methods on nine pictures a kind; "good" beats "poor" in all but noise."""
    rng = np.random.default_rng(seed)
    made = []
    for method, offset in (("good", 0.0), ("poor", 1.0)):
        for group in groups:
            for kind in kinds:
                for i in range(9):
                    level = rng.normal() * 0.1 + offset
                    values = {"mae": 3 + level, "psnr": 22 - level, "ssim": 0.8 - level / 10, "sharp": 0.9 - level / 2}
                    made.append(Record(method, kind, group, f"p{i}", values, known_changed=method == "poor" and i == 0))
    return made


def test_interval_is_the_percentile_bootstrap_drawn_in_one_go() -> None:
    """The draws in parts are those of one array, so that the memory bound changes no figure."""
    values = np.random.default_rng(1).normal(size=(37, 4))
    rng = np.random.default_rng(0)
    means = values[rng.integers(0, 37, (2000, 37))].mean(1)
    low, high = report.bootstrap_interval(values)
    np.testing.assert_allclose([low, high], np.percentile(means, [2.5, 97.5], axis=0), atol=1e-12)


def test_interval_covers_the_mean_and_shrinks_with_n() -> None:
    values = np.random.default_rng(2).normal(size=(400, 1))
    low, high = report.bootstrap_interval(values)
    few_low, few_high = report.bootstrap_interval(values[:25])
    assert low < values.mean() < high
    assert high - low < (few_high - few_low) / 2
    one_low, one_high = report.bootstrap_interval(values[:1])
    assert one_low == one_high == values[0]


@pytest.mark.parametrize("shape", [(3,), (0, 2), (2, 0)])
def test_interval_refuses_other_arrays(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"shape \(n, m\)"):
        report.bootstrap_interval(np.zeros(shape))


def test_summary_holds_means_counts_and_changed_pictures() -> None:
    rows = records(groups=("paper-0", "paper-1"))
    summary = report.summarise(rows)
    assert list(summary) == ["good", "poor"]
    assert list(summary["good"]) == ["faces", "street"]
    assert list(summary["good"]["faces"]) == ["paper-0", "paper-1"]
    cell = summary["poor"]["street"]["paper-1"]
    chosen = [r for r in rows if (r.method, r.kind, r.group) == ("poor", "street", "paper-1")]
    assert cell["psnr"] == pytest.approx(np.mean([r.values["psnr"] for r in chosen]), abs=1e-6)
    assert (cell["n"], cell["known_changed"]) == (9, 1)
    assert summary["good"]["street"]["paper-1"]["known_changed"] == 0
    assert cell["interval"]["psnr"][0] < cell["psnr"] < cell["interval"]["psnr"][1]
    assert "vgg" not in cell


def test_figures_that_a_record_lacks_are_left_out() -> None:
    rows = records()
    rows.append(Record("good", "faces", "paper-0", "last", {"mae": 1.0, "psnr": 20.0}))
    assert report.metric_names(rows) == ["mae", "psnr"]
    with pytest.raises(ValueError, match="at least one record"):
        report.summarise([])


def test_comparison_is_the_paired_bootstrap_over_pictures() -> None:
    rows = records(kinds=("faces",))
    comparison = report.compare(rows, ["poor"])
    assert list(comparison) == ["good"]  # the only baseline has nothing to be compared with
    assert list(comparison["good"]) == ["faces"]  # one kind: no pooled line
    figures = comparison["good"]["faces"]
    good, poor = (
        np.array([[r.values["mae"], r.values["psnr"]] for r in rows if r.method == m]) for m in ("good", "poor")
    )
    rng = np.random.default_rng(0)
    boot = (good - poor)[rng.integers(0, 9, (2000, 9))].mean(1)
    assert figures["n"] == 9
    assert figures["mae"]["difference"] == pytest.approx((good - poor)[:, 0].mean(), abs=1e-6)
    assert figures["psnr"]["interval"] == pytest.approx(np.percentile(boot[:, 1], [2.5, 97.5]), abs=1e-6)
    assert (figures["mae"]["verdict"], figures["psnr"]["verdict"], figures["sharp"]["verdict"]) == (
        "better",
        "better",
        "none",
    )


def test_comparison_pairs_by_picture_not_by_order() -> None:
    rows = records()
    assert report.compare(rows, ["poor"]) == report.compare(rows[:18] + rows[:17:-1], ["poor"])


def test_masks_of_one_picture_are_not_independent() -> None:
    """Repeating every mask group must not narrow the interval."""
    rows = records()
    twice = rows + [Record(r.method, r.kind, "again", r.stem, r.values) for r in rows]
    assert report.compare(rows, ["poor"]) == report.compare(twice, ["poor"])


def test_best_baseline_is_chosen_for_each_figure() -> None:
    rows = [
        Record(method, "faces", "g", f"p{i}", {"mae": mae, "psnr": psnr, "sharp": sharp})
        for i in range(3)
        for method, mae, psnr, sharp in (("a", 2.0, 20.0, 1.9), ("b", 3.0, 25.0, 0.7), ("ours", 2.5, 22.0, 1.0))
    ]
    comparison = report.compare(rows, ["a", "b"])
    figures = comparison["ours"]["faces"]
    assert {name: figures[name]["baseline"] for name in ("mae", "psnr", "sharp")} == {
        "mae": "a",
        "psnr": "b",
        "sharp": "b",
    }
    assert figures["mae"]["verdict"] == "worse"
    assert figures["psnr"]["verdict"] == "worse"
    assert comparison["a"]["faces"]["mae"]["baseline"] == "b"
    assert comparison["a"]["faces"]["mae"]["verdict"] == "better"


def test_equal_methods_are_undecided_and_pooled_kinds_add_up() -> None:
    rows = [r for r in records() if r.method == "good"]
    rows += [Record("twin", r.kind, r.group, r.stem, r.values) for r in rows]
    comparison = report.compare(rows, ["good"])
    assert comparison["twin"]["all"]["mae"] == {
        "baseline": "good",
        "difference": 0,
        "interval": [0, 0],
        "verdict": "undecided",
    }
    assert comparison["twin"]["all"]["n"] == comparison["twin"]["faces"]["n"] + comparison["twin"]["street"]["n"]


def test_comparison_without_baselines_is_empty() -> None:
    assert report.compare(records(), []) == {}
    assert report.compare(records(), ["absent"]) == {}


def test_tables_mark_the_best_and_count() -> None:
    text = report.markdown(report.result_tables(report.summarise(records())))
    assert text.count("### ") == 2
    assert "| method | MAE, % | PSNR, dB | SSIM | sharpness | n |" in text
    good, poor = (next(line for line in text.splitlines() if line.startswith(f"| {m} ")) for m in ("good", "poor"))
    assert good.count("**") == 8  # two marks each around four figures
    assert "**" not in poor
    assert good.endswith("| 9 |")
    columns = {line.count("|") for line in text.splitlines() if line.startswith("|")}
    assert columns == {7}


def test_ties_are_equally_bold_and_names_cannot_break_a_table() -> None:
    rows = [Record(m, "k", "g", "p", {"psnr": 20.0}) for m in ("a|b", "c")]
    text = report.markdown(report.result_tables(report.summarise(rows)))
    assert text.count("**20.0000** [20.0000, 20.0000]") == 2
    assert "| a\\|b |" in text


def test_comparison_table_names_the_verdict() -> None:
    text = report.markdown(report.comparison_tables(report.compare(records(), ["poor"])))
    assert "| good | all | PSNR, dB | poor | +" in text
    assert text.count("**better**") == 9
    assert "worse" not in text


def test_json_round_trip_and_refusal_of_nan(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    data = {"rows": [r.flat() for r in records()], "name": "façade"}
    report.write_json(path, data)
    assert json.loads(path.read_text(encoding="utf-8")) == data
    before = path.read_bytes()
    with pytest.raises(ValueError, match="JSON"):
        report.write_json(path, {"x": float("nan")})
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_flat_record_has_every_field() -> None:
    flat = Record("m", "k", "g", "p", {"mae": 1.0}, True).flat()
    assert flat == {"method": "m", "kind": "k", "group": "g", "stem": "p", "mae": 1.0, "known_changed": True}


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 200, (height, width, 3), dtype=np.uint8)


def test_sheet_shows_every_pixel_where_there_is_room(tmp_path: Path) -> None:
    columns = {
        "masked input": [picture(200, 256, i) for i in range(2)],
        "truth": [picture(200, 256, 9 + i) for i in range(2)],
    }
    report.contact_sheet(columns, tmp_path / "sheet.png")
    sheet = np.asarray(Image.open(tmp_path / "sheet.png"))
    assert sheet.shape[1] == 2 * 256 + 4
    top = sheet.shape[0] - 2 * 200 - 4
    np.testing.assert_array_equal(sheet[top : top + 200, :256], columns["masked input"][0])
    np.testing.assert_array_equal(sheet[top + 204 :, 260:], columns["truth"][1])
    for left in (0, 260):  # a label above each column, inside it
        assert (sheet[:top, left : left + 256] < 128).any()
    assert (sheet[:top, 256:260] == 255).all()


@pytest.mark.parametrize(("number", "max_width"), [(3, 400), (9, 2048), (20, 500)])
def test_sheet_keeps_its_width_limit(tmp_path: Path, number: int, max_width: int) -> None:
    columns = {f"a method with a very long name {i}": [picture(300, 500), picture(40, 700)] for i in range(number)}
    report.contact_sheet(columns, tmp_path / "sheet.png", max_width)
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert max_width - number * 5 <= sheet.width <= max_width


def test_sheet_enlarges_tiny_pictures_and_bounds_tall_ones(tmp_path: Path) -> None:
    report.contact_sheet({"a": [picture(16, 16), picture(5000, 2)]}, tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width == 128
        assert sheet.height < 128 + 256 + 60


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({}, "same number of pictures"),
        ({"a": []}, "same number of pictures"),
        ({"a": [picture(4, 4)], "b": []}, "same number of pictures"),
        ({"a": [picture(4, 4)[..., 0]]}, r"a: pictures must be uint8 \(H, W, 3\)"),
        ({"a": [picture(4, 4).astype(float)]}, "got float64"),
        ({str(i): [picture(4, 4)] for i in range(900)}, "900 columns do not fit"),
    ],
)
def test_sheet_refuses(tmp_path: Path, columns: dict[str, list[np.ndarray]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        report.contact_sheet(columns, tmp_path / "sheet.png")
    assert not list(tmp_path.iterdir())
