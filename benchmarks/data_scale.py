"""Time and memory of training's input at the scale of Places2: 1.8 million pictures.

python benchmarks/data_scale.py --pictures 1803460 --workers 4 --files 1803460 --scratch /dev/shm

Shards are real tar files with one picture each, to which all rows of their indexes point, so that every read and every
decoded picture is real and the disk holds little. Memory is the proportional set size of all processes, in which shared
pages count once. With --files, a folder of that many empty files is made too, and listed.
"""

import argparse
import io
import multiprocessing
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

from temperfill.config import DataConfig
from temperfill.data import PictureFolders, batches
from temperfill.data.sources import Loose, open_source
from temperfill.data.tars import MEMBER, write_shard

PER_SHARD = 5000
PER_FOLDER = 5000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=1_803_460)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--batches", type=int, default=20)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--files", type=int, default=0, help="empty files to list; takes an inode each")
    parser.add_argument("--scratch", type=Path, default=Path(tempfile.gettempdir()))
    arguments = parser.parse_args()
    scratch = Path(tempfile.mkdtemp(prefix="temperfill-scale-", dir=arguments.scratch))
    print(f"{arguments.pictures:,} pictures, {platform.machine()}, {os.cpu_count()} cores; before: {memory():.0f} MB")
    try:
        if arguments.files:
            time_listing(scratch / "files", arguments.files)
        make_shards(scratch / "shards", arguments.pictures)
        measure(scratch / "shards", arguments)
    finally:
        shutil.rmtree(scratch)


def make_shards(folder: Path, pictures: int) -> None:
    """Shards whose every index row names their one picture of noise over a ramp, about 20 kB as JPEG."""
    rng = np.random.default_rng(0)
    pixels = np.linspace(0, 200, 256)[:, None, None] + rng.normal(0, 9, (256, 256, 3))
    encoded = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(encoded, "JPEG", quality=85)
    folder.mkdir()
    write_shard(folder / "first.tar", [("000000000.jpg", encoded.getvalue())])
    content, row = (folder / "first.tar").read_bytes(), np.load(folder / "first.npy")
    for name in ("first.tar", "first.npy"):
        (folder / name).unlink()
    for number, start in enumerate(range(0, pictures, PER_SHARD)):
        (folder / f"{number:06d}.tar").write_bytes(content)
        rows: np.ndarray = np.repeat(row.astype(MEMBER), min(PER_SHARD, pictures - start))
        np.save(folder / f"{number:06d}.npy", rows)


def time_listing(folder: Path, files: int) -> None:
    for start in range(0, files, PER_FOLDER):
        part = folder / "train" / f"scene_{start // PER_FOLDER:03d}"
        part.mkdir(parents=True)
        for i in range(min(PER_FOLDER, files - start)):
            (part / f"{i:08d}.jpg").touch()
    before = memory()
    with timed(f"listing of a folder of {files:,} files"):
        source = open_source(folder)
    assert isinstance(source, Loose)
    size = source.names._bytes.nbytes + source.names._ends.nbytes
    print(f"  its names take {size / 1e6:.0f} MB ({size / files:.0f} bytes a picture); {memory() - before:.0f} MB more")


def measure(folder: Path, arguments: argparse.Namespace) -> None:
    config = DataConfig(train=(folder,))
    with timed("start from shards"):
        dataset = PictureFolders(config, 0)
    print(f"  index {dataset.pictures.sources[0].members.nbytes / 1e6:.0f} MB")  # type: ignore[attr-defined]
    for epoch in (0, 1):
        with timed(f"order of epoch {epoch}"):
            dataset.index(epoch * len(dataset))
    # From the last batches of an epoch into the next, so that both orders are drawn while the workers run.
    size = arguments.batch_size
    first = len(dataset) // size - arguments.batches // 2
    start = time.perf_counter()
    with closing(batches(dataset, size, first, arguments.workers)) as source:
        numbers = [batch.number for batch in islice(source, 1)]
        print(f"first batch after {time.perf_counter() - start:.2f} s with {arguments.workers} workers")
        start = time.perf_counter()
        numbers += [batch.number for batch in islice(source, arguments.batches)]
        rate = arguments.batches * size / (time.perf_counter() - start)
        workers = [process.pid for process in multiprocessing.active_children() if process.pid]
        parts = [memory(pid) for pid in workers]
        total = memory() + sum(parts)
        print(f"{rate:.0f} samples/s of 256x256 pixels from {len(workers)} workers")
        each = ", ".join(f"{part:.0f}" for part in parts)
        print(f"memory of all processes {total:.0f} MB, of which the workers {sum(parts):.0f} MB ({each})")
    assert len(np.unique(np.concatenate(numbers))) == size * len(numbers)


@contextmanager
def timed(what: str) -> Iterator[None]:
    start, cpu = time.perf_counter(), time.process_time()
    yield
    print(f"{what}: {time.perf_counter() - start:.2f} s ({time.process_time() - cpu:.2f} s of CPU)")


def memory(pid: int | None = None) -> float:
    """Proportional set size of a process, MB; of this one without an argument."""
    text = Path(f"/proc/{pid or 'self'}/smaps_rollup").read_text()
    return next(int(line.split()[1]) / 1e3 for line in text.splitlines() if line.startswith("Pss:"))


if __name__ == "__main__":
    main()
