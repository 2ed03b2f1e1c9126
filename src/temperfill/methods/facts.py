"""What is known of a model before it is loaded: what its file says of itself, and what it can do."""

from dataclasses import dataclass

from temperfill.config import GeneratorConfig, from_json
from temperfill.methods.finding import OURS, Found
from temperfill.methods.table import METHODS
from temperfill.systems.table import NETWORKS
from temperfill.weights_reading import method_named, parsed_config, read_metadata

FREE = {"Apache-2.0": "anyone may use it (Apache-2.0)"}
"""Terms of which a name alone says too little, as users read them."""


def phrase(terms: str) -> str:
    """Terms that a file states, as users read them."""
    return FREE.get(terms, terms)


@dataclass(frozen=True)
class Facts:
    """Of one model.

    Attributes:
        terms: of use, in a short phrase; empty where its file states none.
        training_data: what it was trained on, likewise.
        results: how well it fills, likewise.
        is_learned: whether it was trained on photographs.
        sketch: whether it follows a sketch.
        temperature: whether it has temperatures.
        sources: whether it tells where it copies from.
        avoid: whether it can leave places out.
    """

    terms: str = ""
    training_data: str = ""
    results: str = ""
    is_learned: bool = False
    sketch: bool = False
    temperature: bool = False
    sources: bool = False
    avoid: bool = False


def facts_of(found: Found) -> Facts:
    """What is known of a model.

    Args:
        found: from :func:`temperfill.methods.finding.find`.

    Raises:
        OSError: its file cannot be read.
        ValueError: its file is damaged, or none of this package.
    """
    if found.path is None:
        row = METHODS.get(found.method)
        return Facts(row.terms if row else "", is_learned=found.method in NETWORKS)
    if found.path.suffix == ".onnx":
        return Facts(METHODS["migan"].terms, is_learned=True)
    metadata = read_metadata(found.path)
    said = (phrase(metadata.get("terms", "")), metadata.get("training_data", ""), metadata.get("results", ""))
    if method_named(metadata, found.path) != OURS:
        return Facts(*said, is_learned=True)
    config = from_json(GeneratorConfig, parsed_config(metadata, found.path))
    copies = config.attention == "mhtma" and config.attention_branch
    heats = config.attention != "none" and config.attention_branch  # contextual attention has a constant one
    return Facts(*said, is_learned=True, sketch=config.sketch, temperature=heats, sources=copies, avoid=copies)
