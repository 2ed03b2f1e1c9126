"""How large pictures are compressed; pixels are the same either way."""

import io
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from temperfill import images
from temperfill.images import writing

SIZE = (1200, 900)


def grainy() -> Any:
    """A photograph with the grain of a camera."""
    grain = np.random.default_rng(0).normal(0, 4, (*SIZE, 3))
    return (np.mgrid[: SIZE[0], : SIZE[1]].sum(0)[..., None] / 12 + 30 + grain).clip(0, 255).astype(np.uint8)


def drawn() -> Any:
    """Letters, so to speak: small shapes that repeat."""
    shape = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    return np.tile(shape, (SIZE[0] // 20, SIZE[1] // 30, 1))


def encoded(pixels: Any, fast: bool) -> tuple[bytes, float]:
    picture = images.open_picture(pixels)
    start = time.process_time()
    content = images.encode_picture(picture, Path("result.png"), fast=fast)
    seconds = time.process_time() - start
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(content))), pixels)
    return content, seconds


def usual(pixels: Any, **options: Any) -> int:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", **options)
    return file.tell()


def test_large_photographs_take_less_time_and_no_more_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    before, seconds = encoded(grainy(), False)
    monkeypatch.setattr(writing, "LARGE", SIZE[0] * SIZE[1])
    for fast in (False, True):
        assert len(encoded(grainy(), fast)[0]) < len(before)
    assert encoded(grainy(), False)[1] < 0.7 * seconds


def test_what_repeats_is_still_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "LARGE", SIZE[0] * SIZE[1])
    assert len(encoded(drawn(), False)[0]) == usual(drawn())
    assert len(encoded(drawn(), True)[0]) == usual(drawn(), compress_level=1)
