"""Errors with types of their own are still what callers caught before."""

import pytest

from temperfill.errors import InputError, MemoryShortage


@pytest.mark.parametrize("kind", [InputError, MemoryShortage])
def test_they_are_value_errors_for_whoever_does_not_tell_them_apart(kind: type[ValueError]) -> None:
    with pytest.raises(ValueError, match="why"):
        raise kind("why")
    assert not issubclass(InputError, MemoryShortage)
    assert not issubclass(MemoryShortage, InputError)
