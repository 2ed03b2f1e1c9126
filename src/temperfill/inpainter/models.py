"""Several models to choose from: each is loaded when it is first needed, and stays loaded."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from temperfill.errors import InputError
from temperfill.inpainter.inpainter import Inpainter
from temperfill.methods.facts import Facts, facts_of
from temperfill.methods.finding import Found, bundled, find
from temperfill.options import Precision


class Models:
    """Models by name. One thread may load; others may ask for all else meanwhile.

    Args:
        choices: what may be asked for, with names of their own; the first is taken where none is named.
        load: gives the inpainter of one; called once for each, when it is first needed.
    """

    def __init__(self, choices: Sequence[Found], load: Callable[[Found], Inpainter]) -> None:
        self._choices = {found.label: found for found in choices}
        self._load = load
        self._loaded: dict[str, Inpainter] = {}
        self._facts: dict[str, Facts] = {}  # read once: a file may go while its model is at work
        self.default = choices[0].label

    @property
    def names(self) -> tuple[str, ...]:
        """Of all, the default first."""
        return tuple(self._choices)

    def find(self, name: str = "") -> Found:
        """The model of a name; of none the default.

        Raises:
            InputError: there is none of this name.
        """
        known = self._choices.get(name or self.default)
        if known is None:
            raise InputError(f"there is no model {name[:40]!r} here; known are {', '.join(self._choices)}")
        return known

    def get(self, name: str = "") -> Inpainter:
        """The inpainter of a model, loaded if it is not.

        Raises:
            InputError: there is none of this name.
            OSError: its file cannot be read.
            ValueError: it cannot be loaded.
        """
        found = self.find(name)
        if found.label not in self._loaded:
            self._known(found)
            self._loaded[found.label] = self._load(found)
        return self._loaded[found.label]

    def _known(self, found: Found) -> Facts:
        if found.label not in self._facts:
            self._facts[found.label] = facts_of(found)
        return self._facts[found.label]

    def loaded(self, name: str = "") -> Inpainter | None:
        """The inpainter of a model if it is loaded; raises as :meth:`find`."""
        return self._loaded.get(self.find(name).label)

    def facts(self, name: str = "") -> Facts:
        """What is known of a model; what it can do says the model itself once it is loaded.

        Raises:
            InputError: there is none of this name.
            OSError: its file cannot be read.
            ValueError: its file is damaged.
        """
        known, inpainter = self._known(self.find(name)), self.loaded(name)
        if inpainter is None:
            return known
        can = inpainter.method.abilities
        return replace(
            known,
            is_learned=can.is_learned,
            sketch=can.sketch,
            temperature=can.temperature,
            sources=can.sources is not None,
            avoid=can.avoid is not None,
        )


def choices(model: str, others: Sequence[str] | None = None) -> list[Found]:
    """The models to choose from.

    Args:
        model: name of the default, as for :func:`temperfill.methods.finding.find`.
        others: names of further ones; None for all that are bundled.

    Returns:
        Each once, the default first.

    Raises:
        OSError: as ``find``.
        ValueError: likewise.
    """
    found = [find(model)]
    for other in map(find, bundled() if others is None else others):
        if all(other.label != each.label and (other.path is None or other.path != each.path) for each in found):
            found.append(other)
    return found


def loader(device: str, precision: Precision) -> Callable[[Found], Inpainter]:
    """A function that loads a model, and raises as ``Inpainter.from_pretrained``."""
    return lambda found: Inpainter.from_pretrained(found.path or found.method, device, precision)
