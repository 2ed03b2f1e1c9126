"""The coarse-to-fine network with temperature masked self-attention (Zhou et al. 2023)."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from temperfill import methods, regions
from temperfill.attention import MHTMA
from temperfill.geometry import Box, CellSources, SizeRule
from temperfill.methods.contract import Abilities
from temperfill.nets.generator import Generator
from temperfill.options import DEFAULT_MODEL
from temperfill.weights_files import load_generator

QUERY_TILES = (16384, 4096, 1024)
"""Queries that are matched at once, from step to step, when memory runs out."""
MARGIN = 160
"""About the pixels around a hole that the convolutions need, by which boxes around holes are joined."""


class Ours:
    """A generator as a method.

    Args:
        generator: in evaluation mode.
        name: of the method.

    Attributes:
        name: of the method.
        size_rule: sizes it takes.
        abilities: a sketch, temperatures and sources as its configuration has them.
    """

    def __init__(self, generator: Generator, name: str = "ours") -> None:
        self.generator = generator
        self.name = name
        self.size_rule = SizeRule(multiple=Generator.SIZE_MULTIPLE, minimum=Generator.SIZE_MULTIPLE)
        self.abilities = Abilities(
            sketch=generator.config.sketch,
            temperature=generator.has_temperatures,
            start=True,
            tone_drifts=True,
            colours_stray=True,
            sources=self.sources if generator.has_sources else None,
            avoid=generator.can_copy if generator.has_sources else None,
            use_less_memory=self.use_less_memory if generator.has_sources else None,
            network=generator,
        )

    @torch.inference_mode()
    def __call__(
        self,
        image: Tensor,
        mask: Tensor,
        sketch: Tensor | None = None,
        *,
        temperature: float = 1.0,
        start: Tensor | None = None,
        avoid: Tensor | None = None,
    ) -> Tensor:
        """Fills the holes of a batch.

        Args:
            image: (B, 3, H, W) in [0, 1], on any device; content of the hole does not matter.
            mask: (B, 1, H, W), 1 = missing.
            sketch: (B, 1, H, W), 1 = line, for a generator that takes one.
            temperature: factor on the learned temperatures.
            start: (B, 3, H, W) in [0, 1], from which the refinement begins instead of the coarse network's image.
            avoid: (B, 1, H, W), 1 = known, but the attention copies nothing from here; None for nowhere.

        Returns:
            (B, 3, H, W) in [0, 1], not pasted, in dtype and on the device of ``image``; outside the hole it has no
                meaning.
        """
        planes = (image, mask, sketch, start, avoid)
        own_image, own_mask, own_sketch, own_start, own_avoid = (self._own(plane) for plane in planes)
        holes = _boxes(own_mask)
        output = self.generator(own_image, own_mask, own_sketch, temperature, holes, own_start, own_avoid)
        return output.refined.to(image)

    @torch.inference_mode()
    def sources(
        self,
        image: Tensor,
        mask: Tensor,
        sketch: Tensor | None = None,
        *,
        temperature: float = 1.0,
        cells: Tensor | None = None,
        top: int = 4,
        start: Tensor | None = None,
        avoid: Tensor | None = None,
    ) -> CellSources[Tensor]:
        """Where the cells of a hole are copied from; as :meth:`temperfill.nets.generator.Generator.sources`."""
        holes = _boxes(mask)
        image, mask, sketch, start, avoid = (self._own(plane) for plane in (image, mask, sketch, start, avoid))
        return self.generator.sources(image, mask, sketch, temperature, holes, cells, top, start, avoid)

    def use_less_memory(self) -> bool:
        """Takes less memory from now on; False if nothing is left to do.

        Fewer queries are matched at once, step by step.
        """
        branch = self.generator.refinement.attention_branch
        attention = None if branch is None else branch.attention
        if not isinstance(attention, MHTMA) or attention.max_queries == QUERY_TILES[-1]:
            return False
        attention.max_queries = next(
            n for n in QUERY_TILES if attention.max_queries is None or n < attention.max_queries
        )
        return True

    def _own(self, plane: Any) -> Any:
        """A plane in the generator's type and on its device; None stays None."""
        return plane if plane is None else plane.to(next(self.generator.parameters()))


def _boxes(mask: Tensor) -> list[Box]:
    return regions.hole_boxes((mask > 0.5).any(0)[0].cpu().numpy(), MARGIN)


def load(device: str = "cpu", path: Path | None = None) -> Ours:
    """The method with weights from a file.

    Args:
        device: such as cpu or cuda:0.
        path: of a .safetensors file; None for the bundled default.

    Raises:
        OSError: no such file, or it cannot be read.
        ValueError: damaged or foreign file, or no bundled weights.
    """
    if path is None:
        path = methods.bundled().get(DEFAULT_MODEL)
        if path is None:
            raise ValueError(
                f"this installation has no bundled weights {DEFAULT_MODEL!r}; give the path of a .safetensors file"
            )
    generator = load_generator(path, device, "ours")
    generator.to(memory_format=torch.channels_last)
    return Ours(generator)
