"""The log of a training run for TensorBoard, besides ``log.jsonl``; needs the extra of that name."""

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

FOLDER = "tensorboard"
"""In the folder of a run."""
_OF_THE_RUN = ("seconds", "images_per_second", "learning_rate")


class TensorBoardLog:
    """Writes each line of a run's log as scalars; while it is entered, ``train`` can call it with them.

    A run that goes on takes back what was logged after the state that it goes on from.

    Args:
        folder: of the event files.

    Raises:
        ModuleNotFoundError: TensorBoard is not installed.
    """

    def __init__(self, folder: Path) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.folder = folder
        self._begin = SummaryWriter
        self._writer: SummaryWriter | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        if self._writer is not None:
            self._writer.close()

    def __call__(self, record: dict[str, Any]) -> None:
        """Writes a line.

        Args:
            record: as in ``log.jsonl``, with its ``step``.

        Raises:
            OSError: cannot be written.
        """
        step = record["step"]
        if self._writer is None:
            self._writer = self._begin(str(self.folder), purge_step=step)
        for name, value in scalars(record):
            self._writer.add_scalar(name, value, step)
        self._writer.flush()


def scalars(record: dict[str, Any]) -> Iterator[tuple[str, float]]:
    """The numbers of a line of the log with the names that TensorBoard groups them by."""
    for name, value in record.items():
        if isinstance(value, dict):
            yield from ((f"{name}/{part}", number) for part, number in value.items())
        elif isinstance(value, list):
            yield from ((f"{name}/head {head}", number) for head, number in enumerate(value, 1))
        elif name != "step" and not (name == "seconds" and "validation" in record):
            yield f"{'run' if name in _OF_THE_RUN else 'loss'}/{name}", value
