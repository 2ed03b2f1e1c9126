"""Fills the bundled sample over HTTP with nothing but the standard library: `python examples/call_service.py DIR`.

A second argument is the address of a service that runs already (`temperfill serve`); without it, one is started.
"""

import contextlib
import json
import re
import secrets
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any


def form(pictures: dict[str, bytes], fields: dict[str, Any]) -> tuple[bytes, dict[str, str]]:
    """A multipart form: its body and its headers. The names of files do not matter, but there must be one."""
    boundary = secrets.token_hex(16)
    parts = [(f'name="{name}"; filename="{name}"', content) for name, content in pictures.items()]
    parts += [(f'name="{name}"', str(value).encode()) for name, value in fields.items()]
    body = b"".join(
        f"--{boundary}\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode() + content + b"\r\n"
        for head, content in parts
    )
    return body + f"--{boundary}--\r\n".encode(), {"Content-Type": f"multipart/form-data; boundary={boundary}"}


@contextlib.contextmanager
def service() -> Iterator[str]:
    """A service of our own on a free port: its address."""
    command = [sys.executable, "-m", "temperfill", "serve", "--port", "0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        said = ""
        while not (found := re.search(r"http://\S+?:\d+", said)):
            said = process.stderr.readline() if process.stderr else ""
            if not said:
                raise RuntimeError("the service ended before it told its address")
        yield found[0]
    finally:
        process.terminate()
        process.communicate()


def main(folder: Path, address: str | None = None) -> None:
    """Writes a filled picture, and where one of its pixels was copied from."""
    folder.mkdir(parents=True, exist_ok=True)
    sample = files("temperfill") / "samples"
    pictures = {"image": (sample / "photo.jpg").read_bytes(), "mask": (sample / "mask.png").read_bytes()}
    with contextlib.nullcontext(address) if address else service() as base:
        request = urllib.request.Request(f"{base}/v1/inpaint", *form(pictures, {"format": "png", "feather": 2}))
        with urllib.request.urlopen(request, timeout=300) as response:
            (folder / "filled.png").write_bytes(response.read())
            print(f"filled in {response.headers['X-Seconds']} s")

        request = urllib.request.Request(f"{base}/v1/sources", *form(pictures, {"row": 150, "column": 420}))
        with urllib.request.urlopen(request, timeout=300) as response:
            heads = json.load(response)["heads"]
    (folder / "sources.json").write_text(json.dumps(heads, indent=1))
    for head in heads:
        print(f"temperature {head['temperature']:.3f}, most from {head['matches'][0]['box']}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:3])
