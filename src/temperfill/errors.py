"""Errors that callers tell apart by their types; their texts are for people."""


class InputError(ValueError):
    """What a caller gave does not fit: to the method, to the picture, or into the range of an option."""


class MemoryShortage(ValueError):
    """There is too little memory for a picture, however it is taken apart."""
