"""What is done already: keys, torn lines, several writers, stores that cannot append."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from temperfill import bulk
from temperfill.bulk import work
from temperfill.bulk.manifest import checksum, key_of, open_manifest, read_done
from temperfill.options import FillOptions
from temperfill.places import LocalFolder, RemoteFolder


def record(name: str, **changes: Any) -> dict[str, Any]:
    return {"output": name, "key": "k", "sha256": "s", "size": 3} | changes


def test_a_key_differs_with_all_that_decides() -> None:
    keys = {key_of(*args) for args in (("a", "b", {}), ("b", "a", {}), ("a", "b", {"x": 1}), ("a", "b", {"x": "1"}))}
    assert len(keys) == 4
    assert key_of("a", "b", {"x": 1, "y": 2}) == key_of("a", "b", {"y": 2, "x": 1})


@given(cut=st.integers(1, 200))
def test_a_torn_line_costs_that_line_alone(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    place = LocalFolder(tmp_path_factory.mktemp("out"))
    with open_manifest(place, "all") as manifest:
        manifest.add(record("a.png"))
        manifest.add(record("b \udcff é.png"))
    path = place.root / ".temperfill" / "all" / "manifest.jsonl"
    data = path.read_bytes()
    length = len(data.splitlines()[1]) + 1
    path.write_bytes(data[: len(data) - min(cut, length - 1)])
    with open_manifest(place, "all") as manifest:
        manifest.add(record("c.png"))
    done = read_done(place, {"a.png", "b \udcff é.png", "c.png"})
    assert {"a.png", "c.png"} <= set(done)
    assert done["a.png"] == [("k", "s", 3)]


def test_nonsense_is_passed_over_and_other_results_are_not_remembered(tmp_path: Path) -> None:
    folder = tmp_path / ".temperfill" / "1-of-2"
    folder.mkdir(parents=True)
    lines = ["[]", "{", "null", '{"output": 1}', json.dumps(record("a.png", size="x")), "\0\0"]
    lines += [json.dumps(record("a.png", size="1")).replace('"1"', "1e999"), "[" * 200_000]
    lines += [json.dumps(record("b.png")), json.dumps(record("c.png"))]
    (folder / "manifest.jsonl").write_text("\n".join(lines))
    assert set(read_done(LocalFolder(tmp_path), {"a.png", "b.png"})) == {"b.png"}


def test_each_part_has_its_file_and_all_are_read(tmp_path: Path) -> None:
    place = LocalFolder(tmp_path)
    with open_manifest(place, "1-of-2") as first, open_manifest(place, "2-of-2") as second:
        first.add(record("a.png"))
        second.add(record("b.png"))
    assert set(read_done(place, {"a.png", "b.png"})) == {"a.png", "b.png"}


def test_stores_without_append_get_parts() -> None:
    place = RemoteFolder("memory://manifests")
    for name in ("a.png", "b.png"):
        with open_manifest(place, "all") as manifest:
            manifest.add(record(name))
    assert set(read_done(place, {"a.png", "b.png"})) == {"a.png", "b.png"}
    assert place.names() == []


def test_results_of_an_earlier_version_are_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line was written by commit d23de11; only checksum and size of the result are those of the file here."""
    monkeypatch.setattr(work, "__version__", "0.1.0")
    pixels = np.arange(24 * 32 * 3, dtype=np.uint8).reshape(24, 32, 3)
    hole = np.zeros((24, 32), np.uint8)
    hole[5:12, 6:20] = 255
    for folder, content in (("in", pixels), ("masks", hole)):
        (tmp_path / folder).mkdir()
        Image.fromarray(content).save(tmp_path / folder / "a.bmp")
    result = b"the result"
    line = {
        "output": "a.bmp",
        "picture": "a.bmp",
        "mask": "a.bmp",
        "key": "78c835bd028c12c667e0de82621050cc26b05f2489133e2e6c21d5dd314bb9cd",
        "picture_sha256": "b4730d5f35a36f4f02fdcc28b08105c82d57ccbdb3a92b37bc31d17259892b82",
        "mask_sha256": "83cfed1907be63f7b135884e902ad11ced6204c8ceb2a67c6d0c1d00ae4956b3",
        "sha256": checksum(result),
        "size": len(result),
        "seconds": 0.56,
    }
    for folder, sum_ in (("in", line["picture_sha256"]), ("masks", line["mask_sha256"])):
        assert checksum((tmp_path / folder / "a.bmp").read_bytes()) == sum_
    manifest = tmp_path / "out" / ".temperfill" / "all" / "manifest.jsonl"
    manifest.parent.mkdir(parents=True)
    manifest.write_text(json.dumps(line) + "\n")
    (tmp_path / "out" / "a.bmp").write_bytes(result)
    folders = [str(tmp_path / name) for name in ("in", "masks", "out")]
    summary = bulk.run(bulk.Request(*folders, bulk.BulkOptions(model="telea"), device="cpu"))
    assert summary.counts["skipped"] == 1
    assert (tmp_path / "out" / "a.bmp").read_bytes() == result
    changed = bulk.BulkOptions(model="telea", filling=FillOptions(feather=2))
    assert bulk.run(bulk.Request(*folders, changed, device="cpu")).counts["filled"] == 1
