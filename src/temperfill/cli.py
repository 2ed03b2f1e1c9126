"""The command line: arguments to calls, errors to one line and exit status 2; parsing imports nothing heavy."""

import contextlib
import dataclasses
import difflib
import io
import json
import re
import shlex
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from tyro.conf import Positional, arg

from temperfill.config import TrainConfig, load_json, to_json
from temperfill.presets import PRESETS

T = TypeVar("T")
USAGE_ERROR = 2
INTERRUPTED = 130
# Optional packages by the extra that brings them.
_EXTRAS = {"lightning_fabric": "train", "lightning": "train", "cv2": "baselines"}


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
    model: str = "base"
    """Name of a model or method (see temperfill models), or path of a .safetensors file."""
    device: str = "auto"
    """auto, cpu, cuda or cuda:N."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """Arithmetic of the network."""
    quality: int = 95
    """Quality of JPEG, WebP and AVIF, 1 to 100; WebP at 100 is lossless."""
    max_pixels: int = 256_000_000
    """Largest width times height that is opened."""
    debug: bool = False
    """Show the trace of an error."""


@dataclass(frozen=True)
class TrainOptions:
    """Trains a model, or goes on with the run of a folder. The first word is a preset or a config.json."""

    config: Annotated[TrainConfig, arg(name="")]
    run_dir: Path
    """Folder of the run; the same command goes on where it stopped."""
    dry_run: bool = False
    """Print the configuration and stop."""
    debug: bool = False
    """Show the trace of an error."""


@dataclass(frozen=True)
class EvaluateOptions:
    """Fills pictures with methods and writes measures, tables and sheets."""

    pictures: tuple[Path, ...]
    """Folders of pictures; each is a kind, named after itself."""
    output: Path
    """Folder of the report."""
    methods: tuple[str, ...] = ("ours",)
    """Names of models and methods (see temperfill models), or paths of .safetensors files."""
    masks: Path | None = None
    """Folder with GROUP/KIND/STEM.png, white = missing; without it masks are drawn."""
    groups: tuple[str, ...] = ()
    """Groups of that folder; none means all."""
    vgg: Path | None = None
    """VGG weights for the VGG distance; without them it is left out."""
    squeezenet: Path | None = None
    """SqueezeNet weights for the SqueezeNet distance; without them it is left out."""
    mask_kind: str = "free-form-square"
    """Kind of drawn masks: free-form-square, or ratio-LOW-HIGH such as ratio-0.1-0.2; several joined by commas."""
    seed: int = 0
    """Seed of drawn masks."""
    limit: int = 0
    """Most pictures of each folder; 0 means all."""
    size: int = 256
    """Side of the squares that pictures are cropped and resized to, pixels."""
    device: str = "auto"
    """auto, cpu, cuda or cuda:N."""
    debug: bool = False
    """Show the trace of an error."""


@dataclass(frozen=True)
class SampleOptions:
    """Copies the bundled photograph and its mask into a folder, to try things with."""

    folder: Positional[Path]
    """Created if missing; receives photo.jpg and mask.png."""
    debug: bool = False
    """Show the trace of an error."""


@dataclass(frozen=True)
class BundleOptions:
    """Writes a trained generator in half precision, half the size, to ship or to share."""

    weights: Positional[Path]
    """The generator.safetensors of a run."""
    output: Path
    """File to write, .safetensors."""
    debug: bool = False
    """Show the trace of an error."""


@dataclass(frozen=True)
class ModelsOptions:
    """Lists what --model and --methods take."""

    debug: bool = False
    """Show the trace of an error."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs a command and ends the process: status 0, 2 after an error, 130 after an interruption.

    Args:
        arguments: words after the program's name; None for those of the process.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            _run(words)
    except KeyboardInterrupt:
        _say("interrupted")
        raise SystemExit(INTERRUPTED) from None
    except (ValueError, OSError, ModuleNotFoundError) as error:
        if "--debug" in words:
            traceback.print_exc()
        _say(f"error: {_explain(error)}")
        raise SystemExit(USAGE_ERROR) from None


def _run(words: list[str]) -> None:
    name = words[0] if words else "--help"
    if name in ("-h", "--help"):
        print(_overview())
    elif name == "--version":
        import temperfill

        print(temperfill.__version__)
    elif name in COMMANDS:
        COMMANDS[name](words[1:])
    else:
        raise ValueError(f"unknown command {name!r}{_near(name, COMMANDS)}; see temperfill --help")


def _overview() -> str:
    width = max(map(len, COMMANDS))
    rows = [f"  {name:{width}}  {(command.__doc__ or '').splitlines()[0]}" for name, command in COMMANDS.items()]
    head = ["usage: temperfill [-h] [--version] COMMAND ...", "", "Fills holes in pictures.", "", "commands:"]
    return "\n".join([*head, *rows, "", "temperfill COMMAND --help shows the options of a command."])


def _parse(options: type[T], command: str, words: list[str], default: T | None = None) -> T:
    """The options of one command; only its parser is built, to start fast."""
    import tyro

    extra: Any = {} if default is None else {"default": default}
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            return tyro.cli(options, prog=f"temperfill {command}", args=words, **extra)
    except SystemExit as end:
        if not end.code:  # help
            raise
        raise ValueError(_one_line(said.getvalue()) + f"; see temperfill {command} --help") from None


def _one_line(box: str) -> str:
    """What tyro says in its box, without the frame, its title, and the help that it repeats."""
    text = " ".join(re.sub(r"[^\x00-\x7f]", " ", " ".join(box.splitlines()[1:])).split())
    return re.split(r" For full helptext| Argument helptext", text)[0].rstrip(" .")


def _inpaint(words: list[str]) -> None:
    """Fill the hole of a picture."""
    options = _parse(InpaintOptions, "inpaint", words)
    _require(1 <= options.quality <= 100, f"--quality must lie in 1 to 100, got {options.quality}")
    for flag, value in (("--mask-dilate", options.mask_dilate), ("--feather", options.feather)):
        _require(value >= 0, f"{flag} must not be negative, got {value}")
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
    from temperfill.inpainter import Inpainter

    inpainter = Inpainter.from_pretrained(options.model, options.device, options.precision)
    _say(f"filling {hole.mean():.1%} of {options.image} ({picture.size[1]}x{picture.size[0]}) with {options.model}")
    result = inpainter.complete(picture, hole, mask_dilate=options.mask_dilate, feather=options.feather)
    images.save_picture(options.output, result, options.quality)
    _say(f"wrote {options.output} after {time.monotonic() - start:.1f} s")


def _train(words: list[str]) -> None:
    """Train a model, or go on with a run."""
    options = _train_options(words)
    print(json.dumps(to_json(options.config), indent=1))
    if options.dry_run:
        return
    from temperfill import evaluate
    from temperfill.train import train

    train(options.config, options.run_dir, evaluate.validation_score(options.config))


def _train_options(words: list[str]) -> TrainOptions:
    """The configuration that the first word names, overridden by flags."""
    import tyro

    name = words[0] if words else "--help"
    if name in ("-h", "--help"):
        print(f"usage: temperfill train PRESET|CONFIG.json --run-dir DIR [OPTIONS]\npresets: {', '.join(PRESETS)}\n")
        config, words = PRESETS["base"], ["--help"]
    elif name in PRESETS:
        config, words = PRESETS[name], words[1:]
    elif name.endswith(".json") or Path(name).is_file():
        config, words = load_json(TrainConfig, Path(name)), words[1:]
    elif name.startswith("-"):
        raise ValueError(
            f"the first word after train must be a preset ({', '.join(PRESETS)}) or a config.json, got {name}"
        )
    else:
        raise ValueError(
            f"unknown preset {name!r}{_near(name, PRESETS)}; known are {', '.join(PRESETS)}, or give a config.json"
        )
    default: Any = TrainOptions(config, run_dir=tyro.MISSING)
    return _parse(TrainOptions, f"train {name}" if words != ["--help"] else "train PRESET", words, default)


def _evaluate(words: list[str]) -> None:
    """Compare methods on pictures."""
    options = _parse(EvaluateOptions, "evaluate", words)
    from temperfill import evaluate

    fields = {f.name: getattr(options, f.name) for f in dataclasses.fields(options) if f.name != "debug"}
    evaluate.run(**fields, command=shlex.join(["temperfill", "evaluate", *words]))
    _say(f"wrote {options.output / 'report.md'}")


def _sample(words: list[str]) -> None:
    """Copy the bundled photograph and its mask into a folder."""
    options = _parse(SampleOptions, "sample", words)
    from importlib import resources

    from temperfill.files import atomic_write

    options.folder.mkdir(parents=True, exist_ok=True)
    for name in ("photo.jpg", "mask.png"):
        content = (resources.files("temperfill") / "samples" / name).read_bytes()
        atomic_write(options.folder / name, lambda file, content=content: file.write(content))  # type: ignore[misc]
        _say(f"wrote {options.folder / name}")


def _bundle(words: list[str]) -> None:
    """Write a trained generator in half precision."""
    options = _parse(BundleOptions, "bundle", words)
    _require(options.output.suffix == ".safetensors", f"--output must end in .safetensors, got {options.output}")
    from temperfill.checkpoint import halve_generator

    halve_generator(options.weights, options.output)
    _say(f"wrote {options.output} ({options.output.stat().st_size / 1e6:.1f} MB)")


def _models(words: list[str]) -> None:
    """List models and methods."""
    _parse(ModelsOptions, "models", words)
    from temperfill.methods import METHODS, bundled

    for name, path in bundled().items():
        print(f"{name}  (bundled, {path.stat().st_size / 1e6:.0f} MB)")
    for name in METHODS:
        print(name)


COMMANDS: dict[str, Callable[[list[str]], None]] = {
    "inpaint": _inpaint,
    "train": _train,
    "evaluate": _evaluate,
    "bundle": _bundle,
    "models": _models,
    "sample": _sample,
}


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)


def _near(name: str, known: Any) -> str:
    near = difflib.get_close_matches(name, list(known), 1)
    return f", did you mean {near[0]}?" if near else ""


def _explain(error: Exception) -> str:
    """An error in one line."""
    if isinstance(error, ModuleNotFoundError):
        package = (error.name or "").split(".")[0]
        extra = _EXTRAS.get(package)
        remedy = f"pip install 'temperfill[{extra}]'" if extra else f"pip install {package}"
        return f"this needs the package {package}, which is not installed: {remedy}"
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split()) or type(error).__name__


def _say(text: str) -> None:
    print(f"temperfill: {text}", file=sys.stderr, flush=True)


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    _say(f"warning: {message}")
