"""What an attention module is: the least that every one has, and what it may be able to do besides."""

from typing import Protocol, runtime_checkable

from torch import Tensor


class Attention(Protocol):
    """The least: refines features by what stands elsewhere. Any ``nn.Module`` with such a ``forward`` will do."""

    def __call__(self, features: Tensor, mask: Tensor, /) -> Tensor:
        """Refines features.

        Args:
            features: (B, C, h, w).
            mask: (B, 1, H, W) with H >= h, W >= w; 1 = missing; each image has its own.

        Returns:
            (B, C, h, w).
        """


@runtime_checkable
class Tempered(Attention, Protocol):
    """An attention with temperatures: they can be read, logged, scaled, and given instead of its own."""

    def temperatures(self, features: Tensor, /) -> Tensor:
        """(B, C, h, w) features to (B, heads) temperatures."""

    def __call__(self, features: Tensor, mask: Tensor, temperatures: Tensor | None = None, /) -> Tensor:
        """As ``Attention``, with (B, heads) temperatures; None takes its own."""
