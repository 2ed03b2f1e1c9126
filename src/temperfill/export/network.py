"""The network as it is exported: image and mask to the composite."""

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from temperfill.attention import MHTMA
from temperfill.attention.patches import reduce_mask
from temperfill.export.tiled import tiled_attention
from temperfill.nets.generator import Generator
from temperfill.tensors import composite


class Completion(nn.Module):
    """A generator with what its callers do around it; for tracing only where the generator has MHTMA.

    Args:
        generator: in evaluation mode.

    Attributes:
        smallest: height and width, in pixels, from which on the exported network is right.
    """

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.generator = generator
        self.attention = attention_of(generator)
        # A smaller map is padded to one whole patch, by a branch that tracing would have to take or leave.
        self.smallest = Generator.SIZE_MULTIPLE * (self.attention.patch_size if self.attention else 1)

    def forward(self, image: Tensor, mask: Tensor, sketch: Tensor | None = None, avoid: Tensor | None = None) -> Tensor:
        """Completes images.

        Args:
            image: (B, 3, H, W) in [0, 1].
            mask: (B, 1, H, W), above 0.5 = missing.
            sketch: (B, 1, H, W), above 0.5 = line, for a generator that takes one.
            avoid: (B, 1, H, W) or (1, 1, 1, 1), above 0.5 = nothing is copied from here, for a generator with MHTMA.

        Returns:
            The composite, (B, 3, H, W) in [0, 1].
        """
        mask = (mask > 0.5).to(image.dtype)
        sketch = None if sketch is None else (sketch > 0.5).to(image.dtype)
        # Joined with the hole, which changes nothing, a single value takes the size of the mask.
        avoid = None if avoid is None else torch.maximum(mask, (avoid > 0.5).to(image.dtype))
        if self.attention is None:
            return composite(self.generator(image, mask, sketch, avoid=avoid).refined, image, mask)
        usual = self.attention.attention
        self.attention.attention = partial(
            tiled_attention, needed=needed_patches(self.generator, mask, self.attention.patch_size)
        )
        try:
            return composite(self.generator(image, mask, sketch, avoid=avoid).refined, image, mask)
        finally:
            self.attention.attention = usual


class CoarseStage(nn.Module):
    """The first image of a generator by itself, for tracing.

    Args:
        generator: in evaluation mode.
    """

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, image: Tensor, mask: Tensor, sketch: Tensor | None = None) -> Tensor:
        """(1, 3, H, W) in [0, 1] of one picture; arguments as for a generator."""
        coarse: Tensor = self.generator(image, mask, sketch).coarse
        return coarse


class RefinementStage(nn.Module):
    """What follows from a given first image, with what tells where its attention copies from; for tracing.

    Args:
        generator: with MHTMA, in evaluation mode.
    """

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.generator = generator

    def forward(
        self,
        image: Tensor,
        mask: Tensor,
        start: Tensor,
        temperature: Tensor,
        avoid: Tensor,
        sketch: Tensor | None = None,
    ) -> tuple[Tensor, ...]:
        """Refines one picture.

        Args:
            image: (1, 3, H, W) in [0, 1].
            mask: (1, 1, H, W), 1 = missing.
            start: (1, 3, H, W) in [0, 1], from which to begin.
            temperature: (), factor on the learned temperatures.
            avoid: (1, 1, H, W), 1 = known, but nothing is copied from here.
            sketch: (1, 1, H, W), 1 = line, for a generator that takes one.

        Returns:
            The composite (1, 3, H, W); scaled queries (1, heads, N, d), scaled keys (1, heads, M, d) and their
            constants (1, 1 or heads, 1, M), whose products and sums are the scores; and (1, heads) temperatures.
        """
        attention = attention_of(self.generator)
        assert attention is not None
        seen: list[Tensor] = []
        usual = attention.attention
        needed = needed_patches(self.generator, mask, attention.patch_size)
        attention.attention = partial(tiled_attention, needed=needed, seen=seen)
        try:
            output = self.generator(image, mask, sketch, temperature, start=start, avoid=avoid)
        finally:
            attention.attention = usual
        return composite(output.refined, image, mask), *seen, output.temperatures


def attention_of(generator: Generator) -> MHTMA | None:
    """The attention that can be tiled, if the generator has it."""
    branch = generator.refinement.attention_branch
    attention = None if branch is None else branch.attention
    return attention if isinstance(attention, MHTMA) else None


def needed_patches(generator: Generator, mask: Tensor, patch_size: int) -> Tensor:
    """(h * w,) bool: the hole of any image depends on what the patch around this cell finds."""
    stride = Generator.SIZE_MULTIPLE
    small = reduce_mask(mask, (mask.shape[2] // stride, mask.shape[3] // stride))
    reach = generator.refinement.reach()
    before, after = (patch_size - 1) // 2, patch_size // 2
    cells = F.max_pool2d(small, 2 * reach + 1, 1, reach)
    patches = F.max_pool2d(F.pad(cells, (before, after, before, after)), patch_size, 1)
    return patches.amax(0).flatten() > 0.5
