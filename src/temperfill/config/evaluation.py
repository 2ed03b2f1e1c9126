"""An evaluation, and the training that a study of several methods does before it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from temperfill.config.run import MachineConfig
from temperfill.config.values import at_least, check_types, require

LEAST_SIZE = 31
"""Smallest side in pixels of evaluated pictures: SqueezeNet's last pooling has no window below it."""
RATIO_BINS = ("ratio-0.0-0.1", "ratio-0.1-0.2", "ratio-0.2-0.3", "ratio-0.3-0.4", "ratio-0.4-0.5")
"""The paper's five bins of the hole's share of the picture (section IV-E, Table IV); a bin excludes its lower bound."""

Overlap = Literal["refuse", "allow", "unchecked"]
"""What to do about held-out pictures among those of training: stop, name them and go on, or not look."""


@dataclass(frozen=True)
class MetricsConfig:
    """Metrics of an evaluation, and the weights of the networks that some of them need."""

    metrics: tuple[str, ...] = ()
    """Metrics to report: mae, psnr, ssim, lpips, vgg, squeeze, sharp, lines, fid, kernel. One that is named and lacks
    its weights stops the command; without names, those that lack them are left out."""
    vgg: Path | None = None
    """VGG weights for the VGG distance."""
    squeezenet: Path | None = None
    """SqueezeNet weights for the SqueezeNet distance and the kernel distance on its features."""
    lpips_network: Path | None = None
    """torchvision's AlexNet or VGG-16 for LPIPS."""
    lpips_heads: Path | None = None
    """The linear heads of LPIPS for that network."""
    inception: Path | None = None
    """FID's Inception."""
    edges: str = ""
    """What finds the edges of the metric lines: auto (the bundled edge network, or canny where there is none), canny,
    or path of PiDiNet weights. Without it, that metric is left out unless it is named."""
    weights: Path | None = None
    """Folder that is searched for weights by the names under which they are published."""

    def __post_init__(self) -> None:
        check_types(self)


@dataclass(frozen=True)
class EvaluationConfig:
    """Pictures, masks and metrics of an evaluation."""

    pictures: tuple[Path, ...]
    """Folders of pictures; each is a kind, named after itself."""
    masks: Path | None = None
    """Folder with GROUP/KIND/STEM.png, white = missing; without it masks are drawn."""
    groups: tuple[str, ...] = ()
    """Groups of that folder; none means all."""
    mask_kind: str = "free-form-square"
    """Kind of drawn masks: free-form-square, or ratio-LOW-HIGH such as ratio-0.1-0.2; several joined by commas."""
    seed: int = 0
    """Seed of drawn masks."""
    limit: int = 0
    """Most pictures of each folder; 0 means all."""
    size: int = 256
    """Side of the squares that pictures are cropped and resized to, pixels."""
    squash: bool = False
    """Resize whole pictures to squares, so that the aspect is lost, instead of cropping them."""
    composites: tuple[str, ...] = ()
    """Results of others, as NAME=FOLDER with GROUP/KIND/STEM.png in FOLDER for every mask: measured as they are."""
    filling: Literal["network", "inpaint"] = "network"
    """network: every method is called once, on the whole square. inpaint: trained methods fill as temperfill inpaint
    does by default, which shrinks thick holes and windows of large pictures, and matches the tone."""
    judge: MetricsConfig = field(default_factory=MetricsConfig)
    """Metrics, and their weights."""

    def __post_init__(self) -> None:
        check_types(self)
        least = f"size must be at least {LEAST_SIZE}, limit and seed not negative"
        fits = self.size >= LEAST_SIZE and self.limit >= 0 and self.seed >= 0
        require(fits, f"{least}; got {self.size}, {self.limit} and {self.seed}")


@dataclass(frozen=True)
class StudyConfig:
    """Training of several variants for the same steps, on the same pictures and masks."""

    train: tuple[str | Path, ...] = ()
    """Folders of training pictures or of shards, or URLs of either."""
    overlap: Overlap = "refuse"
    """Test pictures among those of training: refuse, allow (they are named in the report), or unchecked, which does
    not look for them."""
    val: tuple[Path, ...] = ()
    """Folders with validation pictures: as train does, runs keep the weights that are best on them, and end after
    patience validations without better ones. Without any, the weights of the last step are measured."""
    val_every: int = 0
    """Steps between validations; 0 means once an epoch."""
    patience: int = 30
    """Validations without a lower loss after which a run ends; 0 never ends it."""
    seeds: tuple[int, ...] = (0, 1)
    """Seeds; every variant is trained once with each. Variants are ranked from two seeds on."""
    steps: int = 100_000
    """Steps of every run."""
    width: int = 24
    """Channels of our network at full resolution; other networks have as large a share of the width of their paper.
    24 is that of the preset base and of DeepFillv2."""
    batch_size: int = 16
    """Pictures in a batch."""
    crop_size: int = 256
    """Side in pixels of the square that the networks see; a multiple of 4, at most resize."""
    resize: int = 256
    """Short side in pixels to which pictures are resized."""
    perceptual_path: Path | None = None
    """VGG weights for the perceptual losses; without them every variant is trained without such losses."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """Arithmetic of training."""
    log_every: int = 20
    """Steps between lines of log.jsonl."""
    save_every: int = 500
    """Steps between saved states, which is where an interrupted run goes on after a kill."""
    device: str = "auto"
    """Of training and evaluation: auto, cpu, cuda or cuda:N."""
    workers: int = 1
    """Processes that load training pictures."""
    threads: int = 0
    """CPU threads of training; 0 leaves torch's choice."""
    compile: bool = False
    """Compile the networks for training."""

    def __post_init__(self) -> None:
        check_types(self)
        at_least(1, self, "steps", "width", "batch_size", "log_every", "save_every")
        at_least(0, self, "workers", "threads", "val_every", "patience")
        require(self.width % 2 == 0, f"width must be even, got {self.width}")
        require(len(self.seeds) > 0, "seeds must name at least one seed")
        require(len(set(self.seeds)) == len(self.seeds), f"every seed must be named once, got {self.seeds}")
        require(min(self.seeds) >= 0, f"seeds must not be negative, got {self.seeds}")

    def machine(self) -> MachineConfig:
        """What belongs to the machine."""
        return MachineConfig(
            device=self.device,
            workers=self.workers,
            threads=self.threads,
            compile=self.compile,
            perceptual_path=self.perceptual_path,
        )
