"""A page on a training run: curves, sample sheets and configuration in one HTML file that needs nothing else."""

import base64
import html
import io
import json
from pathlib import Path
from typing import Any

from temperfill import images
from temperfill.files import atomic_write
from temperfill.runs.log import RunLog, read_run

SHEETS = 6
"""Sample sheets on a page, spread over the run; the first and the last are among them."""
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; color: #1c1c1c; }
h1, h2 { line-height: 1.2; } table { border-collapse: collapse; } td, th { padding: .2rem .8rem .2rem 0; }
th { text-align: left; font-weight: 600; } figure { margin: 1rem 0; } figcaption { color: #555; }
img, svg { max-width: 100%; height: auto; } pre { background: #f4f4f4; padding: 1rem; overflow: auto; }
"""


def write_run_page(run_dir: Path, output: Path) -> None:
    """Writes the page of a run, finished or not.

    Args:
        run_dir: folder of the run.
        output: HTML file.

    Raises:
        OSError: no such run, or the page cannot be written.
        ValueError: the log has no line yet, or is damaged.
        ModuleNotFoundError: matplotlib is missing.
    """
    log, config = read_run(run_dir)
    if not log.steps:
        raise ValueError(f"{run_dir / 'log.jsonl'} has no line yet; wait for the first")
    parts = [f"<h1>{html.escape(run_dir.resolve().name)}</h1>", _facts(log, config)]
    parts += [f"<h2>{title}</h2>\n<figure>{svg}</figure>" for title, svg in _plots(log).items()]
    parts += ["<h2>Samples</h2>", *_sheets(run_dir / "samples")]
    parts += ["<h2>Configuration</h2>", f"<pre>{html.escape(json.dumps(config, indent=1))}</pre>"]
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><style>{_STYLE}</style>'
    title = f"<title>{html.escape(run_dir.resolve().name)}: training run</title>"
    page = (
        f'<!doctype html>\n<html lang="en"><head>{head}{title}</head>\n<body>\n'
        + "\n".join(parts)
        + "\n</body></html>\n"
    )
    atomic_write(output, lambda file: file.write(page.encode()))


def _facts(log: RunLog, config: dict[str, Any]) -> str:
    last = log.steps[-1]
    rows = {"Steps": f"{last['step']:,} of {config.get('num_steps', 0):,}", "Pictures a step": config.get("batch_size")}
    rows["Hours of training"] = f"{last['seconds'] / 3600:.2f}"
    rows["Images per second, last"] = f"{last['images_per_second']:.2f}"
    if log.validations:
        best = min(log.validations, key=lambda line: line["validation"]["loss"])
        rows["Lowest validation loss"] = f"{best['validation']['loss']:.4g} at step {best['step']:,}"
    cells = (f"<tr><th>{name}</th><td>{html.escape(str(value))}</td></tr>" for name, value in rows.items())
    return f"<table>{''.join(cells)}</table>"


def _plots(log: RunLog) -> dict[str, str]:
    """Heading to SVG."""
    losses = {name: log.curve(name) for name in log.names()}
    plots = {"Losses": _svg(losses, "weighted loss")}
    if log.heads():
        heads = range(log.heads())
        bands = {f"head {i + 1}": [log.temperature(i, f"temperature_{end}") for end in ("low", "high")] for i in heads}
        means = {f"head {i + 1}": log.temperature(i) for i in heads}
        plots["Temperatures, mean and range over pictures"] = _svg(means, "temperature", bands)
    names = list(dict.fromkeys(name for line in log.validations for name in line["validation"]))
    for name in names:
        found = [(line["step"], line["validation"][name]) for line in log.validations if name in line["validation"]]
        steps, values = [step for step, _ in found], [value for _, value in found]
        plots[f"Validation: {html.escape(name)}"] = _svg({name: (steps, values)}, name, logarithmic=False)
    rate = {"images per second": log.curve("images_per_second")}
    return plots | {"Rate": _svg(rate, "images per second", logarithmic=False)}


def _svg(
    curves: dict[str, tuple[list[int], list[float]]],
    label: str,
    bands: dict[str, Any] | None = None,
    logarithmic: bool = True,
) -> str:
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    # Fixed names inside, so that the same run gives the same page.
    with rc_context({"svg.hashsalt": label}):
        figure = Figure(figsize=(10, 3.4), layout="constrained")
        axes = figure.subplots()
        for name, (steps, values) in curves.items():
            line = axes.plot(steps, values, label=name, linewidth=1.2, marker="o" if len(steps) == 1 else None)
            if bands:
                (steps, low), (_, high) = bands[name]
                axes.fill_between(steps, low, high, color=line[0].get_color(), alpha=0.2, linewidth=0)
        everything = [value for _, values in curves.values() for value in values]
        if logarithmic and everything and min(everything) > 0:
            axes.set_yscale("log")
        axes.set(xlabel="step", ylabel=label)
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small")
        stream = io.StringIO()
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    text = stream.getvalue()
    return text[text.index("<svg") :]


def _sheets(folder: Path) -> list[str]:
    paths = sorted(folder.glob("*.png")) if folder.is_dir() else []
    if not paths:
        return ["<p>None yet.</p>"]
    places = {round(i * (len(paths) - 1) / max(SHEETS - 1, 1)) for i in range(SHEETS)}
    sheets = []
    for path in (paths[place] for place in sorted(places, reverse=True)):
        content = base64.b64encode(images.encode_picture(images.open_picture(path), Path("sheet.jpg"), 88)).decode()
        step = int(path.stem) if path.stem.isdigit() else path.stem
        caption = f"Step {step:,}" if isinstance(step, int) else html.escape(step)
        picture = f'<img alt="{caption}: sample sheet" src="data:image/jpeg;base64,{content}">'
        sheets.append(f"<figure>{picture}<figcaption>{caption}: input, coarse, result, truth</figcaption></figure>")
    return sheets
