"""The tables of configurations."""

from dataclasses import replace
from pathlib import Path

import pytest

from temperfill.config import TrainConfig, from_json, load_json, to_json
from temperfill.nets.discriminator import Discriminator
from temperfill.nets.generator import Generator
from temperfill.presets import PRESETS


def count(module: object) -> int:
    return sum(p.numel() for p in module.parameters())  # type: ignore[attr-defined]


def test_the_tables_hold_what_the_documentation_names() -> None:
    assert set(PRESETS) == {"paper", "tiny", "base", "large"}
    assert PRESETS["paper"] == TrainConfig()


@pytest.mark.parametrize("name", PRESETS)
def test_presets_survive_json(name: str) -> None:
    assert from_json(TrainConfig, to_json(PRESETS[name])) == PRESETS[name]


@pytest.mark.parametrize(
    ("name", "millions"), [("tiny", (0.3, 0.7)), ("paper", (3.5, 4.6)), ("base", (3.5, 4.6)), ("large", (13.0, 18.0))]
)
def test_generator_parameters(name: str, millions: tuple[float, float]) -> None:
    assert millions[0] <= count(Generator(PRESETS[name].generator)) / 1e6 <= millions[1]


def test_base_and_large_have_the_losses_and_the_detail_of_the_bundled_model() -> None:
    recipe = load_json(TrainConfig, Path(__file__).parents[1] / "docs" / "train" / "recipes" / "base-10.json")
    for name in ("base", "large"):
        preset = PRESETS[name]
        assert preset.loss == recipe.loss
        assert replace(preset.generator, sketch=True, width=24) == recipe.generator
        assert preset.data == PRESETS["paper"].data


def test_the_discriminator_grows_with_the_generator_and_is_full_size_in_large() -> None:
    generators = [count(Generator(PRESETS[name].generator)) for name in ("tiny", "base", "large")]
    discriminators = [count(Discriminator(PRESETS[name].discriminator)) for name in ("tiny", "base", "large")]
    assert sorted(generators) == generators
    assert sorted(discriminators) == discriminators
    assert 40e6 <= discriminators[-1] <= 50e6
    assert PRESETS["large"].discriminator.width == 2 * PRESETS["base"].discriminator.width
