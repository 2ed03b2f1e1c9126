"""The project's own files: terms of what the wheel holds, workflows, and how the pages say to install it."""

import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import safetensors
import torch

from temperfill.inpainter import Inpainter

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
WEIGHTS = ROOT / "src" / "temperfill" / "weights"
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("web/*.md")]


def loaded(path: Path) -> Any:
    return pytest.importorskip("yaml").safe_load(path.read_text(encoding="utf-8"))


def test_the_terms_of_all_bundled_weights_are_in_the_licence_of_the_wheel() -> None:
    for pattern in PROJECT["license-files"]:
        assert (ROOT / pattern).is_file()
    assert "src/temperfill/weights/TERMS.txt" in PROJECT["license-files"]
    terms = (WEIGHTS / "TERMS.txt").read_text(encoding="utf-8")
    identifiers = re.findall(r"LicenseRef-[\w.-]+", terms)
    assert PROJECT["license"] == " AND ".join(["Apache-2.0", *dict.fromkeys(identifiers)])
    found = dict(re.findall(r"^(\S+\.safetensors)  +(.+)$", terms, re.MULTILINE))
    assert set(found) == {path.relative_to(WEIGHTS).as_posix() for path in WEIGHTS.rglob("*.safetensors")}
    for name, said in found.items():
        with safetensors.safe_open(WEIGHTS / name, "np") as file:
            assert (file.metadata() or {}).get("terms", said) == said


def test_workflows_cover_every_version_and_system() -> None:
    workflow = loaded(ROOT / ".github" / "workflows" / "ci.yml")
    matrix = workflow["jobs"]["tests"]["strategy"]["matrix"]
    assert [system.partition("-")[0] for system in matrix["os"]] == ["ubuntu", "macos", "windows"]
    lowest = PROJECT["requires-python"].removeprefix(">=")
    assert matrix["python"] == ["3.11", "3.12", "3.13", "3.14"]
    assert matrix["python"][0] == lowest
    named = {c.rpartition(" ")[2] for c in PROJECT["classifiers"] if re.search(r"Python :: 3\.\d+$", c)}
    assert named <= set(matrix["python"])
    upload = loaded(ROOT / ".github" / "workflows" / "publish.yml")["jobs"]["upload"]
    assert upload["permissions"] == {"id-token": "write"}  # trusted publishing, which needs no token
    for template in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"):
        assert template.name == "config.yml" or {"name", "description", "body"} <= loaded(template).keys()


def test_files_that_workflows_name_exist() -> None:
    for path in (ROOT / ".github" / "workflows").glob("*.yml"):
        text = path.read_text(encoding="utf-8")
        named = re.findall(r"(?<![\w/])(?:tests/[\w/.]+|constraints[\w-]*\.txt|\.ci/run|src/[\w/.]+)", text)
        assert named or path.name != "ci.yml"
        for name in named:
            assert (ROOT / name).exists(), f"{path.name} names {name}"


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_page_installs_from_an_index_where_the_package_is_not(page: Path) -> None:
    """Until it is published, a stranger may take its name there."""
    assert not re.search(r"pip install [^\n]*(?<![-/.\w])['\"]?temperfill\b(?!-\d)", page.read_text(encoding="utf-8"))


def test_what_messages_tell_to_install_are_extras() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py"))
    named = set(re.findall(r"how_to_add\(['\"](\w+)", code))
    assert named >= {"torch", "baselines", "heif", "hub", "onnx", "dust"}
    assert named <= PROJECT["optional-dependencies"].keys()
    assert len(re.findall(r"pip install[^\n]{0,3}temperfill", code)) == 1  # how_to_add itself


def test_lowest_versions_are_those_that_were_tested() -> None:
    text = (ROOT / "constraints-lowest.txt").read_text(encoding="utf-8")
    tested = dict(line.split("==") for line in text.splitlines() if "==" in line)
    for requirement in PROJECT["dependencies"]:
        name, _, version = requirement.partition(">=")
        assert tested[name].startswith(version), f"{name}: {version} is allowed, {tested[name]} was tested"


@pytest.mark.weights
def test_torch_hub_loads_from_a_clone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    assert isinstance(torch.hub.load(str(ROOT), "inpainter", "telea", "cpu", source="local"), Inpainter)
    network = torch.hub.load(str(ROOT), "network", "base", "cpu", source="local")
    assert isinstance(network, torch.nn.Module)
