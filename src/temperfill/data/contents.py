"""What the pictures of a run are, wherever they lie: so that a run goes on after its pictures have moved."""

import hashlib

import numpy as np

from temperfill.config import DataConfig
from temperfill.data.indexed import IndexedPictures, Loose, open_indexed
from temperfill.data.pictures import open_pictures

READ = 500
"""Most pictures of a folder whose bytes are read; with more, they are spread evenly. Names count of all."""


def contents(config: DataConfig) -> dict[str, str]:
    """A hash of the training pictures, of their sketches and of the validation pictures, each in their order.

    Args:
        config: names the folders.

    Returns:
        A hash by the name of the field; only of fields that name folders. It covers the names of all pictures within
        their folder and the bytes of up to ``READ`` of each folder; of shards the checksums of all.

    Raises:
        OSError: a folder is missing, or cannot be read.
        ValueError: a folder without pictures, or damaged shards.
    """
    places: dict[str, list[IndexedPictures]] = {
        "train": [open_indexed(entry) for entry in config.train],
        "sketches": [open_indexed(entry) for entry in config.sketches],
        "val": [Loose(open_pictures(entry)) for entry in config.val],
    }
    return {name: _digest(found) for name, found in places.items() if found}


def _digest(places: list[IndexedPictures]) -> str:
    total = hashlib.sha256()
    for pictures in places:
        total.update(pictures.digest().encode())
        for index in np.linspace(0, len(pictures) - 1, min(len(pictures), READ), dtype=int).tolist():
            try:
                content = pictures.read(index)
            except ConnectionError:
                raise
            except (OSError, ValueError):  # is replaced in training
                content = b""
            total.update(hashlib.sha256(content).digest())
    return total.hexdigest()
