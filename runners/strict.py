"""From plain data, as TOML gives it, to frozen dataclasses: no unknown key, no wrong type."""

import dataclasses
import math
import reprlib
import sys
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal

_LARGEST = 2**63 - 1
_WORDS = {str: "text", bool: "true or false", int: "a whole number", float: "a number"}
_MANY = {str: "texts", bool: "true or false", int: "whole numbers", float: "numbers"}


class SettingsError(ValueError):
    """A name, a key or a value that the user gave is not one there is."""


def build(kind: Any, data: Mapping[str, Any], where: str = "") -> Any:
    """A dataclass from a table; fields that are dataclasses are tables within it.

    Args:
        kind: The dataclass.
        data: Values by the names of its fields.
        where: What to call the table in a message, such as "estimator.flow".

    Raises:
        SettingsError: A key is unknown or lacking, or a value has the wrong type or is refused.
    """
    hints = typing.get_type_hints(kind)
    known = {f.name: f for f in dataclasses.fields(kind) if f.init}
    at = f"{where}: " if where else ""
    for key in data:
        if key not in known:
            raise SettingsError(f"{at}unknown key {str(key)[:60]!r}; allowed: {', '.join(known)}")
    for key, field in known.items():
        given = field.default is not dataclasses.MISSING
        if not given and field.default_factory is dataclasses.MISSING and key not in data:
            raise SettingsError(f"{at}lacks {key!r}")
    inside = f"{where}." if where else ""
    values = {key: _value(value, hints[key], f"{inside}{key}") for key, value in data.items()}
    try:
        return kind(**values)
    except SettingsError:
        raise
    except ValueError as error:
        raise SettingsError(f"{at}{error}") from error


def _value(value: Any, hint: Any, where: str) -> Any:
    """A value as the type that a field wants."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if dataclasses.is_dataclass(hint) and isinstance(value, Mapping):
        return build(hint, value, where)
    if origin is tuple and isinstance(value, list | tuple):
        kinds = arguments[:1] * len(value) if arguments[-1] is Ellipsis else arguments
        if len(kinds) == len(value):
            pairs = enumerate(zip(value, kinds, strict=True))
            return tuple(_value(item, kind, f"{where}[{i}]") for i, (item, kind) in pairs)
    elif origin is dict and isinstance(value, Mapping):
        return {key: _value(item, arguments[1], f"{where}.{key}") for key, item in value.items()}
    elif origin in (typing.Union, types.UnionType):
        for option in arguments:
            try:
                return _value(value, option, where)
            except SettingsError:
                continue
    elif (origin is Literal and value in arguments) or (hint is type(None) and value is None):
        return value
    # True is an int to Python, but hardly to whoever wrote it.
    elif hint is float and type(value) in (int, float) and _is_number(value):
        return float(value)
    elif hint in (str, int, bool) and type(value) is hint and _is_plain(value):
        return value
    raise SettingsError(f"{where} must be {_said(hint)}, not {_shown(value)}")


def _is_number(value: float) -> bool:
    return abs(value) <= sys.float_info.max or abs(value) == math.inf


def _is_plain(value: str | int) -> bool:
    # Text may become part of a command, or of a path.
    return "\0" not in value if isinstance(value, str) else abs(value) <= _LARGEST


def _shown(value: Any) -> str:
    try:
        return reprlib.repr(value)
    except ValueError:  # of a number with too many digits
        return f"this {type(value).__name__}"


def _said(hint: Any) -> str:
    """A type in words."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return " or ".join(map(repr, arguments))
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_said(option) for option in arguments if option is not type(None))
    if origin is tuple:
        count = "" if arguments[-1] is Ellipsis else f"{len(arguments)} "
        return f"a list of {count}{_MANY.get(arguments[0], 'values')}"
    return _WORDS.get(hint, "a table")
