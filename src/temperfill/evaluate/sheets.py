"""Contact sheets of an evaluation: every method side by side, and the results of one method that are furthest off."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from temperfill import images, report
from temperfill.evaluate.entrants import Entrant
from temperfill.evaluate.inputs import Bytes, Hole, Item, evenly

WORST = 24
"""Rows of the sheet of the worst results."""
_ROWS = 4  # of the other sheets
_BY = ("vgg", "lpips", "mae")  # what makes a result bad: the first of these that was measured

Draw = Callable[[Bytes], Hole]


def write_sheets(
    items: Sequence[Item],
    seen: Callable[[Path], Bytes],
    entrants: Sequence[Entrant],
    records: Sequence[report.Record],
    output: Path,
    draw: Draw | None = None,
) -> None:
    """Writes ``sheets/KIND-GROUP.png`` and ``sheets/worst.png``.

    The former show a few pictures, masked, filled by every method (its first run), and true. The latter shows the 24
    worst results of the first method that is no baseline (else of the first one) beside as many others, which are
    spread evenly over all; both from bad to good by the VGG distance, or by LPIPS or the mean error where that was not
    measured. Of each picture it takes the worst mask only, so that one picture does not fill it.

    Args:
        items: the pictures.
        seen: the square of a picture file that is measured.
        entrants: the methods.
        records: their values, in the order of the pictures.
        output: folder of the report, which holds the composites.
        draw: the lines of a picture, where methods were shown them.

    Raises:
        OSError: a picture, mask or composite is gone, or a sheet cannot be written.
    """
    (output / "sheets").mkdir(exist_ok=True)
    first = {entrant.label: entrant for entrant in reversed(entrants)}
    labels = list(dict.fromkeys(entrant.label for entrant in entrants))
    for kind in dict.fromkeys(item.kind for item in items):
        members = [item for item in items if item.kind == kind]
        shown = evenly(members, min(_ROWS, len(members)))
        truths = [seen(item.path) for item in shown]
        papers = [_paper(truth, draw) for truth in truths]
        for group in shown[0].masks:
            columns = {
                "masked input": [
                    _masked(item, group, *shown_as) for item, *shown_as in zip(shown, truths, papers, strict=True)
                ]
            }
            columns |= {label: [_filled(first[label], item, group, output) for item in shown] for label in labels}
            columns["truth"] = truths
            report.contact_sheet(columns, output / "sheets" / f"{kind}-{group}.png")
    examined = next((entrant for entrant in entrants if not entrant.baseline), entrants[0])
    of_examined = [r for r in records if (r.method, r.run) == (examined.label, examined.run)]
    _write_worst(items, seen, draw if examined.lined else None, examined, of_examined, output)


def _write_worst(
    items: Sequence[Item],
    seen: Callable[[Path], Bytes],
    draw: Draw | None,
    examined: Entrant,
    records: Sequence[report.Record],
    output: Path,
) -> None:
    metric = next((name for name in _BY if name in records[0].values), None)
    if metric is None:
        return
    by_name = {(item.kind, item.path.stem): item for item in items}
    worst_masks: dict[tuple[str, str], report.Record] = {}
    for record in sorted(records, key=lambda r: -r.values[metric]):
        worst_masks.setdefault((record.kind, record.stem), record)
    worst = list(worst_masks.values())[:WORST]
    others = sorted(evenly(records, len(worst)), key=lambda r: -r.values[metric])
    columns: dict[str, list[Bytes]] = {}
    for name, chosen in (("worst", worst), ("any", others)):
        cells = [(by_name[r.kind, r.stem], r.group) for r in chosen]
        truths = [seen(item.path) for item, _ in cells]
        columns[f"{name}: masked"] = [
            _masked(item, group, truth, _paper(truth, draw)) for (item, group), truth in zip(cells, truths, strict=True)
        ]
        columns[f"{name}: {examined.label}"] = [_filled(examined, item, group, output) for item, group in cells]
        columns[f"{name}: truth"] = truths
    report.contact_sheet(columns, output / "sheets" / "worst.png")


def _paper(truth: Bytes, draw: Draw | None) -> Bytes:
    """What is seen in a hole: white, with the lines of the truth where methods were shown them."""
    white = np.full_like(truth, 255)
    return white if draw is None else np.where(draw(truth)[..., None], np.uint8(0), white)


def _masked(item: Item, group: str, truth: Bytes, paper: Bytes) -> Bytes:
    hole = images.to_mask(item.masks[group], truth.shape[:2])
    return np.where(hole[..., None], paper, truth)


def _filled(entrant: Entrant, item: Item, group: str, output: Path) -> Bytes:
    folder = entrant.given or output / entrant.folder
    return images.read_rgb(folder / group / item.kind / f"{item.path.stem}.png")
