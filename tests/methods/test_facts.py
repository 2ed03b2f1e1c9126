"""What is foretold of a model is what it can do once it is loaded."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from temperfill import methods
from temperfill.config import GeneratorConfig
from temperfill.methods.facts import Facts, facts_of
from temperfill.methods.finding import bundled, find
from temperfill.nets.generator import Generator
from temperfill.systems.deepfillv2 import DeepFillV2Config
from temperfill.systems.deepfillv2.network import DeepFillV2
from temperfill.weights_files import save_generator

SMALL = GeneratorConfig(width=4, head_dim=4)
CONFIGS = {
    "usual": SMALL,
    "sketch": dataclasses.replace(SMALL, sketch=True),
    "atma": dataclasses.replace(SMALL, attention="atma"),
    "contextual": dataclasses.replace(SMALL, attention="contextual"),
    "none": dataclasses.replace(SMALL, attention="none"),
    "without": dataclasses.replace(SMALL, attention_branch=False),
}


def abilities(name: str | Path) -> tuple[bool, ...]:
    can: Any = methods.load(name).abilities
    return can.is_learned, can.sketch, can.temperature, can.sources is not None, can.avoid is not None


def foretold(facts: Facts) -> tuple[bool, ...]:
    return facts.is_learned, facts.sketch, facts.temperature, facts.sources, facts.avoid


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_our_networks_are_foretold_by_their_configuration(config: GeneratorConfig, tmp_path: Path) -> None:
    path = tmp_path / "own.safetensors"
    save_generator(path, Generator(config))
    assert foretold(facts_of(find(path))) == abilities(path)


def test_systems_of_comparison_and_methods_without_weights_are_foretold(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_generator(path, DeepFillV2(DeepFillV2Config(width=4)))
    for name in (path, "telea", *bundled()):
        assert foretold(facts_of(find(name))) == abilities(name)


def test_terms_of_the_bundled_models_are_short_phrases() -> None:
    assert {name: facts_of(find(name)).terms for name in bundled()} == {
        "base": "research use only",
        "open": "anyone may use it (Apache-2.0)",
    }
