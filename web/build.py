"""Builds the editor that needs no server: `python web/build.py [--model base] [--output web/dist]`.

It is the page of `temperfill serve` with another engine. onnxruntime-web is taken from the npm registry at the version
and checksum that stand here, and kept in `web/runtime`; the model is exported. The folder then works from any static
file server, under any path; nothing in it asks another host. `--only-runtime` fetches what the tests need.
"""

import argparse
import base64
import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable
from pathlib import Path

RUNTIME = "onnxruntime-web@1.30.0"
INTEGRITY = "sha512-q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
# Scripts end in .js: some servers do not know that .mjs is a script, and browsers then refuse it.
RUNTIME_FILES = {
    "package/dist/ort.wasm.bundle.min.mjs": "ort.wasm.bundle.min.js",
    "package/dist/ort-wasm-simd-threaded.wasm": "ort-wasm-simd-threaded.wasm",
    "package/dist/ort.webgpu.bundle.min.mjs": "ort.webgpu.bundle.min.js",
    "package/dist/ort-wasm-simd-threaded.asyncify.wasm": "ort-wasm-simd-threaded.asyncify.wasm",
    "package/package.json": "package.json",  # names the version and its licence, MIT
}
LATER = {"ort/ort.webgpu.bundle.min.js", "ort/ort-wasm-simd-threaded.asyncify.wasm"}
"""What a browser keeps once it has asked for it; all else it keeps at the first visit."""
POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'; "
    "style-src 'self'; img-src 'self' blob: data:; manifest-src 'self'; base-uri 'none'; form-action 'none'"
)
"""Content Security Policy of the page; a server may send the same as a header for all files."""
MANIFEST = {
    "name": "temperfill",
    "start_url": "../",
    "display": "standalone",
    "background_color": "#8a8a8a",
    "theme_color": "#1f6391",
    "icons": [{"src": "icon.svg", "sizes": "any", "type": "image/svg+xml"}],
}
HERE = Path(__file__).parent
FETCHED = HERE / "runtime"
"""Folder of onnxruntime-web."""
EDITOR = HERE.parent / "src" / "temperfill" / "service" / "page"
OWN = ("engine.js", "canvas.js", "network.js", "regions.js", "worker.js")
"""Files of this folder that go to those of the editor; the first one replaces the editor's."""


def main() -> None:
    """Reads the arguments, and says what went wrong in one line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="base", help="name of bundled weights, or path of a .safetensors file")
    parser.add_argument("--onnx", type=Path, help="an exported file to take instead")
    parser.add_argument("--output", type=Path, default=HERE / "dist")
    parser.add_argument("--only-runtime", action="store_true", help="fetch onnxruntime-web, and build nothing")
    arguments = parser.parse_args()
    try:
        fetch_runtime(FETCHED)
        if not arguments.only_runtime:
            build(arguments.output, arguments.model, arguments.onnx)
    except (OSError, ValueError, subprocess.CalledProcessError) as error:
        sys.exit(f"error: {error}")


def build(output: Path, model: str, onnx: Path | None) -> None:
    """Fills the output folder anew; ``offline.js`` comes last, so that a folder with one is whole."""
    with tempfile.TemporaryDirectory() as folder:
        if onnx is None:
            onnx = Path(folder) / "model.onnx"
            command = [sys.executable, "-m", "temperfill", "export", model, "--output", str(onnx)]
            subprocess.run(command, check=True)
        model = described(onnx, Path(folder) / "plain.onnx")
        assemble(output, FETCHED, Path(folder) / "plain.onnx", model)
    print(f"built {output}; serve it with: python -m http.server --directory {output}")


def assemble(output: Path, runtime: Path, onnx: Path, model: dict[str, str | bool]) -> None:
    """Puts the parts together.

    Args:
        output: folder; files in it that are not of the page stay, and are not the page's.
        runtime: folder with onnxruntime-web, see ``fetch_runtime``.
        onnx: file of the model.
        model: what the page is to know of it, see ``described``.
    """
    page, parts = output / "page", output / "ort"
    for folder in (page, parts):
        shutil.rmtree(folder, ignore_errors=True)
    page.mkdir(parents=True)
    for path in EDITOR.iterdir():
        if path.suffix in (".js", ".css", ".svg"):
            shutil.copy(path, page / path.name)
    for name in OWN:
        shutil.copy(HERE / name, page / name)
    (page / "manifest.json").write_text(json.dumps(MANIFEST), encoding="utf-8")
    (output / "index.html").write_text(
        with_policy((EDITOR / "index.html").read_text(encoding="utf-8")), encoding="utf-8"
    )
    shutil.copytree(runtime, parts)
    shutil.copy(onnx, output / "model.onnx")
    (output / "model.json").write_text(json.dumps(model), encoding="utf-8")
    keep_offline(output)


def keep_offline(output: Path) -> None:
    """Writes the service worker, which keeps all other files of the page in these very versions."""
    names = ("index.html", "model.json", "model.onnx")
    files = [*(output / name for name in names), *(output / "page").iterdir(), *(output / "ort").iterdir()]
    digests = {
        path.relative_to(output).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(files)
    }
    worker = (HERE / "offline.js").read_text(encoding="utf-8")
    (output / "offline.js").write_text(with_files(worker, digests), encoding="utf-8")


def with_policy(html: str) -> str:
    """The page with its policy, which no server is there to send, and what it is called when it is installed."""
    charset = '<meta charset="utf-8">\n'
    policy = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
    manifest = '<link rel="manifest" href="page/manifest.json">\n'
    return replaced(html, charset, charset + policy + manifest)


def with_files(worker: str, digests: dict[str, str]) -> str:
    """The service worker with the files that it keeps, and a version that changes with any of them."""

    def those(names: Iterable[str]) -> str:
        return json.dumps({name: digests[name] for name in sorted(names)}, indent=2)

    version = hashlib.sha256(json.dumps(digests).encode()).hexdigest()[:16]
    worker = replaced(worker, 'const VERSION = "";', f'const VERSION = "{version}";')
    worker = replaced(worker, "const FILES = {};", f"const FILES = {those(digests.keys() - LATER)};")
    return replaced(worker, "const LATER = {};", f"const LATER = {those(digests.keys() & LATER)};")


def replaced(text: str, old: str, new: str) -> str:
    """The text with the only occurrence of a part replaced."""
    if text.count(old) != 1:
        raise ValueError(f"expected {old!r} once, found it {text.count(old)} times")
    return text.replace(old, new)


def described(onnx: Path, plain: Path) -> dict[str, str | bool]:
    """Name and abilities of an exported model, as the service tells those of its own.

    Args:
        onnx: file that ``temperfill export`` wrote.
        plain: where it is written without defaults of its inputs: onnxruntime-web takes no input that has one.
    """
    from onnx import load, save

    from temperfill.methods.facts import phrase

    model = load(onnx)
    inputs = {value.name for value in model.graph.input}
    defaults = [tensor for tensor in model.graph.initializer if tensor.name in inputs]
    for tensor in defaults:
        model.graph.initializer.remove(tensor)
    save(model, plain)
    entries = {entry.key: entry.value for entry in model.metadata_props}
    abilities = {f"takes_{name}": name in inputs for name in ("sketch", "avoid", "temperature")}
    return {"name": entries.get("model", onnx.stem), "terms": phrase(entries.get("terms", "")), **abilities}


def fetch_runtime(folder: Path) -> None:
    """Puts onnxruntime-web into a folder, unless it is there in this version."""
    named = folder / "package.json"  # written last
    if named.is_file() and json.loads(named.read_text(encoding="utf-8"))["version"] == RUNTIME.rpartition("@")[2]:
        return
    folder.mkdir(parents=True, exist_ok=True)
    named.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        unpack(download(Path(scratch)), folder)


def download(folder: Path) -> Path:
    """The runtime's package from the npm registry; ValueError unless it is the one that was tested."""
    npm = shutil.which("npm")
    if npm is None:
        raise ValueError("npm is not installed; it fetches onnxruntime-web")
    subprocess.run([npm, "pack", RUNTIME, "--silent"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    (package,) = folder.glob("*.tgz")
    found = "sha512-" + base64.b64encode(hashlib.sha512(package.read_bytes()).digest()).decode()
    if found != INTEGRITY:
        raise ValueError(f"{RUNTIME} has the checksum {found}, expected {INTEGRITY}")
    return package


def unpack(package: Path, folder: Path) -> None:
    """Writes those files of the package that the page loads."""
    with tarfile.open(package) as archive:
        for member, name in RUNTIME_FILES.items():
            source = archive.extractfile(member)
            if source is None:
                raise ValueError(f"{RUNTIME} holds no file {member}")
            with source, (folder / name).open("wb") as target:
                shutil.copyfileobj(source, target)


if __name__ == "__main__":
    main()
