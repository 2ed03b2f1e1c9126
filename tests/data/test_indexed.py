"""Pictures by number: the order of folders, tar files with and without an index, URLs, and what is refused."""

import pickle
import sys
import tarfile
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from temperfill.data import list_pictures
from temperfill.data.indexed import IndexedPictures, Joined, Names, open_indexed
from temperfill.data.packing import PackSettings, pack
from temperfill.data.pictures import open_pictures, walk_pictures
from temperfill.data.tars import write_shard
from temperfill.places import local


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Files whose content is their name; their order is that of their parts, and not that of their text."""
    for name in ("b/2.JPG", "a/c/1.png", "a-b/1.png", "ä 猫.webp", "z.txt", "a/.hidden.png"):
        (tmp_path / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "tree" / name).write_text(name)
    (tmp_path / "tree" / "folder.png").mkdir()
    return tmp_path / "tree"


SORTED = ["a/c/1.png", "a-b/1.png", "b/2.JPG", "ä 猫.webp"]


def contents(indexed: IndexedPictures | Joined) -> list[str]:
    return [indexed.read(i).decode() for i in range(len(indexed))]


def test_order_is_that_of_sorted_paths(tree: Path) -> None:
    found = list_pictures(tree)
    assert [path.relative_to(tree).as_posix() for path in found] == SORTED
    assert found == sorted(found)


@pytest.mark.parametrize("scheme", ["", "file://", "simplecache::file://"])
def test_a_folder_is_the_same_by_path_and_by_url(tree: Path, scheme: str) -> None:
    indexed = open_indexed(f"{scheme}{tree}")
    assert contents(indexed) == SORTED
    assert indexed.name(3).endswith(SORTED[3])
    assert indexed.digest() == open_indexed(tree).digest()
    assert contents(pickle.loads(pickle.dumps(indexed))) == SORTED
    assert contents(indexed.part(1, 3)) == SORTED[1:3]


def test_listing_sees_every_change(tree: Path) -> None:
    before = open_indexed(tree).digest()
    (tree / "a" / "c" / "0.png").write_text("new")
    assert contents(open_indexed(tree)) == ["new", *SORTED]
    (tree / "a" / "c" / "0.png").unlink()
    assert open_indexed(tree).digest() == before


def test_links_to_files_count_and_links_to_folders_do_not(tree: Path) -> None:
    (tree / "b" / "back").symlink_to(tree)
    (tree / "b" / "3.png").symlink_to(tree / "b" / "2.JPG")
    (tree / "b" / "4.png").symlink_to(tree / "nowhere.png")
    assert contents(open_indexed(tree)) == ["a/c/1.png", "a-b/1.png", "b/2.JPG", "b/2.JPG", "ä 猫.webp"]


def test_names_hold_any_text() -> None:
    texts = ["", "a", "ä 猫/ö", "\udcff.png", "x" * 300] * 30_000
    names = Names(texts)
    assert len(names) == len(texts)
    assert all(names[i] == texts[i] for i in range(0, len(texts), 997))
    part = names.part(65_530, 65_540)
    assert [part[i] for i in range(len(part))] == texts[65_530:65_540]
    assert len(Names([])) == 0


def shard(path: Path, *names: str) -> Path:
    write_shard(path, [(name, name.encode()) for name in names])
    return path


def test_members_are_read_by_position(tmp_path: Path) -> None:
    shard(tmp_path / "0.tar", "b.png", "a.png")
    shard(tmp_path / "1.tar")
    shard(tmp_path / "2.tar", "c.png")
    for place in (tmp_path, f"file://{tmp_path}"):
        indexed = open_indexed(place)
        assert contents(indexed) == ["b.png", "a.png", "c.png"]
        assert indexed.name(2).endswith("2.tar:c.png")
        assert contents(indexed.part(1, 3)) == ["a.png", "c.png"]
        assert contents(pickle.loads(pickle.dumps(indexed))) == contents(indexed)


def test_foreign_tar_files_are_indexed_by_their_headers(tmp_path: Path) -> None:
    members = tmp_path / "members"
    long = f"{'d' * 90}/{'n' * 90}.jpg"  # needs an extended header
    for name in ("1.png", "1.json", ".2.png", long):
        (members / name).parent.mkdir(parents=True, exist_ok=True)
        (members / name).write_text(name)
    (tmp_path / "shards").mkdir()
    for kind in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        with tarfile.open(tmp_path / "shards" / "0.tar", "w", format=kind) as archive:
            archive.add(members, "")
        assert sorted(contents(open_indexed(tmp_path / "shards"))) == sorted(["1.png", long])
    with pytest.raises(ValueError, match=r"0\.tar has no index beside it \(0\.npy\); shards behind a URL need one"):
        open_indexed(f"file://{tmp_path}/shards")


def test_a_changed_byte_is_found(tmp_path: Path) -> None:
    path = shard(tmp_path / "0.tar", "a.png", "b.png")
    content = bytearray(path.read_bytes())
    content[content.index(b"b.png", 1024 + 512)] ^= 1
    path.write_bytes(content)
    indexed = open_indexed(tmp_path)
    assert indexed.read(0) == b"a.png"
    with pytest.raises(ValueError, match=r"0\.tar:b\.png is not what was packed"):
        indexed.read(1)


def test_damaged_shards_are_refused(tmp_path: Path) -> None:
    path = shard(tmp_path / "0.tar", "a.png", "b.png")
    whole, index = path.read_bytes(), (tmp_path / "0.npy").read_bytes()
    path.write_bytes(whole[:1500])
    with pytest.raises(ValueError, match=r"0\.tar is shorter than its index says"):
        open_indexed(tmp_path)
    path.write_bytes(whole)
    for damaged in (index[:100], index[:20], b"", b"text", index.replace(b"}", b" "), index[:-3], index + b"x"):
        (tmp_path / "0.npy").write_bytes(damaged)
        with pytest.raises(ValueError, match=r"0\.npy is damaged"):
            open_indexed(tmp_path)
    (tmp_path / "0.npy").write_bytes(index)
    members = np.load(tmp_path / "0.npy")
    for field, value in (("start", -5), ("start", 2**62), ("size", 4_000_000_000)):
        lying = members.copy()
        lying[field][0] = value
        np.save(tmp_path / "0.npy", lying)
        with pytest.raises(ValueError, match=r"0\.tar is shorter than its index says"):
            open_indexed(tmp_path)
    np.save(tmp_path / "0.npy", np.zeros(3))
    with pytest.raises(ValueError, match="is no index of a shard"):
        open_indexed(tmp_path)
    (tmp_path / "0.npy").unlink()
    for damaged in (whole[:1500], whole[:600], b"x" * 1024, b""):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"0\.tar is damaged or no plain tar file"):
            open_indexed(tmp_path)


def test_wrong_places_are_errors(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    shard(tmp_path / "empty" / "0.tar")
    shard(tmp_path / "both.tar", "a.png")
    for place, error, message in (
        (tmp_path / "nowhere", NotADirectoryError, "nowhere is not a folder"),
        (tree / "z.txt", NotADirectoryError, r"z\.txt is not a folder"),
        (tree / "folder.png", ValueError, "no pictures in"),
        (tmp_path / "empty", ValueError, "no pictures in"),
        (tmp_path, ValueError, r"tar files such as both\.tar and beside them empty: name the folder"),
        (f"file://{tmp_path}/nowhere", FileNotFoundError, "there is no file://.*nowhere"),
        ("unheard://of", ValueError, "unheard"),
        ("s3://bucket/pictures", ValueError, "s3://bucket/pictures cannot be opened: .*s3fs"),
    ):
        with pytest.raises(error, match=message):
            open_indexed(place)


def test_a_place_that_does_not_answer_is_tried_again_and_no_fault_of_the_picture(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fsspec.implementations.local import LocalFileSystem

    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    indexed, failures = open_indexed(f"file://{tree}"), [TimeoutError(), OSError("reset")]
    read = LocalFileSystem.cat_file

    def flaky(self: LocalFileSystem, path: str, *args: object, **kwargs: object) -> bytes:
        if failures:
            raise failures.pop()
        return read(self, path, *args, **kwargs)

    monkeypatch.setattr(LocalFileSystem, "cat_file", flaky)
    assert indexed.read(0) == SORTED[0].encode()
    assert len(pauses) == 2
    failures += [OSError("down")] * 3
    with pytest.raises(ConnectionError, match=r"1\.png cannot be read after three attempts: down"):
        indexed.read(0)
    (tree / SORTED[0]).unlink()
    with pytest.raises(FileNotFoundError):
        indexed.read(0)


def test_files_of_many_shards_are_not_all_kept_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "_MAX_OPEN", 2)
    for i in range(5):
        shard(tmp_path / f"{i}.tar", f"{i}.png")
    indexed = open_indexed(tmp_path)
    for _ in range(2):
        assert contents(indexed) == [f"{i}.png" for i in range(5)]
    assert len(indexed.place._open) == 2  # type: ignore[attr-defined]


def test_no_local_access_needs_fsspec(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "fsspec"]:
        monkeypatch.setitem(sys.modules, name, None)
    assert len(list(walk_pictures(open_pictures(tree)))) == 4
    (tmp_path / "shards").mkdir()
    shard(tmp_path / "shards" / "0.tar", "a.png")
    assert contents(open_indexed(str(tmp_path / "shards"))) == ["a.png"]
    with pytest.raises(ModuleNotFoundError):
        open_indexed(f"file://{tree}")


def test_shards_packed_in_part_are_refused(tmp_path: Path) -> None:
    for i in range(3):
        Image.new("RGB", (9, 9)).save(tmp_path / f"{i}.png")
    output = tmp_path.parent / f"{tmp_path.name}-shards"
    pack((tmp_path,), output, PackSettings(per_shard=1))
    assert len(open_indexed(output)) == 3
    (output / "000001.tar").rename(output / "1.hidden")
    with pytest.raises(ValueError, match=r"000001\.tar is missing; copy or pack it again"):
        open_indexed(output)
    (output / "1.hidden").rename(output / "000001.tar")
    manifest = (output / "pack.json").read_text()
    (output / "pack.json").write_text(manifest.replace('"num_shards": 3', '"num_shards": 4'))
    with pytest.raises(ValueError, match="is packed in part, 3 of 4 shards: finish it with the same command"):
        open_indexed(output)
    (output / "pack.json").write_text("{}")
    with pytest.raises(ValueError, match=r"pack\.json is damaged"):
        open_indexed(output)
