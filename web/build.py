"""Builds the page that fills pictures in a browser: `python web/build.py [--model base] [--output web/dist]`.

It takes onnxruntime-web from the npm registry at the version and checksum that stand here, exports the model, and
copies both beside the page. The folder then works from any static file server; nothing in it asks another host.
"""

import argparse
import base64
import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from importlib.resources import files
from pathlib import Path

RUNTIME = "onnxruntime-web@1.30.0"
INTEGRITY = "sha512-q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
# Scripts end in .js: some servers do not know that .mjs is a script, and browsers then refuse it.
RUNTIME_FILES = {
    "package/package.json": "package.json",  # names the version and its licence, MIT
    "package/dist/ort.wasm.bundle.min.mjs": "ort.wasm.bundle.min.js",
    "package/dist/ort-wasm-simd-threaded.wasm": "ort-wasm-simd-threaded.wasm",
    "package/dist/ort.webgpu.bundle.min.mjs": "ort.webgpu.bundle.min.js",
    "package/dist/ort-wasm-simd-threaded.asyncify.wasm": "ort-wasm-simd-threaded.asyncify.wasm",
}
PAGE = ("index.html", "style.css", "app.js", "pixels.js", "tone.js", "worker.js")
HERE = Path(__file__).parent


def main() -> None:
    """Reads the arguments, and says what went wrong in one line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="base", help="name of bundled weights, or path of a .safetensors file")
    parser.add_argument("--onnx", type=Path, help="an exported file to take instead")
    parser.add_argument("--output", type=Path, default=HERE / "dist")
    arguments = parser.parse_args()
    try:
        build(arguments.output, arguments.model, arguments.onnx)
    except (OSError, ValueError, subprocess.CalledProcessError) as error:
        sys.exit(f"error: {error}")


def build(output: Path, model: str, onnx: Path | None) -> None:
    """Fills the output folder; the model comes last, so that a folder with one is whole."""
    (output / "ort").mkdir(parents=True, exist_ok=True)
    (output / "model.onnx").unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        unpack(download(Path(folder)), output / "ort")
    for name in PAGE:
        shutil.copy(HERE / name, output / name)
    (output / "sample.jpg").write_bytes((files("temperfill") / "samples" / "photo.jpg").read_bytes())
    if onnx is not None:
        shutil.copy(onnx, output / "model.onnx")
    else:
        command = [sys.executable, "-m", "temperfill", "export", model, "--output", str(output / "model.onnx")]
        subprocess.run(command, check=True)
    print(f"built {output}; serve it with: python -m http.server --directory {output}")


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
