"""A folder from start to end: the results of single calls, nothing twice, nothing lost, signals, full disks."""

import errno
import io
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from temperfill import bulk, images, places
from temperfill.bulk import manifest, threads
from temperfill.bulk.work import read_mask
from temperfill.config import GeneratorConfig
from temperfill.inpainter import Inpainter
from temperfill.nets.generator import Generator
from temperfill.options import FillOptions, MaskOptions
from temperfill.places import local
from temperfill.progress import Display
from temperfill.weights_files import save_generator

NAMES = ("a.png", "b é 猫.jpg", "sub dir/a.png", "sub dir/c.bmp", "d.gif", "e.tiff")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_generator(path, Generator(GeneratorConfig(width=4, head_dim=4)))
    return path


@pytest.fixture
def request_(tmp_path: Path, weights: Path) -> bulk.Request:
    """Six pictures of several formats and sizes, in two folders, with their masks."""
    rng = np.random.default_rng(0)
    for number, name in enumerate(NAMES):
        height, width = 24 + 4 * (number % 2), 33
        picture, mask = tmp_path / "in" / name, (tmp_path / "masks" / name).with_suffix(".png")
        picture.parent.mkdir(parents=True, exist_ok=True)
        mask.parent.mkdir(parents=True, exist_ok=True)
        image = Image.fromarray(rng.integers(0, 256, (height, width, 3), np.uint8))
        (image.quantize(16) if picture.suffix == ".gif" else image).save(picture)
        hole = np.zeros((height, width), np.uint8)
        hole[5 : 12 + number, 6:20] = 255
        Image.fromarray(hole).save(mask)
    settings = bulk.BulkOptions(model=str(weights), precision="fp32")
    folders = (str(tmp_path / name) for name in ("in", "masks", "out"))
    return bulk.Request(*folders, settings, device="cpu", workers=2, command="temperfill inpaint ...")


def report(request: bulk.Request) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((Path(request.output) / request.report).read_text())
    return loaded


def counts(request: bulk.Request) -> tuple[int, int, int]:
    """Filled, skipped and failed of a run, which the report tells too."""
    summary = bulk.run(request)
    found = (summary.counts["filled"], summary.counts["skipped"], summary.counts["failed"])
    told = report(request)["counts"]
    assert found == (told["filled"], told["skipped"], told["failed"])
    return found


def results(folder: str) -> dict[str, bytes]:
    visible = (path for path in Path(folder).rglob("*") if path.is_file() and path.suffix not in (".json", ".jsonl"))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in visible if path.name != ".lock"}


def test_results_are_those_of_single_calls_byte_for_byte(request_: bulk.Request) -> None:
    threads_before = torch.get_num_threads()
    assert counts(request_) == (6, 0, 0)
    assert torch.get_num_threads() == threads_before
    torch.set_num_threads(1)
    try:
        inpainter = Inpainter.from_pretrained(request_.settings.model, "cpu", "fp32")
        for name in NAMES:
            picture = images.open_picture(Path(request_.pictures) / name)
            hole = images.to_mask((Path(request_.masks) / name).with_suffix(".png"), picture.size)
            alone = images.encode_picture(inpainter.complete(picture, hole), Path(name))
            assert results(request_.output)[name] == alone
    finally:
        torch.set_num_threads(threads_before)
    assert set(results(request_.output)) == set(NAMES)
    told = report(request_)
    assert told["state"] == "done"
    assert told["command"] == "temperfill inpaint ..."
    assert told["parameters"]["precision"] == "fp32"
    assert told["versions"]["torch"] == str(torch.__version__)
    assert told["images_per_second"] > 0


def test_only_what_changed_is_made_again(request_: bulk.Request) -> None:
    assert counts(request_) == (6, 0, 0)
    before = results(request_.output)
    assert counts(request_) == (0, 6, 0)
    out = Path(request_.output)
    (out / "a.png").unlink()
    (out / "e.tiff").write_bytes(before["e.tiff"][:-1] + b"x")  # of the same size
    shutil.copy(Path(request_.masks) / "e.png", Path(request_.masks) / "b é 猫.png")
    shutil.copy(Path(request_.pictures) / "e.tiff", Path(request_.pictures) / "b é 猫.jpg")
    assert counts(request_) == (3, 3, 0)
    assert {k: v for k, v in results(request_.output).items() if k[0] != "b"} == {
        k: v for k, v in before.items() if k[0] != "b"
    }
    settings = replace(request_.settings, filling=FillOptions(feather=1))
    assert counts(replace(request_, settings=settings)) == (6, 0, 0)
    # A model by its content: another name of the same file changes nothing.
    other = shutil.copy(request_.settings.model, Path(request_.output).parent / "other.safetensors")
    settings = replace(settings, model=str(other))
    assert counts(replace(request_, settings=settings)) == (0, 6, 0)


def test_bad_files_do_not_stop_the_rest(request_: bulk.Request) -> None:
    folder = Path(request_.pictures)
    (folder / "a.png").write_bytes((folder / "a.png").read_bytes()[:200])
    (folder / "sub dir" / "a.png").write_bytes(b"")
    Image.new("L", (3, 3)).save(Path(request_.masks) / "d.png")
    (Path(request_.masks) / "e.png").unlink()
    assert counts(request_) == (2, 0, 3)
    reasons = {failure["picture"]: failure["reason"] for failure in report(request_)["failures"]}
    assert set(reasons) == {"a.png", "sub dir/a.png", "d.gif", "e.tiff"}
    assert "3x3" in reasons["d.gif"]
    assert "33x24" in reasons["d.gif"]
    assert all("\n" not in reason for reason in reasons.values())
    assert set(results(request_.output)) == {"b é 猫.jpg", "sub dir/c.bmp"}
    again = replace(request_, settings=replace(request_.settings, resize_mask=True), skip_unmasked=True)
    assert counts(again) == (3, 0, 2)
    assert "e.tiff" not in {failure["picture"] for failure in report(again)["failures"]}
    assert report(again)["unmasked"] == ["e.tiff"]


def test_one_mask_for_all_of_its_size(request_: bulk.Request) -> None:
    mask = shutil.copy(Path(request_.masks) / "a.png", Path(request_.pictures) / "mask.png")
    one = replace(request_, masks=str(mask), suffix=".webp")
    assert counts(one) == (3, 0, 3)
    assert set(results(one.output)) == {"a.webp", "sub dir/a.webp", "d.webp"}


def test_what_is_not_to_be_copied_from_is_part_of_a_result_and_of_its_key(request_: bulk.Request) -> None:
    assert counts(request_) == (6, 0, 0)
    plain = results(request_.output)
    folder = Path(request_.pictures) / "not from here"  # below the pictures, and none of them
    (folder / "sub dir").mkdir(parents=True)
    for name, size in (("a.png", (33, 24)), ("sub dir/c.png", (33, 28)), ("d.png", (3, 3))):
        Image.new("L", size, 0).save(folder / name)
        if size[0] > 3:
            marks = np.zeros(size[::-1], np.uint8)
            marks[:, 24:] = 255
            Image.fromarray(marks).save(folder / name)
    avoiding = replace(request_, avoid=str(folder))
    assert counts(avoiding) == (2, 3, 1)
    (failed,) = report(avoiding)["failures"]
    assert "what to avoid d.png is 3x3 but the image is 33x24" in failed["reason"]
    inpainter = Inpainter.from_pretrained(request_.settings.model, "cpu", "fp32")
    picture = images.open_picture(Path(request_.pictures) / "a.png")
    hole, avoid = (images.to_mask(Path(of) / "a.png", picture.size) for of in (request_.masks, folder))
    alone = images.encode_picture(inpainter.complete(picture, hole, avoid=avoid), Path("a.png"))
    assert results(request_.output)["a.png"] == alone != plain["a.png"]
    assert counts(avoiding) == (0, 5, 1)
    one = replace(request_, avoid=str(shutil.copy(folder / "a.png", folder.parents[1])))
    shutil.rmtree(folder)
    assert counts(one)[1] == 1  # a.png is done; others have another size, or too little is left
    with pytest.raises(FileNotFoundError, match="there is no picture of what to avoid"):
        bulk.run(replace(request_, avoid=str(folder / "none.png")))


def test_parts_share_a_folder_and_know_each_other(request_: bulk.Request) -> None:
    found = [counts(replace(request_, shard=(index, 3)))[0] for index in (1, 2, 3)]
    assert sum(found) == 6
    assert max(found) < 6
    assert {path.name for path in Path(request_.output).glob("report*")} == {f"report-{i}-of-3.json" for i in (1, 2, 3)}
    assert counts(request_) == (0, 6, 0)


def test_urls_are_read_and_written(request_: bulk.Request) -> None:
    store = places.RemoteFolder(f"memory://{Path(request_.pictures).parent.name}/in")
    for path in Path(request_.pictures).rglob("*.*"):
        store.write(path.relative_to(request_.pictures).as_posix(), path.read_bytes())
    remote = replace(request_, pictures=store.url, output=store.url.replace("/in", "/out"))
    assert bulk.run(remote).counts == {"filled": 6}
    out = places.open_folder(remote.output)
    assert bulk.run(remote).counts == {"skipped": 6}
    assert [name for name in out.names() if name != "report.json"] == sorted(NAMES)
    bulk.run(request_)
    assert all(out.read(name) == data for name, data in results(request_.output).items())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_and_the_same_request_goes_on(
    request_: bulk.Request, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    """Without more threads than one, the job cannot end before the signal is seen."""
    show, fill = Display.show, Inpainter.complete
    shown: list[Any] = []

    def stop_after_two(self: Display, done: int, details: str) -> None:
        show(self, done, details)
        shown.append(done)
        if len(shown) == 2:
            signal.raise_signal(number)

    def slow(self: Inpainter, *args: Any, **options: Any) -> Any:
        while len(shown) < min(2, len(calls)):
            pass
        calls.append(1)
        return fill(self, *args, **options)

    calls: list[int] = []
    with monkeypatch.context() as patch:
        patch.setattr(Display, "show", stop_after_two)
        patch.setattr(Inpainter, "complete", slow)
        summary = bulk.run(replace(request_, workers=1))
    assert summary.interrupted
    assert 2 <= summary.counts["filled"] < 6
    assert report(request_)["state"] == "interrupted"
    assert len(results(request_.output)) >= summary.counts["filled"]
    assert counts(request_) == (6 - summary.counts["filled"], summary.counts["filled"], 0)


@pytest.mark.parametrize("of_manifest", [False, True])
def test_a_full_disk_ends_the_job(of_manifest: bool, request_: bulk.Request, monkeypatch: pytest.MonkeyPatch) -> None:
    write = local.atomic_write
    is_full = threading.Event()

    def full_after(path: Path, fill: Callable[[Any], object]) -> None:
        is_result = path.name != "report.json"
        if is_result and len(results(request_.output)) >= 1:
            is_full.set()
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        write(path, fill)
        if is_result:  # the failure of the next one is known before the success of this one
            assert is_full.wait(60)
            time.sleep(0.2)

    def refuse(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "manifest")

    monkeypatch.setattr(local, "atomic_write", full_after)
    if of_manifest:
        monkeypatch.setattr(manifest.LocalManifest, "add", refuse)
    summary = bulk.run(replace(request_, workers=1))
    assert summary.failed
    assert "No space left" in summary.stopped
    assert "manifest" not in summary.stopped  # what came first is told
    assert report(request_)["state"] == "stopped"
    monkeypatch.undo()
    filled, skipped, failed = counts(request_)
    assert (filled + skipped, failed) == (6, 0)
    assert skipped >= (0 if of_manifest else 1)


def test_two_processes_do_not_work_on_the_same_part(request_: bulk.Request) -> None:
    bulk.run(request_)
    lock = Path(request_.output) / ".temperfill" / "all" / ".lock"
    program = "import filelock, sys\nwith filelock.FileLock(sys.argv[1]): print(flush=True); input()"
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", program, str(lock)], **pipes) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(BlockingIOError, match="another process"):
            bulk.run(request_)
        other.communicate(b"\n")
    assert counts(request_) == (0, 6, 0)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"output": "in"}, "choose another --output"),
        ({"output": "masks"}, "is the folder of the masks"),
        ({"output": "in/a.png"}, "a.png"),
        ({"masks": "typo"}, "there is no folder"),
        ({"masks": "typo.png"}, "there is no mask"),
        ({"pictures": "typo"}, "there is no folder"),
        ({"masks": "empty"}, "none of the 6 pictures"),
        ({"pictures": "empty"}, "no pictures"),
    ],
)
def test_refusals_come_before_the_model(
    request_: bulk.Request, monkeypatch: pytest.MonkeyPatch, changes: dict[str, str], match: str
) -> None:
    def load(*_: object) -> None:
        pytest.fail("the model was loaded")

    monkeypatch.setattr(Inpainter, "from_pretrained", load)
    root = Path(request_.pictures).parent
    (root / "empty").mkdir()
    with pytest.raises((ValueError, OSError), match=match):
        bulk.run(replace(request_, **{name: str(root / value) for name, value in changes.items()}))


def test_results_and_masks_below_the_pictures_are_no_pictures(request_: bulk.Request) -> None:
    folder = Path(request_.pictures)
    shutil.move(request_.masks, folder / "masks")
    inner = replace(request_, masks=str(folder / "masks"), output=str(folder / "filled"))
    assert counts(inner) == (6, 0, 0)
    assert counts(inner) == (0, 6, 0)


def test_room_is_never_overdrawn_and_large_pictures_get_in() -> None:
    room, seen = threads._Room(10), []

    def work(pixels: int) -> None:
        for _ in range(30):
            with room.taken(pixels):
                seen.append(room.used)

    running = [threading.Thread(target=work, args=(pixels,)) for pixels in (3, 4, 6, 25)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join(20)
        assert not thread.is_alive()
    assert room.used == 0
    assert {used for used in seen if used > 10} <= {25}


def test_masks_are_resized_by_nearest_neighbour() -> None:
    data = io.BytesIO()
    Image.fromarray(np.array([[0, 255], [255, 0]], np.uint8)).save(data, "PNG")
    found = read_mask(data.getvalue(), (6, 5), bulk.BulkOptions(resize_mask=True), "m.png")
    expected = np.zeros((6, 5), bool)
    expected[:3, 2:], expected[3:, :2] = True, True
    assert np.array_equal(found, expected)


def test_a_thread_keeps_its_share_of_the_cores_while_another_copies_texture() -> None:
    before = torch.get_num_threads()
    seen: list[int] = []

    def tasks() -> Any:
        other = threading.Thread(target=torch.set_num_threads, args=(1,))
        other.start()
        other.join()
        yield from ()

    def work() -> None:
        crew.work(queue.Queue())
        seen.append(torch.get_num_threads())

    try:
        torch.set_num_threads(2)
        crew = threads._Crew(Any, Any, tasks(), {}, 1, threading.Event())
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    finally:
        torch.set_num_threads(before)
    assert seen == [2]


def test_folders_of_masks_and_foreign_reports_are_no_output(request_: bulk.Request, tmp_path: Path) -> None:
    before = sorted(path for path in tmp_path.rglob("*") if "masks" in path.parts)
    with pytest.raises(ValueError, match="is the folder of the masks; choose another --output"):
        bulk.run(replace(request_, output=request_.masks))
    assert before == sorted(path for path in tmp_path.rglob("*") if "masks" in path.parts)
    out = Path(request_.output)
    out.mkdir()
    for content in ("[]", "mine", '{"pictures": 3}', "[" * 100_000):
        (out / "report.json").write_text(content)
        with pytest.raises(ValueError, match=r"report\.json would be replaced by the report"):
            bulk.run(request_)
        assert (out / "report.json").read_text() == content


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_what_is_no_regular_file_is_named(request_: bulk.Request) -> None:
    pictures, masks = Path(request_.pictures), Path(request_.masks)
    os.mkfifo(pictures / "pipe.png")
    (pictures / "zero.png").symlink_to("/dev/zero")
    for name in ("pipe.png", "zero.png"):
        shutil.copy(masks / "a.png", masks / name)
    summary = bulk.run(request_)
    assert summary.done == len(NAMES)
    report = (Path(request_.output) / "report.json").read_text()
    assert summary.counts["failed"] == 2
    assert report.count("not a regular file") == 2


def test_one_signal_ends_a_job_whose_files_do_not_come(request_: bulk.Request, monkeypatch: pytest.MonkeyPatch) -> None:
    read, hang = local.LocalFolder.read, threading.Event()

    def slow(self: local.LocalFolder, name: str) -> bytes:
        if name == NAMES[3]:
            os.kill(os.getpid(), signal.SIGINT)
            hang.wait(60)
        return read(self, name)

    monkeypatch.setattr(local.LocalFolder, "read", slow)
    monkeypatch.setattr(threads, "_PATIENCE", 0.1)
    start = time.monotonic()
    summary = bulk.run(request_)
    assert time.monotonic() - start < 30
    assert summary.interrupted
    hang.set()


def test_masks_that_cannot_be_meant_are_failures(request_: bulk.Request) -> None:
    mask = Path(request_.masks) / "a.png"
    Image.fromarray((np.asarray(Image.open(mask)) * 0.4).astype(np.uint8)).save(mask)
    summary = bulk.run(request_)
    assert summary.counts["failed"] == 1
    assert not (Path(request_.output) / "a.png").exists()
    assert "marks nothing" in (Path(request_.output) / "report.json").read_text()
    forced = replace(request_.settings, mask_reading=MaskOptions(force=True))
    assert bulk.run(replace(request_, settings=forced)).counts["failed"] == 0
    assert (Path(request_.output) / "a.png").exists()
