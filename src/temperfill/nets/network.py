"""What every generator is, whatever its method."""

from typing import Any, ClassVar, NamedTuple

from torch import Tensor, nn

from temperfill.geometry import SizeRule


class GeneratorOutput(NamedTuple):
    """What a generator gives.

    Attributes:
        coarse: (B, 3, H, W) in [0, 1], output of the coarse network, not pasted.
        refined: (B, 3, H, W) in [0, 1], output of the refinement network, not pasted; in training mode a generator
            may leave the range, so that the loss can pull it back.
        temperatures: (B, heads) of the attention; (B, 0) without one.
    """

    coarse: Tensor
    refined: Tensor
    temperatures: Tensor


class Network(nn.Module):
    """A generator: image (B, 3, H, W) in [0, 1] and mask (B, 1, H, W), 1 = missing, to a :class:`GeneratorOutput`.

    It hides the hole's content itself, so that no caller can leak the answer.

    Attributes:
        SIZE_RULE: sizes that it takes.
        config: what it was built by, which is stored with its weights.
        terms: of use of its weights, where a file said so; they are stored with the weights again.
    """

    SIZE_RULE: ClassVar[SizeRule]
    config: Any
    terms: str = ""

    def set_step(self, step: int) -> None:
        """Is told every training step, from 0, before it is taken: for what follows a schedule. Most networks do not.

        Args:
            step: its number; what is set is a function of it alone.
        """
