"""How far a network follows lines: the same holes with and without the sketch of what is missing (paper, Fig. 12)."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from temperfill import evaluate, sketch
from temperfill.config import EvaluationConfig

WITH, WITHOUT = "with-lines", "without-lines"
"""Labels of the two ways to fill, in tables and folders."""


def guidance(
    model: str,
    evaluation: EvaluationConfig,
    output: Path,
    device: str = "auto",
    command: str = "",
    progress: bool = True,
) -> dict[str, Any]:
    """Fills the same holes with one network, shown the true sketch and shown none.

    The metric ``lines`` is the F1 score of the result's own sketch against the true one, inside the hole and within
    two pixels.

    Args:
        model: bundled weights, or path of a weights file or run folder of a network that takes sketches.
        evaluation: pictures, masks and metrics; ``judge.edges`` finds the edges of both sketches.
        output: folder of the report.
        device: auto, cpu, cuda or cuda:N.
        command: the command line, for the report.
        progress: show it.

    Returns:
        What ``report.json`` holds.

    Raises:
        OSError: a folder or file is missing, or cannot be written.
        ValueError: a model that takes no sketch.
    """
    judge = evaluation.judge
    named = (*judge.metrics, "lines") if judge.metrics and "lines" not in judge.metrics else judge.metrics
    evaluation = replace(evaluation, judge=replace(judge, edges=judge.edges or "auto", metrics=named))
    prepared, (entrant,) = evaluate.prepare_with(lambda where: [_guided(model, where)], evaluation, output, device)
    edges = prepared.scorer.networks["lines"].detector.name
    # The same weights both times: no question of training with another seed.
    plain = replace(entrant, label=WITHOUT, trained=False, baseline=False)
    lined = replace(plain, label=WITH, lined=True)
    notes = [
        f"One network ({entrant.source}), shown the sketch of what is missing, and shown none. The sketch is made of "
        f"the true picture: edges by {edges}, probability above {sketch.THRESHOLD:g}, parts of "
        f"{sketch.MIN_COMPONENT} pixels and more, skeleton. F1 of lines compares it with the result's own sketch, "
        f"inside the hole and within {evaluate.LINES_TOLERANCE:g} pixels."
    ]
    return evaluate.measure(prepared, [lined, plain], reference=WITH, notes=notes, command=command, progress=progress)


def _guided(model: str, device: str) -> evaluate.Entrant:
    entrant = evaluate.load_entrants([model], device)[0]
    if entrant.method is None or not entrant.method.abilities.sketch:
        raise ValueError(f"{model} takes no sketch; give a model that was trained with --generator.sketch")
    return entrant
