"""Folders here and at URLs: names, whole writes, nothing outside."""

import errno
import os
import threading
import time
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from temperfill.data.pictures import walk_pictures
from temperfill.places import Folder, LocalFolder, RemoteFolder, check_name, inside, open_folder


@pytest.fixture(params=["path", "file", "memory"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Folder:
    where = {
        "path": str(tmp_path / "é x"),
        "file": (tmp_path / "é x").as_posix(),
        "memory": f"memory://{tmp_path.name}",
    }
    prefix = "file://" if request.param == "file" else ""
    return open_folder(prefix + where[request.param])


def test_what_is_written_is_listed_and_read(place: Folder) -> None:
    place.check_writable()
    for name in ("b.png", "sub dir/ü/a.png", ".hidden/c.png", "sub dir/.d.png"):
        place.write(name, name.encode())
    assert place.names() == ["b.png", "sub dir/ü/a.png"]
    assert place.read("sub dir/ü/a.png") == "sub dir/ü/a.png".encode()
    assert (place.size("b.png"), place.size("c.png")) == (5, None)
    place.write("b.png", b"new")
    assert place.read("b.png") == b"new"
    assert open_folder(place.base).names() == place.names()


@pytest.mark.parametrize("name", ["../x.png", "/etc/x.png", "a/../../x.png", "a\0b.png", ""])
def test_names_stay_in_their_folder(place: Folder, name: str) -> None:
    with pytest.raises(ValueError, match="does not stay in its folder"):
        place.write(name, b"x")


def test_joined_urls_reach_what_they_join(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"one")
    place = open_folder(f"simplecache::file://{tmp_path.as_posix()}")
    assert place.names() == ["a.png"]
    assert place.read("a.png") == b"one"


def test_a_path_is_no_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    open_folder("sub/x://y").write("a.png", b"one")
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


def test_no_folder_is_made_outside(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out" / "sub").symlink_to(Path("..") / "elsewhere")
    place = LocalFolder(tmp_path / "out")
    for write in (lambda: place.write("sub/new/a.png", b"x"), lambda: place.place("sub/new")):
        with pytest.raises(ValueError, match="outside of"):
            write()
    assert not list((tmp_path / "elsewhere").iterdir())


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_pipes_and_devices_are_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "zero.png").symlink_to("/dev/zero")
    place = LocalFolder(tmp_path)
    for name in place.names():
        with pytest.raises(OSError, match="not a regular file"):
            place.read(name)
        with pytest.raises(OSError, match="not a regular file"):
            place.read_part(name, 0, 1)
    assert len(place.names()) == 2


def test_refusals(tmp_path: Path) -> None:
    with pytest.raises(NotADirectoryError, match="there is no folder"):
        open_folder(tmp_path / "typo").names()
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        open_folder(tmp_path / "file").check_writable()
    with pytest.raises(ValueError, match="nonsense"):
        open_folder("nonsense://x")
    with pytest.raises(OSError, match="cannot write in http"):
        open_folder("http://127.0.0.1:9/x").check_writable()


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
    place = open_folder(server)
    assert place.names() == ["a.png", "sub ü/b c%.png"]
    assert place.read("sub ü/b c%.png") == b"two"
    with pytest.raises(OSError, match=r"c\.png"):
        place.read("c.png")


def test_names_behind_http_are_as_people_write_them(server: str, tmp_path: Path) -> None:
    """However they are asked for: a job lists all files, training goes from folder to folder."""
    pytest.importorskip("aiohttp")
    (tmp_path / "a b#1.png").write_bytes(b"three")
    folder = open_folder(server)
    assert folder.names() == ["a b#1.png", "a.png", "sub ü/b c%.png"]
    assert sorted(folder.entries("")) == [("a b#1.png", False), ("a.png", False), ("sub ü", True)]
    assert list(walk_pictures(folder)) == ["a b#1.png", "a.png", "sub ü/b c%.png"]
    assert folder.size("a b#1.png") == 5
    assert folder.read("a b#1.png") == b"three"
    assert folder.read_all(["sub ü/b c%.png", "a b#1.png"]) == [b"two", b"three"]


@pytest.mark.parametrize("doing", ["read", "write"])
def test_a_remote_folder_is_tried_three_times(doing: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from fsspec.implementations.memory import MemoryFileSystem

    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    folder = open_folder(f"memory://{tmp_path.name}")
    folder.write("a.png", b"old")
    failures: list[OSError] = []
    name = "cat_file" if doing == "read" else "pipe_file"
    real = getattr(MemoryFileSystem, name)

    def flaky(self: MemoryFileSystem, *args: object, **options: object) -> object:
        if failures:
            raise failures.pop()
        return real(self, *args, **options)

    def do() -> object:
        return folder.read("a.png") if doing == "read" else folder.write("a.png", b"new")

    monkeypatch.setattr(MemoryFileSystem, name, flaky)
    failures += [TimeoutError(), OSError("reset")]
    do()
    assert len(pauses) == 2
    assert folder.read("a.png") == (b"old" if doing == "read" else b"new")
    failures += [OSError("down")] * 3
    with pytest.raises(ConnectionError, match=r"a\.png cannot be (read|written) after three attempts: down"):
        do()
    failures.append(OSError(errno.ENOSPC, "full"))
    with pytest.raises(OSError, match="full") as found:
        do()
    assert found.value.errno == errno.ENOSPC
    assert len(pauses) == 4  # nothing waits for a full disk
