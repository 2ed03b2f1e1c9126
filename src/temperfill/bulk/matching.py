"""Which mask belongs to which picture, and what each result is called.

A mask belongs to the picture with its stem in the same subfolder, whatever the suffixes. ``name_mask001.png`` and the
like belong to ``name`` when no picture has that whole stem; each of them gives a result of its own. Stems are compared
in Unicode normal form C, as some systems store names decomposed.
"""

import hashlib
import re
import sys
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from temperfill.images import SUFFIXES, WRITTEN

_NUMBERED = re.compile(r"(?P<stem>.+)(?P<tail>_mask\d*)", re.DOTALL)
_WRITTEN_INSTEAD = ".jpg"  # of HEIC, which stores photographs with losses too
_SHOWN = 3  # names in an error


@dataclass(frozen=True)
class Task:
    """One picture to fill with one mask.

    Attributes:
        picture: its name in the folder of pictures.
        mask: its name in the folder of masks.
        output: name of the result in the folder of results.
        avoid: name of what is not to be copied from, in the folder of these; empty for nothing.
    """

    picture: str
    mask: str
    output: str
    avoid: str = ""


@dataclass(frozen=True)
class Plan:
    """All that a job will do.

    Attributes:
        tasks: in the order of the pictures.
        unmasked: pictures without a mask.
        unused: masks without a picture.
        ignored: number of files among the pictures whose suffix is not that of a picture.
    """

    tasks: tuple[Task, ...]
    unmasked: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    ignored: int = 0

    @property
    def pictures(self) -> int:
        """Number of pictures, those without a mask included."""
        return len({task.picture for task in self.tasks}) + len(self.unmasked)

    def share(self, index: int, number: int) -> "Plan":
        """The part ``index``, from 1 on, of ``number`` parts, by picture.

        A picture stays in its part when others come or go. The parts have about the same size.
        """
        mine = {name for name in self._names() if _hash(name) % number == index - 1}
        tasks = tuple(task for task in self.tasks if task.picture in mine)
        return Plan(tasks, tuple(n for n in self.unmasked if n in mine), self.unused, self.ignored)

    def avoiding(self, avoid: str) -> "Plan":
        """The plan with the same file of what is to be avoided for every task."""
        return replace(self, tasks=tuple(replace(task, avoid=avoid) for task in self.tasks))

    def _names(self) -> Iterable[str]:
        return {task.picture for task in self.tasks} | set(self.unmasked)


def is_picture(name: str) -> bool:
    """Whether the suffix is one of picture files."""
    return PurePosixPath(name).suffix.lower() in SUFFIXES


def match(files: Sequence[str], masks: Sequence[str], suffix: str | None = None, *, together: bool = False) -> Plan:
    """Matches pictures and masks.

    Args:
        files: names in the folder of pictures.
        masks: names in the folder of masks.
        suffix: of all results; None keeps that of the picture, or takes .jpg for HEIC, which is only read.
        together: both folders are the same one: masks are the files called ``name_mask...`` beside a ``name``.

    Raises:
        ValueError: no picture, no picture with a mask, two masks of one stem, or two results of one name.
    """
    pictures = [name for name in files if is_picture(name)]
    found = [name for name in masks if is_picture(name)]
    if together:
        stems = {_key(name) for name in pictures}
        found = [name for name in found if (parts := _numbered(name)) and parts[0] in stems]
        beside = set(found)
        pictures = [name for name in pictures if name not in beside]
    if not pictures:
        raise ValueError(f"no pictures among {len(files)} files; known are {', '.join(sorted(SUFFIXES))}")
    exact, numbered = _index(found, {_key(name) for name in pictures})
    tasks, unmasked = [], []
    for picture in pictures:
        own = [(mask, "") for mask in exact.get(_key(picture), [])]
        if len(own) > 1:
            raise ValueError(f"the masks {own[0][0]} and {own[1][0]} are both for {picture}; remove or rename one")
        own += numbered.get(_key(picture), [])
        tasks += [Task(picture, mask, output_name(picture, suffix, tail)) for mask, tail in own]
        if not own:
            unmasked.append(picture)
    if not tasks:
        raise ValueError(
            f"none of the {len(pictures)} pictures ({_some(pictures)}) has a mask among the {len(found)} masks "
            f"({_some(found)}); a mask has the stem and subfolder of its picture, or is called STEM_mask001.png"
        )
    used = {task.mask for task in tasks}
    _refuse_collisions(tasks)
    unused = tuple(name for name in found if name not in used)
    return Plan(tuple(tasks), tuple(unmasked), unused, _ignored(files))


def one_mask(files: Sequence[str], mask: str, suffix: str | None = None) -> Plan:
    """The same mask for every picture.

    Raises:
        ValueError: no picture, or two results of one name.
    """
    pictures = [name for name in files if is_picture(name)]
    if not pictures:
        raise ValueError(f"no pictures among {len(files)} files; known are {', '.join(sorted(SUFFIXES))}")
    tasks = tuple(Task(name, mask, output_name(name, suffix)) for name in pictures)
    _refuse_collisions(tasks)
    return Plan(tasks, ignored=_ignored(files))


def with_avoid(plan: Plan, files: Sequence[str]) -> Plan:
    """The plan with what each task is to avoid: the file with the stem of its mask, else of its picture.

    Raises:
        ValueError: none of the files belongs to a task, or two of one stem.
    """
    by_stem: dict[tuple[str, str], str] = {}
    for name in files:
        if is_picture(name) and (other := by_stem.setdefault(_key(name), name)) != name:
            raise ValueError(f"{other} and {name} both say what one picture is to avoid; remove or rename one")
    tasks = tuple(
        replace(task, avoid=by_stem.get(_key(task.mask)) or by_stem.get(_key(task.picture), "")) for task in plan.tasks
    )
    if not any(task.avoid for task in tasks):
        raise ValueError(
            f"none of the {len(files)} files of what is to be avoided ({_some(files)}) has the stem and subfolder of a "
            "picture or of its mask"
        )
    return replace(plan, tasks=tasks)


def output_name(picture: str, suffix: str | None = None, tail: str = "") -> str:
    """Name of a result: subfolder, stem and suffix of the picture, and the tail of a numbered mask."""
    path = PurePosixPath(picture)
    own = path.suffix if path.suffix.lower() in WRITTEN else _WRITTEN_INSTEAD
    return str(path.with_name(path.stem + tail + (suffix or own)))


def _index(
    masks: Iterable[str], stems: Collection[tuple[str, str]]
) -> tuple[dict[tuple[str, str], list[str]], dict[tuple[str, str], list[tuple[str, str]]]]:
    """Masks by the picture whose stem they have, and numbered ones with their tail by the picture they belong to."""
    exact: dict[tuple[str, str], list[str]] = {}
    numbered: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for name in masks:
        if _key(name) in stems:
            exact.setdefault(_key(name), []).append(name)
        elif parts := _numbered(name):
            numbered.setdefault(parts[0], []).append((name, parts[1]))
    return exact, numbered


def _key(name: str) -> tuple[str, str]:
    """Subfolder and stem."""
    path = PurePosixPath(unicodedata.normalize("NFC", name))
    return str(path.parent), path.stem


def _numbered(name: str) -> tuple[tuple[str, str], str] | None:
    """Key of the picture of a numbered mask, and the tail of its name; None for other masks."""
    folder, stem = _key(name)
    found = _NUMBERED.fullmatch(stem)
    return ((folder, found["stem"]), found["tail"]) if found else None


def _refuse_collisions(tasks: Iterable[Task]) -> None:
    known: dict[str, Task] = {}
    for task in tasks:
        # These systems take names for the same that differ in case or composition alone.
        folded = sys.platform in ("win32", "darwin")
        name = unicodedata.normalize("NFC", task.output).casefold() if folded else task.output
        other = known.setdefault(name, task)
        if other is not task:
            sources = " and ".join(_source(t, other.picture == task.picture) for t in (other, task))
            remedy = "rename one, or leave --format out if it was given"
            raise ValueError(f"{sources} would both be written to {task.output}; {remedy}")


def _source(task: Task, same_picture: bool) -> str:
    return f"{task.picture} with {task.mask}" if same_picture else task.picture


def _ignored(files: Iterable[str]) -> int:
    return sum(not is_picture(name) for name in files)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "") if names else "none"


def _hash(name: str) -> int:
    # Names that are no Unicode are kept as they are by the system, as surrogates.
    digest = hashlib.sha256(unicodedata.normalize("NFC", name).encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big")
