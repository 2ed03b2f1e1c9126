"""Configurations: frozen dataclasses that are validated when built and read and written as strict JSON.

Every field's docstring gives its meaning, unit, range and source; the command line shows it as help.
"paper" is arXiv 2302.06130. This module imports nothing heavy, so that ``--help`` stays fast.
"""

import dataclasses
import json
import re
import sys
import types
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

T = TypeVar("T")


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)


def _at_least(lowest: int, config: object, *names: str) -> None:
    for name in names:
        _require(getattr(config, name) >= lowest, f"{name} must be at least {lowest}, got {getattr(config, name)}")


def _check_types(config: object) -> None:
    """Raises ValueError for the first field whose value is not of its annotated type."""
    for name, hint in typing.get_type_hints(type(config)).items():
        _check_type(hint, getattr(config, name), name)


def _check_type(hint: Any, value: Any, where: str) -> None:
    """Raises ValueError unless the value is of the annotated type; an int may stand for a float, a bool for neither."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        _require(value in arguments, f"{where}: expected one of {', '.join(map(str, arguments))}, got {value!r}")
    elif origin is types.UnionType:
        if value is not None:
            _check_type(next(a for a in arguments if a is not types.NoneType), value, where)
    elif origin is tuple:
        _require(isinstance(value, tuple), f"{where}: expected a tuple, got {type(value).__name__}")
        for i, item in enumerate(value):
            _check_type(arguments[0], item, f"{where}[{i}]")
    else:
        wanted, name = ((int, float), "a finite number") if hint is float else (hint, hint.__name__)
        fits = isinstance(value, wanted) and (hint is bool or not isinstance(value, bool))
        fits = fits and (hint is not float or abs(value) <= sys.float_info.max)
        _require(fits, f"{where}: expected {name}, got {value!r}")


@dataclass(frozen=True)
class GeneratorConfig:
    """The coarse-to-fine generator (paper, section III-A)."""

    width: int = 24
    """Channels at full resolution, after gating; even. 24 gives 4 M parameters."""
    attention: Literal["mhtma", "atma", "contextual", "none"] = "mhtma"
    """Attention of the refinement's attention branch; the paper's is mhtma."""
    heads: int = 2
    """Attention heads, each with a learned temperature (ignored by contextual and none)."""
    head_dim: int = 24
    """Channels of each head's projection."""
    patch_size: int = 3
    """Side of the square patches of mhtma, in feature cells; odd or even."""
    key_stride: int = 1
    """Distance between key patches of mhtma, in feature cells."""
    temperature_init: float = 0.1
    """Temperature that mhtma starts near."""
    temperature_floor: float = 0.01
    """Added to the Softplus, so that a temperature never falls below it."""
    masked_score: float = -10000.0
    """Score (lambda, Eq. 9) of keys that touch the hole."""
    masked_score_scaled: bool = False
    """Divide masked_score by the temperature, as one may read Eq. 9."""
    convolution_branch: bool = True
    """Keep the refinement's branch of dilated gated convolutions."""
    attention_branch: bool = True
    """Keep the refinement's branch with attention."""
    detail: bool = False
    """Carry the high frequencies of known pixels along the attention of mhtma into the hole."""
    sketch: bool = False
    """Take a sketch as fifth input channel."""

    def __post_init__(self) -> None:
        _check_types(self)
        _require(self.width >= 2 and self.width % 2 == 0, f"width must be even and at least 2, got {self.width}")
        _at_least(1, self, "heads", "head_dim", "patch_size", "key_stride")
        _require(self.temperature_floor > 0, f"temperature_floor must be positive, got {self.temperature_floor}")
        _require(
            self.temperature_init > self.temperature_floor,
            f"temperature_init must exceed temperature_floor {self.temperature_floor}, got {self.temperature_init}",
        )
        _require(self.masked_score < 0, f"masked_score must be negative, got {self.masked_score}")
        _require(
            self.convolution_branch or self.attention_branch,
            "convolution_branch and attention_branch are both off; the refinement needs at least one",
        )
        _require(
            not self.detail or (self.attention == "mhtma" and self.attention_branch),
            "detail needs attention mhtma and the attention branch",
        )


@dataclass(frozen=True)
class DiscriminatorConfig:
    """The global-local discriminator (paper, section III-A)."""

    width: int = 32
    """Channels after the first convolution; later ones have up to 8 times as many. Full width is 64."""
    feature_dim: int = 512
    """Length of each branch's feature vector. At full width 1024."""

    def __post_init__(self) -> None:
        _check_types(self)
        _at_least(1, self, "width", "feature_dim")


@dataclass(frozen=True)
class LossConfig:
    """Weights and kinds of the losses (paper, section III-B, Eqs. 2-6)."""

    coarse_weight: float = 2.0
    """Weight of the L1 distance of the coarse image."""
    refined_weight: float = 2.0
    """Weight of the L1 distance of the refined image."""
    hole_weight: float = 1.0
    """Factor on the L1 distance inside the hole, relative to the known part, which the composite discards."""
    perceptual_weight: float = 0.05
    """Weight of the VGG distance; 0 trains without VGG weights."""
    perceptual_on: Literal["coarse", "refined", "both"] = "coarse"
    """Which output the perceptual loss sees; the paper's is coarse (Eq. 3)."""
    perceptual_local: bool = False
    """Take the perceptual loss on the discriminator's local patch, a quarter of the picture, to save time."""
    adversarial: Literal["hinge", "wgan-gp"] = "hinge"
    """hinge with spectral normalisation (Eqs. 4, 5), or WGAN with gradient penalty and no normalisation."""
    adversarial_weight: float = 0.01
    """Weight of the adversarial loss; 0 trains without a discriminator."""
    adversarial_start: int = 0
    """Step at which the adversarial loss of the generator begins; the discriminator learns from step 0 on."""
    gradient_penalty_weight: float = 10.0
    """Weight of WGAN-GP's penalty."""

    def __post_init__(self) -> None:
        _check_types(self)
        _at_least(0, self, "coarse_weight", "refined_weight", "perceptual_weight", "adversarial_weight")
        _at_least(0, self, "gradient_penalty_weight", "adversarial_start")
        _require(self.hole_weight > 0, f"hole_weight must be positive, got {self.hole_weight}")


@dataclass(frozen=True)
class DataConfig:
    """Pictures and masks of training (paper, sections IV-A, IV-B)."""

    train: tuple[Path, ...] = ()
    """Folders with training pictures, searched recursively."""
    val: tuple[Path, ...] = ()
    """Folders with validation pictures; without any, no validation and no early stop."""
    resize: int = 256
    """Short side in pixels to which pictures are resized; the aspect stays (paper: 256)."""
    crop_size: int = 256
    """Side in pixels of the square that the network sees, cut at a random place; a multiple of 4, at most resize."""
    flip: bool = True
    """Mirror half of the pictures left to right (paper)."""
    mask_scale: float = 0.0
    """Size of strokes and square relative to those at 256 pixels; 0 means crop_size / 256."""
    balanced: bool = False
    """Draw every training folder equally often instead of every picture."""
    max_corrupt_share: float = 0.01
    """Unreadable pictures are named, counted and replaced; above this share of all pictures training stops."""

    def __post_init__(self) -> None:
        _check_types(self)
        _at_least(8, self, "resize")
        _at_least(0, self, "mask_scale")
        _require(
            8 <= self.crop_size <= self.resize and self.crop_size % 4 == 0,
            f"crop_size must be a multiple of 4 from 8 to resize ({self.resize}), got {self.crop_size}",
        )
        _require(0 <= self.max_corrupt_share <= 1, f"max_corrupt_share must be 0 to 1, got {self.max_corrupt_share}")


@dataclass(frozen=True)
class MachineConfig:
    """What belongs to the machine and not to the experiment: may change from one start to the next."""

    device: str = "auto"
    """auto, cpu, cuda or cuda:N."""
    workers: int = 1
    """Processes that load pictures; 0 loads in the training process."""
    threads: int = 0
    """CPU threads of torch; 0 leaves torch's choice. Bit-exact resume on CPU needs the same number."""
    compile: bool = False
    """Compile the networks with torch.compile (needs a C++ compiler on CPU)."""
    max_minutes: float = 0.0
    """Stop and save after this many minutes of this start; 0 means no limit."""
    perceptual_path: Path | None = None
    """VGG-16 weights of torchvision (.pth) or VGG-19 weights (.safetensors) for the perceptual loss."""

    def __post_init__(self) -> None:
        _check_types(self)
        _require(
            re.fullmatch(r"auto|cpu|cuda(:\d+)?", self.device) is not None,
            f"device must be auto, cpu, cuda or cuda:N, got {self.device!r}",
        )
        _at_least(0, self, "workers", "threads", "max_minutes")


@dataclass(frozen=True)
class TrainConfig:
    """One training run."""

    generator: GeneratorConfig = field(default_factory=GeneratorConfig)
    discriminator: DiscriminatorConfig = field(default_factory=DiscriminatorConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    data: DataConfig = field(default_factory=DataConfig)
    machine: MachineConfig = field(default_factory=MachineConfig)
    init_path: Path | None = None
    """Start from the networks of this run folder (or the generator of this .safetensors file)."""
    seed: int = 0
    """Seed of initial weights, order, crops, flips and masks."""
    num_steps: int = 1_000_000
    """Steps (one update of both networks each) at which training ends."""
    batch_size: int = 16
    """Pictures in a batch (paper: 16)."""
    learning_rate: float = 1e-4
    """Adam's learning rate for both networks (paper: 1e-4)."""
    beta1: float = 0.5
    """Adam's first decay."""
    beta2: float = 0.999
    """Adam's second decay."""
    schedule: Literal["constant", "cosine"] = "constant"
    """Learning rate over the steps; cosine falls to 1 % of it at num_steps."""
    warmup_steps: int = 0
    """Steps over which the learning rate rises linearly from 0."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """Arithmetic of the networks; weights and Adam's state are always fp32."""
    ema_decay: float = 0.999
    """Decay per step of the averaged weights, which are what is validated and shipped."""
    log_every: int = 20
    """Steps between lines of log.jsonl."""
    save_every: int = 500
    """Steps between saved states."""
    sample_every: int = 500
    """Steps between sample sheets."""
    val_every: int = 0
    """Steps between validations; 0 means once an epoch."""
    patience: int = 30
    """Stop after this many validations without a lower loss (paper: 30 epochs); 0 never stops."""

    def __post_init__(self) -> None:
        _check_types(self)
        _at_least(1, self, "num_steps", "batch_size", "log_every", "save_every", "sample_every")
        _at_least(0, self, "seed", "warmup_steps", "val_every", "patience")
        _require(self.seed < 2**63, f"seed must be below 2**63, got {self.seed}")
        _require(self.learning_rate > 0, f"learning_rate must be positive, got {self.learning_rate}")
        for name in ("beta1", "beta2", "ema_decay"):
            _require(0 <= getattr(self, name) < 1, f"{name} must lie in [0, 1), got {getattr(self, name)}")
        # The discriminator's last maps would have one pixel, for which oneDNN leaves gradients in bf16 undefined.
        fits = self.precision == "fp32" or self.data.crop_size > 32
        _require(fits, f"precision bf16 needs a crop_size above 32, got {self.data.crop_size}; use fp32")


def to_json(config: Any) -> dict[str, Any]:
    """Plain JSON values of a configuration dataclass; paths become strings, tuples lists."""
    return {f.name: _plain(getattr(config, f.name)) for f in dataclasses.fields(config)}


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return to_json(value)
    if isinstance(value, tuple):
        return [_plain(v) for v in value]
    return str(value) if isinstance(value, Path) else value


def from_json(cls: type[T], data: object, where: str = "config") -> T:
    """Builds a configuration dataclass from parsed JSON.

    Args:
        cls: the dataclass.
        data: a mapping; missing keys take the defaults.
        where: name of the source, for messages.

    Raises:
        ValueError: unknown key, wrong type or invalid value, naming the path to it.
    """
    if not isinstance(data, dict):
        raise ValueError(f"{where}: expected an object, got {type(data).__name__}")
    hints = typing.get_type_hints(cls)
    for key in data:
        _require(key in hints, f"{where}.{key}: unknown key; known are {', '.join(hints)}")
    values = {key: _coerce(hints[key], value, f"{where}.{key}") for key, value in data.items()}
    try:
        return cls(**values)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


def _coerce(hint: Any, value: Any, where: str) -> Any:
    """One JSON value as the annotated type, without silent conversion (an int may stand for a float)."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return from_json(hint, value, where)
    if origin is types.UnionType and value is not None:
        return _coerce(next(a for a in arguments if a is not types.NoneType), value, where)
    if origin is tuple:
        _require(isinstance(value, list), f"{where}: expected a list, got {type(value).__name__}")
        return tuple(_coerce(arguments[0], v, f"{where}[{i}]") for i, v in enumerate(value))
    if hint is Path and isinstance(value, str):
        return Path(value)
    _check_type(hint, value, where)
    return float(value) if hint is float else value


def load_json(cls: type[T], path: Path) -> T:
    """Reads a configuration from a JSON file; errors name the file and the key.

    Raises:
        OSError: cannot be read.
        ValueError: not JSON (a key given twice, NaN and Infinity are not), or as :func:`from_json`.
    """
    try:
        text = path.read_text(encoding="utf-8")
        data = json.loads(text, object_pairs_hook=_unique_keys, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not valid JSON: {error}") from None
    return from_json(cls, data, str(path))


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    unique = dict(pairs)
    _require(len(unique) == len(pairs), f"a key is given twice among {', '.join(key for key, _ in pairs)}")
    return unique


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


def differences(old: Any, new: Any, where: str = "") -> list[str]:
    """Lines ``field: old -> new`` for every leaf in which two JSON values differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        keys = list(dict.fromkeys([*old, *new]))
        return [line for k in keys for line in differences(old.get(k), new.get(k), f"{where}.{k}" if where else k)]
    return [] if old == new else [f"{where}: {old!r} -> {new!r}"]
