"""The evaluation from folders to report: the one function behind every command that measures."""

import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from temperfill import images, report
from temperfill.config import EvaluationConfig, to_json
from temperfill.evaluate.composites import Composites, check_given, tensor
from temperfill.evaluate.entrants import Entrant, given_entrants, load_entrants
from temperfill.evaluate.inputs import Bytes, Hole, Item, MaskSets, choose, mask_kinds, square, with_masks
from temperfill.evaluate.replaced import refuse_other_report, warn_of_replaced
from temperfill.evaluate.report_text import FORMAT, SCOPE, latex, machine, markdown, versions
from temperfill.evaluate.scorer import Scorer, full_precision, set_features
from temperfill.evaluate.sets import SetMetrics
from temperfill.evaluate.sheets import write_sheets
from temperfill.inpainter import choose_device

_PROTOCOL = (
    "{pictures}, Lanczos; composites as PNG, known pixels untouched; figures are means over pictures, and over "
    "training runs where there are several; 95 % bootstrap intervals over pictures and runs."
)


@dataclass(frozen=True)
class Prepared:
    """What an evaluation needs besides its methods, all of it checked.

    Attributes:
        config: of the evaluation.
        output: folder of the report.
        device: of the networks.
        scorer: of the composites.
        items: pictures with their masks.
        given: composites that others made, all of them there.
    """

    config: EvaluationConfig
    output: Path
    device: str
    scorer: Scorer
    items: list[Item]
    given: list[Entrant]

    def truth(self, path: Path) -> Bytes:
        """What of a picture file is measured: (size, size, 3) bytes."""
        return square(path, self.config.size, self.config.squash)

    def lines(self, picture: Bytes) -> Hole:
        """The lines (H, W) of a picture (H, W, 3), as methods are shown them and the metric lines sees them."""
        found: Hole = self.scorer.networks["lines"](tensor(picture, self.device))[0]
        return found


def prepare(config: EvaluationConfig, output: Path, device: str = "auto") -> Prepared:
    """Checks pictures, masks and weights, and draws masks where there are none, before any other work.

    Args:
        config: pictures, masks and metrics.
        output: folder of the report; made if missing.
        device: of the networks: auto, cpu or cuda:N.

    Raises:
        OSError: a folder, mask or weights file is missing, or the output cannot be written.
        ValueError: no pictures, unfit weights or masks, or ambiguous names.
    """
    chosen, kinds = choose(config.pictures, config.limit), mask_kinds(config.mask_kind)
    for folder in config.pictures:
        if output.resolve().is_relative_to(folder.resolve()):
            raise ValueError(f"the output {output} lies in the folder of pictures {folder}; write elsewhere")
    refuse_other_report(config, output)
    device, given = choose_device(device, needs_float64=True), given_entrants(config.composites)
    scorer = Scorer(config.judge, device)
    output.mkdir(parents=True, exist_ok=True)
    drawn = output / "masks"
    items = with_masks(chosen, config.masks, config.groups, kinds, drawn, config.size, config.seed)
    check_given(given, items, config.size)
    return Prepared(config, output, device, scorer, items, given)


def prepare_with(
    load: Callable[[str], list[Entrant]], config: EvaluationConfig, output: Path, device: str
) -> tuple[Prepared, list[Entrant]]:
    """As :func:`prepare`, with what ``load`` gives for its device; what that refuses is known before any writing."""
    entrants = load("cpu")
    prepared = prepare(config, output, device)
    return prepared, entrants if prepared.device == "cpu" else load(prepared.device)


def run(
    methods: Sequence[str],
    config: EvaluationConfig,
    output: Path,
    *,
    device: str = "auto",
    command: str | None = None,
    progress: bool = True,
) -> dict[str, Any]:
    """Fills every picture with every mask by every method, and compares each with the best method of comparison.

    Args:
        methods: as for :func:`temperfill.evaluate.load_entrants`.
        config: pictures, masks and metrics.
        output: folder of the report.
        device: of the networks: auto, cpu or cuda:N.
        command: the command line, for the report; None takes that of the process.
        progress: show it on the standard error output.

    Returns:
        What ``report.json`` holds; see :func:`measure`.

    Raises:
        OSError: a folder, mask or weights file is missing, or the output cannot be written. Before any work.
        ValueError: no pictures, unknown method, unfit weights or masks, ambiguous names. Before any work; a damaged
            picture when its turn comes.
    """
    entrants = load_entrants(methods, choose_device(device, needs_float64=True))
    return measure(prepare(config, output, device), entrants, command=command, progress=progress)


def measure(
    prepared: Prepared,
    entrants: Sequence[Entrant],
    *,
    reference: str | None = None,
    plots: bool = False,
    notes: Sequence[str] = (),
    extra: dict[str, Any] | None = None,
    tables: Sequence[report.Table] = (),
    command: str | None = None,
    progress: bool = True,
) -> dict[str, Any]:
    """Fills, measures and writes the report.

    Writes ``<output>/<method>/[<run>/]<group>/<kind>/<stem>.png``, ``report.json``, ``report.md``, ``report.tex``,
    ``rows.json`` (one record per composite), ``sheets/`` and, where they are wanted, ``figures/``. Run again, it takes
    over the composites that were made from the same pixels, mask and weights.

    Args:
        prepared: from :func:`prepare`.
        entrants: the methods; given composites join them.
        reference: method of which each other one is taken away; None compares with the best method of comparison.
        plots: draw them; needs matplotlib.
        notes: paragraphs for the head of the report.
        extra: further parts of ``report.json``.
        tables: further tables.
        command: as for :func:`run`.
        progress: as for :func:`run`.

    Returns:
        What ``report.json`` holds.

    Raises:
        OSError: cannot be written.
        ValueError: a damaged picture, or a method that fails.
    """
    entrants = [*entrants, *prepared.given]
    warn_of_replaced(prepared.output, {entrant.label for entrant in entrants})
    clash = [e.label for e in prepared.given if e.label in {other.label for other in entrants if other is not e}]
    if clash:
        raise ValueError(f"composites {clash[0]} have the name of a method; choose another")
    with full_precision():
        records, sets, holes = _records(prepared, entrants, progress)
    command = shlex.join(sys.argv) if command is None else command
    data = _report_data(prepared, entrants, records, sets, reference, command)
    data |= {"masks": holes, "notes": list(notes)} | (extra or {})
    output = prepared.output
    report.write_json(output / "rows.json", [record.flat() for record in records])
    report.write_json(output / "report.json", data)
    report.write_text(output / "report.md", markdown(data, tables))
    report.write_text(output / "report.tex", latex(data, tables))
    lined = any(entrant.lined for entrant in entrants)
    write_sheets(prepared.items, prepared.truth, entrants, records, output, prepared.lines if lined else None)
    if plots:
        pooled = report.by_group(records)
        report.plot_metrics(pooled, output / "figures" / "figures.png")
        if data["sets"]:
            report.plot_metrics(data["sets"], output / "figures" / "sets.png")
    return data


@torch.inference_mode()
def _records(
    prepared: Prepared, entrants: Sequence[Entrant], progress: bool
) -> tuple[list[report.Record], dict[str, dict[str, dict[str, Any]]], dict[str, dict[str, int | str]]]:
    """Composites and their values, picture by picture, figures of sets, and which masks there were.

    A truth is read, and its features are computed, once.
    """
    from temperfill.progress import tracked

    scorer, size, device, filling = prepared.scorer, prepared.config.size, prepared.device, prepared.config.filling
    stores = [Composites(prepared.output / entrant.folder, entrant, device, filling) for entrant in entrants]
    sets = SetMetrics([name for name in scorer.names if name in report.SET_METRICS])
    records, holes = [], MaskSets()
    for item in tracked(prepared.items, "evaluate", progress):
        truth = prepared.truth(item.path)
        target = tensor(truth, device)
        target_features = scorer.features(target)
        sets.add_truth(set_features(target_features))
        for group, mask_path in item.masks.items():
            hole = images.to_mask(mask_path, (size, size))
            holes.add(group, item, hole)
            mask = torch.from_numpy(hole)[None, None].to(target)
            for store in stores:
                entrant = store.entrant
                lines = target_features["lines"][0] if entrant.lined else None
                made = store.make(f"{group}/{item.kind}/{item.path.stem}", truth, hole, lines)
                image = tensor(made, device)
                features = scorer.features(image)
                found = scorer.values(image, features, target, target_features, mask)
                values = {name: value.item() for name, value in found.items()}
                changed = bool((made[~hole] != truth[~hole]).any())
                place = (entrant.label, item.kind, group, item.path.stem)
                records.append(report.Record(*place, values, changed, entrant.run))
                sets.add(entrant.label, entrant.run, group, set_features(features))
    return records, sets.summary(device), holes.summary()


def _report_data(
    prepared: Prepared,
    entrants: Sequence[Entrant],
    records: list[report.Record],
    sets: dict[str, dict[str, dict[str, Any]]],
    reference: str | None,
    command: str,
) -> dict[str, Any]:
    trained = {label: sum(e.label == label for e in entrants) for label in (e.label for e in entrants if e.trained)}
    once = [label for label, runs in trained.items() if runs < 2]
    if reference is None:
        comparison = report.compare(records, list(dict.fromkeys(e.label for e in entrants if e.baseline)), once)
    else:
        comparison = report.pairwise(records, reference, trained)
    methods: dict[str, Any] = {}
    for entrant in entrants:
        entry = methods.setdefault(
            entrant.label, {"baseline": entrant.baseline, "weights": entrant.weights, "runs": {}}
        )
        entry["runs"][entrant.run] = {"source": entrant.source, "identity": entrant.identity}
    return {
        "format": FORMAT,
        "scope": SCOPE,
        "protocol": _PROTOCOL.format(pictures="Squashed to squares" if prepared.config.squash else "Centre squares"),
        "settings": to_json(prepared.config) | {"device": prepared.device},
        "methods": methods,
        "trained": trained,
        # Two or more trained methods, one of them once only: which is better cannot be told.
        "ranked": len(trained) < 2 or not once,
        "reference": reference,
        "results": report.summarise(records),
        "by_group": report.by_group(records),
        "sets": sets,
        "comparison": comparison,
        "missing": list(prepared.scorer.missing.values()),
        "weights": {name: [str(p) for p in paths] for name, paths in prepared.scorer.files.items()},
        "versions": versions(),
        "machine": machine(prepared.device),
        "command": command,
    }
