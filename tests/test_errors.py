"""Errors with types of their own are still what callers caught before."""

import pytest

from temperfill.errors import InputError, MemoryShortage, printable


@pytest.mark.parametrize("kind", [InputError, MemoryShortage])
def test_they_are_value_errors_for_whoever_does_not_tell_them_apart(kind: type[ValueError]) -> None:
    with pytest.raises(ValueError, match="why"):
        raise kind("why")
    assert not issubclass(InputError, MemoryShortage)
    assert not issubclass(MemoryShortage, InputError)


def test_control_characters_are_written_out() -> None:
    name = "bad\x1b[31m\x1b]0;x\x07\nfaked: line\r\x9b\u202e\u2028 é 猫"
    assert printable(name) == "bad\\x1b[31m\\x1b]0;x\\x07\\nfaked: line\\r\\x9b\\u202e\\u2028 é 猫"
