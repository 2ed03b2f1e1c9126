"""Errors that callers tell apart by their types; their texts are for people."""


class InputError(ValueError):
    """What a caller gave does not fit: to the method, to the picture, or into the range of an option."""


# How torch on the CPU and oneDNN say in a RuntimeError that memory ran out.
_SHORTAGES = (
    *("out of memory", "not enough memory", "can't allocate memory"),
    *("could not create a primitive", "could not create a memory", "could not execute a primitive"),
)


def tells_of_shortage(error: RuntimeError) -> bool:
    """Whether an error of torch says that memory ran out."""
    return any(text in str(error) for text in _SHORTAGES)


class MemoryShortage(ValueError):
    """There is too little memory for a picture, however it is taken apart."""
