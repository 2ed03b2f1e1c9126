"""The command line as users meet it: results, refusals before any work, exit codes, start-up time."""

import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import temperfill
from temperfill import cli
from temperfill.cli.study import STUDIES
from temperfill.config import EvaluationConfig, GeneratorConfig, MetricsConfig, to_json
from temperfill.nets.generator import Generator
from temperfill.presets import PRESETS
from temperfill.weights_files import load_generator, save_generator
from temperfill.weights_reading import read_metadata


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_generator(path, Generator(GeneratorConfig(width=4, head_dim=4)))
    return path


@pytest.fixture
def files(tmp_path: Path, weights: Path) -> dict[str, Path]:
    """A picture, its mask, a place for the result, and weights; the current folder has spaces and more in its name."""
    folder = tmp_path / "Ünï cödé 猫"
    folder.mkdir()
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (30, 41, 3), np.uint8)).save(folder / "a.png")
    mask = np.zeros((30, 41), np.uint8)
    mask[8:15, 10:20] = 255
    Image.fromarray(mask).save(folder / "mask.png")
    return {name: folder / f"{name}.png" for name in ("a", "mask", "out")} | {"weights": weights, "folder": folder}


def command(files: dict[str, Path], *more: str, **changes: Any) -> list[str]:
    places = files | changes
    words = ["inpaint", str(places["a"]), "--mask", str(places["mask"]), "--output", str(places["out"])]
    return [*words, "--model", str(places["weights"]), "--device", "cpu", *more]


def refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that a refusal says."""
    with pytest.raises(SystemExit) as caught:
        cli.main(words)
    assert caught.value.code == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert lines[-1].startswith("temperfill: error: ")
    assert not any("Traceback" in line for line in lines)
    return lines[-1]


def process(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    source = str(Path(temperfill.__file__).parents[1])
    return subprocess.run(
        [sys.executable, "-m", "temperfill", *words],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": source} | environment,
        check=False,
    )


def read(path: Path) -> Any:
    with Image.open(path) as image:
        return np.asarray(image)


def test_inpaint_keeps_known_pixels(files: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(command(files))
    known = read(files["mask"]) == 0
    assert np.array_equal(read(files["out"])[known], read(files["a"])[known])
    assert not np.array_equal(read(files["out"]), read(files["a"]))
    output = capsys.readouterr()
    assert output.out == ""
    assert "out.png" in output.err
    assert sorted(p.name for p in files["folder"].iterdir()) == ["a.png", "mask.png", "out.png"]


def test_inpaint_options(files: dict[str, Path]) -> None:
    cli.main(command(files))
    plain = read(files["out"])
    Image.fromarray(255 - read(files["mask"])).save(files["folder"] / "negative.png")
    cli.main(command(files, "--invert-mask", mask=files["folder"] / "negative.png"))
    assert np.array_equal(read(files["out"]), plain)
    cli.main(command(files, "--mask-dilate", "2"))
    assert (read(files["out"]) != read(files["a"])).any(axis=2).sum() > (plain != read(files["a"])).any(axis=2).sum()
    cli.main(command(files, "--feather", "3"))
    assert not np.array_equal(read(files["out"]), plain)
    sizes = []
    for quality in ("10", "95"):
        cli.main(command(files, "--quality", quality, out=files["folder"] / "out.jpg"))
        sizes.append((files["folder"] / "out.jpg").stat().st_size)
    assert sizes[0] < sizes[1]


def test_several_seeds_write_a_file_each(files: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(command(files, "--texture", "copy", "--seed", "7", "0"))
    written = [files["folder"] / f"out-{seed}.png" for seed in (7, 0)]
    assert " ".join(map(str, written)) in capsys.readouterr().err
    assert not files["out"].exists()
    assert written[0].read_bytes() != written[1].read_bytes()
    for path, seed in zip(written, "70", strict=True):
        cli.main(command(files, "--texture", "copy", "--seed", seed))
        assert path.read_bytes() == files["out"].read_bytes()
    lost = files["folder"] / "drawn-0.png"
    lost.write_bytes(files["mask"].read_bytes())
    words = command(files, "--seed", "0", "1", mask=lost, out=files["folder"] / "drawn.png")
    assert f"would replace {lost}" in refused(words, capsys)
    assert "seed must" in refused(command(files, "--seed", "1", "1"), capsys)


def test_commands_that_write_one_result_take_one_seed(
    files: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    seeds, folder = ["--seed", "0", "1"], files["folder"]
    for words in (
        ["dust", str(files["a"]), "--output", str(files["out"])],
        command(files, a=folder, out=folder / "out"),
    ):
        assert "seed must be one whole number here" in refused([*words, *seeds], capsys)


def test_inpaint_avoids_what_a_file_marks(files: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(command(files))
    plain, mask = read(files["out"]), read(files["mask"])
    avoid = files["folder"] / "avoid.png"
    Image.fromarray(mask).save(avoid)
    cli.main(command(files, "--avoid", str(avoid)))
    assert "nothing is avoided" in capsys.readouterr().err
    assert np.array_equal(read(files["out"]), plain)
    marks = np.zeros_like(mask)
    marks[:, -marks.shape[1] // 3 :] = 255
    Image.fromarray(marks).save(avoid)
    cli.main(command(files, "--avoid", str(avoid)))
    assert not np.array_equal(read(files["out"]), plain)
    for words, text in (
        (("--avoid", str(avoid), "--model", "telea"), "method telea cannot avoid a part of the picture"),
        (("--avoid", str(avoid), "--output", str(avoid)), "was drawn for this"),
    ):
        assert text in refused(command(files, *words), capsys)
    Image.fromarray(marks[:-1]).save(avoid)
    assert "what to avoid" in refused(command(files, "--avoid", str(avoid)), capsys)


def test_output_may_be_the_input(files: dict[str, Path]) -> None:
    before = read(files["a"])
    cli.main(command(files, out=files["a"]))
    known = read(files["mask"]) == 0
    assert np.array_equal(read(files["a"])[known], before[known])


def test_output_must_not_be_the_mask(files: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    before = files["mask"].read_bytes()
    with pytest.raises(SystemExit) as stopped:
        cli.main(command(files, out=files["mask"]))
    assert stopped.value.code == 2
    assert "would replace" in capsys.readouterr().err
    assert files["mask"].read_bytes() == before


def test_empty_mask_says_so_and_copies(files: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("L", (41, 30)).save(files["mask"])
    cli.main(command(files))
    assert "temperfill: warning: the mask is empty: nothing to fill" in capsys.readouterr().err
    assert np.array_equal(read(files["out"]), read(files["a"]))


def damaged(files: dict[str, Path], name: str) -> None:
    data = files[name].read_bytes()
    files[name].write_bytes(data[: len(data) // 2])


@pytest.mark.parametrize("name", ["a", "mask"])
def test_damaged_files_are_named(files: dict[str, Path], name: str, capsys: pytest.CaptureFixture[str]) -> None:
    damaged(files, name)
    assert f"{name}.png is damaged or truncated" in refused(command(files), capsys)
    assert not files["out"].exists()


@pytest.mark.parametrize("name", ["a", "mask", "weights"])
def test_missing_files_are_named(files: dict[str, Path], name: str, capsys: pytest.CaptureFixture[str]) -> None:
    gone = files["folder"] / "gone.safetensors"
    assert "gone.safetensors" in refused(command(files, **{name: gone}), capsys)
    assert not files["out"].exists()


def test_mask_of_another_size_names_both(files: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("L", (30, 41), 255).save(files["mask"])
    message = refused(command(files), capsys)
    assert "30x41" in message
    assert "41x30" in message


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("no/out.png", "no folder"),
        ("sub", "folder"),
        ("out.xyz", "unknown suffix"),
        ("out", "unknown suffix"),
        ("/proc/o.png", "/proc"),
    ],
)
def test_bad_output_is_refused_before_the_model_loads(
    files: dict[str, Path], output: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (files["folder"] / "sub").mkdir()
    words = command(files, out=files["folder"] / output, weights=files["folder"] / "no-such-model.safetensors")
    assert message in refused(words, capsys)
    assert sorted(p.name for p in files["folder"].iterdir()) == ["a.png", "mask.png", "sub"]


def test_format_that_loses_alpha_is_refused_before_the_model_loads(
    files: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    Image.fromarray(np.zeros((30, 41, 4), np.uint8)).save(files["a"])
    words = command(files, out=files["folder"] / "out.jpg", weights=files["folder"] / "none.safetensors")
    assert "does not hold mode RGBA" in refused(words, capsys)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--quality", "0"], "--quality"),
        (["--mask-dilate", "-1"], "--mask-dilate"),
        (["--feather", "-2"], "--feather"),
        (["--device", "gpu"], "device 'gpu' cannot be used"),
        (["--max-pixels", "100"], "above the limit"),
        (["--model", "bas"], "unknown model 'bas'"),
    ],
)
def test_bad_values_are_refused(
    files: dict[str, Path], flags: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert message in refused(command(files, *flags), capsys)
    assert not files["out"].exists()


def test_damaged_weights_are_refused(files: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    data = bytearray(files["weights"].read_bytes())
    data[-9] ^= 1
    broken = files["folder"] / "broken.safetensors"
    broken.write_bytes(data)
    assert "broken.safetensors is damaged" in refused(command(files, weights=broken), capsys)


def test_unknown_words_get_the_near_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert "did you mean inpaint?" in refused(["inpant"], capsys)
    assert "did you mean base?" in refused(["train", "bas", "--run-dir", "x"], capsys)
    assert "preset" in refused(["train", "--run-dir", "x"], capsys)
    for words, near in (
        (["inpaint", "a.png", "--mask", "m.png", "--output", "o.png", "--fether", "3"], "--feather"),
        (["train", "base", "--run-dir", "x", "--generator.widht", "8"], "--generator.width"),
    ):
        with pytest.raises(SystemExit) as caught:
            cli.main(words)
        assert caught.value.code == 2
        assert near in capsys.readouterr().err


def test_debug_shows_the_trace(files: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(command(files, "--debug", a=files["folder"] / "gone.png"))
    assert caught.value.code == 2
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (ModuleNotFoundError("x", name="lightning_fabric"), 2, "temperfill[train]"),
        (ModuleNotFoundError("x", name="cv2"), 2, "temperfill[baselines]"),
        (PermissionError(13, "Permission denied", "/a/b"), 2, "/a/b: Permission denied"),
        (ValueError("two\nlines"), 2, "error: two lines"),
    ],
)
def test_errors_become_exit_codes(
    error: BaseException, code: int, text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(words: list[str]) -> None:
        raise error

    monkeypatch.setattr("temperfill.cli.models.run", fail)
    with pytest.raises(SystemExit) as caught:
        cli.main(["models"])
    assert caught.value.code == code
    captured = capsys.readouterr().err
    assert text in captured
    assert captured.count("\n") == 1


def test_bugs_are_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(words: list[str]) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("temperfill.cli.models.run", fail)
    with pytest.raises(RuntimeError, match="a bug"):
        cli.main(["models"])


def test_a_limited_context_is_said(files: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("L", (700, 700)).save(files["a"])
    mask = Image.new("L", (700, 700))
    mask.paste(255, (20, 20, 30, 30))
    mask.save(files["mask"])
    for more, said in (((), True), (("--context", "full"), False), (("--strategy", "full"), False)):
        cli.main(command(files, *more))
        assert ("--context full" in capsys.readouterr().err) == said


# Training


def test_dry_run_prints_the_configuration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_dir = tmp_path / "run"
    words = [
        "--run-dir",
        str(run_dir),
        "--dry-run",
        "--generator.width",
        "12",
        "--data.train",
        "x",
        "y",
        "--no-data.flip",
    ]
    cli.main(["train", "tiny", *[w.replace("--no-data.flip", "--data.no-flip") for w in words]])
    found = json.loads(capsys.readouterr().out)
    expected: dict[str, Any] = to_json(PRESETS["tiny"])
    expected["generator"]["width"] = 12
    expected["data"] |= {"train": ["x", "y"], "flip": False}
    assert found == expected
    assert not run_dir.exists()


def test_training_from_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "config.json").write_text(json.dumps(to_json(PRESETS["large"])))
    cli.main(["train", str(tmp_path / "config.json"), "--run-dir", "x", "--seed", "5", "--dry-run"])
    assert json.loads(capsys.readouterr().out) == to_json(PRESETS["large"]) | {"seed": 5}
    (tmp_path / "config.json").write_text('{"generator": {"widht": 8}}')
    assert "generator.widht: unknown key" in refused(["train", str(tmp_path / "config.json"), "--run-dir", "x"], capsys)
    assert "none.json" in refused(["train", str(tmp_path / "none.json"), "--run-dir", "x"], capsys)


def test_invalid_configuration_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["train", "tiny", "--run-dir", "x", "--generator.width", "7", "--dry-run"])
    assert caught.value.code == 2
    assert "width must be even" in capsys.readouterr().err


def test_training_is_called_with_configuration_and_score(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train = pytest.importorskip("temperfill.train")
    calls: list[Any] = []
    monkeypatch.setattr(train, "train", lambda *arguments: calls.append(arguments))
    cli.main(["train", "tiny", "--run-dir", str(tmp_path)])
    assert calls == [(PRESETS["tiny"], tmp_path, None, None)]  # no validation pictures, no score; no other log


def test_evaluation_gets_the_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    evaluate = pytest.importorskip("temperfill.evaluate")
    calls: list[Any] = []
    monkeypatch.setattr(evaluate, "run", lambda *arguments, **options: calls.append((arguments, options)))
    words = [
        "--pictures",
        "p",
        "--masks",
        "m",
        "--methods",
        "ours",
        "telea",
        "--output",
        "o",
        "--limit",
        "3",
        "--vgg",
        "v",
    ]
    cli.main(["evaluate", *words])
    judge = MetricsConfig(vgg=Path("v"))
    expected = EvaluationConfig((Path("p"),), masks=Path("m"), limit=3, judge=judge)
    assert calls[0][0] == (("ours", "telea"), expected, Path("o"))


# The process


def test_sample_can_be_filled(tmp_path: Path, weights: Path) -> None:
    cli.main(["sample", str(tmp_path / "demo")])
    assert sorted(p.name for p in (tmp_path / "demo").iterdir()) == ["mask.png", "photo.jpg"]
    with Image.open(tmp_path / "demo" / "photo.jpg") as photo, Image.open(tmp_path / "demo" / "mask.png") as mask:
        assert photo.size == mask.size


def test_terms_are_kept_with_bundled_weights(weights: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first.safetensors", tmp_path / "second.safetensors"
    words = ["--terms", "for tests only", "--training-data", "noise", "--results", "poor"]
    cli.main(["bundle", str(weights), "--output", str(first), *words])
    cli.main(["bundle", str(first), "--output", str(second)])
    for key, said in {"terms": "for tests only", "training_data": "noise", "results": "poor"}.items():
        assert [read_metadata(path).get(key) for path in (weights, first, second)] == [None, said, said]
    load_generator(second)


def test_models_version_and_overview(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["models"])
    listed = capsys.readouterr().out
    assert {"ours", "telea", "navier-stokes", "biharmonic"} <= set(listed.split())
    for name, terms in {"base": "research use only", "open": r"anyone .* \(Apache-2.0\)"}.items():
        assert re.search(rf"^{name} .*MB.*\n  terms: +{terms}\n  trained on: .*\n  results: .*dB", listed, re.M)
    assert listed.count("taken where none is named") == 1
    cli.main(["--version"])
    assert capsys.readouterr().out.strip() == temperfill.__version__
    for words in ([], ["--help"], ["-h"]):
        cli.main(words)
        overview = capsys.readouterr().out
        assert all(name in overview for name in cli.COMMANDS)


@pytest.mark.parametrize("name", cli.RENAMED)
def test_names_of_the_release_before_work_and_say_the_new_one(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    called: list[list[str]] = []
    for module in ("study", "models"):
        monkeypatch.setattr(
            f"temperfill.cli.{module}.run", lambda words, module=module: called.append([module, *words])
        )
    cli.main([name, "--output", "o"])
    assert called == [[*cli.RENAMED[name], "--output", "o"]]
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"temperfill {name} is now temperfill {' '.join(cli.RENAMED[name])};" in said


COMMANDS = [[name] for name in cli.COMMANDS if name != "study"] + [["study", name] for name in STUDIES]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_arguments_have_names(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Not types, as flags have: ``inpaint IMAGE``, and not ``inpaint STR``."""
    with pytest.raises(SystemExit):
        cli.main([*words, "--help"])
    shown = capsys.readouterr().out
    usage = shown.split("\n\n")[0]
    assert not re.search(r"\b(STR|PATH|INT|None)\b", re.sub(r"--[\w.-]+ \w+", "", usage))
    if words != ["train"]:  # where None undoes a value of the preset
        assert "{None}" not in shown


@pytest.mark.parametrize("words", [["--help"], ["inpaint", "--help"]], ids=" ".join)
def test_help_is_fast(words: list[str]) -> None:
    """Time of the processor, which other processes lengthen little; the shortest of up to fifteen tries."""
    times = [math.inf]
    while min(times) >= 0.3 and len(times) <= 15:
        start = os.times()
        result = process(*words)
        end = os.times()
        times.append(sum(end[2:4]) - sum(start[2:4]))  # of the processes that ended in between
        assert result.returncode == 0
        assert "usage: temperfill" in result.stdout
    assert min(times) < 0.3, times


@pytest.mark.parametrize(
    "words", [["inpaint", "--help"], ["train", "base", "--help"], ["train", "base", "--run-dir", "x", "--dry-run"]]
)
def test_parsing_imports_nothing_heavy(words: list[str]) -> None:
    code = f"""
import sys
from temperfill.cli import main
try:
    main({words!r})
finally:
    print([name for name in ("torch", "numpy", "PIL", "scipy") if name in sys.modules], file=sys.stderr)
"""
    environment = os.environ | {"PYTHONPATH": str(Path(temperfill.__file__).parents[1])}
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert result.stderr.splitlines()[-1] == "[]"


def test_whole_process_without_terminal(files: dict[str, Path]) -> None:
    result = process(*command(files), NO_COLOR="1", PYTHONIOENCODING="utf-8")
    assert result.returncode == 0, result.stderr
    assert "\x1b" not in result.stdout + result.stderr
    files["out"].unlink()
    files["a"].write_bytes(b"")
    result = process(*command(files), PYTHONIOENCODING="ascii:backslashreplace")
    assert result.returncode == 2
    assert result.stderr.startswith("temperfill: error: ")
    assert result.stderr.count("\n") == 1
    assert not files["out"].exists()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["inpaint", "a.png", "--mask", "m.png", "--output", "o.png", "--featherr", "3"], "--featherr"),
        (["inpaint", "a.png", "--mask", "m.png"], "--output"),
        (["inpaint", "a.png", "--mask", "m.png", "--output", "o.png", "--feather", "x"], "--feather"),
        (["inpaint", "a.png", "--mask", "m.png", "--output", "o.png", "--precision", "fp8"], "fp32"),
        (["train", "tiny", "--run-dir", "r", "--data.trian", "x"], "--data.train"),
    ],
    ids=lambda value: value if isinstance(value, str) else value[-1],
)
def test_wrong_flags_end_in_one_line(words: list[str], expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(words)
    said = capsys.readouterr().err
    assert end.value.code == 2
    assert said.count("\n") == 1
    assert said.startswith("temperfill: error: ")
    assert expected in said
