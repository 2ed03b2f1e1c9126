"""Training pictures to batches: folders and shards, here or behind a URL; endless, seeded, and in a fixed order.

``places`` knows where files lie, ``tars`` what a shard is, ``sources`` gives the pictures of one place by number,
``samples`` draws batches of them, ``packing`` writes shards, and ``published`` knows how public data sets are laid out.
"""

from typing import TYPE_CHECKING, Any

from temperfill.data.places import list_pictures, local_path

if TYPE_CHECKING:
    from temperfill.data.samples import Batch, PictureFolders, batches, lost_workers_named

__all__ = ["Batch", "PictureFolders", "batches", "list_pictures", "local_path", "lost_workers_named"]


def __getattr__(name: str) -> Any:
    """Samples need torch, which packing and its processes do without."""
    if name in ("Batch", "PictureFolders", "batches", "lost_workers_named"):
        from temperfill.data import samples

        return getattr(samples, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
