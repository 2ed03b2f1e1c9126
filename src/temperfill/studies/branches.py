"""What the branches and the temperatures of a trained network do: each switched off (the paper's Fig. 8)."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from temperfill import evaluate, report
from temperfill.config import EvaluationConfig
from temperfill.methods.ours import Ours
from temperfill.nets.ablate import ABLATED, ablate


def branches(
    model: str,
    evaluation: EvaluationConfig,
    output: Path,
    device: str = "auto",
    command: str = "",
    progress: bool = True,
) -> dict[str, Any]:
    """Fills the same holes with one network, whole and with a part switched off.

    Args:
        model: bundled weights, or path of a weights file or run folder of our network.
        evaluation: pictures, masks and metrics.
        output: folder of the report.
        device: auto, cpu, cuda or cuda:N.
        command: the command line, for the report.
        progress: show it.

    Returns:
        What ``report.json`` holds.

    Raises:
        OSError: a folder or file is missing, or cannot be written.
        ValueError: a model of another method, or one without both branches or temperatures.
        ModuleNotFoundError: matplotlib is missing.
    """
    report.need_matplotlib()
    prepared, entrants = evaluate.prepare_with(
        lambda where: [_ablated(model, name, where) for name in ABLATED], evaluation, output, device
    )
    notes = [
        f"One network ({entrants[0].source}) with parts switched off when filling; it was not trained without them. "
        "The differences hold for these weights.",
        "\n".join(f"- {name}: {what}" for name, what in ABLATED.items()),
    ]
    return evaluate.measure(
        prepared, entrants, reference="full", plots=True, notes=notes, command=command, progress=progress
    )


def _ablated(model: str, name: str, device: str) -> evaluate.Entrant:
    entrant = evaluate.load_entrants([model], device)[0]
    if not isinstance(entrant.method, Ours):
        raise ValueError(f"{model} is of another method, which has no such branches; give one of ours")
    ablate(entrant.method.generator, name)
    # The same weights all along: no question of training with another seed.
    return replace(entrant, label=name, identity=f"{entrant.identity}, {name}", trained=False, baseline=False)
