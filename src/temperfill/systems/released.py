"""From checkpoints that others released to our networks: how their files are laid out, and which layout one has."""

from collections.abc import Callable, Sequence
from pkgutil import resolve_name
from typing import Any, NamedTuple

import torch
from torch import Tensor

from temperfill.nets.network import Network
from temperfill.systems.building import build
from temperfill.systems.table import RELEASED

_NAMED = 5


def _as_it_is(_: str, tensor: Tensor) -> Tensor:
    return tensor


class Layout(NamedTuple):
    """How the tensors of a released network lie in a file.

    Attributes:
        source: whose file it is.
        config: of the generator that takes them.
        name: gives the released name of a tensor of that generator.
        under: keys under which the state dict may stand in the file.
        prefixes: what may stand before every name; one of them.
        ignored: end of the names that filling does not need; empty for none.
        convert: a released tensor, by our name for it, to ours.
    """

    source: str
    config: Any
    name: Callable[[str], str]
    under: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ("",)
    ignored: str = ""
    convert: Callable[[str, Tensor], Tensor] = _as_it_is


def layouts(method: str) -> Sequence[Layout]:
    """The known layouts of a method's checkpoints."""
    found: Sequence[Layout] = resolve_name(RELEASED[method])
    return found


def from_released(content: dict[str, Any], where: str) -> tuple[Network, Layout]:
    """The network that a released checkpoint holds, in evaluation mode, and the layout that it has.

    Args:
        content: of the file.
        where: its name, for messages.

    Raises:
        ValueError: no known layout; or names that are missing or unknown, or shapes of another network: names them.
    """
    best: tuple[int, Layout, dict[str, str], dict[str, Tensor]] | None = None
    for layout in (layout for method in RELEASED for layout in layouts(method)):
        names = {ours: layout.name(ours) for ours in _shapes(layout.config)}
        for prefix in layout.prefixes:
            tensors = _tensors(content, layout.under, prefix)
            common = len(set(names.values()) & tensors.keys())
            # Of layouts that share names, the one of which less is missing.
            score = 2 * common - len(names)
            if common and (best is None or score > best[0]):
                best = score, layout, names, tensors
    if best is None:
        known = "; ".join(layout.source for method in RELEASED for layout in layouts(method))
        raise ValueError(f"{where} has no known layout; known are {known}")
    _, layout, names, tensors = best
    _check_names(layout, names, tensors, where)
    generator = build(layout.config)
    state = {ours: layout.convert(ours, tensors[theirs]) for ours, theirs in names.items()}
    for ours, expected in _shapes(layout.config).items():
        if state[ours].shape != expected:
            found = tuple(state[ours].shape)
            raise ValueError(f"{where}: {names[ours]} has shape {found}, expected {tuple(expected)} ({layout.source})")
    generator.load_state_dict(state)
    return generator.eval().requires_grad_(False), layout


def _shapes(config: Any) -> dict[str, torch.Size]:
    """Names and shapes of a generator's tensors, without their memory."""
    with torch.device("meta"):
        return {name: tensor.shape for name, tensor in build(config).state_dict().items()}


def _tensors(content: dict[str, Any], under: Sequence[str], prefix: str) -> dict[str, Tensor]:
    """The tensors below a prefix, in the content or in the dict under one of the keys."""
    inner = next((content[key] for key in under if isinstance(content.get(key), dict)), content)
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in inner.items()
        if isinstance(name, str) and isinstance(tensor, Tensor) and name.startswith(prefix)
    }


def _check_names(layout: Layout, names: dict[str, str], tensors: dict[str, Tensor], where: str) -> None:
    wanted = set(names.values())
    ignored = {name for name in tensors if layout.ignored and name.endswith(layout.ignored)}
    missing, unknown = sorted(wanted - tensors.keys()), sorted(tensors.keys() - wanted - ignored)
    if missing or unknown:
        parts = [f"{what} {_some(found)}" for what, found in (("missing", missing), ("unknown", unknown)) if found]
        raise ValueError(f"{where} is nearly of the layout {layout.source}, but not quite: {'; '.join(parts)}")


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
