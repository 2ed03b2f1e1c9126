"""``temperfill models``: list models and methods."""

from dataclasses import dataclass

from temperfill.cli.parsing import parse
from temperfill.options import DEFAULT_MODEL


@dataclass(frozen=True)
class ModelsOptions:
    """Lists what --model and --methods take."""

    all: bool = False
    """List every method instead, those without bundled weights too: paper, parameters at full width, terms of use,
    and what it needs."""
    debug: bool = False
    """Show the trace of an error."""


def run(words: list[str]) -> None:
    """Runs the command on the words after its name."""
    if parse(ModelsOptions, "models", words).all:
        _list_all()
        return
    from temperfill.methods.facts import facts_of
    from temperfill.methods.finding import bundled, find
    from temperfill.methods.table import METHODS
    from temperfill.systems.table import BASELINES, UNTRAINED

    for name, path in bundled().items():
        facts = facts_of(find(name))
        default = ", taken where none is named" if name == DEFAULT_MODEL else ""
        print(f"{name}  (bundled, {path.stat().st_size / 1e6:.0f} MB{default})")
        _tell({"terms": facts.terms, "trained on": facts.training_data, "results": facts.results})
    for name in METHODS:
        if name not in (*BASELINES, *UNTRAINED):  # their weights are given by path
            print(name)


def _list_all() -> None:
    from temperfill.methods.table import METHODS

    for name, row in METHODS.items():
        print(name)
        _tell({"paper": row.paper, "parameters": row.parameters_text, "terms": row.terms, "needs": row.needs})


def _tell(facts: dict[str, str]) -> None:
    for title, text in facts.items():
        if text:
            print(f"  {title + ':':12}{text}")
