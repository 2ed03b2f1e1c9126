"""``temperfill dust``: dust, hairs and scratches of scans found, as masks, and filled."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, arg

from temperfill.cli.parsing import parse, require, say
from temperfill.options import DustOptions, FillOptions, Precision

if TYPE_CHECKING:  # NumPy is imported while the command works
    from temperfill.dust import Dust, DustFinder
    from temperfill.images import Picture


@dataclass(frozen=True)
class DustCommand:
    """Finds dust, hairs and scratches of scans, and fills them: of a picture, or of all pictures of a folder.

    The marks can be looked at and edited first: --mask-only writes them as masks, which temperfill inpaint takes.
    """

    image: Annotated[Positional[Path], arg(metavar="IMAGE")]
    """Scan, or folder of scans."""
    output: Path
    """File to write; for a folder: folder to write in. Names are kept."""
    mask_only: bool = False
    """Write masks instead of filled pictures: white marks dust."""
    masks: Path | None = None
    """Write the masks here, too: a file, or for a folder a folder. There its default is OUTPUT-masks."""
    preview: Path | None = None
    """Write the pictures with their marks in red: a file, or for a folder a folder."""
    finding: DustOptions = field(default_factory=DustOptions)
    filling: FillOptions = field(default_factory=FillOptions)
    model: str = "base"
    """Name of a model or method (see temperfill models), a weights file, or the folder of a run."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:N or mps; auto takes a GPU where there is one."""
    precision: Precision = "auto"
    """Arithmetic of the network; auto takes bf16 where the hardware computes in it. fp16 is for CUDA."""
    max_pixels: int = 256_000_000
    """Largest width times height that is opened."""
    debug: bool = False
    """Show the trace of an error."""


@dataclass(frozen=True)
class _Files:
    """Files of one picture; None for one that is not written."""

    source: Path
    mask: Path | None
    preview: Path | None


def run(words: list[str]) -> None:
    """Runs the command on the words after its name."""
    options = parse(DustCommand, "dust", words, flat=True)
    options.filling.only_seed()
    require(options.image.exists(), f"there is no picture or folder {options.image}")
    if options.image.is_dir():
        _run_folder(options)
    else:
        _run_picture(options)


def _run_picture(options: DustCommand) -> None:
    from temperfill import images
    from temperfill.dust import DustFinder

    written = [path for path in (options.output, options.masks, options.preview) if path is not None]
    for path in written:
        images.check_output(path)
        require(options.image.resolve() != path.resolve(), f"{path} is the picture itself; choose another name")
    files = _Files(options.image, options.output if options.mask_only else options.masks, options.preview)
    picture, dust = _find(DustFinder(), files, options)
    say(f"found {_marks(dust.count)} on {options.image}, {dust.mask.mean():.2%} of it with their edges")
    if options.mask_only:
        return
    images.check_output(options.output, picture)
    from temperfill.inpainter import Inpainter
    from temperfill.progress import reported

    inpainter = Inpainter.from_pretrained(options.model, options.device, options.precision)
    with reported("filling") as on_progress:
        result = inpainter.complete(picture, dust.mask, None, options.filling, on_progress)
    images.save_picture(options.output, result)
    say(f"wrote {options.output}")


def _run_folder(options: DustCommand) -> None:
    from temperfill import bulk
    from temperfill.dust import DustFinder
    from temperfill.progress import tracked

    masks = options.output if options.mask_only else options.masks or Path(f"{options.output}-masks")
    plan = _plan(options, masks)
    finder, total = DustFinder(), 0
    errors: list[Exception] = []
    for files in tracked(plan, "finding"):
        with _noted(errors):
            dust = _find(finder, files, options)[1]
            total += dust.count
            say(f"{files.source}: {_marks(dust.count)}")
    say(f"found {_marks(total)} on {len(plan) - len(errors)} pictures; their masks are in {masks}")
    if not options.mask_only and len(errors) < len(plan):
        settings = bulk.BulkOptions(
            options.model, options.precision, filling=options.filling, max_pixels=options.max_pixels
        )
        request = bulk.Request(
            str(options.image), str(masks), str(options.output), settings, skip_unmasked=True, device=options.device
        )
        summary = bulk.run(request)
        say(summary.line())
        if summary.interrupted:
            raise KeyboardInterrupt
        require(not summary.failed, f"the report is {request.report} in {options.output}")
    if errors:
        raise ValueError(f"{len(errors)} of {len(plan)} pictures: {errors[0]}")


@contextmanager
def _noted(errors: list[Exception]) -> Iterator[None]:
    """One bad file of a folder does not keep the others from being looked at."""
    try:
        yield
    except (ValueError, OSError) as error:
        errors.append(error)


def _plan(options: DustCommand, masks: Path) -> list[_Files]:
    """What is written for each picture of a folder; makes the folders."""
    from temperfill.data import list_pictures

    root = options.image.resolve()
    folders = [folder for folder in (options.output, masks, options.preview) if folder is not None]
    for folder in folders:
        inside = folder.resolve().is_relative_to(root) or root.is_relative_to(folder.resolve())
        require(not inside, f"{folder} lies in {options.image} or holds it; choose a folder of its own")
    plan = []
    for path in list_pictures(options.image):
        name = path.relative_to(options.image).with_suffix(".png")
        plan.append(_Files(path, masks / name, None if options.preview is None else options.preview / name))
    for files in plan:
        for written in (files.mask, files.preview):
            if written is not None:
                written.parent.mkdir(parents=True, exist_ok=True)
    return plan


def _find(finder: "DustFinder", files: _Files, options: DustCommand) -> "tuple[Picture, Dust]":
    """Finds the dust of a picture, and writes what is asked for."""
    import numpy as np

    from temperfill import images

    picture = images.open_picture(files.source, options.max_pixels)
    shown = images.to_bytes(images.to_rgb(picture))
    dust = finder(shown, options.finding)
    if files.mask is not None:
        images.save_picture(files.mask, images.open_picture(dust.mask.astype(np.uint8) * 255))
    if files.preview is not None:
        shown[dust.mask] = (255, 0, 0)
        images.save_picture(files.preview, images.open_picture(shown))
    return picture, dust


def _marks(count: int) -> str:
    return "1 mark" if count == 1 else f"{count} marks"
