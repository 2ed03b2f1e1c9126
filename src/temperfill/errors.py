"""Errors that callers tell apart by their types; their texts are for people."""

import re

_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """A text for a terminal or log: control characters, which strangers' names and files may hold, are written out."""
    return _UNPRINTABLE.sub(lambda found: ascii(found[0])[1:-1], text)


class InputError(ValueError):
    """What a caller gave does not fit: to the method, to the picture, or into the range of an option."""


# How torch on the CPU, oneDNN and onnxruntime say that memory ran out.
_SHORTAGES = (
    *("out of memory", "not enough memory", "can't allocate memory"),
    *("bad allocation", "bad_alloc", "Failed to allocate memory"),
    *("could not create a primitive", "could not create a memory", "could not execute a primitive"),
)


def tells_of_shortage(error: Exception) -> bool:
    """Whether an error of torch or onnxruntime says that memory ran out."""
    return any(text in str(error) for text in _SHORTAGES)


class MemoryShortage(ValueError):
    """There is too little memory for a picture, however it is taken apart."""
