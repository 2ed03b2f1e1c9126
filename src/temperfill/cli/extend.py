"""``temperfill extend``: a larger canvas, filled as the picture might go on."""

import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from temperfill.cli.parsing import parse, require, say
from temperfill.options import DEFAULT_MODEL, CanvasOptions, FillOptions, Precision


@dataclass(frozen=True)
class ExtendOptions:
    """Extends the canvas of a picture and fills what is new as the picture might go on.

    All pixels of the picture keep their values. The farther from it, the less is known: a quarter of the picture's side
    goes well, more repeats what is there.
    """

    image: Annotated[Positional[Path], arg(metavar="IMAGE")]
    """Picture to extend."""
    output: Path
    """File to write; its suffix says the format. Several seeds write several, for --seed 0 1 and out.png out-0.png and
    out-1.png."""
    canvas: CanvasOptions = field(default_factory=CanvasOptions)
    filling: FillOptions = field(default_factory=FillOptions)
    model: str = DEFAULT_MODEL
    """Name of a model or method (see temperfill models), a weights file, or the folder of a run."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:N or mps; auto takes a GPU where there is one."""
    precision: Precision = "auto"
    """Arithmetic of the network; auto takes bf16 where the hardware computes in it. fp16 is for CUDA."""
    quality: int = 95
    """Quality of JPEG, WebP and AVIF, 1 to 100; WebP at 100 is lossless."""
    max_pixels: int = 256_000_000
    """Largest width times height that is opened, and of the new canvas."""
    debug: bool = False
    """Show the trace of an error."""


def run(words: list[str]) -> None:
    """Runs the command on the words after its name."""
    options = parse(ExtendOptions, "extend", words, flat=True)
    require(1 <= options.quality <= 100, f"--quality must lie in 1 to 100, got {options.quality}")
    require(options.image.is_file(), f"there is no picture {options.image}")
    from temperfill import images
    from temperfill.cli.tries import outputs_for, save_tries

    outputs = outputs_for(options.output, options.filling.seeds)
    for path in outputs:
        images.check_output(path)
    picture = images.open_picture(options.image, options.max_pixels)
    height, width = images.extended_size(picture.size, **asdict(options.canvas))
    require(height * width <= options.max_pixels, f"the new canvas, {width}x{height}, has more than --max-pixels")
    canvas = images.extend(picture, **asdict(options.canvas))
    images.check_output(outputs[0], canvas.cut(canvas.picture))
    start = time.monotonic()
    from temperfill.inpainter import Inpainter
    from temperfill.progress import reported

    inpainter = Inpainter.from_pretrained(options.model, options.device, options.precision)
    say(f"extending {options.image} to {width}x{height} with {options.model}")
    with reported("filling") as on_progress:
        tries = inpainter.canvas_tries(canvas, options.filling, on_progress)
        save_tries(outputs, tries, options.quality)
    say(f"wrote {' '.join(map(str, outputs))} after {time.monotonic() - start:.1f} s")
