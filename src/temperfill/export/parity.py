"""Comparing an ONNX model with the network it was made from."""

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from temperfill.images import open_picture
from temperfill.inpainter import Inpainter
from temperfill.methods.ours import Ours
from temperfill.nets.generator import Generator
from temperfill.options import FillOptions
from temperfill.tensors import composite

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

TOLERANCE = 1e-4
"""Largest difference between onnxruntime and torch that is let pass; values lie in [0, 1]."""
SIZES = ((64, 96), (256, 192))
"""Heights and widths; the attention of the second takes several tiles."""
BATCHES = (1, 2)
STEPS = 2
"""Largest difference of the whole, of 255: both round to bytes."""


@dataclass(frozen=True)
class Difference:
    """One comparison.

    Attributes:
        shape: of the images, (B, 3, H, W).
        largest: absolute difference of any value.
        known_kept: whether every known pixel has the bits of the input.
        avoided: whether a part of the picture was to be avoided.
        tolerance: largest difference that is let pass.
    """

    shape: tuple[int, ...]
    largest: float
    known_kept: bool
    avoided: bool = False
    tolerance: float = TOLERANCE

    @property
    def passes(self) -> bool:
        """Whether the model may be used; a difference that is not a number may not."""
        return self.largest <= self.tolerance and self.known_kept

    def __str__(self) -> str:
        batch, _, height, width = self.shape
        known = "known pixels identical" if self.known_kept else "known pixels CHANGED"
        avoided = ", a part avoided" if self.avoided else ""
        return f"batch {batch}, {width}x{height}{avoided}: largest difference from torch {self.largest:.1e}, {known}"


def compare(model: bytes, generator: Generator) -> list[Difference]:
    """Runs a model and its generator on the same random pictures of two sizes and two batch sizes.

    Where the generator can avoid a part of the picture, it does so once more for the last of them.

    Args:
        model: content of the ONNX file.
        generator: in evaluation mode, on the CPU.

    Raises:
        ModuleNotFoundError: onnxruntime is not installed.
    """
    session = _session(model)
    cases = [(*case, False) for case in product(BATCHES, SIZES)]
    cases += [(BATCHES[-1], SIZES[-1], True)] if generator.has_sources else []
    return [_compare(session, generator, *case) for case in cases]


def compare_whole(model: bytes, generator: Generator) -> list[Difference]:
    """Fills random pictures with a model that holds the whole, and with the generator as the package does.

    One has a hole that is filled at its size, one a thick hole, and one something to avoid.

    Args:
        model: content of the ONNX file.
        generator: in evaluation mode, on the CPU.

    Raises:
        ModuleNotFoundError: onnxruntime is not installed.
    """
    from temperfill.export.product.assembly import DEFAULTS

    session = _session(model)
    inpainter = Inpainter(Ours(generator), "cpu", "fp32")
    options = FillOptions(texture="network")
    found = []
    for height, width, avoided in ((*SIZES[0], False), (*SIZES[1][::-1], True), (300, 280, False)):
        image, mask, _ = _planes(1, (height, width))
        pixels = (image[0].permute(1, 2, 0) * 255).round().byte().numpy()
        hole = mask[0, 0].numpy() > 0
        avoid = hole[:, ::-1] if avoided else np.zeros_like(hole)
        given = DEFAULTS | {"image": pixels, "mask": hole.astype(np.uint8) * 255, "avoid": avoid.astype(np.uint8) * 255}
        (filled,) = session.run(None, given)
        expected = inpainter.complete(open_picture(Image.fromarray(pixels)), hole, None, options, avoid=avoid).pixels
        largest = int(np.abs(filled.astype(int) - expected).max()) / 255
        kept = np.array_equal(filled[~hole], pixels[~hole])
        found.append(Difference((1, 3, height, width), largest, kept, avoided, STEPS / 255))
    return found


def _session(model: bytes) -> "InferenceSession":
    import onnxruntime

    return onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])


def _compare(
    session: "InferenceSession", generator: Generator, batch: int, size: tuple[int, int], avoided: bool
) -> Difference:
    image, mask, sketch = _planes(batch, size)
    planes = {"image": image, "mask": mask} | ({"sketch": sketch} if generator.config.sketch else {})
    planes |= {"avoid": mask.flip(3)} if avoided else {}
    with torch.inference_mode():
        expected = composite(generator(**planes).refined, image, mask).numpy()
    (given,) = session.run(None, {name: plane.numpy() for name, plane in planes.items()})
    known = np.broadcast_to(mask.numpy() == 0, image.shape)
    same = np.array_equal(given[known], image.numpy()[known])
    return Difference(tuple(image.shape), float(np.abs(given - expected).max()), same, avoided)


def _planes(batch: int, size: tuple[int, int]) -> tuple[Tensor, Tensor, Tensor]:
    """Images with a smooth and a random part, masks with a hole that is elsewhere in each, random sketches."""
    height, width = size
    random = torch.Generator().manual_seed(0)
    coarse = torch.rand(batch, 3, height // 16, width // 16, generator=random)
    smooth = torch.nn.functional.interpolate(coarse, size, mode="bilinear")
    image = 0.8 * smooth + 0.2 * torch.rand(batch, 3, height, width, generator=random)
    mask = torch.zeros(batch, 1, height, width)
    for number in range(batch):
        top, left = (side // 5 + 5 * number for side in size)
        mask[number, :, top : top + height // 2, left : left + width // 2] = 1
    sketch = (torch.rand(batch, 1, height, width, generator=random) > 0.95).float()
    return image, mask, sketch
