"""A whole job: what is asked for, found out before the work starts, and done to the report."""

import contextlib
import json
import threading
from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any, Literal

from temperfill.bulk import cluster, threads
from temperfill.bulk.manifest import Done, Manifest, open_manifest, read_done
from temperfill.bulk.matching import Plan, is_picture, match, one_mask, with_avoid
from temperfill.bulk.summary import Summary
from temperfill.bulk.work import BulkJob, BulkOptions, Outcome, one_line
from temperfill.files import remove_partial
from temperfill.images import check_suffix
from temperfill.inpainter import choose_device
from temperfill.places import Folder, LocalFolder, inside, open_folder
from temperfill.progress import Display
from temperfill.stopping import stop_on_signal

Engine = Literal["threads", "ray"]
_STALE = 3600.0  # seconds after which a temporary file has no writer any more


@dataclass(frozen=True)
class Request:
    """What is asked for.

    Attributes:
        pictures: folder or URL.
        masks: folder, file, or URL of one of these.
        output: folder or URL.
        settings: of the filling.
        avoid: what is not to be copied from: folder, file, or URL of one of these; None for nothing.
        suffix: format of all results, such as .png; None keeps that of each picture.
        skip_unmasked: a picture without a mask is no failure.
        shard: part of the job, from 1 on, and number of parts.
        engine: threads of this machine, or Ray.
        workers: pictures at once; 0 chooses by the number of cores.
        device: of the network.
        command: that was given, for the report.
        preserve_times: results have the times of their pictures; for folders of this machine.
    """

    pictures: str
    masks: str
    output: str
    settings: BulkOptions
    avoid: str | None = None
    suffix: str | None = None
    skip_unmasked: bool = False
    shard: tuple[int, int] = (1, 1)
    engine: Engine = "threads"
    workers: int = 0
    device: str = "auto"
    command: str = ""
    preserve_times: bool = False

    def __post_init__(self) -> None:
        """Raises ValueError for a value out of range."""
        if self.suffix is not None:
            check_suffix(self.suffix, "the results' format")
        self.settings.filling.only_seed()  # skipping, reports and keys are by picture
        if self.workers < 0:
            raise ValueError(f"workers must be 0 or more, got {self.workers}")

    @property
    def writer(self) -> str:
        """Name of this part of the job, which its files carry."""
        return "all" if self.shard[1] == 1 else f"{self.shard[0]}-of-{self.shard[1]}"

    @property
    def report(self) -> str:
        """Name of the report."""
        return "report.json" if self.shard[1] == 1 else f"report-{self.writer}.json"


def parse_shard(text: str) -> tuple[int, int]:
    """``2/8`` as (2, 8).

    Raises:
        ValueError: not a part of a job.
    """
    index, _, number = text.partition("/")
    if not (index.isdecimal() and number.isdecimal() and 1 <= int(index) <= int(number)):
        raise ValueError(f"a shard is I/N, from 1/N to N/N, got {text!r}")
    return int(index), int(number)


def run(request: Request) -> Summary:
    """Fills all pictures of a folder that have no result yet, and writes the report.

    A signal (SIGINT, SIGTERM) ends the job: pictures at hand are finished or dropped, and the same request goes on.

    Raises:
        OSError: a folder is missing or not writable, or another process works on the same part.
        ValueError: nothing to do, masks or results that are not clear, or a model that cannot be loaded.
        ModuleNotFoundError: Ray is asked for and not installed.
    """
    plan, job = _prepare(request)
    done = read_done(job.output, {task.output for task in plan.tasks})
    summary = Summary(plan, request.skip_unmasked)
    with stop_on_signal() as stop, open_manifest(job.output, request.writer) as manifest:
        job.output.write(request.report, _report(request, job, summary))  # a report of an earlier run is out of date
        _remove_stale(plan, job.output)
        found = _outcomes(request, job, plan, done, stop)
        with contextlib.closing(found), Display("filling", len(plan.tasks)) as display:
            _announce(plan, display)
            for outcome in found:
                summary.add(outcome)
                if outcome.status == "filled":
                    _note_done(manifest, outcome, summary)
                if complaint := summary.complaint(outcome):
                    display.note(f"temperfill: {complaint}")
                display.show(summary.seen, summary.pace())
                if summary.stopped:
                    stop.set()  # nothing else is begun, and what was written meanwhile is still noted
    summary.end(interrupted=stop.is_set() and not summary.stopped)
    try:
        job.output.write(request.report, _report(request, job, summary))
    except OSError as error:
        summary.stop(f"the report cannot be written: {one_line(error)}")
    return summary


def _note_done(manifest: Manifest, outcome: Outcome, summary: Summary) -> None:
    try:
        manifest.add(outcome.record())
    except OSError as error:  # without it each start would do all again
        summary.stop(f"the manifest cannot be written: {one_line(error)}")


def _prepare(request: Request) -> tuple[Plan, BulkJob]:
    """Everything that can be refused before the work starts, in the order of its cost."""
    pictures, output = open_folder(request.pictures), open_folder(request.output)
    masks, mask = _open_masks(request.masks, "mask")
    shunned, shun = (None, None) if request.avoid is None else _open_masks(request.avoid, "picture of what to avoid")
    if inside(output, pictures) == "":
        raise ValueError(f"{request.output} is the folder of the pictures; choose another --output")
    for place, one, what in ((masks, mask, "the masks"), (shunned, shun, "what to avoid")):
        if place is not None and one is None and inside(output, place) == "":
            raise ValueError(f"{request.output} is the folder of {what}; choose another --output")
    names = _without(_without(pictures.names(), inside(pictures, output)), None if mask else inside(pictures, masks))
    if shunned is not None:
        names = _without(names, None if shun else inside(pictures, shunned))
        names = [name for name in names if name != _own_name(pictures, shunned, shun)]
    if mask is not None:
        own = _own_name(pictures, masks, mask)
        plan = one_mask([name for name in names if name != own], mask, request.suffix)
    else:
        together = inside(pictures, masks) == ""
        mask_names = names if together else _without(masks.names(), inside(masks, output))
        plan = match(names, mask_names, request.suffix, together=together)
    if shunned is not None:
        plan = with_avoid(plan, shunned.names()) if shun is None else plan.avoiding(shun)
    _refuse_overwriting(plan, pictures, masks, shunned, output)
    if request.preserve_times and not (isinstance(pictures, LocalFolder) and isinstance(output, LocalFolder)):
        raise ValueError("times are kept in folders of this machine only; leave --preserve-times out for URLs")
    choose_device(request.device)
    fingerprint = request.settings.fingerprint()
    output.check_writable()
    _refuse_foreign_report(output, request.report)
    job = BulkJob(
        pictures, masks, output, request.settings, fingerprint, request.device, shunned, request.preserve_times
    )
    return plan.share(*request.shard) if request.shard[1] > 1 else plan, job


def _open_masks(where: str, what: str) -> tuple[Folder, str | None]:
    """The folder of masks and None, or the folder and name of the one mask, which must be there."""
    place, name = open_folder(where), None
    if isinstance(place, LocalFolder):
        path = place.root
        if path.is_file() or (is_picture(path.name) and not path.is_dir()):
            place, name = LocalFolder(path.parent), path.name
    elif is_picture(where):
        folder, _, name = where.rpartition("/")
        place = open_folder(folder)
    if name is not None and place.size(name) is None:
        raise FileNotFoundError(f"there is no {what} {where}")
    return place, name


def _own_name(pictures: Folder, masks: Folder, mask: str | None) -> str | None:
    """The name of the one mask among the pictures; None where it is not below their folder."""
    within = inside(pictures, masks)
    return None if within is None or mask is None else str(PurePosixPath(within) / mask)


def _without(names: list[str], folder: str | None) -> list[str]:
    """Names that are not in a subfolder."""
    return [name for name in names if not name.startswith(folder + "/")] if folder else names


def _refuse_overwriting(plan: Plan, pictures: Folder, masks: Folder, shunned: Folder | None, output: Folder) -> None:
    """Refuses results that would take the place of a picture or mask, which the folders may have in common."""
    sources = {f"{pictures.base}/{task.picture}" for task in plan.tasks}
    sources |= {f"{masks.base}/{task.mask}" for task in plan.tasks}
    if shunned is not None:
        sources |= {f"{shunned.base}/{task.avoid}" for task in plan.tasks}
    for task in plan.tasks:
        if f"{output.base}/{task.output}" in sources:
            raise ValueError(f"the result {task.output} would overwrite a picture or mask; choose another --output")


def _refuse_foreign_report(output: Folder, name: str) -> None:
    """Refuses to write the report over a file of another program."""
    if output.size(name) is None:
        return
    try:
        report = json.loads(output.read(name))
        is_ours = isinstance(report, dict) and {"pictures", "output", "parameters"} <= report.keys()
    except (ValueError, RecursionError):
        is_ours = False
    if not is_ours:
        where = output.path(name)
        remedy = "move it, or choose another --output"
        raise ValueError(f"{where} would be replaced by the report, and is none of temperfill; {remedy}")


def _outcomes(
    request: Request, job: BulkJob, plan: Plan, done: Done, stop: threading.Event
) -> Generator[Outcome, None, None]:
    if not plan.tasks:
        return
    if request.engine == "ray":
        found = cluster.outcomes(job, plan.tasks, done, request.workers, stop)
        # Reports of workers are verified: they may have died, or written elsewhere.
        yield from (_confirmed(outcome, job.output) for outcome in found)
        return
    inpainter = job.load()
    fillers = threads.at_once(inpainter, job, request.workers)
    yield from threads.outcomes(job, inpainter, plan.tasks, done, fillers, stop)


def _confirmed(outcome: Outcome, output: Folder) -> Outcome:
    if outcome.status != "filled" or output.size(outcome.task.output) == outcome.size:
        return outcome
    reason = "a worker wrote it, but it is not in the folder of results; do all workers see the same folder?"
    return replace(outcome, status="failed", reason=reason)


def _announce(plan: Plan, display: Display) -> None:
    display.note(f"temperfill: {len(plan.tasks)} results of {plan.pictures} pictures")
    if plan.unmasked:
        shown = ", ".join(plan.unmasked[:3]) + (", ..." if len(plan.unmasked) > 3 else "")
        display.note(f"temperfill: {len(plan.unmasked)} pictures without a mask: {shown}")
    if plan.unused:
        display.note(f"temperfill: {len(plan.unused)} masks without a picture, such as {plan.unused[0]}")


def _remove_stale(plan: Plan, output: Folder) -> None:
    """Removes what killed writers left in the folders of results; what another part writes just now stays."""
    if isinstance(output, LocalFolder):
        for folder in {(output.root / task.output).parent for task in plan.tasks}:
            remove_partial(folder, _STALE)


def _report(request: Request, job: BulkJob, summary: Summary) -> bytes:
    head: dict[str, Any] = {
        "command": request.command,
        "pictures": job.pictures.base,
        "masks": job.masks.base,
        "avoid": None if job.shunned is None else job.shunned.base,
        "output": job.output.base,
        "shard": "/".join(map(str, request.shard)),
        "engine": request.engine,
        "workers": request.workers,
        "device": request.device,
        "parameters": request.settings.parameters() | {"suffix": request.suffix},
        "model_sha256_or_name": job.fingerprint["model"],
    }
    # ASCII, so that names that are no Unicode survive.
    return json.dumps(summary.report(**head), indent=1).encode() + b"\n"
