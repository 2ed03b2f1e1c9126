"""The coarse-to-fine generator (paper, section III-A, Fig. 2).

Widths are channels after gating; w is the width at full resolution, features are 4w wide at a quarter of it.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from temperfill.attention import MHTMA, GivenTemperature, Tempered
from temperfill.attention.patches import key_mask, pad_to_patch
from temperfill.config import GeneratorConfig
from temperfill.geometry import Box, CellSources, SizeRule
from temperfill.nets.layers import Widths, encoder, gated_chain, last_width, plain_output
from temperfill.nets.network import GeneratorOutput, Network
from temperfill.nets.parts import crop, inputs_of, surround
from temperfill.nets.refinement import STRIDE, RefinementNetwork
from temperfill.tensors import as_plane, composite

# Mean colour of ImageNet in [0, 1], with which the hole is filled before the first convolution.
HOLE_COLOUR = (0.485, 0.456, 0.406)


class CoarseNetwork(nn.Sequential):
    """Gated convolutions at both ends, dilated ones in the middle; input to an image in [-1, 1]."""

    def __init__(self, in_channels: int, w: int, widths: Widths) -> None:
        layers = encoder(in_channels, w, widths)
        table: list[tuple[int, dict[str, Any]]] = [
            (4 * w, {}),
            (4 * w, {}),
            (2 * w, {"up": True}),
            (2 * w, {}),
            (w, {"up": True}),
            (w // 2, {}),
        ]
        layers += gated_chain(last_width(layers), table, widths)
        super().__init__(*layers, plain_output(last_width(layers), 3), nn.Tanh())


class Generator(Network):
    """Image and mask to a coarse and a refined image.

    The hole's content is replaced before anything looks at it, so no caller can leak the answer.

    Args:
        config: sizes and switches.
    """

    SIZE_MULTIPLE = STRIDE
    SIZE_RULE = SizeRule(multiple=STRIDE, minimum=STRIDE)
    config: GeneratorConfig
    hole_colour: Tensor

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.config = config
        in_channels = 5 if config.sketch else 4
        widths = Widths(config.widths)
        self.coarse = CoarseNetwork(in_channels, config.width, widths)
        self.refinement = RefinementNetwork(in_channels, config, widths)
        widths.check_all_taken()
        self.register_buffer("hole_colour", torch.tensor(HOLE_COLOUR).view(1, 3, 1, 1), persistent=False)

    @property
    def has_temperatures(self) -> bool:
        """Whether the attention has temperatures, learned or not."""
        branch = self.refinement.attention_branch
        return branch is not None and isinstance(branch.attention, Tempered)

    @property
    def has_sources(self) -> bool:
        """Whether ``sources`` can tell where the attention copies from, and ``avoid`` be given."""
        branch = self.refinement.attention_branch
        return branch is not None and isinstance(branch.attention, MHTMA)

    def set_step(self, step: int) -> None:
        """Takes the temperature that a schedule has for a training step, where there is one."""
        for part in self.modules():
            if isinstance(part, GivenTemperature):
                part.set_step(step)

    def can_copy(self, mask: Tensor, avoid: Tensor) -> bool:
        """Whether the attention has a patch, in every picture, that touches neither the hole nor what is to be avoided.

        Args:
            mask: (B, 1, H, W), 1 = missing.
            avoid: (B, 1, H, W), 1 = known, but nothing is copied from here.
        """
        branch = self.refinement.attention_branch
        if branch is None or not isinstance(branch.attention, MHTMA):
            return False
        side, stride = branch.attention.patch_size, branch.attention.key_stride
        taken = torch.maximum(self._small(mask), self._small(avoid))
        return bool((key_mask(pad_to_patch(taken, side), side, stride) == 0).any(-1).all())

    def forward(
        self,
        image: Tensor,
        mask: Tensor,
        sketch: Tensor | None = None,
        temperature_scale: float = 1.0,
        holes: Sequence[Box] | None = None,
        start: Tensor | None = None,
        avoid: Tensor | None = None,
    ) -> GeneratorOutput:
        """Completes images.

        Args:
            image: (B, 3, H, W) in [0, 1]; H and W multiples of SIZE_MULTIPLE.
            mask: (B, 1, H, W) or (B, H, W), 1 or True = missing.
            sketch: likewise, 1 = line; used inside the hole if the generator takes a sketch.
            temperature_scale: factor on the learned temperatures.
            holes: boxes that together hold every missing pixel of the batch. Only what the pixels of the hole depend on
                is computed, each box by itself: the composite is the same and takes less time; ``coarse`` and
                ``refined`` have no meaning outside the hole. None computes all.
            start: (B, 3, H, W) in [0, 1], from which the refinement begins instead of the coarse network's image, such
                as the completed picture at half the size, enlarged; it counts inside the hole only.
            avoid: likewise, 1 = known, but the attention copies nothing from here; None for nowhere. It counts
                outside the hole only; where it leaves nothing to copy from, the attention does as if all were hole.

        Raises:
            ValueError: a sketch for a generator that takes none, a size that is no multiple of SIZE_MULTIPLE, or
                something to avoid for a generator without MHTMA.
        """
        mask = as_plane(mask, image.dtype)
        x, coarse = self._paste(image, mask, sketch, holes, start)
        size = (image.shape[2], image.shape[3])
        surroundings = self.refinement.surroundings
        parts = None if holes is None else [surround(hole, surroundings, size, STRIDE) for hole in holes]
        small_avoid = None if avoid is None else self._small(avoid)
        refined, temperatures = self.refinement(x, self._small(mask), temperature_scale, parts, small_avoid)
        coarse, refined = ((x.to(image.dtype) + 1) / 2 for x in (coarse, refined))
        return GeneratorOutput(coarse, refined.clamp(0, 1) if not self.training else refined, temperatures)

    def sources(
        self,
        image: Tensor,
        mask: Tensor,
        sketch: Tensor | None = None,
        temperature_scale: float = 1.0,
        holes: Sequence[Box] | None = None,
        cells: Tensor | None = None,
        top: int = 4,
        start: Tensor | None = None,
        avoid: Tensor | None = None,
    ) -> CellSources[Tensor]:
        """Where the attention of a single picture copies from.

        Args:
            image: (1, 3, H, W).
            mask: (1, 1, H, W).
            sketch: (1, 1, H, W) or None.
            temperature_scale: factor on the learned temperatures.
            holes: as for ``forward``.
            cells: (N,) cells asked for, numbered row by row; None for those of the hole.
            top: sources of each.
            start: as for ``forward``.
            avoid: as for ``forward``.

        Raises:
            ValueError: as ``forward``, a batch of several pictures, or a generator without MHTMA.
        """
        branch = self.refinement.attention_branch
        if branch is None or not isinstance(branch.attention, MHTMA) or len(image) != 1:
            raise ValueError("sources are those of one picture and a generator with the attention mhtma")
        attention, mask = branch.attention, as_plane(mask, image.dtype)
        x, _ = self._paste(image, mask, sketch, holes, start)
        small_mask = self._small(mask)
        features = branch.before(x)
        temperatures = attention.temperatures(features) * temperature_scale
        if cells is None:
            cells = small_mask.flatten().nonzero().squeeze(1)
        memory = attention.memorise(features, small_mask, avoid=None if avoid is None else self._small(avoid))
        weights, sources = attention.sources(memory, temperatures, cells, top)
        return CellSources(cells, weights[0], sources[0], temperatures[0], STRIDE, attention.patch_size)

    def _small(self, mask: Tensor) -> Tensor:
        """A mask at feature size, as by ``reduce_mask``, which would fix the size of a network that is exported."""
        return F.max_pool2d(as_plane(mask, torch.float32), STRIDE)

    def _paste(
        self,
        image: Tensor,
        mask: Tensor,
        sketch: Tensor | None,
        holes: Sequence[Box] | None,
        given: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        """Input of the refinement (B, 4 or 5, H, W), the pasted picture first, and the coarse image in [-1, 1]."""
        if image.shape[2] % STRIDE or image.shape[3] % STRIDE:
            raise ValueError(f"height and width must be multiples of {STRIDE}, got {tuple(image.shape[2:])}; pad first")
        if sketch is not None and not self.config.sketch:
            raise ValueError("this generator takes no sketch; build it with sketch=True")
        conditions = [mask]
        if self.config.sketch:
            lines = None if sketch is None else as_plane(sketch, image.dtype, "sketch") * mask
            conditions.append(torch.zeros_like(mask) if lines is None else lines)
        known = torch.where(mask > 0.5, self.hole_colour.to(image.dtype), image) * 2 - 1
        coarse = self._coarse(torch.cat([known, *conditions], 1), holes) if given is None else given * 2 - 1
        return torch.cat([composite(coarse, known, mask), *conditions], 1), coarse

    def _coarse(self, x: Tensor, holes: Sequence[Box] | None) -> Tensor:
        """The coarse image in [-1, 1]; where ``holes`` are given, only in them."""
        if holes is None:
            return self.coarse(x)
        coarse = torch.zeros_like(x[:, :3])
        for hole in holes:
            part = surround(hole, partial(inputs_of, self.coarse), (x.shape[2], x.shape[3]), STRIDE)
            crop(coarse, hole).copy_(crop(self.coarse(crop(x, part.around)), part.inner))
        return coarse
