"""Shares of pictures, and variations of size and colour: functions of the sample's number, and nothing else changes."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from temperfill.config import DataConfig
from temperfill.data import PictureFolders
from temperfill.data.augmenting import Variation
from temperfill.data.indexed import Joined, Spread, open_indexed


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "pictures"
    place.mkdir()
    for i in range(10):
        pixels = np.random.default_rng(i).integers(60, 160, (5, 6, 3), dtype=np.uint8).repeat(16, 0).repeat(16, 1)
        Image.fromarray(pixels).save(place / f"{i}.png")
    return place


def dataset(folder: Path, **values: float) -> PictureFolders:
    return PictureFolders(DataConfig(train=(folder,), resize=40, crop_size=32, **values), 3)  # type: ignore[arg-type]


def test_a_share_of_the_pictures_is_spread_evenly(folder: Path) -> None:
    data = dataset(folder, picture_share=0.3)
    assert [Path(data.name(i)).stem for i in range(len(data))] == ["0", "3", "6"]
    assert len(dataset(folder, picture_share=0.01)) == 1
    part = Joined([Spread(open_indexed(folder), 0.5)]).part(1, 4)
    assert [part.label(i) for i in range(len(part))] == ["2.png", "4.png", "6.png"]
    assert part.read(0) == (folder / "2.png").read_bytes()
    assert len(Spread(open_indexed(folder), 0.5).part(2, 2)) == 0
    assert Spread(open_indexed(folder), 0.5).digest() != Spread(open_indexed(folder), 0.4).digest()


@pytest.mark.parametrize("values", [{"scale": 2.0}, {"colour": 0.3}, {"repeats": 1.0}])
def test_variations_change_the_picture_and_not_the_hole(folder: Path, values: dict[str, float]) -> None:
    plain, varied, again = dataset(folder), dataset(folder, **values), dataset(folder, **values)
    changed = 0
    for number in range(6):
        one, two = plain[number], varied[number]
        assert all(torch.equal(a, b) for a, b in zip(two, again[number], strict=True))
        assert torch.equal(one.mask, two.mask)
        changed += not torch.equal(one.image, two.image)
    assert changed == 6


def test_enlarged_pictures_show_less(folder: Path) -> None:
    """Blocks of a picture are larger, so that it varies less from pixel to pixel."""

    def variation(data: PictureFolders) -> float:
        return float(np.mean([data[i].image.diff(dim=2).abs().mean() for i in range(8)]))

    assert variation(dataset(folder, scale=3.0)) < 0.9 * variation(dataset(folder))


def test_a_rectangle_stands_at_two_places() -> None:
    """What is not as before is a copy of a rectangle that is as large as it should be."""
    square = np.random.default_rng(0).integers(0, 255, (32, 32, 4), dtype=np.uint8)
    for i in range(20):
        variation = Variation(DataConfig(repeats=1.0), np.random.default_rng(i))
        result = variation.repeated(square)
        rows, columns = np.nonzero((result != square).any(2))
        copy = result[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        height, width = copy.shape[:2]
        assert 4 <= height <= 16
        assert 4 <= width <= 16
        windows = np.lib.stride_tricks.sliding_window_view(square, (height, width, 4))
        assert (windows == copy).all((-1, -2, -3)).any()
    share = [Variation(DataConfig(repeats=0.3), np.random.default_rng(i)).repeats for i in range(400)]
    assert 0.22 < np.mean(share) < 0.38
    assert Variation(DataConfig(), np.random.default_rng(0)).repeated(square) is square


def test_colours_move_within_their_share() -> None:
    grey = np.full((4, 4, 3), 100, np.uint8)
    found = [
        int(Variation(DataConfig(colour=0.2), np.random.default_rng(i)).recoloured(grey)[0, 0, 0]) for i in range(50)
    ]
    assert 80 <= min(found) < 88
    assert 112 < max(found) <= 120
    picture = np.random.default_rng(0).integers(0, 255, (8, 8, 3), dtype=np.uint8)
    assert Variation(DataConfig(), np.random.default_rng(0)).recoloured(picture) is picture


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"picture_share": 0.0}, "picture_share must be above 0"),
        ({"scale": 0.5}, "scale must be 1 to 4"),
        ({"repeats": 1.5}, "repeats must be 0 to 1"),
        ({"colour": 1.0}, "colour must be at least 0 and below 1"),
        ({"scale": 2.0, "train": (Path("a"),), "sketches": (Path("b"),)}, "scale needs training without sketches"),
    ],
)
def test_values_out_of_range(values: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DataConfig(**values)  # type: ignore[arg-type]
