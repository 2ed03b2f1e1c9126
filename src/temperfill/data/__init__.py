"""Training pictures to batches: folders and shards, here or behind a URL; endless, seeded, and in a fixed order.

``pictures`` knows which files are pictures, ``tars`` what a shard is, ``indexed`` gives the pictures of one folder by
number, ``samples`` makes training samples of them, ``loading`` batches of these, ``packing`` writes shards, and
``public_datasets`` knows how public data sets are laid out.
"""

from typing import TYPE_CHECKING, Any

from temperfill.data.pictures import list_pictures
from temperfill.places import local_path

if TYPE_CHECKING:
    from temperfill.data.loading import batches, lost_workers_named
    from temperfill.data.samples import Batch, PictureFolders

__all__ = ["Batch", "PictureFolders", "batches", "list_pictures", "local_path", "lost_workers_named"]


def __getattr__(name: str) -> Any:
    """Samples need torch, which packing and its processes do without."""
    if name in ("Batch", "PictureFolders"):
        from temperfill.data import samples

        return getattr(samples, name)
    if name in ("batches", "lost_workers_named"):
        from temperfill.data import loading

        return getattr(loading, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
