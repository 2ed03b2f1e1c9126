"""Comparisons of methods and ablations: train what is to be trained, measure, report."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from temperfill import evaluate, report
from temperfill.config import RATIO_BINS, EvaluationConfig, RunConfig, StudyConfig, to_json
from temperfill.config.study_file import Changes
from temperfill.studies.curves import curves
from temperfill.studies.training import Run, plan, train_all, training_facts
from temperfill.studies.variants import ABLATIONS, LEARNED, ablation_variants, own_variants


def by_ratio(config: EvaluationConfig) -> EvaluationConfig:
    """The evaluation with masks in the paper's five bins: drawn ones, or those groups of a folder."""
    if config.masks is not None:
        return replace(config, groups=config.groups or RATIO_BINS)
    return replace(config, mask_kind=",".join(RATIO_BINS))


def compare(
    methods: Sequence[str],
    evaluation: EvaluationConfig,
    output: Path,
    study: StudyConfig,
    command: str = "",
    progress: bool = True,
    own: dict[str, Changes] | None = None,
) -> dict[str, Any]:
    """Compares methods (Tables III and IV of the paper).

    Args:
        methods: as for :func:`temperfill.evaluate.load_entrants`; the first is compared with each other. With training
            folders in ``study``, the names of learned methods and of ``own`` are trained in ``<output>/runs``.
        evaluation: pictures, masks and metrics.
        output: folder of the report.
        study: training, and the device.
        command: the command line, for the report.
        progress: show it.
        own: variants by name, as for :func:`temperfill.studies.variants.own_variants`.

    Returns:
        What ``report.json`` holds.

    Raises:
        OSError: a folder or file is missing, or cannot be written.
        ValueError: unknown method, unfit settings or weights, no pictures, ...
        ModuleNotFoundError: matplotlib is missing, or what training needs.
        KeyboardInterrupt: stopped; the same call goes on.
    """
    report.need_matplotlib()
    own = own or {}
    # The weights of ours are bundled.
    lacking = [name for name in methods if (name in LEARNED and name != "ours") or name in own]
    if lacking and not study.train:
        raise ValueError(
            f"there are no weights of {', '.join(lacking)}: name training folders with --train to train them here, or "
            f"give trained ones as {lacking[0]}=RUN_FOLDER,RUN_FOLDER"
        )
    trained = [name for name in methods if name in LEARNED or name in own] if study.train else []
    changes = {name: own.get(name, {"method": name}) for name in trained}
    variants = _as_measured(own_variants(changes, study), evaluation)
    others = [name for name in methods if name not in trained]
    known = evaluate.load_entrants(others, "cpu") if others else []
    clash = [entrant.label for entrant in known if entrant.label in variants]
    if clash:
        raise ValueError(f"{clash[0]} is both to be trained and given; label the given one otherwise")
    prepared = evaluate.prepare(evaluation, output, study.device)
    clash = [entrant.label for entrant in prepared.given if entrant.label in (*variants, *(e.label for e in known))]
    if clash:
        raise ValueError(f"composites {clash[0]} have the name of a method; choose another")
    notes = _overlap(prepared, study, list(dict.fromkeys(e.label for e in known if e.trained)), progress)
    runs = _train(variants, study, output)
    sources: list[str | tuple[str, Sequence[Path]]] = [_runs_of(runs, n) if n in variants else n for n in methods]
    entrants = _as_trained(evaluate.load_entrants(sources, prepared.device), variants)
    notes += _own_notes({name: own[name] for name in trained if name in own})
    return _report(prepared, entrants, entrants[0].label, study if runs else None, runs, notes, command, progress)


def ablation(
    what: str | dict[str, Changes],
    evaluation: EvaluationConfig,
    output: Path,
    study: StudyConfig,
    command: str = "",
    progress: bool = True,
) -> dict[str, Any]:
    """Trains our network with each variant, and compares (Tables I and II of the paper).

    Args:
        what: attention, adversarial or temperature; or variants of one's own by name, the first of which is compared
            with each other, as for :func:`temperfill.studies.variants.own_variants`.
        evaluation: pictures, masks and metrics.
        output: folder of the report; the runs are in ``<output>/runs``.
        study: training.
        command: the command line, for the report.
        progress: show it.

    Returns:
        What ``report.json`` holds.

    Raises:
        OSError, ValueError, ModuleNotFoundError, KeyboardInterrupt: as :func:`compare`.
    """
    if isinstance(what, str) and what not in ABLATIONS:
        raise ValueError(f"unknown ablation {what!r}; known are {', '.join(ABLATIONS)}, or a JSON file with variants")
    if not what:
        raise ValueError("no variants: name at least one")
    if not study.train:
        raise ValueError("no training pictures: name at least one folder with --train")
    report.need_matplotlib()
    own = {} if isinstance(what, str) else what
    configs = ablation_variants(what, study) if isinstance(what, str) else own_variants(own, study)
    variants = _as_measured(configs, evaluation)
    prepared = evaluate.prepare(evaluation, output, study.device)
    notes = _overlap(prepared, study, [], progress)
    runs = _train(variants, study, output)
    loaded = evaluate.load_entrants([_runs_of(runs, label) for label in variants], prepared.device)
    entrants = _as_trained(loaded, variants)
    notes += _own_notes(own)
    return _report(prepared, entrants, next(iter(variants)), study, runs, notes, command, progress)


def _overlap(prepared: evaluate.Prepared, study: StudyConfig, given: list[str], progress: bool) -> list[str]:
    """Of test pictures among those of training: refuses, or says what was found."""
    notes = []
    if study.train:
        tested = [item.path for item in prepared.items]
        notes.append(evaluate.check_overlap(study.train, tested, study.overlap, progress))
        if study.val:  # the weights are chosen by these
            chosen_by = evaluate.pictures_of(study.val)
            found = evaluate.check_overlap(study.train, chosen_by, study.overlap, progress)
            notes.append(f"Validation pictures in training: {found}")
            found = evaluate.check_overlap(study.val, tested, study.overlap, progress)
            notes.append(f"Test pictures in validation: {found}")
    if given:
        notes.append(f"Trained elsewhere, on pictures that were not compared with these: {', '.join(given)}.")
    return notes


def _as_measured(variants: dict[str, RunConfig], evaluation: EvaluationConfig) -> dict[str, RunConfig]:
    """Variants that are trained on pictures as these are measured: squashed or not."""
    data = {label: replace(config.data, squash=evaluation.squash) for label, config in variants.items()}
    return {label: replace(config, data=data[label]) for label, config in variants.items()}


def _train(variants: dict[str, RunConfig], study: StudyConfig, output: Path) -> list[Run]:
    runs = plan(variants, study.seeds, output / "runs")
    train_all(runs)
    return runs


def _as_trained(entrants: Sequence[evaluate.Entrant], variants: dict[str, RunConfig]) -> list[evaluate.Entrant]:
    """The entrants, of which the trained ones say so in tables."""
    own, others = "trained here, preset paper", "trained here"
    weights = {label: own if config.method == "ours" else others for label, config in variants.items()}
    return [replace(entrant, weights=weights.get(entrant.label, entrant.weights)) for entrant in entrants]


def _runs_of(runs: Sequence[Run], label: str) -> tuple[str, list[Path]]:
    return label, [run.folder for run in runs if run.label == label]


def _report(
    prepared: evaluate.Prepared,
    entrants: Sequence[evaluate.Entrant],
    reference: str,
    study: StudyConfig | None,
    runs: list[Run],
    notes: list[str],
    command: str,
    progress: bool,
) -> dict[str, Any]:
    extra, tables = {}, []
    if study is not None:
        facts = training_facts(runs)
        extra = {"study": to_json(study), "training": facts}
        notes = [*_notes(study), *notes]
        tables = [_training_table(facts)]
        with_temperatures = [run.folder for run in runs if run.config.generator.has_temperatures]
        if with_temperatures:
            curves(with_temperatures, prepared.output / "figures")
            notes.append("Temperatures of every head over training: figures/temperatures.png.")
    return evaluate.measure(
        prepared,
        entrants,
        reference=reference if len({entrant.label for entrant in [*entrants, *prepared.given]}) > 1 else None,
        plots=True,
        notes=notes,
        extra=extra,
        tables=tables,
        command=command,
        progress=progress,
    )


def _notes(study: StudyConfig) -> list[str]:
    seeds = ", ".join(map(str, study.seeds))
    perceptual = (
        f"perceptual losses by {study.perceptual_path.name}"
        if study.perceptual_path is not None
        else "no perceptual losses in any of them, since their weights are missing"
    )
    return [
        f"Every variant was trained for {study.steps:,} steps of {study.batch_size} squares of "
        f"{study.crop_size}x{study.crop_size} pixels in {study.precision}, on the same pictures and masks for the same "
        f"seed; seeds {seeds}; {perceptual}; {_measured(study)}"
    ]


def _measured(study: StudyConfig) -> str:
    if not study.val:
        return "the averaged weights of the last step are measured."
    return (
        f"of each run the averaged weights with the lowest validation loss are measured (patience {study.patience}, so "
        "that a run may end before its last step)."
    )


def _own_notes(variants: dict[str, Changes]) -> list[str]:
    """What each variant of one's own is."""
    lines = [f"- {label}: `{json.dumps(changes)}`" for label, changes in variants.items()]
    return ["\n".join(["What the variants change:", "", *lines])] if lines else []


def _training_table(facts: dict[str, Any]) -> report.Table:
    rows = [
        [
            label,
            str(fact["width"]),
            f"{fact['parameters'] / 1e6:.3f}",
            _steps(fact),
            "" if fact["batches_a_minute"] is None else f"{fact['batches_a_minute']:.1f}",
            str(len(fact["runs"])),
        ]
        for label, fact in facts.items()
    ]
    header = ["method", "width", "generator, M", "steps", "batches a minute", "runs"]
    note = "Batches a minute are means over runs on the machine of this report, without the first logged interval."
    return report.Table("Training", header, rows, "lrrrrr", note)


def _steps(fact: dict[str, Any]) -> str:
    """Steps of a variant, and of which step each run is measured where they differ."""
    measured = [run["measured_step"] for run in fact["runs"].values()]
    whole = str(fact["steps"])
    return whole if set(measured) <= {fact["steps"]} else f"{whole}, measured {', '.join(map(str, measured))}"
