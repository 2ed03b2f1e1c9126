"""Loading processes: their errors, memory, signals and ends."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterable
from contextlib import closing
from itertools import islice
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from temperfill.config import DataConfig
from temperfill.data import Batch, PictureFolders, batches, loading, lost_workers_named


def write_pictures(folder: Path, num: int, size: tuple[int, int] = (48, 40), start: int = 0) -> None:
    """Plain pictures whose red tells which one it is, with a bright left half, so that flips show."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(start, start + num):
        pixels = np.zeros((size[1], size[0], 3), np.uint8)
        pixels[..., 0] = 10 * i
        pixels[:, : size[0] // 2, 1] = 200
        Image.fromarray(pixels).save(folder / f"{i:02d}.png")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_pictures(tmp_path / "pictures", 7)
    return tmp_path / "pictures"


def config(*folders: Path, **values: object) -> DataConfig:
    return DataConfig(train=folders, **({"resize": 36, "crop_size": 32} | values))  # type: ignore[arg-type]


def same(one: Iterable[Batch], two: Iterable[Batch]) -> bool:
    return all(torch.equal(a, b) for x, y in zip(one, two, strict=True) for a, b in zip(x, y, strict=True))


def take(dataset: PictureFolders, count: int, first: int = 0, workers: int = 0, size: int = 3) -> list[Batch]:
    with closing(batches(dataset, size, first, workers)) as source:
        return list(islice(source, count))


def _load_until_killed(folder: Path, workers: Connection) -> None:
    with closing(batches(PictureFolders(config(folder), 0), 2, 0, workers=2)):
        workers.send([worker.pid for worker in multiprocessing.active_children()])
        signal.pause()


@pytest.mark.skipif(sys.platform != "linux", reason="asks the kernel of Linux")
@pytest.mark.parametrize("method", ["fork", "forkserver"])
def test_workers_end_with_a_killed_process(folder: Path, method: str) -> None:
    """Also when it is killed right after they started, and however it was started itself."""
    context = multiprocessing.get_context(method)
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_load_until_killed, args=(folder, sender))
    process.start()
    assert receiver.poll(30)
    workers = receiver.recv()
    process.kill()
    process.join()
    deadline = time.monotonic() + 10
    while any(map(_runs, workers)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(workers) == 2
    assert not any(map(_runs, workers))


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def corrupt(folder: Path) -> Path:
    folder.mkdir()
    for name in ("a.jpg", "b.jpg"):
        (folder / name).write_bytes(b"no picture")
    return folder


def test_errors_of_workers_are_those_of_one_process(tmp_path: Path) -> None:
    dataset = PictureFolders(config(corrupt(tmp_path / "bad")), 0)
    texts = []
    for workers in (0, 1):
        with pytest.raises(ValueError, match=r"no training picture can be read: .*a\.jpg") as found:
            take(dataset, 1, workers=workers)
        texts.append(str(found.value))
    assert texts[0] == texts[1]


class Broken:
    """The iterator of a loader whose next batch cannot be fetched."""

    def __init__(self, error: Exception, workers: list[Any]) -> None:
        self.error = error
        self._workers = workers

    def __iter__(self) -> "Broken":
        return self

    def __next__(self) -> Any:
        raise self.error


@pytest.mark.parametrize("error", [ConnectionResetError("reset by peer"), ConnectionRefusedError(), EOFError()])
def test_a_worker_that_dies_while_its_batch_is_fetched_is_named(error: Exception) -> None:
    alive, dead = (multiprocessing.get_context("fork").Process(target=time.sleep, args=(s,)) for s in (60, 0.3))
    alive.start()
    dead.start()
    try:
        with pytest.raises(type(error)):
            next(loading._drain(Broken(error, [alive])))
        with pytest.raises(ChildProcessError, match=r"killed.*--machine.workers"):
            next(loading._drain(Broken(error, [alive, dead])))
    finally:
        alive.kill()
        alive.join()
        dead.join()


def test_shared_memory_bounds_what_is_loaded_ahead(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container's 64 MB, beyond which a process would die of SIGBUS."""
    sample = PictureFolders(config(folder), 0).packed(0, 0)
    batch = 16 * sum(x.numel() * x.element_size() for x in (sample.image, sample.mask)) * (256 // 32) ** 2
    free = [64e6]
    monkeypatch.setattr(loading.shutil, "disk_usage", lambda _: SimpleNamespace(free=int(free[0])))
    assert [loading._prefetched(batch, workers, folder) for workers in (1, 2, 4, 6, 7)] == [4, 4, 2, 1, 1]
    with pytest.raises(OSError, match=r"has 64 MB free, and 8 .* 67 MB .*--shm-size.*--machine.workers"):
        loading._prefetched(batch, 8, folder)
    assert loading._prefetched(batch, 100, folder / "absent") == 4


def test_a_worker_that_dies_is_named(folder: Path) -> None:
    dataset = PictureFolders(config(folder), 0)
    with (  # noqa: PT012
        pytest.raises(ChildProcessError, match=r"killed.*--machine.workers"),
        lost_workers_named(),
        closing(batches(dataset, 3, 0, 1)) as source,
    ):
        next(source)
        for worker in multiprocessing.active_children():
            worker.kill()
        deque(islice(source, 100), maxlen=0)


def test_a_program_ends_after_an_error_of_a_worker(tmp_path: Path) -> None:
    """Python joins what is left of a loader's workers at exit, and they ignore its SIGTERM."""
    folder = corrupt(tmp_path / "bad")
    lines = [
        "import sys",
        "from pathlib import Path",
        "from temperfill.config import DataConfig",
        "from temperfill.data import PictureFolders, batches",
        "dataset = PictureFolders(DataConfig(train=(Path(sys.argv[1]),)), 0)",
        "def work():",
        "    for batch in batches(dataset, 2, 0, 1):",
        "        pass",
        "try:",
        "    work()",
        "except ValueError as error:",
        "    kept = error",
        "    sys.exit(2)",
    ]
    done = subprocess.run([sys.executable, "-c", "\n".join(lines), str(folder)], timeout=60, check=False)
    assert done.returncode == 2


def test_workers_survive_the_signals_that_stop_training(folder: Path) -> None:
    """Ctrl-C reaches the whole process group; a worker that died of it would tear the step at hand."""
    dataset = PictureFolders(config(folder), 0)
    with closing(batches(dataset, 3, 0, 2)) as source:
        found = [next(source)]
        workers = multiprocessing.active_children()
        assert len(workers) == 2
        time.sleep(0.2)
        for worker in workers:
            os.kill(worker.pid or 0, signal.SIGINT)
            os.kill(worker.pid or 0, signal.SIGTERM)
        found += islice(source, 20)
    assert same(found, take(dataset, 21))
    for worker in workers:
        worker.join(8)
        assert worker.exitcode == 0
