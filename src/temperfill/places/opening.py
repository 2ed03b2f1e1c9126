"""The folder that a path or a URL names."""

from pathlib import Path

from temperfill.places.folder import Folder, is_url
from temperfill.places.local import LocalFolder
from temperfill.places.remote import RemoteFolder


def open_folder(where: str | Path) -> Folder:
    """The folder of a path, or of a URL that fsspec knows; it need not exist.

    Raises:
        ValueError: a URL of an unknown kind, or whose package is missing.
        ModuleNotFoundError: fsspec, which URLs need, is missing.
    """
    if not is_url(where):
        return LocalFolder(Path(where))
    protocol = str(where).split("://", 1)[0]
    if protocol in ("file", "local"):
        from fsspec.implementations.local import LocalFileSystem

        return LocalFolder(Path(LocalFileSystem._strip_protocol(str(where))))
    folder = RemoteFolder(str(where))
    folder.connected()
    return folder
