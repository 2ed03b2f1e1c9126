"""Sketches of pictures (paper, user guidance): edges, threshold, removal of small parts, skeleton.

Edges come from PiDiNet or, without a network, from Canny's detector. Maps are arrays (H, W): edge probabilities are
floats in [0, 1]; sketches are bool, True = line.
"""

import json
from importlib import resources
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save as save_bytes
from scipy import ndimage

from temperfill.files import atomic_write
from temperfill.nets.pidinet import MULTIPLE, REACH, PiDiNet, from_file
from temperfill.nets.tiling import in_tiles
from temperfill.thinning import thin
from temperfill.weights_files import check_finite, digest, fitted, read_weights
from temperfill.weights_reading import read_metadata

Edges = NDArray[np.float32]
Lines = NDArray[np.bool_]

THRESHOLD = 0.65
"""Probability from which a pixel is an edge (paper: one for each set of pictures)."""
MIN_COMPONENT = 100
"""Smallest part of connected edge pixels that stays, pixels (paper)."""
CANNY_SIGMA = 2.0
"""Standard deviation of the blur before Canny's detector, pixels."""
TILE = 640
"""Side of the parts in which edges of large pictures are computed, pixels; a multiple of ``MULTIPLE``."""
FORMAT = "temperfill-edges-1"
"""Value of the metadata key ``format`` of our files of edge networks."""
_BINS = 1000  # of the histogram that thresholds are matched by
_NEIGHBOURS = np.ones((3, 3), bool)  # 8-connected


class Steps(NamedTuple):
    """What a sketch is made through.

    Attributes:
        edges: probabilities.
        thresholded: edges above the threshold.
        cleaned: without small parts.
        skeleton: lines one pixel wide, the sketch.
    """

    edges: Edges
    thresholded: Lines
    cleaned: Lines
    skeleton: Lines


def sketch_steps(edges: Edges, threshold: float = THRESHOLD, min_component: int = MIN_COMPONENT) -> Steps:
    """Edges to a sketch, with the steps between.

    Args:
        edges: (H, W) in [0, 1].
        threshold: probability above which a pixel is an edge; at least 0, below 1.
        min_component: 8-connected parts with fewer pixels are removed.

    Raises:
        ValueError: an array of another form or range, or an option out of range.
    """
    if edges.ndim != 2 or 0 in edges.shape or not (edges.min() >= 0 and edges.max() <= 1):
        raise ValueError(f"edges must be (H, W) with values in [0, 1], got {edges.dtype} {edges.shape}")
    if not 0 <= threshold < 1:
        raise ValueError(f"threshold must be at least 0 and below 1, got {threshold:g}")
    if min_component < 0:
        raise ValueError(f"the smallest part must not be negative, got {min_component}")
    thresholded = edges > threshold
    labels, _ = ndimage.label(thresholded, _NEIGHBOURS)
    kept = np.bincount(labels.ravel()) >= min_component
    kept[0] = False  # what is no edge
    cleaned = kept[labels]
    return Steps(edges, thresholded, cleaned, thin(cleaned))


def to_sketch(edges: Edges, threshold: float = THRESHOLD, min_component: int = MIN_COMPONENT) -> Lines:
    """(H, W) edges to the sketch; see :func:`sketch_steps`."""
    return sketch_steps(edges, threshold, min_component).skeleton


class Agreement(NamedTuple):
    """How well two sketches agree, shares in [0, 1].

    Attributes:
        precision: lines of the first that have one of the second nearby.
        recall: lines of the second that have one of the first nearby.
        f1: harmonic mean of both.
    """

    precision: float
    recall: float
    f1: float


def agreement(a: Lines, b: Lines, tolerance: float = 2, region: Lines | None = None) -> Agreement:
    """Agreement of two sketches within a tolerance.

    Args:
        a: (H, W).
        b: (H, W), taken as the truth.
        tolerance: Euclidean distance up to which pixels agree.
        region: (H, W), where pixels are counted; their partners may lie outside. None counts all.

    Returns:
        All 1 if there is nothing to find and nothing was found; all 0 if only one is empty.

    Raises:
        ValueError: arrays of different or other forms, or a negative tolerance.
    """
    region = np.ones(a.shape, bool) if region is None else region
    if a.ndim != 2 or a.shape != b.shape or a.shape != region.shape or {x.dtype for x in (a, b, region)} != {a.dtype}:
        raise ValueError(
            f"sketches and region must be bool (H, W) of one size, got {a.shape}, {b.shape}, {region.shape}"
        )
    if a.dtype != bool:
        raise ValueError(f"sketches must be bool, got {a.dtype}; compare with a threshold first")
    if tolerance < 0:
        raise ValueError(f"tolerance must not be negative, got {tolerance:g}")
    found = _share_near(a & region, b, tolerance), _share_near(b & region, a, tolerance)
    # A share of no pixels says nothing: the other stands for both, and 1 where there is no pixel at all.
    known = [share for share in found if share is not None] or [1.0]
    precision, recall = known[0], known[-1]
    total = precision + recall
    return Agreement(precision, recall, 2 * precision * recall / total if total else 0.0)


def _share_near(lines: Lines, others: Lines, tolerance: float) -> float | None:
    """Share of the pixels of ``lines`` that have one of ``others`` within the tolerance; None without any pixel."""
    if not lines.any():
        return None
    if not others.any():
        return 0.0
    return float((ndimage.distance_transform_edt(~others)[lines] <= tolerance).mean())


class Comparison:
    """Compares edges with those of a reference, picture by picture.

    Args:
        threshold: of the edges.
        reference_threshold: of the reference's edges.
        min_component: of both sketches.
    """

    def __init__(self, threshold: float, reference_threshold: float, min_component: int = MIN_COMPONENT) -> None:
        self.threshold, self.reference_threshold, self.min_component = threshold, reference_threshold, min_component
        self.counts, self.reference_count = np.zeros(_BINS, np.int64), 0

    def add(self, edges: Edges, reference: Edges) -> dict[str, float]:
        """Figures of one picture: ``difference`` (mean absolute, of probabilities) and those of its agreement."""
        self.counts += np.histogram(edges, _BINS, (0, 1))[0]
        self.reference_count += int((reference > self.reference_threshold).sum())
        own = to_sketch(edges, self.threshold, self.min_component)
        found = agreement(own, to_sketch(reference, self.reference_threshold, self.min_component))
        return {"difference": float(np.abs(edges - reference).mean()), **found._asdict()}

    def matching_threshold(self) -> float:
        """The threshold at which as many pixels are edges, over all pictures, as in the reference; to 1/1000."""
        above = self.counts[::-1].cumsum()[::-1]
        return float(np.abs(above - self.reference_count).argmin()) / _BINS


class Detector(Protocol):
    """Finds edges.

    Attributes:
        name: to show.
    """

    name: str

    def __call__(self, rgb: NDArray[np.float32]) -> Edges:
        """(H, W, 3) RGB in [0, 1] to (H, W) edge probabilities."""


class Canny:
    """Canny's detector; needs no weights. Its lines get three pixels wide, near those of a network, with value 1.

    Args:
        sigma: of the blur before it, pixels.
    """

    name = "canny"

    def __init__(self, sigma: float = CANNY_SIGMA) -> None:
        self.sigma = sigma

    def __call__(self, rgb: NDArray[np.float32]) -> Edges:
        """(H, W, 3) RGB in [0, 1] to (H, W), 0 or 1."""
        from skimage.color import rgb2gray
        from skimage.feature import canny

        thin = canny(rgb2gray(rgb), self.sigma)
        return ndimage.binary_dilation(thin, _NEIGHBOURS).astype(np.float32)


class EdgeNetwork:
    """PiDiNet on pictures of any size.

    Pictures with a side above 1024 pixels are computed in tiles, without seams.

    Args:
        network: with its weights.
        name: to show.
        device: such as cpu or cuda:0.
    """

    def __init__(self, network: PiDiNet, name: str = "pidinet", device: torch.device | str = "cpu") -> None:
        self.network = network.to(device).eval().requires_grad_(False)
        self.name = name
        self.device = torch.device(device)

    def __call__(self, rgb: NDArray[np.float32]) -> Edges:
        """(H, W, 3) RGB in [0, 1] to (H, W) edge probabilities."""
        return in_tiles(self.network, rgb, MULTIPLE, REACH, TILE, self.device)


def save_network(
    path: Path, network: PiDiNet, extra_metadata: dict[str, str] | None = None, dtype: torch.dtype = torch.float16
) -> None:
    """Writes an edge network into one file, atomically, with the SHA-256 of its content in the metadata.

    Args:
        path: of the .safetensors file.
        network: gives channels and weights.
        extra_metadata: further strings, such as how it was trained.
        dtype: of the stored tensors.

    Raises:
        OSError: cannot be written; an old file is intact.
        ValueError: a weight is not finite, or not in this type.
    """
    stored = {name: tensor.detach().to("cpu", dtype).contiguous() for name, tensor in network.state_dict().items()}
    check_finite(stored, f"{path} is not written")
    config = json.dumps({"channels": network.channels})
    metadata = {"format": FORMAT, "config": config, "sha256": digest(config, stored)} | (extra_metadata or {})
    content = save_bytes(stored, metadata)
    atomic_write(path, lambda file: file.write(content))


def load_network(path: Path) -> PiDiNet:
    """An edge network from a file of ours, or from one of the authors' (.safetensors, .pth), in evaluation mode.

    Raises:
        OSError: the file cannot be read.
        ValueError: damaged (for ours by its SHA-256 too), or no such weights.
    """
    metadata = read_metadata(path) if path.suffix == ".safetensors" and path.is_file() else {}
    if "format" not in metadata:
        return from_file(path)
    if metadata["format"] != FORMAT or "config" not in metadata:
        raise ValueError(f"{path} is not an edge network (format {metadata['format']}, expected {FORMAT})")
    tensors = read_weights(path)
    if digest(metadata["config"], tensors) != metadata.get("sha256"):
        raise ValueError(f"{path} is damaged: its content does not match its SHA-256; copy it again")
    try:
        config = json.loads(metadata["config"])
        if not isinstance(config, dict):
            raise ValueError(f"expected an object, got {type(config).__name__}")
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: the configuration in its metadata is of no edge network: {error}") from None
    network = fitted(lambda: PiDiNet(**config), tensors, str(path))
    return network.eval().requires_grad_(False)


def bundled() -> Path | None:
    """The edge network that comes with the package, or None."""
    folder = resources.files("temperfill") / "weights" / "edges"
    found = sorted(Path(str(entry)) for entry in folder.iterdir()) if folder.is_dir() else []
    return next((path for path in found if path.suffix == ".safetensors"), None)


def load_detector(edges: str | Path = "auto", device: torch.device | str = "cpu") -> Detector:
    """A detector of edges.

    Args:
        edges: "auto" for the bundled network, or Canny's detector where none is bundled; "canny"; or the path of a
            weights file.
        device: of a network.

    Raises:
        OSError: the file cannot be read.
        ValueError: as :func:`load_network`.
    """
    path = bundled() if edges == "auto" else None if edges == "canny" else Path(edges)
    return Canny() if path is None else EdgeNetwork(load_network(path), path.stem, device)
