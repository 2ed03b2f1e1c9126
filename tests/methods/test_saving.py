"""A model's folder: what is written is loaded again, from the folder and from the hub's cache, with its terms."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import temperfill
from temperfill.config import GeneratorConfig, to_json
from temperfill.inpainter import Inpainter, load_method
from temperfill.methods.finding import find
from temperfill.methods.ours import Ours
from temperfill.methods.saving import card, save_model
from temperfill.nets.generator import Generator
from temperfill.systems.building import build
from temperfill.systems.table import published
from temperfill.weights_reading import read_metadata

SMALL = GeneratorConfig(width=4, head_dim=4)


@pytest.fixture
def generator() -> Generator:
    torch.manual_seed(0)
    return Generator(SMALL).eval()


def cached(cache: Path, generator: Generator) -> None:
    """Lays a model where ``huggingface_hub`` keeps what it has fetched."""
    repository = cache / "models--someone--small"
    save_model(generator, repository / "snapshots" / ("0" * 40))
    for name in ("main", "v1"):
        (repository / "refs").mkdir(exist_ok=True)
        (repository / "refs" / name).write_text("0" * 40)


def test_a_saved_folder_is_a_model_of_the_same_results_and_terms(generator: Generator, tmp_path: Path) -> None:
    generator.terms = "research use only"
    inpainter = Inpainter(Ours(generator), "cpu")
    folder = tmp_path / "new" / "small"
    inpainter.save_pretrained(str(folder))
    again = Inpainter.from_pretrained(folder, "cpu")
    hole = np.zeros((20, 24), bool)
    hole[5:12, 6:15] = True
    picture = np.random.default_rng(0).integers(0, 256, (20, 24, 3), np.uint8)
    assert np.array_equal(inpainter(picture, hole, output_type="np"), again(picture, hole, output_type="np"))
    network = temperfill.network(str(folder), "cpu")
    assert network.terms == "research use only"
    assert not network.training
    assert isinstance(network, torch.nn.Module)
    again.save_pretrained(tmp_path / "copy")
    first, second = (read_metadata(tmp_path / name / "generator.safetensors") for name in ("new/small", "copy"))
    assert first == second  # with the sum over all weights


def test_a_card_that_is_there_stays_and_methods_without_networks_are_refused(
    generator: Generator, tmp_path: Path
) -> None:
    (tmp_path / "README.md").write_text("mine")
    save_model(generator, tmp_path)
    assert (tmp_path / "README.md").read_text() == "mine"
    plain = Inpainter(load_method("biharmonic"), "cpu")
    with pytest.raises(ValueError, match="biharmonic has no network that could be saved"):
        plain.save_pretrained(tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_the_hub_reads_the_head_of_the_card(generator: Generator) -> None:
    hub = pytest.importorskip("huggingface_hub")
    free = hub.ModelCard(card(generator, "small"))
    assert free.data.to_dict() == {
        "library_name": "temperfill",
        "pipeline_tag": "image-to-image",
        "tags": ["inpainting", "image-inpainting"],
    }
    assert "Nothing says under which terms" in free.text
    generator.terms = 'for "tests": only'
    bound = hub.ModelCard(card(generator, "small"))
    assert (bound.data.license, bound.data.license_name) == ("other", 'for-"tests":-only')
    assert 'Terms of use of the weights: for "tests": only.' in bound.text
    assert json.dumps(to_json(SMALL), indent=1) in bound.text
    generator.terms = "Apache-2.0"
    anyone = hub.ModelCard(card(generator, "small"))
    assert (anyone.data.license, anyone.data.license_name) == ("apache-2.0", None)
    assert "`wavefill`" in card(build(published("wavefill").generator), "other")


def test_names_on_the_hub_are_found_in_its_cache_without_a_network(generator: Generator, tmp_path: Path) -> None:
    pytest.importorskip("huggingface_hub")
    cached(tmp_path, generator)
    code = """
import temperfill
from temperfill.methods.finding import find
for name in ("someone/small", "someone/small@v1"):
    print(find(name).label, temperfill.load(name, "cpu").method.name)
for name in ("someone/else", "someone/small@v2"):
    try:
        temperfill.load(name, "cpu")
    except FileNotFoundError as error:
        print(error)
"""
    environment = os.environ | {"HF_HUB_CACHE": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    first, second, *refusals = done.stdout.splitlines()
    assert (first, second) == ("small ours", "small@v1 ours")
    assert [line.split(" could be had")[0] for line in refusals] == [
        "no generator.safetensors of someone/else",
        "no generator.safetensors of someone/small@v2",
    ]


def test_what_may_be_a_path_is_not_looked_for_on_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)  # makes its import fail
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    for name in ("runs/mine", "./x/y", "a/b/c", "/a/b", "a\\b"):
        with pytest.raises(ValueError, match="unknown model"):
            find(name)
    with pytest.raises(FileNotFoundError, match="no weights file"):
        temperfill.load("someone/small.safetensors", "cpu")
    with pytest.raises(ValueError, match=r"someone/small is no path here; .*pip install 'temperfill\[hub\]'"):
        find("someone/small")
