"""Which files of a folder are pictures, and in which order."""

import os
from collections.abc import Iterator
from pathlib import Path

from temperfill import images
from temperfill.places import Folder, LocalFolder, RemoteFolder, local_path


def open_pictures(entry: str | Path) -> Folder:
    """The folder that an entry of a configuration names.

    Raises:
        OSError: no such folder.
        ValueError: a URL of a kind that is unknown or needs a package that is missing.
    """
    path = local_path(entry)
    if path is None:
        folder = RemoteFolder(str(entry))
        folder.connected()
        return folder
    if not path.is_dir():
        raise NotADirectoryError(f"{path} is not a folder with pictures")
    return LocalFolder(path)


def walk_pictures(place: Folder, folder: str = "") -> Iterator[str]:
    """Names of all pictures of a place, by suffix, in the order of their parts; hidden files are left aside."""
    for name, is_folder in sorted(place.entries(folder)):
        if is_folder:
            yield from walk_pictures(place, f"{folder}{name}/")
        elif is_picture(name):
            yield folder + name


def is_picture(name: str) -> bool:
    """Whether a file's name is that of a picture, and not hidden."""
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in images.SUFFIXES  # noqa: PTH122 - millions


def no_pictures(where: str) -> ValueError:
    """The error of a place without pictures."""
    return ValueError(f"no pictures in {where}; known are {', '.join(sorted(images.SUFFIXES))}")


def list_pictures(folder: Path) -> list[Path]:
    """All pictures below a local folder, by suffix, sorted; hidden files are left aside.

    Raises:
        OSError: no such folder.
        ValueError: no picture in it.
    """
    found = [folder / name for name in walk_pictures(open_pictures(folder))]
    if not found:
        raise no_pictures(str(folder))
    return found
