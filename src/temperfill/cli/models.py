"""``temperfill models``: list models and methods."""

from dataclasses import dataclass

from temperfill.cli.parsing import parse


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
            terms = (file.metadata() or {}).get("terms", "")
        print(f"{name}  (bundled, {path.stat().st_size / 1e6:.0f} MB{terms and f'; terms: {terms}'})")
    for name in METHODS:
        if name not in (*BASELINES, *UNTRAINED):  # their weights are given by path
            print(name)


def _list_all() -> None:
    from temperfill.methods.table import METHODS

    for name, row in METHODS.items():
        print(name)
        facts = {"paper": row.paper, "parameters": row.parameters_text, "terms": row.terms, "needs": row.needs}
        for title, text in facts.items():
            print(f"  {title + ':':12}{text}")
