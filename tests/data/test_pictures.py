"""Which files are pictures, and in which order: by their names alone, the same here and at a URL."""

from pathlib import Path

import pytest

from temperfill import images
from temperfill.data.pictures import is_picture, list_pictures, open_pictures, walk_pictures
from temperfill.places import LocalFolder, RemoteFolder

SORTED = ["a/c/1.png", "a-b/1.png", "b/2.JPG", "ä 猫.webp"]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Pictures whose order is that of the parts of their paths, not that of their text; and what is none."""
    for name in (*reversed(SORTED), "z.txt", "a/.hidden.png", ".folder/1.png.part", "pack.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    return tmp_path


def test_pictures_are_known_by_their_suffix() -> None:
    assert all(is_picture(f"a{suffix}") and is_picture(f"a{suffix.upper()}") for suffix in images.SUFFIXES)
    for name in (".png", ".a.png", "a.txt", "png", "a.png.part", "a.", ""):
        assert not is_picture(name)


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_a_walk_is_in_the_order_of_the_parts_of_names(tree: Path, scheme: str) -> None:
    if scheme:
        pytest.importorskip("fsspec")
    assert list(walk_pictures(open_pictures(f"{scheme}{tree}"))) == SORTED
    assert list_pictures(tree) == sorted(tree / name for name in SORTED)


def test_a_path_and_a_url_open_folders_of_their_kinds(tree: Path) -> None:
    pytest.importorskip("fsspec")
    assert isinstance(open_pictures(tree), LocalFolder)
    assert isinstance(open_pictures(str(tree)), LocalFolder)
    assert isinstance(open_pictures("memory://pictures"), RemoteFolder)


def test_what_is_no_folder_of_pictures_is_refused(tree: Path, tmp_path: Path) -> None:
    for absent in (tree / "absent", tree / "z.txt"):
        with pytest.raises(NotADirectoryError, match="not a folder with pictures"):
            list_pictures(absent)
    with pytest.raises(ValueError, match=r"no pictures in .*folder\.png; known are .*\.png"):
        list_pictures(tree / "folder.png")
