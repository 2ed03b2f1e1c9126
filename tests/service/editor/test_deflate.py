"""What the page compresses by itself can be read by others, and is no larger than what they make of photos."""

import base64
import zlib
from typing import Any

import numpy as np
import pytest

from service.editor.driver import OpenEditor, photo

pytestmark = pytest.mark.browser

COMPRESS = """
async ([content, parts]) => {
  const { Deflater } = await import(new URL("page/deflate.js", document.baseURI));
  const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
  const deflater = new Deflater();
  const size = Math.ceil(bytes.length / parts);
  for (let part = 0; part < parts; part += 1) deflater.push(bytes.subarray(part * size, (part + 1) * size));
  let text = "";
  for (const byte of deflater.finish()) text += String.fromCharCode(byte);
  return btoa(text);
}
"""


def skewed(size: int) -> Any:
    """Bytes of which each is twice as rare as the one before, whose codes would be longer than a file may have."""
    return np.minimum(np.random.default_rng(0).geometric(0.5, size) + 60, 255).astype(np.uint8)


def fibonacci() -> Any:
    """Counts that make Huffman's tree as deep as it can be."""
    counts = [1, 1]
    while sum(counts) < 250_000:
        counts.append(counts[-1] + counts[-2])
    values = np.repeat(np.arange(len(counts), dtype=np.uint8), counts)
    return np.random.default_rng(0).permutation(values)


CASES = {
    "nothing": b"",
    "one": b"a",
    "two": b"ab" * 10,
    "same": bytes(700_000),
    "runs": b"".join(bytes([length % 7]) * length for length in range(1, 700)),
    "noise": np.random.default_rng(0).bytes(600_000),
    "skewed": skewed(300_000).tobytes(),
    "deep": fibonacci().tobytes(),
}


def test_what_is_compressed_comes_back(open_editor: OpenEditor) -> None:
    page = open_editor().page
    sizes = {}
    for name, content in CASES.items():
        for parts in (1, 3):
            packed = base64.b64decode(page.evaluate(COMPRESS, [base64.b64encode(content).decode(), parts]))
            assert zlib.decompress(packed) == content, (name, parts)
            sizes[name] = len(packed)
    assert sizes["same"] < 3000
    assert sizes["noise"] < 1.002 * 600_000
    differences = np.diff(photo(500, 400).astype(np.int16), axis=1).astype(np.uint8).tobytes()
    packed = base64.b64decode(page.evaluate(COMPRESS, [base64.b64encode(differences).decode(), 1]))
    assert len(packed) <= 1.01 * len(zlib.compress(differences))
