"""``temperfill sketch``: draw the sketches of pictures."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import Positional, arg

from temperfill.cli.parsing import parse, require, say

AGREEMENT = "agreement.json"
"""File with the numbers of --compare."""


@dataclass(frozen=True)
class SketchOptions:
    """Draws sketches: white lines on black, of the size of the upright picture or of --short-side.

    Edges are found at the size of the picture, above 1024 pixels in overlapping tiles, so that lines of a large picture
    are as thin as those of a small one and show finer detail.
    """

    source: Annotated[Positional[Path], arg(metavar="IMAGE")]
    """Picture, or folder whose pictures are all drawn."""
    output: Path
    """Folder to write PNG files in; subfolders are kept."""
    edges: str = "auto"
    """auto (the bundled edge network, or canny if there is none), canny, or path of PiDiNet weights."""
    threshold: float = 0.65
    """Edge probability above which a pixel is an edge; at least 0, below 1."""
    min_component: int = 100
    """Connected parts with fewer edge pixels are left out."""
    short_side: int = 0
    """Resize pictures so that their short side has this many pixels before edges are found: for training, the value of
    --data.resize there. 0 keeps their size."""
    steps: bool = False
    """Also write edge map, thresholded edges, cleaned edges and skeleton side by side, as NAME-steps.png."""
    compare: str | None = None
    """Edges, as for --edges, to compare with: writes agreement.json and prints its means."""
    compare_threshold: float | None = None
    """Threshold for those edges; by default --threshold."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:N or mps; auto takes a GPU where there is one."""
    max_pixels: int = 256_000_000
    """Largest width times height that is opened."""
    debug: bool = False
    """Show the trace of an error."""


def run(words: list[str]) -> None:
    """Runs the command on the words after its name."""
    options = parse(SketchOptions, "sketch", words)
    for flag, value in (("--threshold", options.threshold), ("--compare-threshold", options.compare_threshold)):
        require(value is None or 0 <= value < 1, f"{flag} must be at least 0 and below 1, got {value}")
    require(options.min_component >= 0, f"--min-component must not be negative, got {options.min_component}")
    require(options.short_side >= 0, f"--short-side must not be negative, got {options.short_side}")
    require(options.compare is not None or options.compare_threshold is None, "--compare-threshold needs --compare")
    plan = _plan(options)
    from temperfill import sketch
    from temperfill.inpainter import choose_device
    from temperfill.progress import tracked

    device = choose_device(options.device)
    detector = sketch.load_detector(options.edges, device)
    reference = None if options.compare is None else sketch.load_detector(options.compare, device)
    if options.edges == "auto" and detector.name == "canny":
        say("no edge network is bundled; edges are found by Canny's method")
    other = options.threshold if options.compare_threshold is None else options.compare_threshold
    comparison = sketch.Comparison(options.threshold, other, options.min_component)
    records: list[dict[str, Any]] = []
    errors: list[Exception] = []
    for source, target in tracked(plan, "drawing"):
        try:
            rgb = _read(source, options)
        except (ValueError, OSError) as error:  # one bad file of a folder does not keep the others from being drawn
            errors.append(error)
            continue
        edges = detector(rgb)
        _write(target, sketch.sketch_steps(edges, options.threshold, options.min_component), options.steps)
        if reference is not None:
            records.append({"picture": str(source), **comparison.add(edges, reference(rgb))})
    drawn = len(plan) - len(errors)
    if drawn and (drawn > 1 or not errors):
        say(f"wrote {drawn} {'sketch' if drawn == 1 else 'sketches'} in {options.output}")
    if records:
        _report(records, comparison, options.output / AGREEMENT)
    if errors:
        raise ValueError(str(errors[0]) if len(plan) == 1 else f"{len(errors)} of {len(plan)} pictures: {errors[0]}")


def _read(source: Path, options: SketchOptions) -> Any:
    """(H, W, 3) sRGB in [0, 1]; resized as training does."""
    import numpy as np

    from temperfill import images

    if not options.short_side:
        return images.to_rgb(images.open_picture(source, options.max_pixels))
    resized = images.resize_short_side(
        images.read_rgb(source, options.max_pixels), options.short_side, name=str(source)
    )
    return resized.astype(np.float32) / 255


def _plan(options: SketchOptions) -> list[tuple[Path, Path]]:
    """Pictures and the files to write for them; makes the folders."""
    source, output = options.source, options.output
    if source.is_dir():
        from temperfill.data import list_pictures

        paths, root = list_pictures(source), source
    else:
        require(source.exists(), f"there is no picture or folder {source}")
        paths, root = [source], source.parent
    plan = [(path, output / path.relative_to(root).with_suffix(".png")) for path in paths]
    known: dict[Path, Path] = {}
    sources = {path.resolve() for path in paths}
    for path, target in plan:
        for written in (target, _steps_path(target)) if options.steps else (target,):
            before = known.setdefault(written, path)
            require(before == path, f"{before} and {path} would both be written to {written}; rename one")
            require(written.resolve() not in sources, f"{written} is one of the pictures; choose another --output")
    for folder in dict.fromkeys(target.parent for _, target in plan):
        folder.mkdir(parents=True, exist_ok=True)
    return plan


def _steps_path(target: Path) -> Path:
    return target.with_name(f"{target.stem}-steps.png")


def _write(target: Path, steps: Any, with_steps: bool) -> None:
    """Writes a sketch and, if asked for, the steps to it side by side."""
    import numpy as np

    from temperfill import images

    images.save_picture(target, images.open_picture(steps.skeleton.astype(np.uint8) * 255))
    if with_steps:
        from temperfill.report import contact_sheet

        labels = ("edge map", "thresholded", "cleaned", "skeleton")
        planes = [np.rint(step.astype(np.float32) * 255).astype(np.uint8) for step in steps]
        shown = [np.repeat(plane[..., None], 3, 2) for plane in planes]
        contact_sheet({label: [step] for label, step in zip(labels, shown, strict=True)}, _steps_path(target))


def _report(records: list[dict[str, Any]], comparison: Any, path: Path) -> None:
    """Writes the numbers of every picture, and prints their means."""
    from temperfill.report import write_json

    names = [name for name in records[0] if name != "picture"]
    means = {name: sum(record[name] for record in records) / len(records) for name in names}
    summary = {
        "pictures": len(records),
        "threshold": comparison.threshold,
        "reference_threshold": comparison.reference_threshold,
        "matching_threshold": comparison.matching_threshold(),
        **means,
    }
    write_json(path, {"summary": summary, "records": records})
    print("  ".join(f"{name} {value:.4g}" for name, value in summary.items()))
