"""What is done already: keys, torn lines, several writers, stores that cannot append."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from temperfill.bulk.manifest import key_of, open_manifest, read_done
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
