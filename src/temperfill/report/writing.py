"""Files of a report: JSON and text."""

import json
from pathlib import Path

from temperfill.files import atomic_write


def write_json(path: Path, data: object) -> None:
    """Writes indented JSON; numbers that are not finite are refused.

    Raises:
        OSError: cannot be written.
        ValueError: a number is not finite.
    """
    write_text(path, json.dumps(data, indent=1, allow_nan=False, ensure_ascii=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Writes UTF-8 text.

    Raises:
        OSError: cannot be written.
    """
    atomic_write(path, lambda file: file.write(text.encode()))
