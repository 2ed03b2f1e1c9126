"""``temperfill models``: list models and methods."""

from dataclasses import dataclass

from temperfill.cli.parsing import parse


@dataclass(frozen=True)
class ModelsOptions:
    """Lists what --model and --methods take."""

    debug: bool = False
    """Show the trace of an error."""


def run(words: list[str]) -> None:
    """Runs the command on the words after its name."""
    parse(ModelsOptions, "models", words)
    from safetensors import safe_open

    from temperfill.methods import METHODS, bundled

    for name, path in bundled().items():
        with safe_open(path, "np") as file:  # without torch, which takes seconds to import
            terms = (file.metadata() or {}).get("terms", "")
        print(f"{name}  (bundled, {path.stat().st_size / 1e6:.0f} MB{terms and f'; terms: {terms}'})")
    for name in METHODS:
        print(name)
