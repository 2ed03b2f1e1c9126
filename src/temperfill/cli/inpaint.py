"""``temperfill inpaint``: fill the hole of a picture."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tyro.conf import Positional

from temperfill.cli.parsing import parse, progress, require, say


@dataclass(frozen=True)
class InpaintOptions:
    """Fills the hole of a picture. Known pixels, transparency, orientation and colour profile are kept."""

    image: Positional[Path]
    """Picture to fill."""
    mask: Path
    """Picture of the same size; white (brighter than half) marks what to fill."""
    output: Path
    """File to write; its suffix says the format."""
    invert_mask: bool = False
    """Black marks what to fill."""
    mask_channel: Literal["luminance", "alpha"] = "luminance"
    """Part of the mask to look at; alpha: opaque marks what to fill."""
    mask_dilate: int = 0
    """Pixels by which the hole grows on all sides."""
    feather: int = 0
    """Pixels inside the rim of the hole over which the nearest known pixel fades into the result."""
    temperature: float = 1.0
    """Factor on the learned temperatures, 0.1 to 10: above 1 blends more, below 1 copies more."""
    strategy: Literal["auto", "full", "crop", "multiscale"] = "auto"
    """auto chooses by the size of picture and hole; full: the whole picture at its own size; crop: windows around the
    holes at theirs; multiscale: structure from a smaller picture, detail copied at full size."""
    context: Literal["auto", "full"] = "auto"
    """auto lets large pictures be seen in windows around their holes, full lets all of them be seen."""
    model: str = "base"
    """Name of a model or method (see temperfill models), or path of a .safetensors file."""
    device: str = "auto"
    """auto, cpu, cuda or cuda:N."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Arithmetic of the network; auto takes bf16 where the hardware computes in it."""
    quality: int = 95
    """Quality of JPEG, WebP and AVIF, 1 to 100; WebP at 100 is lossless."""
    max_pixels: int = 256_000_000
    """Largest width times height that is opened."""
    debug: bool = False
    """Show the trace of an error."""


def run(words: list[str]) -> None:
    """Runs the command on the words after its name."""
    options = parse(InpaintOptions, "inpaint", words)
    require(1 <= options.quality <= 100, f"--quality must lie in 1 to 100, got {options.quality}")
    for flag, value in (("--mask-dilate", options.mask_dilate), ("--feather", options.feather)):
        require(value >= 0, f"{flag} must not be negative, got {value}")
    require(0.1 <= options.temperature <= 10, f"--temperature must lie in 0.1 to 10, got {options.temperature}")
    from temperfill import images

    images.check_output(options.output)
    picture = images.open_picture(options.image, options.max_pixels)
    images.check_output(options.output, picture)
    hole = images.to_mask(
        options.mask,
        picture.size,
        invert=options.invert_mask,
        channel=options.mask_channel,
        max_pixels=options.max_pixels,
    )
    start = time.monotonic()
    from temperfill.inpainter import Inpainter, Wishes, sees_all

    inpainter = Inpainter.from_pretrained(options.model, options.device, options.precision)
    say(f"filling {hole.mean():.1%} of {options.image} ({picture.size[1]}x{picture.size[0]}) with {options.model}")
    if hole.any() and not sees_all(picture.size, Wishes(strategy=options.strategy, context=options.context)):
        say("only the surroundings of each hole are copied from; --context full copies from all of the picture")
    with progress() as on_progress:
        result = inpainter.complete(
            picture,
            hole,
            mask_dilate=options.mask_dilate,
            feather=options.feather,
            temperature=options.temperature,
            strategy=options.strategy,
            context=options.context,
            on_progress=on_progress,
        )
    images.save_picture(options.output, result, options.quality)
    say(f"wrote {options.output} after {time.monotonic() - start:.1f} s")
