"""Inputs fit their size, hold squares with their sketches, and copy what judges."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from temperfill.images import read_rgb
from tools.gpu.inputs import SIDE, Sources, load, prepare

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three pictures a little larger than the square, with sketches: the pixels that are dark."""
    folder, rng = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    for kind in ("street/train", "lines", "street/val", "masks/paper/street"):
        (folder / kind).mkdir(parents=True)
    for number in range(3):
        small = Image.fromarray(rng.integers(0, 256, (64, 72), np.uint8)).convert("RGB")
        picture = small.resize((SIDE + 32, SIDE), Image.Resampling.NEAREST)
        picture.save(folder / "street" / "train" / f"{number}.png")
        dark = np.asarray(picture.convert("L")) < 128
        Image.fromarray(np.where(dark, np.uint8(255), np.uint8(0))).save(folder / "lines" / f"{number}.png")
    picture.save(folder / "street" / "val" / "7.jpg")
    Image.new("L", (SIDE, SIDE)).save(folder / "masks" / "paper" / "street" / "7.png")
    (folder / "vgg.safetensors").write_bytes(b"weights")
    return folder


def sources(photos: Path, sketches: bool = True) -> Sources:
    return Sources(
        train=(photos / "street" / "train",),
        sketches=(photos / "lines",) if sketches else (),
        val=(photos / "street" / "val",),
        masks=photos / "masks",
        groups=("paper",),
        weights=(photos / "vgg.safetensors",),
    )


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_squares_and_their_sketches_come_back(photos: Path, tmp_path: Path) -> None:
    made = prepare(sources(photos), tmp_path / "inputs", 4)
    assert (made["pictures"], made["of"]) == (3, 3)
    pictures, bits = load(tmp_path / "inputs", 2)
    assert pictures.shape == (3, 3, SIDE, SIDE)
    lines = np.unpackbits(bits, axis=-1).astype(bool)
    originals = [read_rgb(photos / "street" / "train" / f"{i}.png")[:, 16:-16] for i in range(3)]
    drawn = [read_rgb(photos / "lines" / f"{i}.png")[:, 16:-16, 0] > 127 for i in range(3)]
    for picture, found in zip(pictures.permute(0, 2, 3, 1).numpy().astype(float), lines, strict=True):
        errors = [np.abs(picture - original).mean() for original in originals]
        assert min(errors) < 12  # a lossy format; another picture is 80 away
        assert np.array_equal(found, drawn[int(np.argmin(errors))])


def test_what_judges_is_copied_as_it_is(photos: Path, tmp_path: Path) -> None:
    prepare(sources(photos), tmp_path / "inputs", 4)
    for copy, original in (
        ("val/street/7.jpg", "street/val/7.jpg"),
        ("masks/paper/street/7.png", "masks/paper/street/7.png"),
        ("weights/vgg.safetensors", "vgg.safetensors"),
    ):
        assert (tmp_path / "inputs" / copy).read_bytes() == (photos / original).read_bytes()


def test_without_sketches_there_are_none(photos: Path, tmp_path: Path) -> None:
    prepare(sources(photos, sketches=False), tmp_path / "inputs", 4)
    pictures, bits = load(tmp_path / "inputs", 2)
    assert (len(pictures), len(bits)) == (3, 0)


def test_the_size_is_kept_to(photos: Path, tmp_path: Path) -> None:
    prepare(sources(photos), tmp_path / "all", 4)
    allowed = size(tmp_path / "all") / 2**20 - 0.001
    made = prepare(sources(photos), tmp_path / "some", allowed)
    assert 0 < made["pictures"] < 3
    assert size(tmp_path / "some") <= allowed * 2**20
    again = prepare(sources(photos), tmp_path / "again", allowed)
    assert again == made
    assert torch.equal(load(tmp_path / "some")[0], load(tmp_path / "again")[0])


def test_what_does_not_fit_is_refused(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no room for training pictures in 0\.01 MiB"):
        prepare(sources(photos), tmp_path / "inputs", 0.01)
    with pytest.raises(ValueError, match="not empty"):
        prepare(sources(photos), tmp_path / "inputs", 4)
    unfit = Sources((photos / "street" / "train",), sketches=(photos / "street" / "val",))
    with pytest.raises(ValueError, match="1 sketches of 3 pictures"):
        prepare(unfit, tmp_path / "new", 4)
