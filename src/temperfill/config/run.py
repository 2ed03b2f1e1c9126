"""What every training run has, whatever it trains."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, Self

from temperfill.config.values import at_least, at_most, check_types, require

Strokes = Literal["deepfillv2", "turned"]
"""Direction of drawn strokes: that of DeepFillv2's code, or turned by 90 degrees against it."""


@dataclass(frozen=True)
class DataConfig:
    """Pictures and masks of training (paper, sections IV-A, IV-B)."""

    LATER = MappingProxyType(
        {
            "mask_strokes": "turned",
            "thick_share": 0.0,
            "border_share": 0.0,
            "val_limit": 64,
            "picture_share": 1.0,
            "scale": 1.0,
            "colour": 0.0,
            "repeats": 0.0,
            "squash": False,
            "sketches": [],
            "sketch_share": 0.5,
            "sketch_parts": 0.5,
        }
    )

    train: tuple[str | Path, ...] = ()
    """Folders of training pictures, searched recursively, folders of shards (temperfill pack), or URLs of either."""
    val: tuple[Path, ...] = ()
    """Folders with validation pictures, which are filled without sketches; without any, no validation and no early
    stop."""
    val_limit: int = 0
    """Most validation pictures, evenly spread over the folders; 0 takes all."""
    resize: int = 256
    """Short side in pixels to which pictures are resized; the aspect stays (paper: 256)."""
    squash: bool = False
    """Resize both sides to that, so that the aspect is lost and the whole picture is seen; without sketches."""
    crop_size: int = 256
    """Side in pixels of the square that the network sees, cut at a random place; a multiple of 4, at most resize."""
    flip: bool = True
    """Mirror half of the pictures left to right (paper)."""
    picture_share: float = 1.0
    """Share of the pictures of each training folder, evenly spread, that are trained on; the others are left out."""
    scale: float = 1.0
    """Pictures are enlarged at random by up to this factor before the square is cut."""
    colour: float = 0.0
    """Brightness, contrast and saturation are changed at random by up to this share."""
    repeats: float = 0.0
    """Share of the samples in which a rectangle of the square stands at a second place too, as patterns do that a hole
    can be filled from."""
    mask_scale: float = 0.0
    """Size of strokes and square relative to those at 256 pixels; 0 means crop_size / 256."""
    mask_strokes: Strokes = "deepfillv2"
    """Direction of the strokes: deepfillv2 (up and down, going on to the right), or turned by 90 degrees, as runs drew
    them whose configuration has no such field."""
    thick_share: float = 0.0
    """Share of the samples whose hole is thick and round, as a removed object's, instead of strokes and square."""
    border_share: float = 0.0
    """Share of the samples whose hole is a strip along sides of the picture, as where a canvas is extended."""
    balanced: bool = False
    """Draw every training folder equally often instead of every picture."""
    sketches: tuple[str | Path, ...] = ()
    """Folders of sketches (temperfill sketch), one for each of train, whose files are called as the pictures are."""
    sketch_share: float = 0.5
    """Share of the samples that show lines; from the others a model learns to fill without."""
    sketch_parts: float = 0.5
    """Share, of those, that show some of the hole's lines and not all, as users draw few."""
    max_corrupt_share: float = 0.01
    """Unreadable pictures are named, counted and replaced; above this share of all pictures training stops."""

    def __post_init__(self) -> None:
        check_types(self)
        at_least(8, self, "resize")
        at_most(16_384, self, "resize")
        at_least(0, self, "mask_scale", "val_limit")
        require(0 < self.picture_share <= 1, f"picture_share must be above 0 and at most 1, got {self.picture_share}")
        require(1 <= self.scale <= 4, f"scale must be 1 to 4, got {self.scale}")
        require(0 <= self.colour < 1, f"colour must be at least 0 and below 1, got {self.colour}")
        require(self.scale == 1 or not self.sketches, "scale needs training without sketches, which have one size")
        at_most(1000, self, "mask_scale")
        require(
            8 <= self.crop_size <= self.resize and self.crop_size % 4 == 0,
            f"crop_size must be a multiple of 4 from 8 to resize ({self.resize}), got {self.crop_size}",
        )
        require(not (self.squash and self.sketches), "squash does not take sketches, which keep the aspect")
        for name in ("max_corrupt_share", "thick_share", "border_share", "sketch_share", "sketch_parts", "repeats"):
            require(0 <= getattr(self, name) <= 1, f"{name} must be 0 to 1, got {getattr(self, name)}")
        together = self.thick_share + self.border_share
        require(together <= 1, f"thick_share and border_share must be at most 1 together, got {together:g}")
        require(
            len(self.sketches) in (0, len(self.train)),
            f"sketches must name one folder for each of the {len(self.train)} of train, got {len(self.sketches)}",
        )


@dataclass(frozen=True)
class MachineConfig:
    """What belongs to the machine and not to the experiment: may change from one start to the next."""

    device: str = "auto"
    """auto, cpu, cuda or cuda:N."""
    devices: int = 1
    """Processes that train together on each machine, with a GPU each, or a part of the CPU; batch_size is that of all
    together."""
    nodes: int = 1
    """Machines that train together."""
    workers: int = 1
    """Processes that load pictures, for each that trains; 0 loads in the training process."""
    threads: int = 0
    """CPU threads of torch; 0 leaves torch's choice. Bit-exact resume on CPU needs the same number."""
    compile: bool = False
    """Compile the networks with torch.compile (needs a C++ compiler on CPU)."""
    max_minutes: float = 0.0
    """Stop and save after this many minutes of this start; 0 means no limit."""
    perceptual_path: Path | None = None
    """VGG-16 weights of torchvision (.pth), VGG-19 weights (.safetensors), or features learnt from photographs alone
    (tools/learn_features.py) for the perceptual loss."""

    def __post_init__(self) -> None:
        check_types(self)
        require(
            re.fullmatch(r"auto|cpu|cuda(:\d+)?", self.device) is not None,
            f"device must be auto, cpu, cuda or cuda:N, got {self.device!r}",
        )
        at_least(0, self, "workers", "threads", "max_minutes")
        at_least(1, self, "devices", "nodes")
        at_most(1024, self, "workers", "threads", "devices", "nodes")
        single = self.devices * self.nodes == 1 or ":" not in self.device
        require(single, f"device {self.device} is one GPU, but devices and nodes ask for {self.devices * self.nodes}")


class RunGenerator:
    """What the configurations of all generators say, besides their fields, of which ``width`` is one.

    Attributes:
        WIDTH_MULTIPLE: what a width must be a multiple of.
        sketch: takes a sketch.
    """

    WIDTH_MULTIPLE = 1
    sketch = False

    @property
    def has_temperatures(self) -> bool:
        """Whether there are temperatures to draw over training."""
        return False


@dataclass(frozen=True)
class NoDiscriminator:
    """There is none."""


class RunLoss:
    """What the losses of every method say of themselves, besides the weights of their terms.

    Attributes:
        VGG_WEIGHTS: names of the weights of terms that need VGG.
    """

    VGG_WEIGHTS = tuple[str, ...]()

    @property
    def needs_whole_vgg(self) -> bool:
        """Whether these terms need all of VGG-19 instead of its beginning or that of VGG-16."""
        return False

    @property
    def has_gradient_penalty(self) -> bool:
        """Whether the discriminator's loss has a gradient of its gradients."""
        return False

    def with_short_vgg(self) -> Self:
        """The losses to take where there are weights of VGG's beginning alone."""
        return self


@dataclass(frozen=True)
class RunConfig:
    """What the training runs of all methods share; each method has its own class with its networks and losses.

    ``method`` names it, in JSON too. ``generator`` is a :class:`RunGenerator`, ``loss`` a :class:`RunLoss`. Of ``loss``
    validation reads ``refined_weight`` (L1 distance) and ``perceptual_weight`` (VGG distance), and training
    ``adversarial_weight`` and ``adversarial_start`` where there is a discriminator.
    """

    method = ""
    generator: Any = None
    discriminator: Any = None
    loss: Any = None
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
    discriminator_rate: float = 1.0
    """The discriminator's learning rate over the generator's."""
    beta1: float = 0.5
    """Adam's first decay."""
    beta2: float = 0.999
    """Adam's second decay."""
    schedule: Literal["constant", "cosine", "linear"] = "constant"
    """Learning rate over the steps; cosine falls to 1 % of it at num_steps, linear from half of them on to 0."""
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
        check_types(self)
        at_least(1, self, "num_steps", "batch_size", "log_every", "save_every", "sample_every")
        at_least(0, self, "seed", "warmup_steps", "val_every", "patience")
        at_most(65_536, self, "batch_size")
        at_most(1000, self, "learning_rate", "discriminator_rate")
        world = self.machine.devices * self.machine.nodes
        divided = self.batch_size % world == 0
        require(divided, f"batch_size must be a multiple of devices times nodes ({world}), got {self.batch_size}")
        require(
            self.generator.sketch or not self.data.sketches,
            "data.sketches needs a generator that takes them: generator.sketch",
        )
        for name in ("learning_rate", "discriminator_rate"):
            require(getattr(self, name) > 0, f"{name} must be positive, got {getattr(self, name)}")
        for name in ("beta1", "beta2", "ema_decay"):
            require(0 <= getattr(self, name) < 1, f"{name} must lie in [0, 1), got {getattr(self, name)}")
        # The discriminator's last maps would have one pixel, for which oneDNN leaves gradients in bf16 undefined.
        fits = self.precision == "fp32" or self.data.crop_size > 32
        require(fits, f"precision bf16 needs a crop_size above 32, got {self.data.crop_size}; use fp32")
