"""What the pictures of a run are: the same wherever they lie, and another hash for other names, order or bytes."""

import shutil
from pathlib import Path

import pytest
from PIL import Image

from temperfill.config import DataConfig
from temperfill.data import contents as module
from temperfill.data.contents import contents
from temperfill.data.packing import PackSettings, pack


def folder(path: Path, greys: list[int]) -> Path:
    path.mkdir()
    for number, grey in enumerate(greys):
        Image.new("L", (8, 8), grey).save(path / f"{number}.png")
    return path


def test_a_moved_folder_has_the_same_contents_and_a_changed_one_has_not(tmp_path: Path) -> None:
    one, two = (folder(tmp_path / name, [1, 2, 3]) for name in ("one", "two"))
    first = contents(DataConfig(train=(one,), val=(two,)))
    assert set(first) == {"train", "val"}
    assert contents(DataConfig(train=(two,), val=(one,))) == first
    assert contents(DataConfig(train=(one, two))) != contents(DataConfig(train=(one,)))
    (two / "1.png").write_text("x")
    assert contents(DataConfig(train=(two,)))["train"] != first["train"]
    (one / "1.png").rename(one / "3.png")
    assert contents(DataConfig(train=(one,)))["train"] != first["train"]


def test_of_many_pictures_some_are_read_and_all_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "READ", 2)
    one = folder(tmp_path / "one", [1, 2, 3])
    config = DataConfig(train=(one,))
    first = contents(config)
    (one / "1.png").write_text("x")  # in the middle
    assert contents(config) == first
    (one / "2.png").unlink()
    assert contents(config) != first


def test_shards_are_known_by_their_checksums(tmp_path: Path) -> None:
    one = folder(tmp_path / "one", [1, 2])
    settings = PackSettings()
    pack([one], tmp_path / "shards", settings, processes=1)
    first = contents(DataConfig(train=(tmp_path / "shards",)))
    shutil.copytree(tmp_path / "shards", tmp_path / "copy")
    assert contents(DataConfig(train=(tmp_path / "copy",))) == first
    assert contents(DataConfig(train=(one,))) != first
