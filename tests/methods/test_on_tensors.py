"""A method on tensors behind the door for arrays can do all that it could before."""

from dataclasses import fields
from types import SimpleNamespace
from typing import Any

import numpy as np

from temperfill.geometry import CellSources, SizeRule
from temperfill.methods.contract import Abilities
from temperfill.methods.on_tensors import OnTensors


def behind(abilities: Abilities[Any]) -> Abilities[Any]:
    method: Any = SimpleNamespace(name="method", size_rule=SizeRule(), abilities=abilities)
    return OnTensors(method, "cpu").abilities


def test_every_ability_is_passed_on() -> None:
    """Each field of the contract, whatever fields there are: its default, and a value that it does not have."""
    assert behind(Abilities()) == Abilities()
    names = [field.name for field in fields(Abilities)]
    for name in names:
        given: Any = lambda *_: True  # noqa: E731 - an ability that calls something, too
        passed = behind(Abilities(**{name: given}))
        for other in names:
            if other != name:
                assert vars(passed)[other] == vars(Abilities())[other], (name, other)
        translated = name in ("sources", "avoid")
        assert (vars(passed)[name] is given) != translated, name
        assert vars(passed)[name] is not None


def test_abilities_that_take_planes_take_arrays() -> None:
    import torch

    seen: list[Any] = []

    def find(*planes: Any, cells: Any, **_: Any) -> CellSources[Any]:
        seen.extend([*planes[:2], cells])
        return CellSources(*(torch.zeros(1) for _ in range(4)), 4, 3)

    def is_left(mask: Any, avoid: Any) -> bool:
        seen.extend([mask, avoid])
        return False

    plane = np.zeros((1, 1, 8, 8), np.float32)
    passed = behind(Abilities(sources=find, avoid=is_left))
    assert passed.sources is not None
    assert passed.avoid is not None
    told = passed.sources(plane, plane, cells=np.arange(2))
    assert isinstance(told.cells, np.ndarray)
    assert passed.avoid(plane, plane) is False
    assert len(seen) == 5
    assert all(isinstance(each, torch.Tensor) for each in seen)
