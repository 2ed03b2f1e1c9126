"""Picture files and arrays: the only place that knows uint8, Pillow, EXIF, colour profiles and file formats.

A picture is decoded once, turned upright and kept in its own mode and depth. The network sees it as RGB in [0, 1],
converted through the embedded colour profile; its answer is converted back for the pixels of the hole alone and written
into the decoded array, so every known pixel keeps its bytes, and alpha keeps them everywhere.
"""

from temperfill.images.canvas import Canvas, extend, extended_size
from temperfill.images.colours import check_layer, cut_out, paste, to_rgb
from temperfill.images.formats import FORMATS, SUFFIXES, WRITTEN, Header, read_header
from temperfill.images.jpeg import JpegForm
from temperfill.images.mask_reading import to_mask
from temperfill.images.picture import Picture, to_bytes
from temperfill.images.provenance import PACKET, is_marked, mark
from temperfill.images.reading import (
    MAX_PIXELS,
    Source,
    open_picture,
    read_rgb,
    read_small,
    resize_grey,
    resize_short_side,
)
from temperfill.images.writing import QUALITY, check_output, check_storable, check_suffix, encode_picture, save_picture

__all__ = [
    "FORMATS",
    "MAX_PIXELS",
    "PACKET",
    "QUALITY",
    "SUFFIXES",
    "WRITTEN",
    "Canvas",
    "Header",
    "JpegForm",
    "Picture",
    "Source",
    "check_layer",
    "check_output",
    "check_storable",
    "check_suffix",
    "cut_out",
    "encode_picture",
    "extend",
    "extended_size",
    "is_marked",
    "mark",
    "open_picture",
    "paste",
    "read_header",
    "read_rgb",
    "read_small",
    "resize_grey",
    "resize_short_side",
    "save_picture",
    "to_bytes",
    "to_mask",
    "to_rgb",
]
