"""Configurations: strict JSON in and out, validation, differences, and a docstring for every field."""

import ast
import dataclasses
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from temperfill import config as module
from temperfill.config import (
    RUNS,
    ATMAConfig,
    DataConfig,
    DeepFillV2Config,
    DeepFillV2Run,
    DiscriminatorConfig,
    EvaluationConfig,
    GeneratorConfig,
    LossConfig,
    MachineConfig,
    MetricsConfig,
    PartialConvConfig,
    PartialConvLoss,
    PartialConvRun,
    StudyConfig,
    TrainConfig,
    WaveFillConfig,
    WaveFillLoss,
    WaveFillRun,
    differences,
    from_json,
    load_json,
    load_run,
    method_of,
    to_json,
)

CHANGED = TrainConfig(
    generator=GeneratorConfig(width=8, attention="atma"),
    loss=LossConfig(perceptual_weight=0),
    data=DataConfig(train=(Path("a"), "s3://bucket/b c"), val=(Path("v"),), resize=64, crop_size=32),
    machine=MachineConfig(device="cuda:1", perceptual_path=Path("vgg.pth")),
    init_path=Path("runs/one"),
    learning_rate=2e-4,
)


@pytest.mark.parametrize("config", [TrainConfig(), CHANGED])
def test_json_round_trip(config: TrainConfig, tmp_path: Path) -> None:
    text = json.dumps(to_json(config), allow_nan=False)
    assert from_json(TrainConfig, json.loads(text)) == config
    (tmp_path / "config.json").write_text(text, encoding="utf-8")
    assert load_json(TrainConfig, tmp_path / "config.json") == config


def test_missing_keys_take_the_defaults() -> None:
    assert from_json(TrainConfig, {}) == TrainConfig()
    assert from_json(TrainConfig, {"loss": {"hole_weight": 2}}) == TrainConfig(loss=LossConfig(hole_weight=2.0))
    assert type(from_json(LossConfig, {"hole_weight": 2}).hole_weight) is float


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], r"^run: expected an object, got list"),
        ({"lr": 1}, r"^run\.lr: unknown key; known are .*learning_rate"),
        ({"loss": {"gan": 1}}, r"^run\.loss\.gan: unknown key"),
        ({"loss": 3}, r"^run\.loss: expected an object, got int"),
        ({"generator": {"width": "24"}}, r"^run\.generator\.width: expected int, got '24'"),
        ({"generator": {"width": 24.0}}, r"^run\.generator\.width: expected int, got 24.0"),
        ({"generator": {"width": True}}, r"^run\.generator\.width: expected int, got True"),
        ({"generator": {"sketch": 1}}, r"^run\.generator\.sketch: expected bool, got 1"),
        ({"generator": {"attention": "self"}}, r"^run\.generator\.attention: expected one of mhtma, atma.*'self'"),
        ({"generator": {"attention": ["mhtma"]}}, r"^run\.generator\.attention: expected one of"),
        ({"generator": {"width": 3}}, r"^run\.generator: width must be even"),
        ({"data": {"train": "photos"}}, r"^run\.data\.train: expected a list, got str"),
        ({"data": {"train": ["a", 1]}}, r"^run\.data\.train\[1\]: expected str, got 1"),
        ({"machine": {"device": None}}, r"^run\.machine\.device: expected str, got None"),
        ({"init_path": 1}, r"^run\.init_path: expected Path, got 1"),
        ({"learning_rate": "1e-4"}, r"^run\.learning_rate: expected a finite number"),
        ({"learning_rate": False}, r"^run\.learning_rate: expected a finite number"),
        ({"learning_rate": 10**400}, r"^run\.learning_rate: expected a finite number"),
        ({"seed": 2**63}, r"^run: seed must be below"),
    ],
)
def test_wrong_json_names_the_path(data: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        from_json(TrainConfig, data, "run")


@pytest.mark.parametrize(
    "text", ["", "{", '{"seed": NaN}', '{"seed": Infinity}', '{"seed": 1, "seed": 2}', "[" * 100_000, "\xff"]
)
def test_text_that_is_no_json_names_the_file(text: str, tmp_path: Path) -> None:
    (tmp_path / "wrong.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=r"wrong\.json is not valid JSON"):
        load_json(TrainConfig, tmp_path / "wrong.json")


def test_overflowing_number_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"learning_rate": 1e999}', encoding="utf-8")
    with pytest.raises(ValueError, match="learning_rate: expected a finite number, got inf"):
        load_json(TrainConfig, tmp_path / "config.json")


def test_missing_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_json(TrainConfig, tmp_path / "none.json")


@pytest.mark.parametrize(
    ("cls", "values", "message"),
    [
        (GeneratorConfig, {"width": 0}, "width"),
        (GeneratorConfig, {"heads": 0}, "heads must be at least 1"),
        (GeneratorConfig, {"attention": "foo"}, "attention: expected one of"),
        (GeneratorConfig, {"temperature_floor": 0.0}, "temperature_floor"),
        (GeneratorConfig, {"temperature_init": 0.01}, "temperature_init must exceed"),
        (GeneratorConfig, {"masked_score": 0.0}, "masked_score"),
        (GeneratorConfig, {"convolution_branch": False, "attention_branch": False}, "at least one"),
        (GeneratorConfig, {"detail": True, "attention": "atma"}, "detail needs"),
        (DiscriminatorConfig, {"feature_dim": 0}, "feature_dim"),
        (LossConfig, {"adversarial_weight": -1.0}, "adversarial_weight must be at least 0"),
        (LossConfig, {"hole_weight": 0.0}, "hole_weight must be positive"),
        (LossConfig, {"perceptual_layers": ()}, "perceptual_layers must be some of 1, 2 and 3"),
        (LossConfig, {"perceptual_layers": (1, 4)}, "perceptual_layers must be some of 1, 2 and 3"),
        (LossConfig, {"perceptual_layers": (2, 2)}, "each once"),
        (LossConfig, {"refined_weight": float("nan")}, "refined_weight: expected a finite number"),
        (DataConfig, {"train": (3,)}, r"train\[0\]: expected str, got 3"),
        (DataConfig, {"train": [Path("photos")]}, "train: expected a tuple"),
        (DataConfig, {"resize": 4, "crop_size": 4}, "resize must be at least 8"),
        (DataConfig, {"crop_size": 260}, "crop_size must be a multiple of 4"),
        (DataConfig, {"crop_size": 30}, "crop_size must be a multiple of 4"),
        (DataConfig, {"max_corrupt_share": 1.1}, "max_corrupt_share"),
        (MachineConfig, {"device": "gpu"}, "device must be auto, cpu, cuda or cuda:N"),
        (MachineConfig, {"device": "cuda:"}, "device must be"),
        (MachineConfig, {"workers": -1}, "workers"),
        (MachineConfig, {"max_minutes": -0.1}, "max_minutes"),
        (TrainConfig, {"batch_size": 0}, "batch_size"),
        (TrainConfig, {"num_steps": 0}, "num_steps"),
        (TrainConfig, {"learning_rate": 0.0}, "learning_rate"),
        (TrainConfig, {"beta2": 1.0}, "beta2"),
        (TrainConfig, {"ema_decay": -0.1}, "ema_decay"),
        (TrainConfig, {"seed": -1}, "seed"),
        (TrainConfig, {"precision": "bf16", "data": DataConfig(crop_size=32)}, "bf16 needs a crop_size above 32"),
        (TrainConfig, {"loss": GeneratorConfig()}, "loss: expected LossConfig"),
    ],
)
def test_invalid_values_are_refused(cls: type, values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        cls(**values)


def test_configs_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        TrainConfig().seed = 1  # type: ignore[misc]


def test_differences_name_every_changed_field() -> None:
    assert differences(to_json(CHANGED), to_json(CHANGED)) == []
    new = replace(
        CHANGED, seed=3, loss=replace(CHANGED.loss, hole_weight=6), data=replace(CHANGED.data, train=(Path("a"),))
    )
    assert differences(to_json(CHANGED), to_json(new)) == [
        "loss.hole_weight: 1.0 -> 6",
        "data.train: ['a', 's3://bucket/b c'] -> ['a']",
        "seed: 0 -> 3",
    ]
    assert differences({"a": 1}, {"a": 1.0, "b": {"c": 2}}) == ["b: None -> {'c': 2}"]


def test_every_field_has_a_docstring() -> None:
    checked = 0
    for path in Path(module.__file__).parent.glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for cls in (node for node in tree.body if isinstance(node, ast.ClassDef)):
            assert ast.get_docstring(cls), cls.name
            nested = cls.name == "TrainConfig" or cls.name.endswith("Run") or cls.name == "RunConfig"
            for i, node in enumerate(cls.body):
                if not isinstance(node, ast.AnnAssign):
                    continue
                if nested and ("factory" in ast.unparse(node) or ast.unparse(node.annotation) == "Any"):
                    continue  # a nested configuration has the docstring of its class
                after = cls.body[i + 1]
                documented = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
                assert documented, f"{cls.name}.{ast.unparse(node.target)} has no docstring"
                checked += 1
    classes = {
        cls for run in RUNS.values() for cls in (type(run().generator), type(run().discriminator), type(run().loss))
    }
    classes |= {DataConfig, MachineConfig, EvaluationConfig, MetricsConfig, StudyConfig}
    own = sum(len(dataclasses.fields(cls)) for cls in classes) - len(dataclasses.fields(DeepFillV2Config))  # inherited
    assert checked == own + len(dataclasses.fields(TrainConfig)) - 5


OLD_RUN = """{"generator": {"width": 8, "attention": "mhtma", "heads": 2, "head_dim": 8, "patch_size": 3,
 "key_stride": 1,
 "temperature_init": 0.1, "temperature_floor": 0.01, "masked_score": -10000.0, "masked_score_scaled": false,
 "convolution_branch": true, "attention_branch": true, "detail": true, "sketch": false},
 "discriminator": {"width": 32, "feature_dim": 512},
 "loss": {"coarse_weight": 1.0, "refined_weight": 1.0, "hole_weight": 6.0, "perceptual_weight": 0.2,
 "perceptual_on": "refined", "perceptual_local": true, "adversarial": "hinge", "adversarial_weight": 0.016,
 "adversarial_start": 0, "gradient_penalty_weight": 10.0},
 "data": {"train": ["photos"], "val": [], "resize": 256, "crop_size": 192, "flip": true, "mask_scale": 0.85,
 "balanced": true, "max_corrupt_share": 0.01},
 "machine": {"device": "auto", "workers": 1, "threads": 2, "compile": true, "max_minutes": 0.0, "perceptual_path": "v"},
 "init_path": "runs/one", "seed": 0, "num_steps": 6400, "batch_size": 4, "learning_rate": 0.0003, "beta1": 0.5,
 "beta2": 0.999, "schedule": "cosine", "warmup_steps": 200, "precision": "bf16", "ema_decay": 0.999, "log_every": 20,
 "save_every": 100, "sample_every": 200, "val_every": 0, "patience": 30}"""
"""As it was written before there were other methods."""


def test_run_written_before_there_were_methods_is_one_of_ours(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(OLD_RUN)
    old = load_run(path)
    assert type(old) is TrainConfig
    changes = differences(json.loads(OLD_RUN), to_json(old))
    assert set(changes) == {
        "method: None -> 'ours'",
        "discriminator_rate: None -> 1.0",
        "loss.perceptual_layers: None -> [1, 2, 3]",
        "loss.texture_weight: None -> 0.0",
        "data.sketches: None -> []",
        "data.sketch_share: None -> 0.5",
        "data.sketch_parts: None -> 0.5",
        "machine.devices: None -> 1",
        "machine.nodes: None -> 1",
    }


@pytest.mark.parametrize(
    "recipe", sorted(Path(__file__).parents[1].glob("docs/train/recipes/*.json")), ids=lambda p: p.stem
)
def test_recipes_in_the_documents_are_runs_of_ours(recipe: Path) -> None:
    assert load_run(recipe) == load_json(TrainConfig, recipe)


@pytest.mark.parametrize("method", RUNS)
def test_runs_of_every_method_survive_json(method: str, tmp_path: Path) -> None:
    run = replace(RUNS[method](), seed=3, data=DataConfig(train=(Path("a"),), crop_size=192))
    data = to_json(run)
    assert next(iter(data.items())) == ("method", method)
    (tmp_path / "config.json").write_text(json.dumps(data))
    assert load_run(tmp_path / "config.json") == run
    assert method_of(run.generator) == method
    assert {"refined_weight", "perceptual_weight", "VGG_WEIGHTS"} <= set(dir(run.loss))  # what validation reads
    assert all(hasattr(run.loss, name) for name in run.loss.VGG_WEIGHTS)


def test_methods_are_not_mixed_up(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    for method in ("gan", 3, None):
        path.write_text(json.dumps({"method": method}))
        with pytest.raises(ValueError, match=r"config\.json\.method: expected one of ours, partialconv, deepfillv2"):
            load_run(path)
    path.write_text(json.dumps({"method": "deepfillv2", "generator": {"heads": 2}}))
    with pytest.raises(ValueError, match=r"generator\.heads: unknown key; known are width"):
        load_run(path)
    with pytest.raises(ValueError, match=r"method: expected 'ours', got 'deepfillv2'"):
        from_json(TrainConfig, {"method": "deepfillv2"})
    path.write_text("[]")
    with pytest.raises(ValueError, match="expected an object, got list"):
        load_run(path)


@pytest.mark.parametrize(
    ("cls", "values", "message"),
    [
        (DeepFillV2Config, {"width": 3}, "width must be even"),
        (ATMAConfig, {"heads": 0}, "heads must be at least 1"),
        (ATMAConfig, {"temperature_init": 0.0}, "temperature_init must be positive"),
        (PartialConvConfig, {"width": 0}, "width must be at least 1"),
        (PartialConvLoss, {"style_weight": -1.0}, "style_weight must be at least 0"),
        (PartialConvRun, {"batch_size": 1, "data": DataConfig(crop_size=128)}, "crop_size above 128"),
        (WaveFillConfig, {"width": 6}, "multiple of 4"),
        (WaveFillLoss, {"perceptual_depth": "relu3_1"}, "content_weight needs relu4_2"),
        (WaveFillRun, {"data": DataConfig(crop_size=64)}, "crop_size of at least 68, got 64"),
        (DeepFillV2Run, {"discriminator_rate": 0.0}, "discriminator_rate must be positive"),
        (DeepFillV2Run, {"generator": GeneratorConfig()}, "generator: expected DeepFillV2Config"),
    ],
)
def test_invalid_values_of_other_methods_are_refused(cls: type, values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        cls(**values)
