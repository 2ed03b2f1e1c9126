"""Configurations as data: validation of fields, strict JSON in and out, and differences. Imports nothing heavy."""

import dataclasses
import json
import reprlib
import sys
import types
import typing
from pathlib import Path
from typing import Any, Literal, TypeVar

from temperfill.places import is_url

T = TypeVar("T")

LARGEST = 2**63
"""Whole numbers of configurations are smaller, below 0 too."""
_shown = reprlib.Repr()
_shown.maxstring = _shown.maxlong = _shown.maxother = 80


def require(condition: bool, message: str) -> None:
    """Raises ValueError with the message unless the condition holds."""
    if not condition:
        raise ValueError(message)


def at_least(lowest: int, config: object, *names: str) -> None:
    """Raises ValueError for the first named field below a value."""
    for name in names:
        require(getattr(config, name) >= lowest, f"{name} must be at least {lowest}, got {getattr(config, name)}")


def at_most(highest: int, config: object, *names: str) -> None:
    """Raises ValueError for the first named field above a value."""
    for name in names:
        require(getattr(config, name) <= highest, f"{name} must be at most {highest}, got {getattr(config, name)}")


def check_types(config: object) -> None:
    """Raises ValueError for the first field whose value is not of its annotated type."""
    for name, hint in typing.get_type_hints(type(config)).items():
        _check_type(hint, getattr(config, name), name)


def _check_type(hint: Any, value: Any, where: str) -> None:
    """Raises ValueError unless the value is of the annotated type; an int may stand for a float, a bool for neither."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        require(
            value in arguments, f"{where}: expected one of {', '.join(map(str, arguments))}, got {_shown.repr(value)}"
        )
    elif origin is types.UnionType:
        kinds = [a for a in arguments if a is not types.NoneType]
        if value is not None:
            # Where a value may be of several kinds, such as text or a path, all of them are plain classes.
            _check_type(next((k for k in kinds[1:] if isinstance(value, k)), kinds[0]), value, where)
    elif origin is tuple:
        require(isinstance(value, tuple), f"{where}: expected a tuple, got {type(value).__name__}")
        for i, item in enumerate(value):
            _check_type(arguments[0], item, f"{where}[{i}]")
    else:
        wanted, name = ((int, float), "a finite number") if hint is float else (hint, hint.__name__)
        fits = isinstance(value, wanted) and (hint is bool or not isinstance(value, bool))
        fits = fits and (hint is not float or abs(value) <= sys.float_info.max)
        require(fits, f"{where}: expected {name}, got {_shown.repr(value)}")
        require(hint is not int or abs(value) < LARGEST, f"{where}: {_shown.repr(value)} is too large a number")


def to_json(config: Any) -> dict[str, Any]:
    """Plain JSON values of a configuration dataclass; paths become strings, tuples lists.

    The class attribute ``method`` of a training run is the first of them.
    """
    return _method(config) | {f.name: _plain(getattr(config, f.name)) for f in dataclasses.fields(config)}


def _method(config: object) -> dict[str, Any]:
    return {"method": config.method} if hasattr(config, "method") else {}


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return to_json(value)
    if isinstance(value, tuple):
        return [_plain(v) for v in value]
    return str(value) if isinstance(value, Path) else value


def from_json(cls: type[T], data: object, where: str = "config") -> T:
    """Builds a configuration dataclass from parsed JSON.

    Args:
        cls: the dataclass; the method of a training run must be its own.
        data: a mapping; missing keys take the defaults. Where it lacks none but some of ``cls.LATER``, it was
            written by an earlier version, and these take the values there: what that version did.
        where: name of the source, for messages.

    Raises:
        ValueError: unknown key, wrong type or invalid value, naming the path to it.
    """
    if not isinstance(data, dict):
        raise ValueError(f"{where}: expected an object, got {type(data).__name__}")
    hints, fixed, later = typing.get_type_hints(cls), _method(cls), getattr(cls, "LATER", {})
    if hints.keys() - later.keys() <= data.keys():
        data = {**later, **data}
    for key in data:
        require(key in hints or key in fixed, f"{where}.{key[:80]}: unknown key; known are {', '.join(hints)}")
    for key in fixed.keys() & data.keys():
        require(data[key] == fixed[key], f"{where}.{key}: expected {fixed[key]!r}, got {data[key]!r}")
    values = {key: _coerce(hints[key], data[key], f"{where}.{key}") for key in data if key not in fixed}
    try:
        return cls(**values)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


def _coerce(hint: Any, value: Any, where: str) -> Any:
    """One JSON value as the annotated type, without silent conversion (an int may stand for a float)."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return from_json(hint, value, where)
    if Path in arguments and str in arguments and isinstance(value, str):
        return value if is_url(value) else Path(value)
    if origin is types.UnionType and value is not None:
        return _coerce(next(a for a in arguments if a is not types.NoneType), value, where)
    if origin is tuple:
        require(isinstance(value, list), f"{where}: expected a list, got {type(value).__name__}")
        return tuple(_coerce(arguments[0], v, f"{where}[{i}]") for i, v in enumerate(value))
    if hint is Path and isinstance(value, str):
        return Path(value)
    _check_type(hint, value, where)
    return float(value) if hint is float else value


def load_json(cls: type[T], path: Path) -> T:
    """Reads a configuration from a JSON file; errors name the file and the key.

    Raises:
        OSError: cannot be read.
        ValueError: as :func:`read_json` and :func:`from_json`.
    """
    return from_json(cls, read_json(path), str(path))


def read_json(path: Path) -> Any:
    """The value in a JSON file.

    Raises:
        OSError: cannot be read.
        ValueError: not JSON (a key given twice, NaN and Infinity are not); names the file.
    """
    try:
        text = path.read_text(encoding="utf-8")
        return json.loads(text, object_pairs_hook=_unique_keys, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not valid JSON: {error}") from None


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    unique = dict(pairs)
    require(len(unique) == len(pairs), f"a key is given twice among {', '.join(key for key, _ in pairs)}")
    return unique


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a valid JSON number")


def differences(old: Any, new: Any, where: str = "") -> list[str]:
    """Lines ``field: old -> new`` for every leaf in which two JSON values differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        keys = list(dict.fromkeys([*old, *new]))
        return [line for k in keys for line in differences(old.get(k), new.get(k), f"{where}.{k}" if where else k)]
    return [] if old == new else [f"{where}: {old!r} -> {new!r}"]
