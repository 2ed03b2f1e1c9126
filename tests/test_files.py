"""Atomic writes: content, permissions, links, and what is left after a failure."""

import os
import resource
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from temperfill.files import atomic_write


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


def test_replaced_file_gets_the_bits_of_a_new_one(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"old")
    path.chmod(0o600)
    before = os.umask(0o022)
    try:
        atomic_write(path, lambda file: file.write(b"new"))
    finally:
        os.umask(before)
    assert _mode(path) == 0o644


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
