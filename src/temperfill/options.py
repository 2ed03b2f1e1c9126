"""What a caller may ask of a filling: the one place for names, ranges, defaults and help of all options.

The command line, Python, folders, the forms of the service and its OpenAPI description read the fields of
``FillOptions``, ``CanvasOptions`` and ``DustOptions``: a new option is a field here, and a line where it is used.
"""

import ast
import inspect
import math
from dataclasses import dataclass, field, fields
from functools import cache
from itertools import pairwise
from typing import Any, Literal, TypeAlias, TypedDict, get_args, get_type_hints

from temperfill.errors import InputError

Strategy = Literal["auto", "full", "crop", "multiscale"]
Context = Literal["auto", "full"]
Texture = Literal["auto", "copy", "network"]
MaskChannel = Literal["luminance", "alpha"]
DustKind = Literal["both", "bright", "dark"]
Seeds: TypeAlias = int | tuple[int, ...]
"""One seed, or several, each of which gives a result."""
Precision = Literal["auto", "fp32", "bf16", "fp16"]
"""Arithmetic of the network; auto takes bf16 where the hardware computes in it, else fp32. fp16 is for CUDA."""

DEFAULT_MODEL = "base"
"""The bundled model that fills where none is named."""


@dataclass(frozen=True)
class MaskOptions:
    """How a mask is read."""

    invert_mask: bool = False
    """Black marks what to fill."""
    mask_channel: MaskChannel = "luminance"
    """Part of the mask to look at; alpha: opaque marks what to fill."""
    force: bool = False
    """Take a mask that looks like a photograph, or whose strokes are too weak to mark anything, as it is."""


@dataclass(frozen=True)
class DustOptions:
    """What counts as dust."""

    dust: DustKind = "both"
    """bright: as on scans of negatives and on prints; dark: as on scans of slides; both."""
    sensitivity: float = field(default=0.5, metadata={"low": 0.01, "high": 0.99})
    """0.01 to 0.99: more finds fainter marks, and takes more of the picture itself for dust."""
    narrowest: int = field(default=1, metadata={"low": 1, "high": 1000})
    """Marks that are narrower than this many pixels are left alone."""
    widest: int = field(default=0, metadata={"low": 0, "high": 1000})
    """Widest marks in pixels; 0: 12, twice as many from a shorter side of 1024 pixels on, and so on."""

    def __post_init__(self) -> None:
        """Raises InputError for a value out of range."""
        for option in DUST_OPTIONS:
            option.check(getattr(self, option.name))


@dataclass(frozen=True)
class CanvasOptions:
    """How much larger a canvas becomes; 1 or more on one side at least."""

    left: int = field(default=0, metadata={"low": 0, "most_served": 100_000})
    """Pixels that come to the left side."""
    top: int = field(default=0, metadata={"low": 0, "most_served": 100_000})
    """Pixels that come to the top."""
    right: int = field(default=0, metadata={"low": 0, "most_served": 100_000})
    """Pixels that come to the right side."""
    bottom: int = field(default=0, metadata={"low": 0, "most_served": 100_000})
    """Pixels that come to the bottom."""

    def __post_init__(self) -> None:
        """Raises InputError for a value out of range."""
        for option in CANVAS_OPTIONS:
            option.check(getattr(self, option.name))


@dataclass(frozen=True)
class FillOptions:
    """How a hole is filled."""

    mask_dilate: int = field(default=0, metadata={"low": 0, "most_served": 1024})
    """Pixels by which the hole grows on all sides."""
    feather: int = field(default=0, metadata={"low": 0, "most_served": 1024})
    """Pixels inside the rim of the hole over which the nearest known pixel fades into the result."""
    temperature: float = field(default=1.0, metadata={"low": 0.1, "high": 10})
    """Factor on the learned temperatures, 0.1 to 10: above 1 blends more, below 1 copies more."""
    texture: Texture = "auto"
    """auto fills thick holes of large pictures with texture copied from the picture, where that is better than what the
    network drew; copy does so with every hole, network with none."""
    seed: Seeds = field(default=0, metadata={"low": 0, "high": 999_999_999, "most": 16})
    """Another seed gives another result where texture is copied; several give one result each of one picture."""
    opaque: bool = False
    """The filled hole becomes opaque, as it always does where the mask is the picture's own transparency."""
    layer: bool = False
    """The result is the filled hole alone, opaque on a transparent ground, to be laid over the picture."""
    unmarked: bool = False
    """The result does not say in its XMP that a trained model filled a part of it (IPTC DigitalSourceType)."""
    # These two decide how much memory one picture takes, which a service does not leave to strangers.
    strategy: Strategy = field(default="auto", metadata={"is_served": False})
    """auto chooses by the size of picture and hole; full: the whole picture at its own size; crop: windows around the
    holes at theirs; multiscale: structure from a smaller picture, detail copied at full size."""
    context: Context = field(default="auto", metadata={"is_served": False})
    """auto lets large pictures be seen in windows around their holes, full lets all of them be seen."""

    def __post_init__(self) -> None:
        """Raises InputError for a value out of range."""
        for option in OPTIONS:
            option.check(getattr(self, option.name))

    @property
    def seeds(self) -> tuple[int, ...]:
        """All seeds, in order."""
        return self.seed if isinstance(self.seed, tuple) else (self.seed,)

    def only_seed(self) -> int:
        """The seed where one result is wanted; raises InputError for several."""
        if len(self.seeds) > 1:
            raise InputError(f"seed must be one whole number here, got {len(self.seeds)}, as one result is wanted")
        return int(self.seeds[0])


class FillKeywords(TypedDict, total=False):
    """The fields of ``FillOptions`` as keywords of a call, but ``seed``, which decides what kind of result it gives."""

    mask_dilate: int
    feather: int
    temperature: float
    texture: Texture
    opaque: bool
    layer: bool
    unmarked: bool
    strategy: Strategy
    context: Context


@dataclass(frozen=True)
class Option:
    """What a door needs to know of one option.

    Attributes:
        name: of the field.
        kind: int, float or bool, or str for a choice.
        default: its value where none is given.
        choices: words to choose from; empty for numbers.
        low: smallest number.
        high: largest number.
        most_served: largest number that a service takes.
        is_served: whether a service takes it at all.
        most: values that it takes at once; several are a tuple.
    """

    name: str
    kind: type
    default: Any
    choices: tuple[str, ...]
    low: float
    high: float
    most_served: float
    is_served: bool
    most: int

    @property
    def help(self) -> str:
        """What it does, in one line: the text below the field, where the command line finds it too."""
        return (_texts(FillOptions) | _texts(CanvasOptions) | _texts(DustOptions)).get(self.name, "")

    def check(self, value: Any) -> None:
        """Raises InputError for a value out of range."""
        if isinstance(value, tuple) and self.most > 1:
            if not 1 <= len(value) <= self.most:
                raise InputError(f"{self.name} must have 1 to {self.most} values, got {len(value)}")
            if len(set(value)) < len(value):
                raise InputError(f"{self.name} must have each value once, got {', '.join(map(str, value))}")
            for one in value:
                self._check(one)
        else:
            self._check(value)

    def _check(self, value: Any) -> None:
        if self.choices:
            if value not in self.choices:
                raise InputError(f"{self.name} must be one of {', '.join(self.choices)}, got {value!r}")
            return
        if self.kind is bool:
            if not isinstance(value, bool):
                raise InputError(f"{self.name} must be True or False, got {value!r}")
            return
        fits = self.low <= value <= self.high  # as NaN is not
        if self.kind is int and not (fits and float(value).is_integer()):
            bounds = f"{self.low} or more" if self.high == math.inf else f"{self.low} to {self.high}"
            raise InputError(f"{self.name} must be a whole number, {bounds}, got {value!r}")
        if not fits:
            raise InputError(f"{self.name} must lie in {self.low:g} to {self.high:g}, got {value!r}")


@cache
def _texts(options: type) -> dict[str, str]:
    """The text below each field of a class, in one line; where sources are not installed, there is none."""
    try:
        source = inspect.getsource(options)
    except OSError:
        return {}
    texts = {}
    (found,) = ast.parse(source).body
    for entry, after in pairwise(found.body if isinstance(found, ast.ClassDef) else []):
        if isinstance(entry, ast.AnnAssign) and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            texts[ast.unparse(entry.target)] = " ".join(str(after.value.value).split())
    return texts


def _options(options: type) -> tuple[Option, ...]:
    hints = get_type_hints(options)
    found = []
    for entry in fields(options):
        most = entry.metadata.get("most", 1)
        choices = get_args(hints[entry.name]) if most == 1 else ()
        low, high = entry.metadata.get("low", -math.inf), entry.metadata.get("high", math.inf)
        served, is_served = entry.metadata.get("most_served", high), entry.metadata.get("is_served", True)
        kind = str if choices else hints[entry.name] if most == 1 else type(entry.default)
        found.append(Option(entry.name, kind, entry.default, choices, low, high, served, is_served, most))
    return tuple(found)


OPTIONS = _options(FillOptions)
"""Every field of ``FillOptions``, in order."""
SERVED = tuple(option for option in OPTIONS if option.is_served)
"""Those that a service takes."""
CANVAS_OPTIONS = _options(CanvasOptions)
"""Every field of ``CanvasOptions``, in order; a service takes all."""
DUST_OPTIONS = _options(DustOptions)
"""Every field of ``DustOptions``, in order; a service takes all."""
