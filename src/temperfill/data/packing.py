"""Writing shards: plain tar files of pictures, each with an index, from any pictures that training can read.

A shard is a function of the pictures and the settings, and is written whole or not at all; the manifest names those
that are finished. So the same call goes on after a kill, and gives the same bytes as one that nobody stopped.
"""

import io
import json
import multiprocessing
import os
import re
import signal
import threading
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from temperfill import images
from temperfill.data.indexed import FORMAT, MANIFEST, Joined, open_indexed, read_manifest
from temperfill.data.tars import index_name, write_shard
from temperfill.files import atomic_write, exclusive, remove_partial
from temperfill.places import LocalFolder, local_path

Left = list[tuple[str, str]]
"""Pictures that were left out, and why."""


@dataclass(frozen=True)
class PackSettings:
    """How pictures are packed; another value gives other shards.

    Attributes:
        short_side: pixels to which the short side of larger pictures is reduced.
        quality: of the JPEG files in which reduced pictures are stored, with colours at full resolution.
        keep: store every picture's bytes as they are.
        per_shard: pictures in a shard.
    """

    short_side: int = 256
    quality: int = 95
    keep: bool = False
    per_shard: int = 5000

    def __post_init__(self) -> None:
        for name, lowest in (("short_side", 8), ("quality", 1), ("per_shard", 1)):
            if getattr(self, name) < lowest:
                raise ValueError(f"{name} must be at least {lowest}, got {getattr(self, name)}")
        if self.quality > 100:
            raise ValueError(f"quality must lie in 1 to 100, got {self.quality}")


@dataclass(frozen=True)
class Packed:
    """What is in the shards.

    Attributes:
        pictures: how many.
        shards: how many.
        size: bytes of all tar files.
        left: pictures that could not be read.
    """

    pictures: int
    shards: int
    size: int
    left: Left


def pack(
    entries: tuple[str | Path, ...],
    output: Path,
    settings: PackSettings,
    *,
    processes: int = 1,
    max_corrupt_share: float = 0.01,
    note: Callable[[str], None] = lambda text: None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Packed:
    """Writes shards, or goes on with those of a call that was stopped.

    Args:
        entries: folders of pictures or of shards, or URLs of either.
        output: folder to write to; created.
        settings: how.
        processes: that pack, a shard each at a time; 1 packs in this one.
        max_corrupt_share: unreadable pictures are left out; above this share of all packing stops.
        note: is given what should be said, such as the name of an unreadable picture.
        on_progress: is given how many pictures are done, and of how many.

    Raises:
        OSError: cannot be read or written, or another process packs into the folder.
        ValueError: no pictures, too many unreadable ones, or a folder that holds shards of other pictures or settings.
        KeyboardInterrupt: after an interruption; finished shards stay.
    """
    for entry in entries:
        folder = local_path(entry)
        if folder is not None and output.resolve().is_relative_to(folder.resolve()):
            raise ValueError(f"the output {output} lies inside {entry}, which is packed; choose another place")
    if not entries:
        raise ValueError("no pictures to pack: name at least one folder")
    pictures = Joined([open_indexed(entry) for entry in entries])
    output.mkdir(parents=True, exist_ok=True)
    with exclusive(output):
        remove_partial(output)
        state = _State(output, pictures, settings)
        state.check_share(max_corrupt_share)
        if state.done:
            note(f"going on: {len(state.done)} of {state.num_shards} shards are finished")
        on_progress(state.pictures_done(), len(pictures))
        # Closed at once after an error, so that no worker writes when the folder is left.
        with closing(_packed_shards(pictures, output, settings, state.missing(), processes)) as packed:
            for shard, result in packed:
                state.finish(shard, result)
                for name, reason in result["left_out"]:
                    note(f"unreadable picture, left out: {name} ({reason})")
                state.check_share(max_corrupt_share)
                on_progress(state.pictures_done(), len(pictures))
        return state.result()


class _State:
    """Which shards of a folder are finished, as its manifest says.

    Raises:
        ValueError: the folder holds something else.
    """

    def __init__(self, output: Path, pictures: Joined, settings: PackSettings) -> None:
        self.output, self.settings, self.total = output, settings, len(pictures)
        self.num_shards = -(-self.total // settings.per_shard)
        self.head = {
            "format": FORMAT,
            "pictures": self.total,
            "listing": pictures.digest(),
            **asdict(settings),
            "num_shards": self.num_shards,
        }
        self.done: dict[str, dict[str, Any]] = {}
        if (output / MANIFEST).exists():
            self._take_over(read_manifest(LocalFolder(output)))
        else:
            others = sorted(path.name for path in output.iterdir() if not path.name.startswith("."))
            if others:
                raise ValueError(f"{output} is not empty ({others[0]}); name a new folder for the shards")
            self._write()

    def _take_over(self, manifest: dict[str, Any]) -> None:
        changed = [key for key, value in self.head.items() if manifest.get(key) != value]
        if changed:
            texts = [f"{k} {manifest.get(k)} -> {self.head[k]}" for k in changed if k not in ("listing", "num_shards")]
            what = ", ".join(texts) or "files were added, removed or renamed"
            raise ValueError(f"{self.output} holds shards of other pictures or settings ({what}); use another folder")
        for shard, result in manifest["shards"].items():
            path = self.output / shard
            whole = path.is_file() and path.stat().st_size == result["bytes"]
            if whole and (self.output / index_name(shard)).is_file():
                self.done[shard] = result

    def missing(self) -> list[int]:
        return [i for i in range(self.num_shards) if shard_name(i) not in self.done]

    def finish(self, shard: int, result: dict[str, Any]) -> None:
        self.done[shard_name(shard)] = result
        self._write()

    def _write(self) -> None:
        content = json.dumps(self.head | {"shards": dict(sorted(self.done.items()))}, indent=1).encode()
        atomic_write(self.output / MANIFEST, lambda file: file.write(content))

    def pictures_done(self) -> int:
        return sum(result["pictures"] + len(result["left_out"]) for result in self.done.values())

    def _left(self) -> Left:
        return [(name, reason) for _, result in sorted(self.done.items()) for name, reason in result["left_out"]]

    def check_share(self, highest: float) -> None:
        """Raises ValueError if more pictures were left out than are allowed."""
        left = self._left()
        if len(left) > highest * self.total:
            raise ValueError(
                f"{len(left)} of {self.total} pictures are unreadable, such as {left[0][0]}: more than the share of "
                f"{highest:g} that --max-corrupt-share allows"
            )

    def result(self) -> Packed:
        sizes = [(result["pictures"], result["bytes"]) for result in self.done.values()]
        return Packed(sum(n for n, _ in sizes), len(sizes), sum(size for _, size in sizes), self._left())


def shard_name(number: int) -> str:
    """The file name of a shard; sorted by name, shards are in order."""
    return f"{number:06d}.tar"


def _packed_shards(
    pictures: Joined, output: Path, settings: PackSettings, shards: list[int], processes: int
) -> Generator[tuple[int, dict[str, Any]], None, None]:
    """Packs shards and gives each with its part of the manifest, in any order."""

    def task(shard: int) -> _Task:
        first = shard * settings.per_shard
        part = pictures.part(first, min(first + settings.per_shard, len(pictures)))
        return _Task(part, first, output / shard_name(shard), settings)

    if processes == 1 or len(shards) < 2:
        for shard in shards:
            yield shard, _pack_shard(task(shard), lambda: False)
        return
    # Not by fork: this process may have threads, which a fork would leave out with what they hold.
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    with ProcessPoolExecutor(min(processes, len(shards)), context, _start_worker, (stop,)) as pool:
        left = iter(shards)
        running: dict[Future[dict[str, Any]], int] = {}
        try:
            while True:
                # A few at a time, so that little is under way when packing is stopped.
                for shard in islice(left, processes + 1 - len(running)):
                    running[pool.submit(_pack_in_worker, task(shard))] = shard
                if not running:
                    return
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    yield running.pop(future), _result(future)
        finally:
            stop.set()


def _result(future: "Future[dict[str, Any]]") -> dict[str, Any]:
    try:
        return future.result()
    except BrokenProcessPool:
        raise ChildProcessError(
            "a packing process was killed, perhaps for lack of memory: the same command goes on; take fewer --processes"
        ) from None


_stop: list[Any] = []
"""In a worker, the event by which packing is stopped."""


def _start_worker(stop: Any) -> None:
    _stop.append(stop)
    # Ctrl-C reaches every process of a terminal; the main one decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A killed parent cannot tell its workers to end, and they would wait for it for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _pack_in_worker(task: "_Task") -> dict[str, Any]:
    return _pack_shard(task, _stop[0].is_set)


class _Task(NamedTuple):
    """A shard to pack: its pictures, the number of the first one, and where to write it."""

    pictures: Joined
    first: int
    path: Path
    settings: PackSettings


def _pack_shard(task: _Task, stopped: Callable[[], bool]) -> dict[str, Any]:
    """Writes a shard and its index; gives its part of the manifest.

    Raises:
        InterruptedError: packing was stopped.
    """
    left: Left = []

    def stored() -> Iterator[tuple[str, bytes]]:
        for i in range(len(task.pictures)):
            if stopped():
                raise InterruptedError("packing was stopped")
            label = task.pictures.label(i)
            try:
                content, suffix = _stored(task.pictures.read(i), label, task.settings)
            except ConnectionError:
                raise
            except (ValueError, OSError) as error:
                left.append((label, " ".join(str(error).split())))
            else:
                yield member_name(task.first + i, label, suffix), content

    num_pictures = write_shard(task.path, stored())
    return {"pictures": num_pictures, "bytes": task.path.stat().st_size, "left_out": left}


def member_name(number: int, name: str, suffix: str) -> str:
    """A name in a shard: the picture's number, which keeps the order, and what its file was called.

    It has one dot, as readers of such shards take what follows the first one for the kind of the file, and fits into
    the header of a tar file.
    """
    called = re.sub(r"[^A-Za-z0-9_-]+", "-", name.rpartition(".")[0])[-60:].strip("-")
    return f"{number:09d}-{called}{suffix}" if called else f"{number:09d}{suffix}"


def _stored(content: bytes, name: str, settings: PackSettings) -> tuple[bytes, str]:
    """The bytes of a picture in a shard and their suffix; those that are small enough stay as they are.

    Raises:
        ValueError: the picture cannot be read.
    """
    pixels = images.read_rgb(io.BytesIO(content), name=name)
    if settings.keep or min(pixels.shape[:2]) <= settings.short_side:
        return content, _suffix(content, name)
    picture = images.open_picture(images.resize_short_side(pixels, settings.short_side))
    picture.info["jpeg"] = images.JpegForm()
    return images.encode_picture(picture, Path("picture.jpg"), settings.quality), ".jpg"


def _suffix(content: bytes, name: str) -> str:
    """The suffix that says a picture's real format."""
    kind = images.read_header(io.BytesIO(content), name).kind
    return next(suffix for suffix, known in images.FORMATS.items() if known == kind)
