"""Whether fine-tuning helps: on pictures of a kind that a model has not seen, and what it forgets of those it has.

python benchmarks/fine_tuning.py --known photos/street photos/scenes --new photos/faces --masks MASKS \
    --vgg VGG.safetensors --output runs/fine-tuning --minutes 20 --compile

Each folder holds train/ and val/, and its name is that of the kind. Trains a model on the known kinds, fine-tunes it
with ``temperfill fine-tune`` on --pictures pictures of the new kind, and, as a control, for the same steps on as many
pictures of the known kinds. Evaluates all three on the val pictures of every kind with stored masks, and prints means,
and differences with 95 % bootstrap intervals over pictures. With several --seeds, there is a fine-tuning and a control
for each, with pictures, order and masks of its own, and intervals are over seeds too.

The same command goes on where it was stopped: what is in --output already is not done again. Writes there base/ and
tuned/NAME/seed-N/ (run folders), pictures/ (links to what was drawn), evaluation/ (report, composites and sheets),
results.md and results.json.
"""

import argparse
import json
import math
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from temperfill import evaluate, report
from temperfill.checkpoint import RunFolder
from temperfill.cli import fine_tune
from temperfill.config import (
    DataConfig,
    EvaluationConfig,
    GeneratorConfig,
    JudgeConfig,
    LossConfig,
    MachineConfig,
    RunConfig,
    TrainConfig,
    to_json,
)
from temperfill.data import list_pictures
from temperfill.presets import PRESETS
from temperfill.train import train

BEFORE, TUNED, CONTROL = "before", "fine-tuned", "control"
PAIRS = ((TUNED, BEFORE), (CONTROL, BEFORE), (TUNED, CONTROL))
METRICS = ("psnr", "mae", "ssim", "vgg", "sharp")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--known", type=Path, nargs="+", required=True, help="kinds of the first training")
    parser.add_argument("--new", type=Path, required=True, help="the kind to fine-tune on")
    parser.add_argument("--masks", type=Path, required=True, help="GROUP/KIND/STEM.png")
    parser.add_argument("--groups", nargs="+", default=["paper-0", "paper-1"])
    parser.add_argument("--vgg", type=Path, help="weights for the perceptual loss and the VGG distance")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--pictures", type=int, default=200, help="drawn for each fine-tuning")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="of the fine-tunings")
    parser.add_argument("--limit", type=int, default=0, help="most val pictures of each kind; 0 for all")
    parser.add_argument("--width", type=int, default=24)
    parser.add_argument("--crop-size", type=int, default=128)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--steps", type=int, default=1100, help="of the first training, for the cosine of its rate")
    parser.add_argument(
        "--minutes", type=float, default=0.0, help="most of the first training, over all starts; 0 = any"
    )
    parser.add_argument("--compile", action="store_true", help="the first training; fine-tuning does not compile")
    parser.add_argument("--precision", default="bf16", choices=["fp32", "bf16"], help="of the first training")
    parser.add_argument("--tune-steps", type=int, default=400)
    parser.add_argument("--tune-batch-size", type=int, default=4, help="as temperfill fine-tune has it")
    parser.add_argument("--tune-learning-rate", type=float, default=1e-4, help="as temperfill fine-tune has it")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--workers", type=int, default=1)
    arguments = parser.parse_args()

    base = train_base(arguments)
    tuned = {name: [fine_tuned(arguments, base, name, seed) for seed in arguments.seeds] for name in (TUNED, CONTROL)}
    records, data = evaluated(arguments, base, tuned)
    text = document(arguments, records, data)
    report.write_text(arguments.output / "results.md", text)
    results = {
        "command": sys.argv,
        "machine": data["machine"],
        "versions": data["versions"],
        "settings": data["settings"],
    }
    report.write_json(arguments.output / "results.json", results | {"kinds": results_by_kind(arguments, records)})
    print(text)
    print(f"sheets: {arguments.output / 'evaluation' / 'sheets'}")


def progress_of(folder: Path, config: RunConfig) -> dict[str, Any]:
    """How far a run is; ValueError for a folder that holds one of another configuration."""
    state = RunFolder(folder).read(config)
    return {"step": 0, "seconds": 0.0} if state is None else state["progress"]


def train_base(arguments: argparse.Namespace) -> Path:
    """Trains on the known kinds, with the losses of fine-tuning, and gives the run folder."""
    preset = min(PRESETS.values(), key=lambda preset: abs(preset.generator.width - arguments.width))
    config = TrainConfig(
        generator=GeneratorConfig(width=arguments.width, head_dim=arguments.width, detail=True),
        discriminator=preset.discriminator,
        loss=LossConfig(
            coarse_weight=1.0,
            refined_weight=1.0,
            hole_weight=6.0,
            perceptual_weight=0.2 if arguments.vgg else 0.0,
            perceptual_on="refined",
            perceptual_local=True,
            adversarial_weight=0.02,
            adversarial_start=arguments.steps // 3,
        ),
        data=DataConfig(
            train=tuple(folder / "train" for folder in arguments.known), crop_size=arguments.crop_size, balanced=True
        ),
        machine=MachineConfig(
            device=arguments.device,
            workers=arguments.workers,
            compile=arguments.compile,
            perceptual_path=arguments.vgg,
        ),
        num_steps=arguments.steps,
        batch_size=arguments.batch_size,
        learning_rate=4e-4,
        schedule="cosine",
        warmup_steps=min(200, arguments.steps // 10),
        precision=arguments.precision,
        ema_decay=0.995,
        save_every=100,
        sample_every=200,
    )
    folder: Path = arguments.output / "base"
    progress = progress_of(folder, config)
    left = arguments.minutes - progress["seconds"] / 60 if arguments.minutes else math.inf
    # Once there are fine-tunings of it, the base must stay; and a run that ended by its limit lacks a step's time.
    tuned = (arguments.output / "tuned").exists()
    if progress["step"] >= config.num_steps or left <= 0.02 * arguments.minutes or tuned:
        note(f"{folder} is trained: step {progress['step']} of {config.num_steps}")
        return folder
    limit = left if arguments.minutes else 0.0
    train(replace(config, machine=replace(config.machine, max_minutes=limit)), folder)
    return folder


def fine_tuned(arguments: argparse.Namespace, base: Path, name: str, seed: int) -> Path:
    """Fine-tunes the base with the command's own code, and gives the run folder."""
    kinds = [arguments.new] if name == TUNED else arguments.known
    pictures = drawn(kinds, arguments.pictures, seed, arguments.output / "pictures" / name / f"seed-{seed}")
    folder: Path = arguments.output / "tuned" / name / f"seed-{seed}"
    words = [str(pictures), "--model", str(base / "generator.safetensors"), "--run-dir", str(folder)]
    words += ["--num-steps", str(arguments.tune_steps), "--batch-size", str(arguments.tune_batch_size)]
    words += ["--crop-size", str(arguments.crop_size), "--learning-rate", str(arguments.tune_learning_rate)]
    words += ["--seed", str(seed), "--device", arguments.device, "--workers", str(arguments.workers)]
    words += ["--vgg", str(arguments.vgg)] if arguments.vgg else []
    config = fine_tune.configuration(fine_tune.parse(fine_tune.FineTuneOptions, "fine-tune", words))
    done = progress_of(folder, config)["step"]
    if done >= config.num_steps:
        note(f"{folder} is trained: step {done} of {config.num_steps}")
    else:
        note(shlex.join(["temperfill", "fine-tune", *words]))
        fine_tune.run(words)
    return folder


def drawn(kinds: Sequence[Path], count: int, seed: int, folder: Path) -> Path:
    """A folder of links to ``count`` training pictures, as equally many of each kind as can be."""
    rng = np.random.default_rng([seed, len(kinds)])
    folder.mkdir(parents=True, exist_ok=True)
    for number, kind in enumerate(kinds):
        paths = list_pictures(kind / "train")
        share = (count + number) // len(kinds)
        if share > len(paths):
            raise ValueError(f"{kind / 'train'} has {len(paths)} pictures, not {share}; ask for fewer --pictures")
        for index in sorted(rng.choice(len(paths), share, replace=False).tolist()):
            link = folder / f"{kind.name}-{index:06d}{paths[index].suffix}"
            if not link.is_symlink():
                link.symlink_to(paths[index].resolve())
    found = sum(1 for _ in folder.iterdir())
    if found != count:
        raise ValueError(f"{folder} holds {found} pictures of another draw, not {count}; choose another --output")
    return folder


def evaluated(
    arguments: argparse.Namespace, base: Path, tuned: dict[str, list[Path]]
) -> tuple[list[report.Record], dict[str, Any]]:
    """Records of all composites, and the report; those of an earlier start, if weights and settings are the same."""
    metrics = tuple(name for name in METRICS if arguments.vgg or name != "vgg")
    config = EvaluationConfig(
        pictures=tuple(folder / "val" for folder in (*arguments.known, arguments.new)),
        masks=arguments.masks,
        groups=tuple(arguments.groups),
        limit=arguments.limit,
        judge=JudgeConfig(metrics=metrics, vgg=arguments.vgg),
    )
    output = arguments.output / "evaluation"
    stage = evaluate.prepare(config, output, arguments.device)
    entrants = evaluate.contestants([(BEFORE, [base]), *tuned.items()], stage.device)
    identities = {(entrant.label, entrant.run): entrant.identity for entrant in entrants}
    if (output / "report.json").is_file() and (output / "rows.json").is_file():
        data = json.loads((output / "report.json").read_text(encoding="utf-8"))
        runs = {
            (label, run): x["identity"] for label, entry in data["methods"].items() for run, x in entry["runs"].items()
        }
        if runs == identities and data["settings"] == to_json(config) | {"device": stage.device}:
            note(f"{output} is evaluated")
            return read_records(output), data
    data = evaluate.measure(stage, entrants, reference=TUNED)
    return read_records(output), data


def read_records(folder: Path) -> list[report.Record]:
    rows = json.loads((folder / "rows.json").read_text(encoding="utf-8"))
    return [
        report.Record(
            method=row["method"],
            kind=row["kind"],
            group=row["group"],
            stem=row["stem"],
            values={name: row[name] for name in METRICS if name in row},
            run=row.get("run", ""),
        )
        for row in rows
    ]


def results_by_kind(arguments: argparse.Namespace, records: list[report.Record]) -> dict[str, Any]:
    """Of the new kind, of each known one and of those together: means and paired differences."""
    results: dict[str, Any] = {}
    known = [folder.name for folder in arguments.known]
    parts = {arguments.new.name: [arguments.new.name]} | {kind: [kind] for kind in known}
    if len(known) > 1:
        parts[" and ".join(known)] = known
    for name, kinds in parts.items():
        chosen = [record for record in records if record.kind in kinds]
        # In the pooled part all kinds count as one, so that each has the weight of its pictures.
        pooled = [replace(record, kind=name, stem=f"{record.kind}/{record.stem}") for record in chosen]
        differences = {f"{a} - {b}": report.pairwise(pooled, a, {})[b][name] for a, b in PAIRS}
        means = {method: pooled_means(pooled, method) for method in (BEFORE, TUNED, CONTROL)}
        results[name] = {"new": name == arguments.new.name, "means": means, "differences": differences}
    return results


def pooled_means(records: list[report.Record], method: str) -> dict[str, float]:
    own = [record for record in records if record.method == method]
    return {name: math.fsum(r.values[name] for r in own) / len(own) for name in report.metric_names(own)}


def document(arguments: argparse.Namespace, records: list[report.Record], data: dict[str, Any]) -> str:
    """The tables in Markdown."""
    names = [name for name in METRICS if name in report.metric_names(records)]
    steps = f"{arguments.tune_steps} steps of {arguments.tune_batch_size} at {arguments.crop_size} pixels"
    over = "pictures" if len(arguments.seeds) == 1 else f"pictures and {len(arguments.seeds)} seeds"
    known = " and ".join(folder.name for folder in arguments.known)
    lines = [
        f"Width {arguments.width}; fine-tuned on {arguments.pictures} pictures of {arguments.new.name}, control on as "
        f"many of {known}; {steps}. Differences with 95 % intervals over {over}.",
    ]
    for kind, result in results_by_kind(arguments, records).items():
        count = next(iter(result["differences"].values()))["n"]
        lines += ["", f"### {kind}{', the new kind' if result['new'] else ''}: {count} pictures", ""]
        lines += [f"| | {' | '.join(report.METRICS[name].heading for name in names)} |", "|---|" + "---:|" * len(names)]
        for method, means in result["means"].items():
            lines.append(f"| {method} | {' | '.join(f'{means[name]:.{digits(name)}f}' for name in names)} |")
        for pair, difference in result["differences"].items():
            cells = [interval(difference[name], digits(name)) for name in names]
            lines.append(f"| {pair} | {' | '.join(cells)} |")
    machine = ", ".join(f"{name} {value}" for name, value in (data["machine"] | data["versions"]).items())
    return "\n".join([*lines, "", f"Machine: {machine}", ""])


def digits(name: str) -> int:
    return 4 if name in ("ssim", "vgg") else 2


def interval(cell: dict[str, Any], places: int) -> str:
    low, high = cell["interval"]
    return f"{cell['difference']:+.{places}f} ({low:+.{places}f} to {high:+.{places}f})"


def note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
