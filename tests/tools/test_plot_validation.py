"""The distance to what is aimed at, over training: what is compared with what, and what the lines say."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tools.plot_validation import AIMS, amount, answer, crops_at, curves_of, main

OTHERS = {"telea": 20.0, "patchmatch": 19.0}
TRAINED = {f"base-{10**n}": 19.5 + n / 4 for n in range(1, 6)}


def rows(values: dict[str, float], measure: str = "psnr", noise: float = 0.0) -> list[dict[str, object]]:
    rng = np.random.default_rng(0)
    return [
        {"kind": "street", "group": "g", "stem": f"{n}", "method": name, measure: value + n + noise * rng.normal()}
        for name, value in values.items()
        for n in range(8)
    ]


def test_models_are_compared_with_the_best_of_the_others() -> None:
    curve = curves_of(rows(OTHERS | TRAINED), "psnr")["base", "street"]
    np.testing.assert_allclose(curve.crops, [1e1, 1e2, 1e3, 1e4, 1e5])
    np.testing.assert_allclose(curve.means, [-0.25, 0, 0.25, 0.5, 0.75])
    curve = curves_of(rows(OTHERS | TRAINED, "mae"), "mae")["base", "street"]
    np.testing.assert_allclose(curve.means, (np.array([19.75, 20, 20.25, 20.5, 20.75]) + 3.5) / 22.5)
    curve = curves_of(rows(OTHERS | TRAINED, "sharp"), "sharp")["base", "street"]
    np.testing.assert_allclose(curve.means, [23.25, 23.5, 23.75, 24, 24.25])


def test_a_line_says_when_the_aim_is_reached_or_never() -> None:
    crops, aim = np.array([1e3, 1e4, 1e5]), AIMS["psnr"]
    assert crops_at(crops, np.array([0.25, 0.5, 0.75]), aim) == pytest.approx(1e8)
    assert crops_at(crops, np.array([0.75, 0.5, 0.25]), aim) == math.inf
    assert crops_at(crops, np.array([0.9, 0.85, 0.8]), AIMS["vgg"]) == pytest.approx(1e6)
    assert [amount(n) for n in (1.234e6, 98765.0, 1.01e9, math.inf)] == ["1.2 M", "0.099 M", "never", "never"]


def test_the_answer_has_an_interval_over_pictures() -> None:
    curve = curves_of(rows(OTHERS | TRAINED), "psnr")["base", "street"]
    assert answer(curve, AIMS["psnr"]) == "100 M [100 M, 100 M]"
    noisy = answer(curves_of(rows(OTHERS | TRAINED, noise=0.3), "psnr")["base", "street"], AIMS["psnr"])
    assert "[" in noisy
    assert noisy != "100 M [100 M, 100 M]"
    reached = curves_of(rows(OTHERS | {"base-1000": 21.0, "base-2000": 21.5}), "psnr")["base", "street"]
    assert answer(reached, AIMS["psnr"]) == "reached"
    bent = curves_of(rows(OTHERS | TRAINED | {"base-1": 25.0}), "psnr")["base", "street"]
    assert answer(bent, AIMS["psnr"]) == "never [never, never]"
    assert answer(bent, AIMS["psnr"], since=10) == "100 M [100 M, 100 M]"
    assert answer(bent, AIMS["psnr"], since=1000) == "too few points"
    few = curves_of(rows(OTHERS | {"base-1000": 21.0, "base-2000": 21.4}), "psnr")["base", "street"]
    assert answer(few, AIMS["psnr"]) == "too few points"


def test_other_pictures_or_no_rival_end_it() -> None:
    with pytest.raises(SystemExit, match="same pictures of street"):
        curves_of(rows(OTHERS | TRAINED)[:-1], "psnr")
    with pytest.raises(SystemExit, match="learns nothing"):
        curves_of(rows(TRAINED), "psnr")


def test_the_picture_has_a_panel_for_every_aim(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    every = [row | dict.fromkeys(AIMS, row["psnr"]) for row in rows(OTHERS | TRAINED)]
    (tmp_path / "rows.json").write_text(json.dumps(every))
    main([str(tmp_path / "out"), str(tmp_path / "rows.json")])
    with Image.open(tmp_path / "out" / "validation.png") as picture:
        assert picture.size == (1500, 850)
    table = capsys.readouterr().out.splitlines()
    assert len(table) == 2 + len(AIMS)
    assert table[0] == "| aim | model | street |"
    assert table[2] == "| PSNR more than the best, dB: 1.5 | base | -0.25 to 0.75; 100 M [100 M, 100 M] |"
