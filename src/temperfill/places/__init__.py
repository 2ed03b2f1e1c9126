"""Folders on this machine and at URLs: what is in them, files read whole or in part, and whole files written.

A name is the path of a file below its folder, with ``/`` between its parts, as people write it: behind http it is
encoded on its way. A write leaves the old file or the new one, never a part, and never lands outside its folder.

A folder is listed anew at every start. A cache could only be trusted after a look at every folder in it, as a folder's
time does not change with those below; that look is most of the time of listing, which is seconds for millions of files.
"""

from temperfill.places.folder import FULL, Folder, check_name, inside, is_url, local_path
from temperfill.places.local import LocalFolder
from temperfill.places.opening import open_folder
from temperfill.places.remote import RemoteFolder

__all__ = [
    "FULL",
    "Folder",
    "LocalFolder",
    "RemoteFolder",
    "check_name",
    "inside",
    "is_url",
    "local_path",
    "open_folder",
]
