"""Atomic writes: content, permissions, links, and what is left after a failure."""

import errno
import os
import signal
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import filelock
import pytest

from temperfill.files import atomic_write, exclusive


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_writes_and_replaces(tmp_path: Path) -> None:
    path = tmp_path / "out.bin"
    atomic_write(path, lambda file: file.write(b"old"))
    atomic_write(path, lambda file: file.write(b"new"))
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_new_file_follows_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        atomic_write(tmp_path / "out", lambda file: file.write(b"x"))
        assert os.umask(umask) == umask  # left as it was
    finally:
        os.umask(before)
    assert _mode(tmp_path / "out") == 0o666 & ~umask


@pytest.mark.parametrize("bits", [0o600, 0o640, 0o664, 0o444])
def test_replaced_file_keeps_its_bits(bits: int, tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"old")
    path.chmod(bits)
    seen: list[int] = []
    before = os.umask(0o022)
    try:
        atomic_write(path, lambda file: seen.append(os.fstat(file.fileno()).st_mode & 0o777))
    finally:
        os.umask(before)
    assert seen == [bits]
    assert _mode(path) == bits


def test_link_stays_and_its_target_changes(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    target, link = tmp_path / "elsewhere" / "target", tmp_path / "link"
    target.write_bytes(b"old")
    link.symlink_to(Path("elsewhere") / "target")
    atomic_write(link, lambda file: file.write(b"new"))
    assert link.is_symlink()
    assert target.read_bytes() == b"new"


def test_dangling_link_creates_its_target(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to("target")
    atomic_write(link, lambda file: file.write(b"new"))
    assert link.is_symlink()
    assert (tmp_path / "target").read_bytes() == b"new"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"old")

    def write(file: object) -> None:
        file.write(b"half")  # type: ignore[attr-defined]
        raise error

    with pytest.raises(error):
        atomic_write(path, write)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_folder_and_missing_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError, match="is a folder"):
        atomic_write(tmp_path, lambda file: None)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        atomic_write(tmp_path / "nowhere" / "out", lambda file: None)


def test_disk_full_keeps_the_old_file(tmp_path: Path) -> None:
    """A file-size limit stands for the full disk; it can only be set in a process of its own."""
    resource = pytest.importorskip("resource")
    (tmp_path / "out").write_bytes(b"old")
    script = textwrap.dedent(f"""
        import resource, signal, pathlib
        from temperfill.files import atomic_write
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, {resource.getrlimit(resource.RLIMIT_FSIZE)[1]}))
        try:
            atomic_write(pathlib.Path({str(tmp_path / "out")!r}), lambda file: file.write(bytes(100_000)))
        except OSError:
            raise SystemExit(7)
    """)
    assert subprocess.run([sys.executable, "-c", script]).returncode == 7
    assert (tmp_path / "out").read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


def test_long_and_unicode_names(tmp_path: Path) -> None:
    for name in ("x" * 255, "\u732b" * 85, "mün chen \u732b.bin"):
        atomic_write(tmp_path / name, lambda file: file.write(b"x"))
        assert (tmp_path / name).read_bytes() == b"x"


HOLDER = """
import os, sys, pathlib, time
from temperfill.files import exclusive
with exclusive(pathlib.Path(sys.argv[1])):
    child = os.fork() if hasattr(os, "fork") else None
    if not child:  # the child itself says when it is there, and so without the lock
        print(0 if child is None else os.getpid(), flush=True)
    time.sleep(60)
"""


def test_one_process_at_a_time_is_in_a_folder_and_its_children_do_not_count(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        child = int(other.stdout.readline())
        with pytest.raises(BlockingIOError, match="another process works in this folder"), exclusive(tmp_path):
            pass
        other.kill()
        other.wait()
        with exclusive(tmp_path):  # though a child of the other one is alive
            assert (tmp_path / ".lock").exists()
        if child:
            os.kill(child, signal.SIGKILL)
    with exclusive(tmp_path), pytest.raises(BlockingIOError), exclusive(tmp_path):
        pass
    with pytest.raises(FileNotFoundError, match="no such folder"), exclusive(tmp_path / "missing"):
        pass
    assert not (tmp_path / "missing").exists()


def test_a_file_system_without_locks_keeps_nothing_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def acquire(*_: object, **__: object) -> None:
        raise OSError(error, "no locks available")

    monkeypatch.setattr(filelock.FileLock, "acquire", acquire)
    error = errno.ENOLCK
    with exclusive(tmp_path):
        (tmp_path / "entered").touch()
    error = errno.EACCES
    with pytest.raises(OSError, match="no locks available"), exclusive(tmp_path):
        pass
    assert (tmp_path / "entered").exists()
