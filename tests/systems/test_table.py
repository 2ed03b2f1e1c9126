"""The table of systems: light, whole, and as it was when earlier runs were written."""

import ast
import hashlib
import inspect
import json
import subprocess
import sys
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from temperfill.config import (
    DataConfig,
    GeneratorConfig,
    RunConfig,
    RunLoss,
    TrainConfig,
    differences,
    from_json,
    load_json,
    to_json,
)
from temperfill.nets.network import Network
from temperfill.systems.atma import ATMAConfig
from temperfill.systems.building import build, recipe_of
from temperfill.systems.deepfillv2 import DeepFillV2Config, DeepFillV2Run
from temperfill.systems.partialconv import PartialConvConfig, PartialConvLoss, PartialConvRun
from temperfill.systems.table import BASELINES, SYSTEMS, load_run, method_of, published
from temperfill.systems.wavefill import WaveFillConfig, WaveFillLoss, WaveFillRun

RECIPES = Path(__file__).parents[2] / "docs" / "train" / "recipes"
TENSORS = {
    "ours": ("2a48881230fa", "0f1c687433a7"),
    "partialconv": ("dffbd2161a1e", None),
    "deepfillv2": ("2f17cac3ab0d", "fe3a43a11d85"),
    "wavefill": ("1a14ba140467", "ca545b9bb98c"),
    "atma": ("710d02d561d4", "fe3a43a11d85"),
}
"""Digests of the names and shapes of weights, of generator and discriminator at width 4, before there was a table."""
SETTINGS = {
    "ours": "d13fb854b9fb",
    "partialconv": "7489be84f182",
    "deepfillv2": "c330aa4741a5",
    "wavefill": "de7fb9c55b52",
    "atma": "7d26cba6e729",
}
"""Digests of the JSON of the runs as published, likewise, without the keys that came later."""
NEW = {
    "generator": ("widths", "tensorflow", "temperature", "temperature_end", "temperature_steps"),
    "data": (
        "mask_strokes",
        "thick_share",
        "border_share",
        "val_limit",
        "picture_share",
        "scale",
        "colour",
        "repeats",
        "squash",
    ),
    "loss": ("perceptual_pasted",),
}
"""Keys that files lack which were written then; those that meant something else have it in ``LATER`` of their class."""


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def shapes(module: nn.Module | None) -> str | None:
    if module is None:
        return None
    return digest("".join(f"{name}{tuple(x.shape)}" for name, x in sorted(module.state_dict().items())))


@pytest.mark.parametrize("name", SYSTEMS)
def test_runs_and_weights_of_earlier_versions_fit(name: str) -> None:
    run: Any = published(name)
    stored = to_json(run)
    for part, keys in NEW.items():
        for key in keys:
            stored[part].pop(key, None)
    assert digest(json.dumps(stored)) == SETTINGS[name]
    old = from_json(type(run), stored)
    assert old.data == replace(run.data, mask_strokes="turned", val_limit=64)
    assert old.loss == (replace(run.loss, perceptual_pasted=True) if name == "ours" else run.loss)
    generator = build(replace(run.generator, width=4))
    assert isinstance(generator, Network)
    assert generator.config == replace(run.generator, width=4)
    recipe, discriminator = recipe_of(name), None
    if recipe.discriminator is not None:
        discriminator = recipe.discriminator(replace(run, discriminator=replace(run.discriminator, width=4)))
    assert (shapes(generator), shapes(discriminator)) == TENSORS[name]
    parts = (recipe.discriminator, recipe.discriminator_terms, recipe.adversarial_terms)
    assert len({part is None for part in parts}) == 1


def test_configurations_of_all_systems_are_read_without_torch() -> None:
    code = (
        "import sys; from temperfill.systems.table import SYSTEMS, published; [published(name) for name in SYSTEMS];"
        "print([name for name in ('torch', 'numpy', 'PIL', 'safetensors') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.parametrize("name", BASELINES)
def test_every_field_has_a_docstring(name: str) -> None:
    run = published(name)
    module = inspect.getmodule(type(run))
    assert module is not None
    for cls in (node for node in ast.parse(inspect.getsource(module)).body if isinstance(node, ast.ClassDef)):
        assert ast.get_docstring(cls), cls.name
        for field, after in zip(cls.body, [*cls.body[1:], None], strict=True):
            if isinstance(field, ast.AnnAssign) and not issubclass(getattr(module, cls.name), RunConfig):
                assert isinstance(after, ast.Expr), f"{cls.name}.{ast.unparse(field.target)} has no docstring"
    assert all(is_dataclass(getattr(run, part.name)) for part in fields(run)[:3])


RUNS = {name: published(name) for name in BASELINES}


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
        "generator.widths: None -> []",
        "generator.temperature: None -> 'softplus'",
        "generator.temperature_end: None -> 0.01",
        "generator.temperature_steps: None -> 100000",
        "loss.perceptual_layers: None -> [1, 2, 3]",
        "loss.texture_weight: None -> 0.0",
        "data.val_limit: None -> 64",
        "data.picture_share: None -> 1.0",
        "data.scale: None -> 1.0",
        "data.colour: None -> 0.0",
        "data.repeats: None -> 0.0",
        "data.mask_strokes: None -> 'turned'",
        "data.thick_share: None -> 0.0",
        "data.border_share: None -> 0.0",
        "loss.perceptual_pasted: None -> True",
        "data.squash: None -> False",
        "data.sketches: None -> []",
        "data.sketch_share: None -> 0.5",
        "data.sketch_parts: None -> 0.5",
        "machine.devices: None -> 1",
        "machine.nodes: None -> 1",
        "method: None -> 'ours'",
        "discriminator_rate: None -> 1.0",
    }


@pytest.mark.parametrize("recipe", sorted(RECIPES.glob("*.json")), ids=lambda p: p.stem)
def test_recipes_in_the_documents_are_runs_of_ours(recipe: Path) -> None:
    assert load_run(recipe) == load_json(TrainConfig, recipe)


@pytest.mark.parametrize("method", SYSTEMS)
def test_runs_of_every_method_survive_json(method: str, tmp_path: Path) -> None:
    run = replace(type(published(method))(), seed=3, data=DataConfig(train=(Path("a"),), crop_size=192))
    data = to_json(run)
    assert next(iter(data.items())) == ("method", method)
    (tmp_path / "config.json").write_text(json.dumps(data))
    assert load_run(tmp_path / "config.json") == run
    assert method_of(run.generator) == method
    assert isinstance(run.loss, RunLoss)
    assert {"refined_weight", "perceptual_weight"} <= set(dir(run.loss))  # what validation reads
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


def test_methods_of_comparison_are_trained_as_published() -> None:
    assert set(BASELINES) == set(RUNS) == {"partialconv", "deepfillv2", "wavefill", "atma"}
    assert all(run.method == name for name, run in RUNS.items())
    optimisers = {
        n: (r.learning_rate, r.learning_rate * r.discriminator_rate, r.beta1, r.beta2) for n, r in RUNS.items()
    }
    assert optimisers["partialconv"] == (2e-4, 2e-4, 0.9, 0.999)
    assert optimisers["deepfillv2"] == optimisers["atma"] == (1e-4, 1e-4, 0.5, 0.999)
    assert optimisers["wavefill"] == (1e-4, 4e-4, 0.0, 0.9)
    assert RUNS["wavefill"].schedule == "linear"


@pytest.mark.parametrize("name", SYSTEMS)
def test_every_network_takes_masks_of_bool_and_without_the_axis_of_channels(name: str) -> None:
    torch.manual_seed(0)
    generator = build(replace(published(name).generator, width=4)).eval()
    image, mask = torch.rand(2, 3, 68, 72), torch.zeros(2, 1, 68, 72)
    mask[:, :, 20:44, 16:40] = 1
    with torch.inference_mode():
        expected = generator(image, mask).refined
        for same in (mask.bool(), mask[:, 0].bool()):
            assert torch.equal(generator(image, same).refined, expected)
        with pytest.raises(ValueError, match=r"mask must have shape .* got \(68, 72\); add"):
            generator(image, mask[0, 0])
