"""What README and examples show works; the package needs no more than it says; the bundled sample is sound."""

import ast
import functools
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SAMPLES = ROOT / "src" / "temperfill" / "samples"
HEAVY = ("torch", "numpy", "PIL", "scipy", "skimage", "safetensors", "lightning", "lightning_fabric", "cv2", "rich")
REFUSED = ("torchvision", "torchmetrics", "timm", "lpips", "piq", "torch_fidelity", "cleanfid", "gradio")

# onnx_fill takes an exported model, and is run by the tests of the export; tools with a test file of their own need
# more than the folder to write to.
PROGRAMS = [
    pytest.param(path, marks=[pytest.mark.slow] if path.parent.name == "tools" else [])
    for path in sorted([*ROOT.glob("examples/*.py"), *ROOT.glob("tools/*.py")])
    if path.stem != "onnx_fill" and not (ROOT / "tests" / "tools" / f"test_{path.stem}.py").exists()
]

# Reports are written by commands; the pages around them are ours.
WRITTEN = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), SAMPLES / "README.md"]
PAGES = [path for path in sorted(WRITTEN) if path.name != "report.md"]


def blocks(language: str, page: str = README) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


def shell_commands() -> list[list[str]]:
    """Every call of temperfill in README's shell blocks, without the program's name."""
    text = "".join(blocks("sh")).replace("\\\n", " ")
    calls = [shlex.split(part, comments=True) for line in text.splitlines() for part in line.split("&&")]
    return [words[1:] for words in calls if words and Path(words[0]).name == "temperfill"]


def run_python(code: str) -> str:
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder with the sample in demo/, as README's first command leaves it."""
    shutil.copytree(SAMPLES, tmp_path / "demo")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.weights
@pytest.mark.parametrize("code", blocks("python"), ids=lambda code: code.splitlines()[-1])
def test_python_of_readme_runs(code: str, workplace: Path) -> None:
    exec(compile(code, "README.md", "exec"), {"__name__": "readme"})


@pytest.mark.weights
@pytest.mark.parametrize("with_export", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_python_of_the_page_on_python_runs(with_export: bool, workplace: Path) -> None:
    """From top to bottom, each block after those before it; what torch.export does takes long."""
    page = (ROOT / "docs" / "use" / "python.md").read_text(encoding="utf-8")
    names = {"__name__": "page"}
    for code in blocks("python", page):
        if with_export or "export(" not in code:
            exec(compile(code, "python.md", "exec"), names)


def test_readme_has_python_and_calls_of_the_command() -> None:
    assert len(blocks("python")) >= 3
    assert {words[0] for words in shell_commands()} >= {"sample", "inpaint", "train", "evaluate"}


@pytest.mark.parametrize("words", shell_commands(), ids=" ".join)
def test_flags_of_readme_exist(words: list[str]) -> None:
    """The help of each command that README calls names every flag that README gives it."""
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "COLUMNS": "200", "NO_COLOR": "1"}
    command = [sys.executable, "-m", "temperfill", *words, "--help"]
    result = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert result.returncode == 0, result.stderr
    known = set(re.findall(r"--[\w.-]+", result.stdout))
    assert {word.split("=")[0] for word in words if word.startswith("--")} <= known


@pytest.mark.parametrize("marker", ["demo", "tests"])
def test_commands_that_ci_runs_are_marked(marker: str) -> None:
    assert len(re.findall(rf"^<!-- {marker} -->\n```sh\n", README, re.MULTILINE)) == 1


@pytest.mark.weights
@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_examples_and_tools_run(path: Path, workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every one of them takes the folder to write to as its one argument."""
    out = workplace / "out"
    monkeypatch.setattr(sys, "argv", [str(path), str(out)])
    runpy.run_path(str(path), run_name="__main__")
    assert any(out.iterdir())


def anchors(page: Path) -> set[str]:
    """Names by which headings of a page are linked to."""
    lines = page.read_text(encoding="utf-8").splitlines()
    heads = [line.lstrip("#").strip().lower() for line in lines if line.startswith("#")]
    return {re.sub(r"[^\w\- ]", "", head).replace(" ", "-") for head in heads}


def test_relative_links_of_documents_exist() -> None:
    for document in PAGES:
        for target, _, anchor in re.findall(r"\]\(([^)#\s]*)(#([^)\s]*))?\)", document.read_text(encoding="utf-8")):
            if "://" not in target:
                path = document.parent / target if target else document
                assert path.exists(), f"{document.name} links to {target}"
                assert not anchor or anchor in anchors(path), f"{document.name} links to {target}#{anchor}"


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_pages_can_be_read_in_their_source(page: Path) -> None:
    """No line above 120 characters, but rows of tables; no cell of a table above 300."""
    lines = page.read_text(encoding="utf-8").splitlines()
    long = [line for line in lines if len(line) > 120 and not line.startswith("|")]
    cells = [cell for line in lines if line.startswith("|") for cell in re.split(r"(?<!\\)\|", line)]
    assert [*long, *(cell for cell in cells if len(cell.strip()) > 300)] == []


def test_tables_of_pages_are_whole() -> None:
    """Every table begins with a head and a line of dashes, and has as many cells in each row."""
    for page in PAGES:
        text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
        for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
            rows = [re.split(r"(?<!\\)\|", row) for row in table.splitlines()]
            assert len(rows) > 2, table
            assert re.fullmatch(r"[|:\- ]+", table.splitlines()[1]), f"{page.name}: {table[:80]}"
            assert len({len(row) for row in rows}) == 1, f"{page.name}: {table[:80]}"


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_that_pages_name_exist(page: Path) -> None:
    """Files of the tree, from its root or from the package, unless a commit is named that has them."""
    text = re.sub(r"\s+", " ", page.read_text(encoding="utf-8"))
    folders = [path for place in (ROOT, ROOT / "src" / "temperfill") for path in place.iterdir() if path.is_dir()]
    names = "|".join(sorted({re.escape(path.name) for path in folders} - {"runs", "build", "dist"}))
    for match in re.finditer(rf"(?<![\w/:.-])((?:{names})/[\w./-]*\w\.(?:py|txt|json|safetensors))\b", text):
        around = text[max(match.start() - 200, 0) : match.end() + 250]
        found = [place for place in (ROOT, ROOT / "src" / "temperfill") if (place / match[1]).exists()]
        assert found or re.search(r"commit [0-9a-f]{7}\b", around), f"{page.name} names {match[1]}"


@functools.cache
def names_of_tests(path: Path) -> set[str]:
    """Names of a file's tests, those of classes with the class's."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    classes = {node.name: node.body for node in tree.body if isinstance(node, ast.ClassDef)}
    places = [("", tree.body), *((f"{name}::", body) for name, body in classes.items())]
    return {before + node.name for before, body in places for node in body if isinstance(node, ast.FunctionDef)}


def test_tests_that_documents_name_exist() -> None:
    for document in [*PAGES, ROOT / "tests" / "promises.txt"]:
        for file, name in re.findall(r"(tests/[\w/]+\.py)::([\w:]+)", document.read_text(encoding="utf-8")):
            assert name in names_of_tests(ROOT / file), f"{document.name} names {file}::{name}"


def test_every_case_of_the_reliability_page_has_tests() -> None:
    page = (ROOT / "docs" / "use" / "reliability.md").read_text(encoding="utf-8")
    rows = [int(number) for number in re.findall(r"^\| (\d+) \|[^|]+\|[^|]+\|$", page, re.MULTILINE)]
    promises = (ROOT / "tests" / "promises.txt").read_text(encoding="utf-8").splitlines()
    named = re.findall(r"^(\d+) tests/[\w/]+\.py::(?:Test\w+::)?test_\w+$", "\n".join(promises), re.MULTILINE)
    assert len(named) == len(promises) == len(set(promises)) > 200
    assert rows == sorted({int(number) for number in named}) == list(range(1, len(rows) + 1))


def test_import_is_light() -> None:
    code = f"import sys, temperfill; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    assert run_python(code).split() == []


def test_every_module_imports_without_the_refused_packages() -> None:
    code = f"""
import importlib, pkgutil, sys
for name in {REFUSED!r}:
    sys.modules[name] = None  # makes its import fail
import temperfill
names = [module.name for module in pkgutil.walk_packages(temperfill.__path__, "temperfill.")]
for name in names:
    if not name.endswith("__main__"):
        importlib.import_module(name)
print(*names)
"""
    names = run_python(code).split()
    assert {"temperfill.train", "temperfill.evaluate", "temperfill.cli", "temperfill.nets.generator"} <= set(names)


def test_architecture_page_names_every_module() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    package = ROOT / "src" / "temperfill"
    names = [path.name for path in package.glob("*.py")]
    names += [f"{path.parent.name}/" for path in package.glob("*/__init__.py")]
    for name in names:
        assert re.search(rf"^  {re.escape(name)} ", page, re.MULTILINE), f"docs/architecture.md does not mention {name}"


def modules() -> set[str]:
    """What the package holds at its top: files and folders of code."""
    package = ROOT / "src" / "temperfill"
    return {path.stem for path in package.glob("*.py")} | {path.parent.name for path in package.glob("*/__init__.py")}


def column(heading: str, number: int) -> list[list[str]]:
    """The names in a column of the table below a heading of the architecture page, row by row."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    section = page.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\|.*\|$", section, re.MULTILINE)[2:]
    return [re.findall(r"\w+", row.split("|")[number]) for row in rows]


def test_every_module_stands_in_one_room() -> None:
    rooms = [name for row in column("Rooms", 2) for name in row]
    assert sorted(rooms) == sorted(modules() - {"__init__"})


def test_layers_of_the_architecture_page_are_those_of_the_contract() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    layers = next(contract["layers"] for contract in contracts if contract["id"] == "layers")
    assert column("Layers", 2) == [re.findall(r"\w+", layer) for layer in layers]
    assert {name for row in column("Layers", 2) for name in row} == modules() - {"__init__", "__main__"}


def test_sample_is_a_photo_with_a_mask() -> None:
    with Image.open(SAMPLES / "photo.jpg") as photo, Image.open(SAMPLES / "mask.png") as mask:
        assert photo.size == mask.size
        assert (photo.mode, mask.mode) == ("RGB", "L")
        hole = np.asarray(mask)
    assert set(np.unique(hole)) == {0, 255}
    assert 0.01 < (hole == 255).mean() < 0.2
    assert (SAMPLES / "photo.jpg").stat().st_size < 400_000


def test_sample_can_be_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["make_sample.py", str(tmp_path)])
    runpy.run_path(str(ROOT / "tools" / "make_sample.py"), run_name="__main__")
    for name, tolerance in (("mask.png", 0), ("photo.jpg", 2)):  # JPEG encoders differ by rounding
        with Image.open(tmp_path / name) as made, Image.open(SAMPLES / name) as bundled:
            difference = np.abs(np.asarray(made, np.int16) - np.asarray(bundled, np.int16))
        assert difference.mean() <= tolerance
