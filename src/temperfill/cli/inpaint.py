"""``temperfill inpaint``: fill the hole of a picture, or of all pictures of a folder."""

import shlex
import time
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from temperfill.cli.parsing import parse, require, say
from temperfill.options import DEFAULT_MODEL, FillOptions, MaskOptions, Precision

_FAILED = 1
_FOLDERS_ONLY = ("resize_mask", "format", "unmasked", "shard", "engine", "workers", "preserve_times")


@dataclass(frozen=True)
class InpaintOptions:
    """Fills the hole of a picture, or of all pictures of a folder.

    Known pixels, transparency, orientation and colour profile are kept. In a folder, pictures that have a result
    already are skipped; report.json in the output folder lists failures.
    """

    image: Annotated[Positional[str], arg(metavar="IMAGE")]
    """Picture to fill, or folder, or URL of a folder (s3://..., file://...), of pictures."""
    mask: str
    """Picture of the same size; white (brighter than half) marks what to fill. For a folder: one for all pictures, or a
    folder or URL with masks of the same subfolders and names, whatever their suffixes, or called NAME_mask001.png."""
    output: str
    """File to write; its suffix says the format. Several seeds write several, for --seed 0 1 and out.png out-0.png and
    out-1.png. For a folder: folder or URL; names and formats are kept."""
    sketch: str | None = None
    """One picture: picture of the same size with white lines, of any width, that the fill is to follow in the hole; for
    models that take sketches."""
    avoid: str | None = None
    """Picture of the same size; white marks what is not to be copied from. For a folder: one for all pictures, or a
    folder or URL with files of the same subfolders and names as the pictures, or as their masks."""
    mask_reading: MaskOptions = field(default_factory=MaskOptions)
    filling: FillOptions = field(default_factory=FillOptions)
    model: str = DEFAULT_MODEL
    """Name of a model or method (see temperfill models), a weights file, or the folder of a run."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:N or mps; auto takes a GPU where there is one."""
    precision: Precision = "auto"
    """Arithmetic of the network; auto takes bf16 where the hardware computes in it. fp16 is for CUDA."""
    quality: int | None = None
    """Quality of JPEG, WebP and AVIF, 1 to 100; WebP at 100 is lossless. By default a JPEG is compressed like the JPEG
    that it came from, and anything else with 95."""
    max_pixels: int = 256_000_000
    """Largest width times height that is opened."""
    resize_mask: bool = False
    """Folders: bring masks of another size to that of their picture, by nearest neighbour, instead of an error."""
    format: str | None = None
    """Folders: suffix of all results, such as png."""
    unmasked: Literal["fail", "skip"] = "fail"
    """Folders: whether a picture without a mask is a failure."""
    shard: str = "1/1"
    """Folders: part of the job, such as 2/8, for one of several processes or machines; each part has its own report."""
    engine: Literal["threads", "ray"] = "threads"
    """Folders: threads of this machine, or the workers of a Ray cluster (RAY_ADDRESS, or one started here)."""
    preserve_times: bool = False
    """Folders: results have the times of access and change of their pictures."""
    workers: int = 0
    """Folders: pictures that are filled at once; 0 chooses by the number of cores."""
    debug: bool = False
    """Show the trace of an error."""


def run(words: list[str]) -> None:
    """Runs the command on the words after its name."""
    options = parse(InpaintOptions, "inpaint", words, flat=True)
    quality = options.quality
    require(quality is None or 1 <= quality <= 100, f"--quality must lie in 1 to 100, got {quality}")
    if "://" in options.image or Path(options.image).is_dir():
        require(options.sketch is None, f"--sketch applies to one picture only, and {options.image} is a folder")
        _fill_folder(options, shlex.join(["temperfill", "inpaint", *words]))
    else:
        require(Path(options.image).exists(), f"there is no picture or folder {options.image}")
        for name in _FOLDERS_ONLY:
            given = getattr(options, name) != getattr(InpaintOptions, name)
            require(not given, f"--{name.replace('_', '-')} applies to folders only, and {options.image} is a file")
        _fill_picture(options, Path(options.image), Path(options.mask), Path(options.output))


def _fill_picture(options: InpaintOptions, image: Path, mask: Path, output: Path) -> None:
    from temperfill import images
    from temperfill.cli.tries import outputs_for, save_tries

    outputs = outputs_for(output, options.filling.seeds)
    drawings = [mask, *(Path(name) for name in (options.sketch, options.avoid) if name is not None)]
    for path in outputs:
        images.check_output(path)
        for drawn in drawings:
            lost = path.resolve() == drawn.resolve() != image.resolve()
            require(not lost, f"--output {path} would replace {drawn}, which was drawn for this; choose another name")
    picture = images.open_picture(image, options.max_pixels)
    images.check_output(outputs[0], picture, options.filling.layer)
    hole = images.to_mask(
        mask,
        picture.size,
        invert=options.mask_reading.invert_mask,
        channel=options.mask_reading.mask_channel,
        force=options.mask_reading.force,
        max_pixels=options.max_pixels,
    )
    lines, avoid = (
        None
        if name is None
        else images.to_mask(name, picture.size, max_pixels=options.max_pixels, force=True, name=what)
        for name, what in ((options.sketch, "the sketch"), (options.avoid, "what to avoid,"))
    )
    start = time.monotonic()
    from temperfill.inpainter import Inpainter, sees_all
    from temperfill.progress import reported

    inpainter = Inpainter.from_pretrained(options.model, options.device, options.precision)
    if lines is not None and hole.any() and not (lines & hole).any():
        say(f"the sketch {options.sketch} has no white line inside the hole")
    if avoid is not None and not (avoid & ~hole).any():
        say(f"{options.avoid} has nothing white outside the hole: nothing is avoided")
    say(f"filling {hole.mean():.1%} of {image} ({picture.size[1]}x{picture.size[0]}) with {options.model}")
    if hole.any() and not sees_all(picture.size, options.filling):
        say("only the surroundings of each hole are copied from; --context full copies from all of the picture")
    with reported("filling") as on_progress:
        tries = inpainter.tries(picture, hole, lines, options.filling, on_progress, avoid)
        save_tries(outputs, (result for result, _ in tries), options.quality)
    say(f"wrote {' '.join(map(str, outputs))} after {time.monotonic() - start:.1f} s")


def _fill_folder(options: InpaintOptions, command: str) -> None:
    from temperfill import bulk

    shared = {f.name: getattr(options, f.name) for f in fields(bulk.BulkOptions)}
    suffix = None if options.format is None else f".{options.format.lower().removeprefix('.')}"
    request = bulk.Request(
        pictures=options.image,
        masks=options.mask,
        output=options.output,
        settings=bulk.BulkOptions(**shared),
        avoid=options.avoid,
        suffix=suffix,
        skip_unmasked=options.unmasked == "skip",
        shard=bulk.parse_shard(options.shard),
        engine=options.engine,
        workers=options.workers,
        preserve_times=options.preserve_times,
        device=options.device,
        command=command,
    )
    summary = bulk.run(request)
    say(summary.line())
    if summary.stopped:
        say(f"stopped: {summary.stopped}")
    if summary.interrupted:
        say(f"{summary.done} done; the same command goes on with the others")
        raise KeyboardInterrupt
    say(f"the report is {request.report} in {options.output}")
    if summary.failed:
        raise SystemExit(_FAILED)
