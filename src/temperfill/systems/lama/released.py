"""How the released checkpoints of LaMa lie in their files (https://github.com/advimman/lama)."""

from functools import partial

from temperfill.systems.lama import LamaConfig
from temperfill.systems.released import Layout

_PARTS = {
    "global_to_global.reduce": "ffc.convg2g.conv1.0",
    "global_to_global.norm": "ffc.convg2g.conv1.1",
    "global_to_global.fourier.convolution": "ffc.convg2g.fu.conv_layer",
    "global_to_global.fourier.norm": "ffc.convg2g.fu.bn",
    "global_to_global.expand": "ffc.convg2g.conv2",
    "local_to_local": "ffc.convl2l",
    "local_to_global": "ffc.convl2g",
    "global_to_local": "ffc.convg2l",
    "norm_local": "bn_l",
    "norm_global": "bn_g",
}
_BEFORE = 5  # of the blocks, in the released sequence: padding, the entry, three halvings


def _name(name: str, blocks: int) -> str:
    """The released name of a tensor; the released network is one sequence of numbered layers."""
    part, _, rest = name.partition(".")
    after = _BEFORE + blocks + 1  # where features are joined
    if part == "last":
        return f"model.{after + 10}.{rest}"
    number, _, inner = rest.partition(".")
    if part == "doublings":
        layer, _, tensor = inner.partition(".")
        return f"model.{after + 3 * int(number) + int(layer)}.{tensor}"
    if part == "blocks":
        half, _, inner = inner.partition(".")
        head = f"model.{_BEFORE + int(number)}.conv{1 if half == 'first' else 2}"
    elif part == "halvings":
        head = f"model.{2 + int(number)}"
    else:
        head, inner = {"entry": "model.1", "split": "model.4"}[part], rest
    layer, _, tensor = inner.rpartition(".")
    return f"{head}.{_PARTS[layer]}.{tensor}"


LAYOUTS = tuple(
    Layout(
        f"advimman/lama, {name}",
        LamaConfig(blocks=blocks),
        partial(_name, blocks=blocks),
        under=("state_dict",),
        prefixes=("generator.", ""),
    )
    for name, blocks in (("Big LaMa", 18), ("LaMa-Fourier", 9))
)
