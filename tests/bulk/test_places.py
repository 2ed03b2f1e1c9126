"""Folders here and at URLs: names, whole writes, nothing outside."""

import os
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from temperfill.bulk.places import LocalFolder, Place, RemoteFolder, check_name, inside, open_place


@pytest.fixture(params=["path", "file", "memory"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    where = {
        "path": str(tmp_path / "é x"),
        "file": (tmp_path / "é x").as_posix(),
        "memory": f"memory://{tmp_path.name}",
    }
    prefix = "file://" if request.param == "file" else ""
    return open_place(prefix + where[request.param])


def test_what_is_written_is_listed_and_read(place: Place) -> None:
    place.check_writable()
    for name in ("b.png", "sub dir/ü/a.png", ".hidden/c.png", "sub dir/.d.png"):
        place.write(name, name.encode())
    assert place.names() == ["b.png", "sub dir/ü/a.png"]
    assert place.read("sub dir/ü/a.png") == "sub dir/ü/a.png".encode()
    assert (place.size("b.png"), place.size("c.png")) == (5, None)
    place.write("b.png", b"new")
    assert place.read("b.png") == b"new"
    assert open_place(place.base).names() == place.names()


@pytest.mark.parametrize("name", ["../x.png", "/etc/x.png", "a/../../x.png", "a\0b.png", ""])
def test_names_stay_in_their_folder(place: Place, name: str) -> None:
    with pytest.raises(ValueError, match="does not stay in its folder"):
        place.write(name, b"x")


def test_joined_urls_reach_what_they_join(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"one")
    place = open_place(f"simplecache::file://{tmp_path.as_posix()}")
    assert place.names() == ["a.png"]
    assert place.read("a.png") == b"one"


def test_a_path_is_no_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    open_place("sub/x://y").write("a.png", b"one")
    assert LocalFolder(tmp_path / "sub" / "x:" / "y").names() == ["a.png"]


def test_links_do_not_lead_out(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "else").mkdir()
    (tmp_path / "out" / "sub").symlink_to(tmp_path / "else")
    (tmp_path / "out" / "a.png").symlink_to(tmp_path / "else" / "b.png")
    for name in ("sub/a.png", "a.png"):
        with pytest.raises(ValueError, match="outside"):
            LocalFolder(tmp_path / "out").write(name, b"x")
    assert list((tmp_path / "else").iterdir()) == []


def test_refusals(tmp_path: Path) -> None:
    with pytest.raises(NotADirectoryError, match="there is no folder"):
        open_place(tmp_path / "typo").names()
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        open_place(tmp_path / "file").check_writable()
    with pytest.raises(ValueError, match="nonsense"):
        open_place("nonsense://x")
    with pytest.raises(OSError, match="cannot write in http"):
        open_place("http://127.0.0.1:9/x").check_writable()


def test_inside(tmp_path: Path) -> None:
    outer, link = LocalFolder(tmp_path), tmp_path / "link"
    link.symlink_to(tmp_path)
    assert inside(outer, LocalFolder(tmp_path / "a" / "b")) == "a/b"
    assert inside(outer, LocalFolder(link)) == ""
    assert inside(LocalFolder(tmp_path / "a"), LocalFolder(tmp_path / "ab")) is None
    assert inside(RemoteFolder("s3://b/x"), RemoteFolder("s3://b/x/y")) == "y"


@pytest.mark.skipif(os.name == "nt", reason="these are names of Windows")
def test_windows_names_are_files_elsewhere() -> None:
    check_name("con.png")
    check_name("a:b.png")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """A plain HTTP server with a listing of a folder."""
    (tmp_path / "sub ü").mkdir()
    (tmp_path / "a.png").write_bytes(b"one")
    (tmp_path / "sub ü" / "b c%.png").write_bytes(b"two")

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path))) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_address[1]}"
        running.shutdown()
        thread.join()


def test_pictures_come_over_http(server: str) -> None:
    pytest.importorskip("aiohttp")
    place = open_place(server)
    assert place.names() == ["a.png", "sub ü/b c%.png"]
    assert place.read("sub ü/b c%.png") == b"two"
    with pytest.raises(OSError, match=r"c\.png"):
        place.read("c.png")
