"""``temperfill study``: the paper's comparisons and figures, on any pictures."""

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import Positional, arg

from temperfill.cli.parsing import near, overview, parse, require, say
from temperfill.config import EvaluationConfig, StudyConfig
from temperfill.config.study_file import Changes, StudyFile, read_study_file


@dataclass(frozen=True)
class CompareOptions:
    """Compares methods on pictures; trains the learned ones first if training folders are named.

    The first word may be a JSON file, which gives any of these settings and variants of one's own.
    """

    evaluation: EvaluationConfig
    study: StudyConfig
    output: Path
    """Folder of the report, and of the runs; the same command goes on where it stopped."""
    methods: tuple[str, ...] = ("ours", "atma", "wavefill", "deepfillv2", "partialconv", "patchmatch")
    """Names of methods, paths of weights files or run folders, or LABEL=RUN,RUN with the runs of one method. The first
    is compared with each of the others. With --train, ours and the systems of comparison are trained."""
    by_ratio: bool = False
    """Masks in the paper's five bins of hole ratio, instead of strokes and a square."""
    debug: bool = False
    """Show the trace of an error."""


@dataclass(frozen=True)
class AblationOptions:
    """Trains variants of our network for the same steps on the same pictures and masks, and compares them."""

    what: Annotated[Positional[str], arg(metavar="WHAT|FILE.json")]
    """What varies, or a JSON file with variants of one's own and any of these settings. attention: MHTMA, ATMA,
    contextual attention and none. adversarial: hinge with spectral normalisation, and WGAN-GP.
    temperature: MHTMA with temperatures learned with Softplus or LeakyReLU at the end, constant at 0.1 or
    0.01, and falling from one to the other."""
    evaluation: EvaluationConfig
    study: StudyConfig
    output: Path
    """Folder of the report and of the runs; the same command goes on where it stopped."""
    debug: bool = False
    """Show the trace of an error."""


@dataclass(frozen=True)
class CurvesOptions:
    """Draws the temperature of every head over training, one panel for each run: mean line and range."""

    runs: Annotated[Positional[tuple[Path, ...]], arg(metavar="RUN [RUN ...]")]
    """Folders of training runs."""
    output: Path
    """Folder for temperatures.png and temperatures.json."""
    debug: bool = False
    """Show the trace of an error."""


@dataclass(frozen=True)
class BranchesOptions:
    """Fills with one network whole, with one branch off, and with its highest or lowest temperature only."""

    evaluation: EvaluationConfig
    output: Path
    """Folder of the report."""
    model: str = "ours"
    """Bundled model, or path of a weights file or run folder of our network."""
    device: str = "auto"
    """auto, cpu, cuda or cuda:N."""
    debug: bool = False
    """Show the trace of an error."""


@dataclass(frozen=True)
class GuidanceOptions:
    """Fills the same holes with the true sketch and with none, and compares the lines of the results with the truth."""

    evaluation: EvaluationConfig
    output: Path
    """Folder of the report."""
    model: str = "ours"
    """Bundled model, or path of a weights file or run folder of a network that takes sketches."""
    device: str = "auto"
    """auto, cpu, cuda or cuda:N."""
    debug: bool = False
    """Show the trace of an error."""


def run(words: list[str]) -> None:
    """Runs the study that the first word names on the words after it."""
    name = words[0] if words else "--help"
    if name in ("-h", "--help"):
        about = {study: summary for study, (summary, _, _) in STUDIES.items()}
        print(
            overview("temperfill study", "[-h] STUDY", "Makes the paper's tables and figures on your pictures.", about)
        )
        return
    if name not in STUDIES:
        raise ValueError(f"unknown study {name!r}{near(name, STUDIES)}; see temperfill study --help")
    _, kind, work = STUDIES[name]
    file, default, rest = None, None, words[1:]
    if name in ("compare", "ablation") and rest and rest[0].endswith(".json"):
        file = read_study_file(Path(rest[0]))
        default = _from_file(kind, rest[0], file)
        rest = rest[1:]
    options: Any = parse(kind, f"study {name}", rest, default, flat=True)
    work(options, shlex.join(["temperfill", "study", *words]), *([] if file is None else [file.variants]))
    say(f"wrote {options.output / ('temperatures.png' if name == 'curves' else 'report.md')}")


def _from_file(kind: type, name: str, file: StudyFile) -> Any:
    """The options that a file gives; flags override them."""
    import tyro

    shared: dict[str, Any] = {"evaluation": file.evaluation, "study": file.study, "output": tyro.MISSING}
    if kind is AblationOptions:
        return AblationOptions(what=name, **shared)
    methods = file.methods or tuple(file.variants) or CompareOptions.methods
    return CompareOptions(methods=methods, **shared)


def _compare(options: CompareOptions, command: str, own: dict[str, Changes] | None = None) -> None:
    from temperfill import studies

    evaluation = studies.by_ratio(options.evaluation) if options.by_ratio else options.evaluation
    require(bool(evaluation.pictures), "no pictures: name at least one folder with --pictures")
    studies.compare(options.methods, evaluation, options.output, options.study, command, True, own)


def _ablation(options: AblationOptions, command: str, own: dict[str, Changes] | None = None) -> None:
    from temperfill import studies

    require(bool(options.evaluation.pictures), "no pictures: name at least one folder with --pictures")
    what = options.what if own is None else own
    studies.ablation(what, options.evaluation, options.output, options.study, command)


def _curves(options: CurvesOptions, command: str) -> None:
    from temperfill import studies

    studies.curves(options.runs, options.output)


def _branches(options: BranchesOptions, command: str) -> None:
    from temperfill import studies

    studies.branches(options.model, options.evaluation, options.output, options.device, command)


def _guidance(options: GuidanceOptions, command: str) -> None:
    from temperfill import studies

    studies.guidance(options.model, options.evaluation, options.output, options.device, command)


STUDIES: dict[str, tuple[str, type, Callable[..., None]]] = {
    "compare": ("Compare methods, and train them first if asked to.", CompareOptions, _compare),
    "ablation": ("Train variants of our network and compare them.", AblationOptions, _ablation),
    "curves": ("Draw the temperatures of training runs.", CurvesOptions, _curves),
    "branches": ("Fill with parts of a network switched off.", BranchesOptions, _branches),
    "guidance": ("Measure how far a network follows lines.", GuidanceOptions, _guidance),
}
"""Studies: what each does, its options, and what runs it with them and the command line for its report."""
