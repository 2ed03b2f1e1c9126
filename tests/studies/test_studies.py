"""Studies: equal variants, finished runs used again, interruptions, ranking from two seeds on, files. Training is faked
by run folders with random weights; that of the package has its own tests."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import temperfill.train
from temperfill import report, studies
from temperfill.config import RATIO_BINS, EvaluationConfig, RunConfig, StudyConfig, differences, to_json
from temperfill.presets import PRESETS
from temperfill.runs.folder import RunFolder, save_state
from temperfill.studies.training import batches_a_minute
from temperfill.studies.variants import ABLATIONS, ablation_variants, learned_variant
from temperfill.systems.building import build
from temperfill.systems.table import load_run
from temperfill.weights_files import save_generator

SIZE = 32


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "street"
    folder.mkdir()
    for i in range(2):
        blocks = np.random.default_rng(i).integers(0, 255, (5, 5, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
        Image.fromarray(blocks).save(folder / f"p{i}.png")
    return folder


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the runs that were trained, in order; training is faked."""
    calls: list[str] = []

    def train(config: RunConfig, run_dir: Path, score: object = None) -> None:
        calls.append(f"{run_dir.parent.name}/{run_dir.name}")
        torch.manual_seed(config.seed)
        folder = RunFolder(run_dir)
        with folder.opened(config, 0):
            for step in range(1, config.num_steps + 1):
                values = {"temperature": [0.1 / step, 0.2], "images_per_second": 2.0 * step}
                folder.log(
                    {"step": step, "seconds": 1.0 * step}
                    | {f"temperature_{e}": [0.05, 0.2] for e in ("low", "high")}
                    | values
                )
            save_generator(folder.generator_path, build(config.generator))
            save_state(folder.state_path, {"networks": {}, "progress": {"step": config.num_steps}})

    monkeypatch.setattr(temperfill.train, "train", train)
    return calls


@pytest.fixture
def no_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plots take most of the time, and one test has them."""
    monkeypatch.setattr(report, "plot_metrics", lambda *_: None)
    monkeypatch.setattr(report, "plot_curves", lambda *_: None)


def setting(pictures: Path, **study: Any) -> tuple[EvaluationConfig, StudyConfig]:
    evaluation = EvaluationConfig((pictures,), size=SIZE)
    common: dict[str, Any] = {"train": (pictures,), "width": 2, "steps": 3, "crop_size": 32, "resize": 32}
    common |= {"overlap": "unchecked"}
    return evaluation, StudyConfig(**(common | study), device="cpu")


def run(name: str, pictures: Path, output: Path, **study: Any) -> dict[str, Any]:
    evaluation, config = setting(pictures, **study)
    return studies.ablation(name, evaluation, output, config, "temperfill ablation", progress=False)


def test_ablation_from_nothing_to_report_and_again(pictures: Path, tmp_path: Path, trained: list[str]) -> None:
    out = tmp_path / "out"
    data = run("attention", pictures, out)
    variants = ABLATIONS["attention"](setting(pictures)[1])
    assert trained == [f"{label}/seed-{seed}" for seed in (0, 1) for label in variants]
    assert data["ranked"]
    assert list(data["comparison"]) == ["atma", "contextual", "none"]
    cell = data["results"]["mhtma"]["street"]["free-form-square"]
    assert (cell["n"], cell["runs"], list(cell["by_run"])) == (2, 2, ["seed-0", "seed-1"])
    assert cell["psnr"] == pytest.approx(np.mean([own["psnr"] for own in cell["by_run"].values()]), abs=1e-6)
    assert data["training"]["atma"]["runs"]["seed-1"]["batches_a_minute"] == pytest.approx(
        60 * 2 / (16 / 4 + 16 / 6), abs=0.01
    )
    text, tex = ((out / f"report.{end}").read_text() for end in ("md", "tex"))
    assert "**" in text
    assert "2 trainings" in text
    assert r"\textbf{" in tex
    assert tex.count(r"\begin{table}") == tex.count(r"\end{table}") == 3
    for path in ("rows.json", "sheets/street-free-form-square.png", "figures/figures.png", "figures/temperatures.png"):
        assert (out / path).stat().st_size > 0
    assert list(json.loads((out / "figures/temperatures.json").read_text())["runs"]) == [
        "mhtma/seed-0",
        "atma/seed-0",
        "mhtma/seed-1",
        "atma/seed-1",
    ]
    trained.clear()
    assert run("attention", pictures, out)["results"] == data["results"]
    assert trained == []


@pytest.mark.usefixtures("no_plots")
def test_one_seed_ranks_nothing(pictures: Path, tmp_path: Path, trained: list[str]) -> None:
    data = run("adversarial", pictures, tmp_path / "out", seeds=(3,))
    assert trained == ["hinge/seed-3", "wgan-gp/seed-3"]
    assert not data["ranked"]
    figures = data["comparison"]["wgan-gp"]["street"]
    assert {figures[name]["verdict"] for name in ("mae", "psnr", "ssim")} == {"one seed"}
    text = (tmp_path / "out" / "report.md").read_text()
    assert "listed without a ranking" in text
    assert "**" not in text
    assert "textbf" not in (tmp_path / "out" / "report.tex").read_text()


@pytest.mark.usefixtures("no_plots")
def test_variants_of_ones_own_are_trained_and_told_apart(pictures: Path, tmp_path: Path, trained: list[str]) -> None:
    evaluation, study = setting(pictures, seeds=(0,))
    own: dict[str, Any] = {"one": {}, "two": {"generator": {"heads": 1}, "learning_rate": 0.5}}
    studies.ablation(own, evaluation, tmp_path / "out", study, progress=False)
    assert trained == ["one/seed-0", "two/seed-0"]
    config = load_run(tmp_path / "out/runs/two/seed-0/config.json")
    assert (config.generator.heads, config.learning_rate, config.num_steps) == (1, 0.5, 3)
    assert '- two: `{"generator": {"heads": 1}, "learning_rate": 0.5}`' in (tmp_path / "out/report.md").read_text()
    trained.clear()
    names = ["telea", "two"]
    studies.compare(names, evaluation, tmp_path / "compared", study, progress=False, own=own)
    assert trained == ["two/seed-0"]
    for wrong, message in (
        ({"a": {"generator": {"head": 1}}}, r"a\.generator\.head: unknown key"),
        ({"a": {"method": "gan"}}, r"a\.method: expected one of ours"),
        ({}, "no variants"),
    ):
        with pytest.raises(ValueError, match=message):
            studies.ablation(wrong, evaluation, tmp_path / "wrong", study, progress=False)


@pytest.mark.usefixtures("no_plots")
def test_runs_with_validation_are_measured_at_their_best_step(
    pictures: Path, tmp_path: Path, trained: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    val = tmp_path / "val"
    val.mkdir()
    noise = np.random.default_rng(9).integers(0, 255, (10, 10, 3), dtype=np.uint8).repeat(4, 0).repeat(4, 1)
    Image.fromarray(noise).save(val / "v.png")
    scores = []
    real = temperfill.train.train

    def stopping(config: RunConfig, run_dir: Path, score: Any) -> None:
        scores.append(score)
        real(config, run_dir)  # type: ignore[arg-type]
        folder = RunFolder(run_dir)
        save_generator(folder.generator_path, build(config.generator), extra_metadata={"step": "2"})
        save_state(folder.state_path, {"networks": {}, "progress": {"step": 2, "stale_validations": 1}})

    monkeypatch.setattr(temperfill.train, "train", stopping)
    settings = {"seeds": (0,), "val": (val,), "patience": 1}
    run("adversarial", pictures, tmp_path / "out", **settings)
    assert all(callable(score) for score in scores)
    text = (tmp_path / "out/report.md").read_text()
    assert "lowest validation loss are measured (patience 1" in text
    assert "| 3, measured 2 |" in text
    assert "Test pictures in validation:" in text
    trained.clear()
    run("adversarial", pictures, tmp_path / "out", **settings)  # ended early, and so finished
    assert trained == []
    other = {"train": (val,), "val": (pictures,), "overlap": "refuse"}
    with pytest.raises(ValueError, match="would see held-out pictures"):
        run("adversarial", pictures, tmp_path / "out2", **(settings | other))


@pytest.mark.usefixtures("no_plots")
def test_interrupted_study_goes_on(
    pictures: Path, tmp_path: Path, trained: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = temperfill.train.train

    def dying(config: RunConfig, run_dir: Path, score: object = None) -> None:
        if len(trained) == 2:
            raise KeyboardInterrupt
        real(config, run_dir)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(temperfill.train, "train", dying)
        with pytest.raises(KeyboardInterrupt):
            run("adversarial", pictures, tmp_path / "out")
    assert not (tmp_path / "out" / "report.json").exists()
    run("adversarial", pictures, tmp_path / "out")
    assert trained == [f"{label}/seed-{seed}" for seed in (0, 1) for label in ("hinge", "wgan-gp")]


@pytest.mark.usefixtures("no_plots")
def test_other_settings_and_bad_input_stop_before_training(pictures: Path, tmp_path: Path, trained: list[str]) -> None:
    run("adversarial", pictures, tmp_path / "out", seeds=(0,))
    trained.clear()
    with pytest.raises(ValueError, match="batch_size: 16 -> 8"):
        run("adversarial", pictures, tmp_path / "out", batch_size=8)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="no pictures in"):
        run("adversarial", tmp_path / "empty", tmp_path / "out2")
    with pytest.raises(ValueError, match="unknown ablation"):
        run("colour", pictures, tmp_path / "out2")
    with pytest.raises(ValueError, match="--train"):
        run("adversarial", pictures, tmp_path / "out2", train=())
    assert trained == []


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("attention", "generator.attention"),
        ("adversarial", "loss.adversarial"),
        ("temperature", "generator.temperature"),
    ],
)
def test_variants_differ_in_the_question_alone(name: str, field: str, pictures: Path) -> None:
    first, *others = ablation_variants(name, setting(pictures)[1]).values()
    assert first.method == "ours"
    assert first.data.val == ()  # no early stop and no choice of the best: the last weights of each
    for other in others:
        changed = [line.split(":")[0] for line in differences(to_json(first), to_json(other))]
        assert changed[0] == field
        assert all(name.startswith(field) for name in changed)


def test_learned_methods_share_the_scale_and_lose_what_needs_weights(pictures: Path, tmp_path: Path) -> None:
    study = replace(setting(pictures)[1], width=8, crop_size=128, resize=128)
    found = {name: learned_variant(name, study) for name in studies.LEARNED}
    widths = {name: config.generator.width for name, config in found.items()}
    assert widths == {"ours": 8, "partialconv": 21, "deepfillv2": 8, "wavefill": 20, "atma": 8}
    assert found["ours"].generator.head_dim == PRESETS["tiny"].generator.head_dim
    for config in found.values():
        assert (config.num_steps, config.batch_size, config.data) == (3, 16, found["ours"].data)
        assert all(getattr(config.loss, weight) == 0 for weight in config.loss.VGG_WEIGHTS)
    full = learned_variant("wavefill", replace(study, width=24))
    assert full.generator.width == 64
    shapes = {0: (64, 3), 2: (64, 64), 5: (128, 64), 7: (128, 128), 10: (256, 128)}
    tensors = {f"features.{i}.weight": torch.zeros(*shape, 3, 3) for i, shape in shapes.items()}
    tensors |= {f"features.{i}.bias": torch.zeros(shape[0]) for i, shape in shapes.items()}
    torch.save(tensors, tmp_path / "vgg.pth")
    shallow = learned_variant("wavefill", replace(study, perceptual_path=tmp_path / "vgg.pth"))
    assert (shallow.loss.perceptual_depth, shallow.loss.content_weight) == ("relu3_1", 0)
    assert shallow.loss.perceptual_weight > 0


@pytest.mark.usefixtures("no_plots")
def test_compare_trains_what_it_is_told_beside_given_methods(
    pictures: Path, tmp_path: Path, trained: list[str]
) -> None:
    evaluation, study = setting(pictures, seeds=(0,))
    out = tmp_path / "out"
    data = studies.compare(
        ["ours", "telea", "biharmonic"], studies.by_ratio(evaluation), out, study, "temperfill compare", progress=False
    )
    assert trained == ["ours/seed-0"]
    assert data["ranked"]  # the only trained method, against methods without training
    assert list(data["by_group"]["telea"]) == list(RATIO_BINS)
    assert data["settings"]["mask_kind"] == ",".join(RATIO_BINS)
    text = (out / "report.md").read_text()
    assert "PSNR, dB by masks" in text
    assert text.count("| ours (trained here, preset paper) |") == 10
    assert "| ours |" not in text
    again = studies.by_ratio(EvaluationConfig((pictures,), masks=out / "masks", size=SIZE))
    given = [f"ours={out / 'runs/ours/seed-0'}", "telea", "biharmonic"]
    second = studies.compare(given, again, tmp_path / "again", replace(study, train=()), progress=False)
    assert second["results"] == data["results"]
    with pytest.raises(ValueError, match="both to be trained and given"):
        studies.compare(["ours", given[0]], evaluation, out, study, progress=False)
    with pytest.raises(FileNotFoundError, match=r"has no checkpoint generator\.safetensors"):
        studies.compare([str(pictures)], evaluation, out, replace(study, train=()), progress=False)


def test_pace_leaves_out_the_first_interval(tmp_path: Path) -> None:
    lines = [
        {"step": 2, "images_per_second": 1.0},
        {"step": 4, "images_per_second": 8.0},
        {"step": 4, "validation": {}},
    ]
    path = tmp_path / "log.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert batches_a_minute(path, 4) == 120
    path.write_text(json.dumps(lines[0]) + "\n")
    assert batches_a_minute(path, 4) == 15
    path.write_text("")
    assert batches_a_minute(path, 4) is None


@pytest.mark.usefixtures("no_plots")
def test_no_study_trains_on_its_test_pictures(pictures: Path, tmp_path: Path, trained: list[str]) -> None:
    with pytest.raises(ValueError, match=r"2 in common .* is the same file as"):
        run("adversarial", pictures, tmp_path / "one", overlap="refuse")
    evaluation, config = setting(pictures, overlap="refuse")
    with pytest.raises(ValueError, match="--overlap allow"):
        studies.compare(["ours", "telea"], evaluation, tmp_path / "two", config, progress=False)
    assert trained == []
    data = run("adversarial", pictures, tmp_path / "three", overlap="allow", seeds=(0,))
    assert any("2 in common" in note for note in data["notes"])
    text = (tmp_path / "three" / "report.md").read_text()
    assert "2 held-out pictures were compared with 2 of training" in text
    data = studies.compare(["bundled=base", "telea"], evaluation, tmp_path / "four", StudyConfig(), progress=False)
    assert data["notes"] == ["Trained elsewhere, on pictures that were not compared with these: bundled."]
