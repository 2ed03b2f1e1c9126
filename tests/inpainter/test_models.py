"""Several models to choose from: each is loaded once, when it is first needed."""

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from temperfill.errors import InputError
from temperfill.inpainter import Inpainter
from temperfill.inpainter.models import Models, choices, loader
from temperfill.methods.contract import Abilities
from temperfill.methods.finding import Found, bundled

FAKE: Any = SimpleNamespace(method=SimpleNamespace(abilities=Abilities(sketch=True)))


def test_each_is_loaded_once_when_it_is_asked_for() -> None:
    loaded: list[str] = []
    models = Models([Found("one", None), Found("two", None)], lambda found: loaded.append(found.label) or FAKE)
    assert (models.default, models.names) == ("one", ("one", "two"))
    assert models.loaded() is models.loaded("two") is None
    assert not models.facts("two").sketch
    assert models.get("two") is models.get("two") is models.loaded("two")
    assert loaded == ["two"]
    assert models.facts("two").sketch
    assert models.get() is models.get("one")
    assert loaded == ["two", "one"]


def test_a_file_may_go_once_its_model_is_loaded(tmp_path: Path) -> None:
    path = Path(shutil.copy(bundled()["open"], tmp_path / "own.safetensors"))
    models = Models([Found("own", path)], lambda _: FAKE)
    models.get()
    path.unlink()
    assert models.facts().terms == "anyone may use it (Apache-2.0)"


def test_an_unknown_name_is_refused_and_the_known_are_told() -> None:
    models = Models([Found("one", None), Found("two", None)], lambda _: FAKE)
    with pytest.raises(InputError, match="no model 'three' here; known are one, two"):
        models.get("three")


def test_bundled_models_are_offered_beside_the_default_and_none_twice(tmp_path: Path) -> None:
    names = list(bundled())
    assert [found.label for found in choices("open")] == ["open", *(name for name in names if name != "open")]
    assert [found.label for found in choices("ours")] == ["ours", "open"]  # ours is the default of the bundled ones
    assert [found.label for found in choices("telea", ["open", "open", "telea"])] == ["telea", "open"]
    assert [found.label for found in choices("open", [])] == ["open"]
    own = shutil.copy(bundled()["open"], tmp_path / "base.safetensors")
    assert [(found.label, found.is_bundled) for found in choices(own)] == [("base", False), ("open", True)]


def test_what_is_chosen_is_what_is_loaded() -> None:
    models = Models(choices("telea", []), loader("cpu", "fp32"))
    assert isinstance(models.get(), Inpainter)
    assert models.get().method.name == "telea"
