"""The arithmetic of the page without a server equals the package's, and its build takes nothing but what was tested."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.editor.static_site import build_module
from temperfill import regions

WEB = Path(__file__).parents[1] / "web"


def run_node(code: str) -> Any:
    """What a script, which finds the page's arithmetic under its names, prints as JSON."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    script = f"import * as regions from {json.dumps((WEB / 'regions.js').as_uri())};\n{code}"
    command = [node, "--input-type=module", "--no-warnings", "-"]
    result = subprocess.run(command, input=script, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.mark.parametrize("feathered", [0, 3, 9])
def test_holes_fade_as_in_the_package(feathered: int) -> None:
    generator = np.random.default_rng(5)
    rows, columns = np.indices((60, 80))
    hole = np.hypot(rows - 20, columns - 30) < 12
    hole |= (rows > 50) & (columns < 9)
    hole[3, 70] = True
    avoid = (columns > 34) & (rows < 40)
    picture, filled = (generator.integers(0, 256, (60, 80, 4), np.uint8) for _ in range(2))
    text = [json.dumps(values.ravel().astype(int).tolist()) for values in (hole, avoid, picture, filled)]
    found = run_node(f"""
const [hole, avoid, picture, filled] = [{", ".join(f"Uint8Array.from({values})" for values in text)}];
regions.feather(filled, picture, hole, avoid, 80, 60, {feathered});
console.log(JSON.stringify([...filled]));
""")
    arrays = [values[..., :3].astype(np.float32) for values in (filled, picture)]
    expected = regions.feather(*arrays, hole, feathered, avoid)
    difference = np.abs(np.reshape(found, filled.shape)[..., :3] - expected)
    # Of places that are equally far, the package may take another than the page.
    assert (difference[hole] <= 0.51).mean() > 0.9
    assert (difference[~hole] == 0).all()


def test_build_refuses_another_runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package whose checksum is not the pinned one is not unpacked; one that was fetched is not asked for again."""
    build = build_module()
    monkeypatch.setattr(build.shutil, "which", lambda _: "npm")
    packed = lambda *_, cwd, **__: (cwd / "onnxruntime-web.tgz").write_bytes(b"something else")  # noqa: E731
    monkeypatch.setattr(build.subprocess, "run", packed)
    with pytest.raises(ValueError, match="checksum"):
        build.fetch_runtime(tmp_path)
    assert not list(tmp_path.iterdir())
    (tmp_path / "package.json").write_text(json.dumps({"version": build.RUNTIME.rpartition("@")[2]}))
    build.fetch_runtime(tmp_path)


def test_the_built_page_says_its_policy_and_keeps_every_file(tmp_path: Path) -> None:
    build = build_module()
    (tmp_path / "runtime").mkdir()
    for name in build.RUNTIME_FILES.values():
        (tmp_path / "runtime" / name).write_text(name)
    (tmp_path / "model.onnx").write_bytes(b"network")
    output = tmp_path / "built"
    output.mkdir()
    (output / "notes.txt").write_text("not of the page")
    build.assemble(output, tmp_path / "runtime", tmp_path / "model.onnx", {"name": "tiny"})
    html = (output / "index.html").read_text(encoding="utf-8")
    assert f'http-equiv="Content-Security-Policy" content="{build.POLICY}"' in html
    assert "unsafe-inline" not in build.POLICY
    assert "http" not in build.POLICY
    assert '"' not in build.POLICY
    worker = (output / "offline.js").read_text(encoding="utf-8")
    files = {path.relative_to(output).as_posix() for path in output.rglob("*") if path.is_file()}
    assert {name for name in files if f'"{name}": ' in worker} == files - {"offline.js", "notes.txt"}
    assert (output / "page" / "engine.js").read_text() == (WEB / "engine.js").read_text()
    for script in (output / "page").glob("*.js"):
        text = script.read_text(encoding="utf-8")
        assert "https://" not in text
        assert text.startswith("// Hides: ")
        assert len(text.splitlines()) < 350
