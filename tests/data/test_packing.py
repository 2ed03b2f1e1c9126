"""Shards: the pictures of the folder, resized once; the same bytes whoever packs and however often it was killed."""

import io
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import tarfile
import time
from contextlib import closing
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from temperfill import cli
from temperfill.config import DataConfig
from temperfill.data import PictureFolders, batches
from temperfill.data.packing import Packed, PackSettings, member_name, pack

SETTINGS = PackSettings(short_side=40, per_shard=3)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Eleven pictures of noise, in subfolders, of several formats; two are small."""
    rng = np.random.default_rng(0)
    for i in range(11):
        size = (30, 24) if i in (4, 7) else (70 + i, 50)
        path = tmp_path / "pictures" / "abc"[i % 3] / f"p{i}.x{('.jpg', '.png', '.webp')[i % 3]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (*size[::-1], 3), np.uint8)).save(path)
    return tmp_path / "pictures"


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != ".lock"}


def unpack(shards: Path, output: Path) -> Path:
    for shard in sorted(shards.glob("*.tar")):
        with tarfile.open(shard, "r:") as archive:
            for member in archive:  # extractall's filter is not in every Python 3.11
                content = archive.extractfile(member)
                assert content is not None
                output.mkdir(exist_ok=True)
                (output / member.name).write_bytes(content.read())
    return output


def batches_of(folder: Path | str, count: int = 6, workers: int = 0) -> list[torch.Tensor]:
    data = DataConfig(train=(folder,), resize=36, crop_size=32)
    with closing(batches(PictureFolders(data, 3), 4, 1, workers)) as source:
        return [tensor for batch in islice(source, count) for tensor in batch]


def same(one: list[torch.Tensor], two: list[torch.Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, two, strict=True))


def test_batches_of_shards_are_those_of_the_folder_of_the_same_pictures(folder: Path, tmp_path: Path) -> None:
    packed = pack((folder,), tmp_path / "shards", SETTINGS)
    assert (packed.pictures, packed.shards, packed.left) == (11, 4, [])
    expected = batches_of(unpack(tmp_path / "shards", tmp_path / "resized"))
    for shards in (tmp_path / "shards", f"file://{tmp_path}/shards"):
        for workers in (0, 2):
            assert same(batches_of(shards, workers=workers), expected)
    assert not same(batches_of(folder), expected)


def test_kept_bytes_are_those_of_the_files(folder: Path, tmp_path: Path) -> None:
    pack((folder,), tmp_path / "shards", PackSettings(keep=True, per_shard=4))
    assert same(batches_of(tmp_path / "shards"), batches_of(folder))
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    unpacked = sorted((tmp_path / "again").iterdir()) if unpack(tmp_path / "shards", tmp_path / "again") else []
    assert [path.read_bytes() for path in unpacked] == [path.read_bytes() for path in paths]
    assert [path.suffix for path in unpacked] == [path.suffix for path in paths]
    # Packing shards again keeps pictures and order.
    pack((tmp_path / "shards",), tmp_path / "second", PackSettings(keep=True, per_shard=2))
    assert same(batches_of(tmp_path / "second"), batches_of(folder))


def test_pictures_are_reduced_once_and_never_enlarged(folder: Path, tmp_path: Path) -> None:
    pack((folder,), tmp_path / "shards", SETTINGS)
    unpack(tmp_path / "shards", tmp_path / "resized")
    originals = sorted(path for path in folder.rglob("*") if path.is_file())
    for original, stored in zip(originals, sorted((tmp_path / "resized").iterdir()), strict=True):
        with Image.open(original) as before, Image.open(stored) as after:
            if min(before.size) <= 40:
                assert stored.read_bytes() == original.read_bytes()
            else:
                assert (min(after.size), after.format) == (40, "JPEG")
                assert abs(after.width / after.height - before.width / before.height) < 0.02
                assert after.getexif() == {}


def test_members_are_samples_of_webdataset(folder: Path, tmp_path: Path) -> None:
    """Its readers take the part up to the first dot for the sample, and want each in one piece."""
    pack((folder,), tmp_path / "shards", SETTINGS)
    names = [name for name, _ in unpacked(tmp_path / "shards")]
    assert names[0] == "000000000-a-p0-x.jpg"
    keys = [name.split(".") for name in names]
    assert all(len(parts) == 2 for parts in keys)
    assert len({parts[0] for parts in keys}) == 11
    assert names == sorted(names)


@pytest.mark.parametrize("name", ["a.jpg", "ä 猫.jpg", "x" * 400 + "/y.jpg", "../../etc/passwd.png", "猫.png", "a.b.c"])
def test_member_names_are_plain(name: str) -> None:
    found = member_name(7, name, ".jpg")
    assert found.startswith("000000007")
    assert len(found) <= 99
    assert set(found) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")
    assert found.count(".") == 1


def test_unreadable_pictures_are_named_counted_and_left_out(folder: Path, tmp_path: Path) -> None:
    pack((folder,), tmp_path / "whole", SETTINGS)
    (folder / "a" / "p3.x.jpg").write_bytes(b"text")
    damaged = folder / "b" / "p1.x.png"
    damaged.write_bytes(damaged.read_bytes()[:300])
    notes: list[str] = []
    with pytest.raises(ValueError, match=r"1 of 11 pictures are unreadable, such as a/p3.x.jpg: .*0.01 .*max-corrupt"):
        pack((folder,), tmp_path / "shards", SETTINGS, note=notes.append)
    packed = pack((folder,), tmp_path / "shards", SETTINGS, max_corrupt_share=0.2, note=notes.append)
    assert (packed.pictures, [name for name, _ in packed.left]) == (9, ["a/p3.x.jpg", "b/p1.x.png"])
    assert sum("a/p3.x.jpg" in note for note in notes) == 1
    assert sum("b/p1.x.png" in note for note in notes) == 1
    whole = dict(unpacked(tmp_path / "whole"))
    assert whole.keys() - dict(unpacked(tmp_path / "shards")).keys() == {"000000001-a-p3-x.jpg", "000000004-b-p1-x.jpg"}
    with pytest.raises(ValueError, match="2 of 11"):
        pack((folder,), tmp_path / "shards", SETTINGS)


def unpacked(shards: Path) -> list[tuple[str, bytes]]:
    with_content = []
    for shard in sorted(shards.glob("*.tar")):
        with tarfile.open(shard) as archive:
            with_content += [(m.name, archive.extractfile(m).read()) for m in archive]  # type: ignore[union-attr]
    return with_content


def test_any_number_of_processes_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    pack((folder,), tmp_path / "one", SETTINGS)
    done: list[tuple[int, int]] = []
    pack((folder,), tmp_path / "two", SETTINGS, processes=2, on_progress=lambda *x: done.append(x))
    assert files(tmp_path / "one") == files(tmp_path / "two")
    assert done[0] == (0, 11)
    assert done[-1] == (11, 11)


def test_what_was_lost_is_packed_again(folder: Path, tmp_path: Path) -> None:
    pack((folder,), tmp_path / "shards", SETTINGS)
    whole, notes = files(tmp_path / "shards"), list[str]()
    times = {name: (tmp_path / "shards" / name).stat().st_mtime_ns for name in whole}
    (tmp_path / "shards" / "000001.tar").unlink()
    (tmp_path / "shards" / "000002.npy").unlink()
    (tmp_path / "shards" / "000003.tar").write_bytes(whole["000003.tar"][:700])
    (tmp_path / "shards" / ".temperfill-0.partial").write_bytes(b"of a killed one")
    pack((folder,), tmp_path / "shards", SETTINGS, note=notes.append)
    assert files(tmp_path / "shards") == whole
    assert notes == ["going on: 1 of 4 shards are finished"]
    assert (tmp_path / "shards" / "000000.tar").stat().st_mtime_ns == times["000000.tar"]


def test_other_pictures_or_settings_are_refused(folder: Path, tmp_path: Path) -> None:
    pack((folder,), tmp_path / "shards", SETTINGS)
    with pytest.raises(ValueError, match="short_side 40 -> 41, quality 95 -> 80"):
        pack((folder,), tmp_path / "shards", PackSettings(short_side=41, quality=80, per_shard=3))
    (folder / "b" / "p1.x.png").rename(folder / "b" / "p1.png")
    with pytest.raises(ValueError, match="files were added, removed or renamed"):
        pack((folder,), tmp_path / "shards", SETTINGS)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").write_text("")
    with pytest.raises(ValueError, match=r"other is not empty \(mine\.txt\)"):
        pack((folder,), tmp_path / "other", SETTINGS)
    for output in (folder, folder / "a" / "shards"):
        with pytest.raises(ValueError, match="lies inside"):
            pack((str(folder),), output, SETTINGS)
    with pytest.raises(ValueError, match="name at least one folder"):
        pack((), tmp_path / "none", SETTINGS)
    for wrong in ({"short_side": 7}, {"quality": 0}, {"quality": 101}, {"per_shard": 0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            PackSettings(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("processes", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_killed_packing_goes_on_and_ends_in_the_same_bytes(folder: Path, tmp_path: Path, processes: int) -> None:
    """SIGKILL at random moments; with two processes, the workers must end too, as their parent cannot tell them."""
    pack((folder,), tmp_path / "whole", PackSettings(short_side=40, per_shard=1))
    words = ["pack", str(folder), "--output", str(tmp_path / "killed"), "--short-side", "40", "--per-shard", "1"]
    words += ["--processes", str(processes)]
    context = multiprocessing.get_context("fork" if processes == 1 else "spawn")
    rng, killed = np.random.default_rng(0), 0
    for _ in range(5 if processes == 1 else 3):
        process = context.Process(target=cli.main, args=(words,))
        process.start()
        before, deadline = len(list(tmp_path.glob("killed/*.tar"))), time.monotonic() + 60
        while len(list(tmp_path.glob("killed/*.tar"))) == before and process.is_alive() and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(float(rng.uniform(0, 0.02)))
        process.kill()
        process.join(20)
        killed += process.exitcode == -signal.SIGKILL
    assert killed >= 2
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:  # until workers that write no longer hold the folder
        try:
            pack((folder,), tmp_path / "killed", PackSettings(short_side=40, per_shard=1))
            break
        except BlockingIOError:
            time.sleep(0.1)
    assert files(tmp_path / "killed") == files(tmp_path / "whole")


def ended(group: int) -> bool:
    """Whether all processes of a group end within some seconds."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.slow
def test_interrupted_packing_of_two_processes_ends_at_once_and_goes_on(folder: Path, tmp_path: Path) -> None:
    """Ctrl-C reaches all processes of the group: exit 130, no process left, and the same command ends the work."""
    for i in range(300):
        (folder / f"{i}.png").write_bytes((folder / "b" / "p1.x.png").read_bytes())
    words = [sys.executable, "-m", "temperfill", "pack", str(folder), "--output", str(tmp_path / "shards")]
    words += ["--short-side", "40", "--per-shard", "2", "--processes", "2"]
    process = subprocess.Popen(words, start_new_session=True, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while len(list(tmp_path.glob("shards/*.tar"))) < 5 and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert ended(process.pid)
    assert not list((tmp_path / "shards").glob("*.partial"))
    assert subprocess.run(words, capture_output=True, check=False).returncode == 0
    assert len(json.loads((tmp_path / "shards" / "pack.json").read_text())["shards"]) == 156


def test_a_full_disk_leaves_finished_shards(folder: Path, tmp_path: Path) -> None:
    """A file-size limit stands for the full disk; it can only be set in a process of its own."""
    script = f"""
        import pathlib, resource, signal, sys
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
        from temperfill import cli
        cli.main("pack {folder} --output {tmp_path}/shards --short-side 40 --per-shard 5 --processes 1".split())
    """
    code = "\n".join(line.strip() for line in script.splitlines())
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 2, result.stderr
    assert "000000.tar" in result.stderr or "000001.tar" in result.stderr
    assert not list((tmp_path / "shards").glob("*.partial"))
    packed = pack((folder,), tmp_path / "shards", PackSettings(short_side=40, per_shard=5))
    assert packed.pictures == 11


def test_packing_does_without_torch(tmp_path: Path) -> None:
    """Every process of it would take seconds to start."""
    code = "import sys, temperfill.data.packing; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_command(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["pack", str(folder), f"file://{folder}", "--output", str(tmp_path / "shards"), "--processes", "1"])
    assert "22 pictures in 1 shards" in capsys.readouterr().err
    for words, part in (
        (["--output", str(tmp_path / "x")], "name at least one folder"),
        ([str(folder), "--output", str(tmp_path / "x"), "--processes", "-1"], "--processes must not be negative"),
        ([str(folder), "--output", str(tmp_path / "x"), "--max-corrupt-share", "2"], "must lie in 0 to 1"),
        ([str(folder), "--output", str(tmp_path / "x"), "--quality", "0"], "quality must be at least 1"),
        ([str(tmp_path / "none"), "--output", str(tmp_path / "x")], "none is not a folder"),
    ):
        with pytest.raises(SystemExit) as caught:
            cli.main(["pack", *words])
        assert caught.value.code == 2
        assert part in capsys.readouterr().err


def test_16_bit_and_transparent_pictures_are_stored_as_they_are_seen(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    ramp = np.linspace(0, 65535, 60 * 60).reshape(60, 60).astype(np.uint16)
    Image.fromarray(ramp).save(tmp_path / "in" / "0.png")
    clear = np.full((60, 60, 4), 200, np.uint8)
    clear[..., 3] = 0
    Image.fromarray(clear).save(tmp_path / "in" / "1.png")
    packed: Packed = pack((tmp_path / "in",), tmp_path / "out", SETTINGS)
    assert packed.pictures == 2
    pixels = [np.asarray(Image.open(io.BytesIO(content))).astype(int) for _, content in unpacked(tmp_path / "out")]
    assert pixels[0].min() < 10
    assert pixels[0].max() > 245
    assert abs(pixels[1] - 200).max() <= 2
