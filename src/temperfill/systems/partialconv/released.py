"""How a released checkpoint of partial convolutions lies in its file.

https://github.com/naoto0804/pytorch-inpainting-with-partial-conv, the public code that the paper of this package
retrained. Its layers divide by the number of valid inputs, ours by their share: weights differ by that factor.
"""

from torch import Tensor

from temperfill.systems.partialconv import PartialConvConfig
from temperfill.systems.partialconv.network import ENCODER
from temperfill.systems.released import Layout

_LAYERS = len(ENCODER)


def _name(ours: str) -> str:
    part, number, rest = ours.split(".", 2)
    layer = f"enc_{int(number) + 1}" if part == "encoder" else f"dec_{_LAYERS - int(number)}"
    if rest.startswith("norm."):
        return f"{layer}.bn.{rest.removeprefix('norm.')}"
    return f"{layer}.conv.input_conv.{rest.rpartition('.')[2]}"


def _scaled(ours: str, tensor: Tensor) -> Tensor:
    """Kernels (out, in, k, k) for the share of valid inputs instead of their number."""
    return tensor / tensor[0].numel() if ours.endswith("convolution.weight") else tensor


LAYOUTS = (
    Layout(
        "naoto0804/pytorch-inpainting-with-partial-conv",
        PartialConvConfig(),
        _name,
        under=("model",),
        ignored=".mask_conv.weight",
        convert=_scaled,
    ),
)
