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
    DataConfig,
    DiscriminatorConfig,
    EvaluationConfig,
    GeneratorConfig,
    LossConfig,
    MachineConfig,
    MetricsConfig,
    StudyConfig,
    TrainConfig,
    differences,
    from_json,
    load_json,
    to_json,
)
from temperfill.config.study_file import StudyFile

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


def test_stored_configurations_without_a_later_key_mean_what_was_done() -> None:
    """A whole object was written by an earlier version; one by hand, with some of the keys, means today's defaults."""
    stored = to_json(DataConfig())
    for key in ("mask_strokes", "sketches", "sketch_share", "sketch_parts"):
        del stored[key]
        assert from_json(DataConfig, stored) == DataConfig(mask_strokes="turned")
        assert from_json(TrainConfig, {"data": stored}).data == DataConfig(mask_strokes="turned")
    assert from_json(DataConfig, stored | {"mask_strokes": "deepfillv2"}) == DataConfig()
    del stored["flip"]
    assert from_json(DataConfig, stored) == DataConfig()
    stored = to_json(LossConfig())
    del stored["perceptual_pasted"]
    assert from_json(LossConfig, stored) == LossConfig(perceptual_pasted=True)
    assert from_json(LossConfig, {"hole_weight": 6.0}) == LossConfig(hole_weight=6.0)


RECIPES = Path(__file__).parents[1] / "docs" / "train" / "recipes"


@pytest.mark.parametrize("path", sorted(RECIPES.glob("base-*.json")), ids=str)
def test_stored_recipes_draw_strokes_as_they_did(path: Path) -> None:
    run = load_json(TrainConfig, path)
    assert (run.data.mask_strokes, run.loss.perceptual_pasted) == ("turned", True)


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
        ({"seed": 2**63}, r"^run.seed: 9223372036854775808 is too large"),
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
        (GeneratorConfig, {"temperature": "constant", "temperature_init": 0.0}, "temperature_init must be positive"),
        (GeneratorConfig, {"temperature": "annealed", "temperature_end": -1.0}, "temperature_end must be positive"),
        (GeneratorConfig, {"temperature": "leaky_relu", "attention": "atma"}, "leaky_relu needs the attention mhtma"),
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
        GeneratorConfig,
        DiscriminatorConfig,
        LossConfig,
        DataConfig,
        MachineConfig,
        EvaluationConfig,
        MetricsConfig,
        StudyConfig,
        StudyFile,
    }
    own = sum(len(dataclasses.fields(cls)) for cls in classes)
    assert checked == own + len(dataclasses.fields(TrainConfig)) - 5
