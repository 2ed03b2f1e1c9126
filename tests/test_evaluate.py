"""Evaluations: metrics, files, resuming, and refusals before any work."""

import dataclasses
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.metrics import structural_similarity

from temperfill import evaluate, masks
from temperfill.config import EvaluationConfig, GeneratorConfig, MetricsConfig
from temperfill.evaluate import composites, entrants, inputs
from temperfill.evaluate.inputs import drawn, mask_kinds
from temperfill.geometry import SizeRule
from temperfill.inpainter import Inpainter
from temperfill.methods.contract import Abilities
from temperfill.nets.generator import Generator
from temperfill.weights_files import save_generator

SIZE = 48


def write_picture(path: Path, seed: int, height: int = 60, width: int = 80) -> None:
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, 255, (height // 10 + 1, width // 10 + 1, 3), dtype=np.uint8).repeat(10, 0).repeat(10, 1)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(blocks[:height, :width]).save(path)


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    """Two kinds with three pictures each: street/val and faces."""
    found = [tmp_path / "data" / "street" / "val", tmp_path / "data" / "faces"]
    for i, folder in enumerate(found):
        for j in range(3):
            write_picture(folder / f"p{j}.png", 10 * i + j)
    return found


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """Masks of two groups for the pictures of ``folders``."""
    for group in ("paper-0", "paper-1"):
        for kind in ("street", "faces"):
            for j in range(3):
                path = tmp_path / "masks" / group / kind / f"p{j}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                hole = masks.free_form_square(SIZE, SIZE, np.random.default_rng([len(group), len(kind), j]))
                Image.fromarray(hole.astype(np.uint8) * 255).save(path)
    return tmp_path / "masks"


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A tiny network's file in a run folder called mine."""
    torch.manual_seed(0)
    path = tmp_path / "mine" / "generator.safetensors"
    path.parent.mkdir()
    save_generator(path, Generator(GeneratorConfig(width=2, head_dim=2)))
    return path


def run(folders: list[Path], out: Path, masks_from: str | Path = "free-form-square", **options: Any) -> dict[str, Any]:
    """An evaluation at a small size; a path of masks, or the kind to draw."""
    called = {"progress": False, "device": "cpu"} | {k: options.pop(k) for k in ("command", "device") if k in options}
    methods = options.pop("methods", ["telea", "biharmonic"])
    judged = [field.name for field in dataclasses.fields(MetricsConfig)]
    judge = MetricsConfig(**{name: options.pop(name) for name in judged if name in options})
    chosen: dict[str, Any] = {"masks": masks_from} if isinstance(masks_from, Path) else {"mask_kind": masks_from}
    chosen |= {"size": SIZE, "judge": judge} | {k: tuple(v) if k == "groups" else v for k, v in options.items()}
    return evaluate.run(methods, EvaluationConfig(tuple(folders), **chosen), out, **called)


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))


def square(path: Path) -> np.ndarray:
    """The protocol's square, by Pillow alone."""
    image = Image.open(path).convert("RGB")
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return np.asarray(image.crop((left, top, left + side, top + side)).resize((SIZE, SIZE), Image.Resampling.LANCZOS))


def test_figures_are_those_of_the_files(folders: list[Path], stored: Path, weights: Path, tmp_path: Path) -> None:
    """Every figure follows from the written composites, by code that shares nothing with the package."""
    out = tmp_path / "out"
    data = run(folders, out, stored, methods=["telea", str(weights)])
    rows = json.loads((out / "rows.json").read_text())
    assert len(rows) == 2 * 2 * 2 * 3
    assert json.loads((out / "report.json").read_text()) == data
    for row in rows:
        folder = folders[0] if row["kind"] == "street" else folders[1]
        place = f"{row['group']}/{row['kind']}/{row['stem']}.png"
        truth, result = square(folder / f"{row['stem']}.png"), pixels(out / row["method"] / place)
        hole = np.asarray(Image.open(stored / place)) > 127
        np.testing.assert_array_equal(result[~hole], truth[~hole])
        assert not row["known_changed"]
        error = (result.astype(float) - truth) / 255
        assert row["mae"] == pytest.approx(np.abs(error).mean() * 100, abs=1e-5)
        assert row["psnr"] == pytest.approx(10 * np.log10(1 / max((error**2).mean(), 1e-10)), abs=1e-4)
        similarity = structural_similarity(
            truth, result, channel_axis=-1, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
        )
        assert row["ssim"] == pytest.approx(similarity, abs=1e-5)
    chosen = [r["psnr"] for r in rows if (r["method"], r["kind"], r["group"]) == ("mine", "faces", "paper-1")]
    cell = data["results"]["mine"]["faces"]["paper-1"]
    assert cell["psnr"] == pytest.approx(np.mean(chosen), abs=1e-6)
    assert (cell["n"], cell["known_changed"]) == (3, 0)


def test_report_says_what_it_is(folders: list[Path], stored: Path, weights: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    data = run(folders, out, stored, methods=["telea", "biharmonic", str(weights)], command="temperfill evaluate x")
    assert [m["baseline"] for m in data["methods"].values()] == [True, True, False]
    assert data["methods"]["mine"]["runs"][""]["identity"].startswith("sha256 ")
    assert "opencv" in data["methods"]["telea"]["runs"][""]["identity"]
    assert {"temperfill", "python", "torch", "numpy", "scikit-image"} <= set(data["versions"])
    assert {"platform", "cpus", "threads"} == set(data["machine"])
    assert data["settings"]["size"] == SIZE
    assert data["comparison"]["mine"]["all"]["psnr"]["baseline"] in ("telea", "biharmonic")
    assert data["comparison"]["mine"]["all"]["n"] == 6
    assert [text.split(":")[0] for text in data["missing"]] == [
        "LPIPS",
        "VGG distance",
        "SqueezeNet distance",
        "FID",
        "SqueezeNet kernel distance",
    ]
    assert "vgg" not in data["results"]["telea"]["faces"]["paper-0"]
    text = (out / "report.md").read_text()
    assert text.count("Not measured: weights missing") == 1
    assert text.count("github.com/DeepCognition/keras-squeezenet") == 1
    assert "- SqueezeNet distance, SqueezeNet kernel distance: give --squeezenet" in text
    for part in (
        "cannot be compared",
        "temperfill evaluate x",
        "### faces, paper-1",
        "keras-squeezenet",
        "best baseline",
    ):
        assert part in text
    assert sorted(p.name for p in (out / "sheets").iterdir()) == [
        *(f"{kind}-{group}.png" for kind in ("faces", "street") for group in ("paper-0", "paper-1")),
        "worst.png",
    ]
    with Image.open(out / "sheets" / "faces-paper-0.png") as sheet:
        assert sheet.width == 5 * (128 + 4) - 4


def test_the_worst_results_stand_beside_others(
    folders: list[Path], weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: dict[str, dict[str, list[np.ndarray]]] = {}
    monkeypatch.setattr("temperfill.report.contact_sheet", lambda columns, path: drawn.update({path.name: columns}))
    out = tmp_path / "out"
    run(folders, out, "ratio-0.0-0.1,ratio-0.4-0.5", methods=["telea", str(weights)])
    rows = [row for row in json.loads((out / "rows.json").read_text()) if row["method"] == "mine"]
    of_pictures = {(row["kind"], row["stem"]): row for row in sorted(rows, key=lambda row: row["mae"])}
    worst = sorted(of_pictures.values(), key=lambda row: -row["mae"])  # of each picture the worst mask
    others = sorted(rows[::2], key=lambda row: -row["mae"])  # every second of twelve, as there are six pictures
    columns = drawn["worst.png"]
    for name, chosen in (("worst", worst), ("any", others)):
        assert [len(columns[f"{name}: {part}"]) for part in ("masked", "mine", "truth")] == [6, 6, 6]
        for i, row in enumerate(chosen):
            place = f"{row['group']}/{row['kind']}/{row['stem']}.png"
            truth = square(folders[0 if row["kind"] == "street" else 1] / f"{row['stem']}.png")
            hole = pixels(out / "masks" / place) > 127
            np.testing.assert_array_equal(columns[f"{name}: mine"][i], pixels(out / "mine" / place))
            np.testing.assert_array_equal(columns[f"{name}: truth"][i], truth)
            np.testing.assert_array_equal(columns[f"{name}: masked"][i], np.where(hole, 255, truth))


def count_calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    calls: list[str] = []
    real = composites.fill

    def counted(method: Any, *tensors: torch.Tensor) -> torch.Tensor:
        calls.append(method.name)
        return real(method, *tensors)

    monkeypatch.setattr(composites, "fill", counted)
    return calls


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_second_run_computes_nothing_and_gives_the_same(
    folders: list[Path], stored: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = count_calls(monkeypatch)
    first = run(folders, tmp_path / "out", stored, methods=["telea", str(weights)])
    files = snapshot(tmp_path / "out")
    assert len(calls) == 24
    assert run(folders, tmp_path / "out", stored, methods=["telea", str(weights)]) == first
    assert len(calls) == 24
    assert snapshot(tmp_path / "out") == files


def test_changed_inputs_are_computed_again(
    folders: list[Path], stored: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"

    def again() -> int:
        calls.clear()
        run(folders, out, stored, methods=["telea", str(weights)], groups=["paper-0"])
        return len(calls)

    calls = count_calls(monkeypatch)
    assert again() == 12
    hole = np.zeros((SIZE, SIZE), np.uint8)
    hole[5:20, 7:30] = 255
    Image.fromarray(hole).save(stored / "paper-0" / "faces" / "p1.png")
    assert again() == 2  # one mask, two methods
    write_picture(folders[0] / "p2.png", 99)
    assert again() == 2
    torch.manual_seed(1)
    save_generator(weights, Generator(GeneratorConfig(width=2, head_dim=2)))
    assert again() == 6  # other weights: all of one method
    (out / "telea" / "paper-0" / "street" / "p0.png").unlink()
    damaged = out / "mine" / "paper-0" / "street" / "p1.png"
    damaged.write_bytes(damaged.read_bytes()[:-20])
    assert again() == 2
    assert again() == 0


def test_interrupted_run_goes_on(
    folders: list[Path], stored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(folders, tmp_path / "whole", stored)
    out = tmp_path / "out"
    real, calls = composites.fill, []

    def dying(*arguments: Any) -> torch.Tensor:
        calls.append(None)
        if len(calls) == 8:
            raise KeyboardInterrupt
        return real(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(composites, "fill", dying)
        with pytest.raises(KeyboardInterrupt):
            run(folders, out, stored)
    assert not (out / "report.json").exists()
    with (out / "telea" / "composites.jsonl").open("a") as file:
        file.write('\n{"place": "paper-0/fa')  # what a kill in the middle of a line leaves
    calls = count_calls(monkeypatch)
    assert run(folders, out, stored)["results"] == whole["results"]
    assert len(calls) == 24 - 7
    calls.clear()
    run(folders, out, stored)
    assert calls == []


def test_drawn_masks_are_saved_and_depend_on_the_picture_alone(folders: list[Path], tmp_path: Path) -> None:
    run(folders, tmp_path / "a", "free-form-square,ratio-0.1-0.2", methods=["biharmonic"])
    run(folders[:1], tmp_path / "b", "ratio-0.1-0.2", methods=["biharmonic"], limit=2)
    run(folders[:1], tmp_path / "c", "ratio-0.1-0.2", methods=["biharmonic"], seed=1)
    drawn = {str(p.relative_to(tmp_path / "a/masks")) for p in (tmp_path / "a/masks").rglob("*.png")}
    assert drawn == {
        f"{g}/{k}/p{j}.png"
        for g in ("free-form-square", "ratio-0.1-0.2")
        for k in ("street", "faces")
        for j in range(3)
    }
    for path in (tmp_path / "b" / "masks").rglob("*.png"):
        place = path.relative_to(tmp_path / "b")
        hole = np.asarray(Image.open(path)) > 127
        assert 0.1 < hole.mean() <= 0.2
        np.testing.assert_array_equal(hole, np.asarray(Image.open(tmp_path / "a" / place)) > 127)
        assert (hole != (np.asarray(Image.open(tmp_path / "c" / place)) > 127)).any()
    distinct = {p.read_bytes() for p in (tmp_path / "a" / "masks").rglob("*.png")}
    assert len(distinct) == 12


def test_squashed_pictures_are_measured_whole(folders: list[Path], tmp_path: Path) -> None:
    data = run(folders, tmp_path / "out", methods=["telea"], squash=True, limit=1)
    path = folders[0] / "p0.png"
    truth = np.asarray(Image.open(path).resize((SIZE, SIZE), Image.Resampling.LANCZOS))
    hole = np.asarray(Image.open(tmp_path / "out/masks/free-form-square/street/p0.png")) > 127
    result = pixels(tmp_path / "out/telea/free-form-square/street/p0.png")
    np.testing.assert_array_equal(result[~hole], truth[~hole])
    assert data["protocol"].startswith("Squashed to squares, Lanczos")


def test_report_tells_sets_of_masks_by_their_sum(folders: list[Path], tmp_path: Path) -> None:
    kinds = "free-form-square,ratio-0.1-0.2"
    data = run(folders, tmp_path / "one", kinds, methods=["telea"], seed=3)
    assert {group: found["masks"] for group, found in data["masks"].items()} == dict.fromkeys(kinds.split(","), 6)
    sums = [found["sha256"] for found in data["masks"].values()]
    line = f"- masks: free-form-square, seed 3, side {SIZE}, 6 masks, SHA-256 {sums[0]}"
    assert line in (tmp_path / "one" / "report.md").read_text().splitlines()
    again = run(folders, tmp_path / "two", tmp_path / "one" / "masks", methods=["telea"])
    assert again["masks"] == data["masks"]
    assert f"free-form-square, stored, side {SIZE}" in (tmp_path / "two" / "report.md").read_text()
    other = run(folders, tmp_path / "three", kinds, methods=["telea"], seed=4)
    assert not {found["sha256"] for found in other["masks"].values()} & set(sums)


@pytest.mark.parametrize(
    ("name", "seed", "size", "expected"),
    [
        ("free-form-square", 0, 256, "47687819064aa4387d93060002e3a5067465cc509c90b0641ba4bed4e20d484c"),
        ("free-form-square", 1, 256, "1dee645e8167893b1b3a202e1c527011275f07d0ba5d24ed6ee4d79eecbe94db"),
        ("free-form-square", 0, 64, "7bdc4f2ec88cad34d5d14bd9db18f955f9cda221c9e9fb6618407f3466a4282d"),
        ("ratio-0.0-0.1", 0, 64, "9b9e2409ef79fd13bde42b073f59db440f36707b9e5abebb00de6cdae5243db5"),
        ("ratio-0.3-0.4", 0, 256, "f19d3c47f8a5f2e505d9f6ca5605ce82ba7ce13357f30c8b9ed0cd4da781a5ee"),
    ],
)
def test_a_set_of_masks_is_known_by_name_seed_and_size(name: str, seed: int, size: int, expected: str) -> None:
    """Whoever draws these masks again draws the same ones."""
    total = hashlib.sha256()
    for stem in range(4):
        total.update(np.packbits(drawn(name, f"street/{stem}.png", mask_kinds(name)[name], seed, size)).tobytes())
    assert total.hexdigest() == expected


def test_drawn_masks_serve_as_stored_ones(folders: list[Path], tmp_path: Path) -> None:
    first = run(folders, tmp_path / "a", "ratio-0.2-0.3", methods=["telea"])
    second = run(folders, tmp_path / "b", tmp_path / "a" / "masks", methods=["telea"])
    assert first["results"] == second["results"]


def test_limit_spreads_evenly_and_groups_choose(folders: list[Path], stored: Path, tmp_path: Path) -> None:
    run(folders[1:], tmp_path / "out", stored, limit=2, groups=["paper-1"], methods=["telea"])
    rows = json.loads((tmp_path / "out" / "rows.json").read_text())
    assert [(r["group"], r["stem"]) for r in rows] == [("paper-1", "p0"), ("paper-1", "p1")]
    assert inputs.evenly([Path(str(i)) for i in range(10)], 4) == [Path(n) for n in "0257"]


def test_methods_see_no_pixel_of_the_hole(
    folders: list[Path], stored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A method that gives back what it sees must not give the truth."""

    class Mirror:
        name = "mirror"
        size_rule = SizeRule()
        abilities = Abilities()

        def __call__(self, image: torch.Tensor, mask: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
            return image

    monkeypatch.setattr(entrants, "load_method", lambda name, device: Mirror())
    run(folders, tmp_path / "out", stored, methods=["telea"])
    hole = np.asarray(Image.open(stored / "paper-0/faces/p0.png")) > 127
    assert len(np.unique(pixels(tmp_path / "out/telea/paper-0/faces/p0.png")[hole])) == 1


def test_trained_methods_can_be_measured_as_the_tool_fills(
    folders: list[Path], stored: Path, weights: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    options: dict[str, Any] = {"methods": ["telea", str(weights.parent)], "groups": ["paper-0"]}
    run(folders[1:], out, stored, **options)
    place = "paper-0/faces/p0.png"
    network = {name: pixels(out / name / place) for name in ("telea", "mine")}
    report = run(folders[1:], out, stored, filling="inpaint", **options)
    assert report["settings"]["filling"] == "inpaint"
    found = {name: pixels(out / name / place) for name in ("telea", "mine")}
    assert np.array_equal(found["telea"], network["telea"])
    assert not np.array_equal(found["mine"], network["mine"])  # made anew
    hole = np.asarray(Image.open(stored / place)) > 127
    truth = square(folders[1] / "p0.png")
    hidden = np.where(hole[..., None], 7, truth).astype(np.uint8)
    expected = Inpainter.from_pretrained(weights, "cpu", "fp32")(hidden, hole, output_type="np")
    assert np.array_equal(found["mine"], expected)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"methods": []}, ValueError, "no methods"),
        ({"methods": ["telia"]}, ValueError, "telea"),
        ({"methods": ["telea", "telea"]}, ValueError, "label would be 'telea'"),
        ({"methods": ["absent.safetensors"]}, OSError, "absent"),
        ({"size": 30}, ValueError, "size must be at least 31"),
        ({"limit": -1}, ValueError, "not negative"),
        ({"groups": ["paper-9"]}, ValueError, r"\['paper-0', 'paper-1'\], not \['paper-9'\]"),
        ({"size": 64}, ValueError, "48x48"),
        ({"masks_from": Path("absent")}, OSError, "no folder of masks at absent"),
        ({"masks_from": "free-form"}, ValueError, "ratio-LOW-HIGH"),
        ({"masks_from": "ratio-0.5-0.2"}, ValueError, "low < high"),
        ({"masks_from": "free-form-square", "groups": ["paper-0"]}, ValueError, "groups choose among stored"),
        ({"vgg": Path("absent.safetensors")}, OSError, "VGG"),
        ({"squeezenet": Path("absent.safetensors")}, OSError, "keras-squeezenet"),
        ({"device": "tpu"}, ValueError, "tpu"),
    ],
)
def test_refusals_come_before_any_work(
    folders: list[Path],
    stored: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: dict[str, Any],
    error: type[Exception],
    message: str,
) -> None:
    calls = count_calls(monkeypatch)
    with pytest.raises(error, match=message):
        run(folders, tmp_path / "out", options.pop("masks_from", stored), **options)
    assert calls == []
    assert not list((tmp_path / "out").glob("*/*/*/*.png"))


def test_folders_are_checked(folders: list[Path], stored: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one folder"):
        run([], tmp_path / "out", stored)
    with pytest.raises(OSError, match="nowhere"):
        run([tmp_path / "nowhere"], tmp_path / "out", stored)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="no pictures in"):
        run([tmp_path / "empty"], tmp_path / "out", stored)
    with pytest.raises(ValueError, match="'street', which is empty or already used"):
        run([folders[0], folders[0]], tmp_path / "out", stored)
    with pytest.raises(ValueError, match="lies in the folder of pictures"):
        run(folders, folders[1] / "out", stored)
    (stored / "paper-1" / "faces" / "p2.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"no mask .*paper-1/faces/p2\.png for the picture .*p2\.png"):
        run(folders, tmp_path / "out", stored)
    write_picture(folders[1] / "p1.bmp", 5)
    with pytest.raises(ValueError, match=r"p1\.bmp and .*p1\.png have the same stem"):
        run(folders, tmp_path / "out", stored)


def test_damaged_mask_is_named(folders: list[Path], stored: Path, tmp_path: Path) -> None:
    path = stored / "paper-0" / "faces" / "p0.png"
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises((ValueError, OSError), match=r"p0\.png"):
        run(folders, tmp_path / "out", stored)


# --- the metrics of an evaluation ---


@pytest.mark.weights
def test_figures_equal_those_of_the_independent_judge(tmp_path: Path) -> None:
    """All six figures, with weights, on the stored pictures and masks of the folder that TEMPERFILL_EVAL names."""
    if "TEMPERFILL_EVAL" not in os.environ:
        pytest.skip("TEMPERFILL_EVAL does not name the folder of score.py")
    home = Path(os.environ["TEMPERFILL_EVAL"]).resolve()
    weights_dir, kinds = home.parent / "weights", ("street", "faces", "scenes")
    data = evaluate.run(
        ["telea", "navier-stokes"],
        EvaluationConfig(
            tuple(home.parent / "data" / kind / "val" for kind in kinds),
            home / "masks",
            ("paper-0", "ratio-0.1-0.2"),
            limit=2,
            judge=MetricsConfig(weights=weights_dir),
        ),
        tmp_path / "out",
        device="cpu",
        progress=False,
    )
    assert [text.split(":")[0] for text in data["missing"]] == ["LPIPS", "FID"]
    for method in ("telea", "navier-stokes"):
        command = [sys.executable, str(home / "score.py"), "score", str(tmp_path / "out" / method)]
        judged = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        assert set(judged) == set(kinds)
        for kind, groups in judged.items():
            assert set(groups) == {"paper-0", "ratio-0.1-0.2"}
            for group, figures in groups.items():
                ours = data["results"][method][kind][group]
                assert {name: ours[name] for name in figures} == pytest.approx(figures, abs=1e-4)


def test_evaluating_needs_no_optional_package_at_import() -> None:
    assert importlib.util.find_spec("temperfill.evaluate") is not None
    code = (
        "import sys, temperfill.evaluate; print(*[n for n in ('cv2', 'lightning_fabric', 'rich') if n in sys.modules])"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1] / "src")}
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert result.stdout.split() == []


def test_output_can_be_moved(
    folders: list[Path], stored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run(folders, tmp_path / "out", stored)
    shutil.move(tmp_path / "out", tmp_path / "moved")
    calls = count_calls(monkeypatch)
    assert run(folders, tmp_path / "moved", stored)["results"] == first["results"]
    assert calls == []


def test_composites_of_others_are_measured_to_the_digit(folders: list[Path], stored: Path, tmp_path: Path) -> None:
    """Results of Telea that a report left, entered as those of somebody else, give Telea's row."""
    first = run(folders, tmp_path / "one", stored, methods=["telea"])
    given = (f"theirs={tmp_path / 'one' / 'telea'}",)
    data = run(folders, tmp_path / "two", stored, methods=["telea", "biharmonic"], composites=given)
    assert data["results"]["theirs"] == data["results"]["telea"] == first["results"]["telea"]
    assert data["methods"]["theirs"] == {
        "baseline": True,
        "weights": "",
        "runs": {"": {"source": str(tmp_path / "one" / "telea"), "identity": "composites as given"}},
    }
    assert not (tmp_path / "two" / "theirs").exists()
    assert (tmp_path / "two" / "sheets" / "faces-paper-0.png").is_file()


def test_changed_known_pixels_of_others_are_told(folders: list[Path], stored: Path, tmp_path: Path) -> None:
    run(folders, tmp_path / "one", stored, methods=["telea"])
    path = tmp_path / "one" / "telea" / "paper-0" / "faces" / "p0.png"
    Image.fromarray(255 - pixels(path)).save(path)
    composites = (f"theirs={tmp_path / 'one' / 'telea'}",)
    data = run(folders, tmp_path / "two", stored, methods=["biharmonic"], composites=composites)
    assert data["results"]["theirs"]["faces"]["paper-0"]["known_changed"] == 1


@pytest.mark.parametrize("case", ["missing", "size", "damaged", "folder", "form", "taken", "twice"])
def test_composites_that_do_not_fit_are_refused(case: str, folders: list[Path], stored: Path, tmp_path: Path) -> None:
    run(folders, tmp_path / "one", stored, methods=["telea"])
    folder = tmp_path / "one" / "telea"
    path, composites, error = folder / "paper-1" / "street" / "p1.png", [f"theirs={folder}"], ValueError
    message = ""
    if case == "missing":
        path.unlink()
        error, message = FileNotFoundError, rf"no composite {path}.* GROUP/KIND/STEM"  # type: ignore[assignment]
    elif case == "size":
        Image.new("RGB", (SIZE, SIZE + 1)).save(path)
        message = rf"p1\.png is {SIZE}x{SIZE + 1}, not {SIZE}x{SIZE}"
    elif case == "damaged":
        path.write_bytes(b"no picture")
        message = r"p1\.png is not a supported picture"
    elif case == "folder":
        composites, error, message = ["theirs=nowhere"], NotADirectoryError, "nowhere"  # type: ignore[assignment]
    elif case == "form":
        composites, message = [str(folder)], "NAME=FOLDER"
    elif case == "taken":
        composites, message = [f"telea={folder}"], "telea have the name of a method"
    else:
        composites, message = 2 * composites, "'theirs' is taken"
    with pytest.raises(error, match=message):
        run(folders, tmp_path / "two", stored, methods=["telea"], composites=tuple(composites))
    assert not (tmp_path / "two" / "report.json").exists()
    assert not (tmp_path / "two" / "telea").exists()


def test_a_report_of_other_masks_is_not_replaced(folders: list[Path], tmp_path: Path) -> None:
    run(folders, tmp_path, methods=["telea", "biharmonic"], seed=1)
    before = (tmp_path / "report.json").read_bytes()
    with pytest.raises(ValueError, match=r"other pictures or masks .*: seed: 1 -> 2\. Write elsewhere"):
        run(folders, tmp_path, methods=["telea"], seed=2)
    with pytest.raises(ValueError, match=r"pictures: .* -> "):
        run(folders[:1], tmp_path, methods=["telea"], seed=1)
    assert (tmp_path / "report.json").read_bytes() == before
    assert run(folders, tmp_path, methods=["telea", "biharmonic"], seed=1, limit=1)["settings"]["limit"] == 1
    with pytest.warns(UserWarning, match="replaced by one without biharmonic, whose composites stay"):
        run(folders, tmp_path, methods=["telea"], seed=1)
    assert (tmp_path / "biharmonic").is_dir()


def test_tables_say_which_weights_a_label_means(
    folders: list[Path], stored: Path, weights: Path, tmp_path: Path
) -> None:
    other = shutil.copy(weights, tmp_path / "other.safetensors")
    data = run(folders, tmp_path / "out", stored, methods=["ours", str(weights.parent), f"x={other}", "telea"])
    text = (tmp_path / "out" / "report.md").read_text()
    tables = [line for line in text.splitlines() if line.startswith("| ")]
    for label in ("ours (bundled base)", "mine (run)", "x (file other)", "telea"):
        assert sum(line.startswith(f"| {label} |") for line in tables) >= len(data["results"]["telea"])
    assert not any(line.startswith("| ours |") for line in tables)
    assert "ours (bundled base)" in (tmp_path / "out" / "report.tex").read_text()
