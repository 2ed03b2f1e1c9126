"""``temperfill methods``: what every method is, and what it needs."""

from dataclasses import dataclass

from temperfill.cli.parsing import parse


@dataclass(frozen=True)
class MethodsOptions:
    """Lists every method with its paper, parameters at full width, terms of use, and what it needs."""

    debug: bool = False
    """Show the trace of an error."""


def run(words: list[str]) -> None:
    """Runs the command on the words after its name."""
    parse(MethodsOptions, "methods", words)
    from temperfill.methods.catalogue import ABOUT, parameters_text

    for name, about in ABOUT.items():
        print(name)
        rows = {"paper": about.paper, "parameters": parameters_text(about), "terms": about.terms, "needs": about.needs}
        for title, text in rows.items():
            print(f"  {title + ':':12}{text}")
