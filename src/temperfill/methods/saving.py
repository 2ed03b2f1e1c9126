"""A model's folder: its weights, and a card that says what it is, with the head that the Hugging Face hub reads."""

import json
from pathlib import Path

from temperfill.config import to_json
from temperfill.files import atomic_write
from temperfill.methods.finding import CHECKPOINT
from temperfill.nets.network import Network
from temperfill.systems.table import SYSTEMS, method_of
from temperfill.weights_files import save_generator

CARD = "README.md"
KNOWN = ("apache-2.0", "cc-by-4.0", "cc0-1.0", "mit")
"""Names of licences that the hub knows, as far as weights of ours have them; others stand there as other."""
_TERMS = "Terms of use of the weights: {terms}. The code has its own licence, the Apache License 2.0."
_NO_TERMS = """Nothing says under which terms these weights may be used. Whoever publishes them should add a licence
here and in the head; the pictures that they were trained on decide which one is possible."""
_CARD = """---
{head}
---

# {title}

A network that fills holes in photographs, of the method `{method}` ({paper}), with {millions:.1f} M parameters. It
is used with the Python package temperfill:

```python
import temperfill

inpainter = temperfill.load("{title}")  # this folder, or its name on the hub
inpainter("photo.jpg", "mask.png").save("filled.png")  # white in the mask = fill
```

## Terms

{terms}

## Configuration

```json
{config}
```
"""


def save_model(network: Network, folder: Path) -> None:
    """Writes weights and, unless there is one, a model card.

    Args:
        network: of any system.
        folder: is created with its parents.

    Raises:
        OSError: cannot be written.
        ValueError: a weight is not finite.
    """
    folder.mkdir(parents=True, exist_ok=True)
    save_generator(folder / CHECKPOINT, network)
    if not (folder / CARD).exists():
        content = card(network, folder.resolve().name).encode()
        atomic_write(folder / CARD, lambda file: file.write(content))


def card(network: Network, title: str) -> str:
    """The model card of a network, in Markdown with a head in YAML.

    Args:
        network: of any system.
        title: of the card.
    """
    method = method_of(network.config)
    head = ["library_name: temperfill", "pipeline_tag: image-to-image", "tags:", "- inpainting", "- image-inpainting"]
    if network.terms:  # JSON is YAML
        name = network.terms.replace(" ", "-").lower()
        head += [f"license: {name}"] if name in KNOWN else ["license: other", f"license_name: {json.dumps(name)}"]
    return _CARD.format(
        head="\n".join(head),
        title=title,
        method=method,
        paper=SYSTEMS[method].paper,
        millions=sum(parameter.numel() for parameter in network.parameters()) / 1e6,
        terms=_TERMS.format(terms=network.terms) if network.terms else _NO_TERMS,
        config=json.dumps(to_json(network.config), indent=1),
    )
