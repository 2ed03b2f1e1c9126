"""``temperfill models``: list models and methods."""

from dataclasses import dataclass

from temperfill.cli.parsing import parse
from temperfill.options import DEFAULT_MODEL

FACTS = {"terms": "terms", "training_data": "trained on", "results": "results"}
"""What a weights file says of itself: keys of its metadata, and how they are printed."""


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
    from safetensors import safe_open

    from temperfill.methods.finding import bundled
    from temperfill.methods.table import METHODS
    from temperfill.systems.table import BASELINES, UNTRAINED

    for name, path in bundled().items():
        with safe_open(path, "np") as file:  # without torch, which takes seconds to import
            facts = file.metadata() or {}
        default = ", taken where none is named" if name == DEFAULT_MODEL else ""
        print(f"{name}  (bundled, {path.stat().st_size / 1e6:.0f} MB{default})")
        _tell({title: facts.get(key, "") for key, title in FACTS.items()})
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
