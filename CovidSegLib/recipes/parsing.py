"""Conversion of TOML tables to dataclasses, with errors that name file, key and allowed values."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, get_args, get_origin, get_type_hints

from ..errors import InputError
from ..recipe import Component


def require(valid: bool, where: str, key: str, allowed: str) -> None:
    """Raise an error unless a value is valid.

    Args:
        valid: Whether it is valid.
        where: File and table.
        key: Key of the value.
        allowed: The allowed values, completing the sentence "It must be ...".

    Raises:
        InputError: The value is not valid.
    """
    if not valid:
        raise InputError(f'The recipe {where} has a wrong value for "{key}". It must be {allowed}.')


def build(kind: type, table: dict[str, Any], where: str) -> Any:
    """Build a dataclass from a table. Nested tables become nested dataclasses, and lists become tuples.

    In the table of a `Component`, the keys that are not fields are its arguments.

    Args:
        kind: The dataclass.
        table: The table.
        where: File and table in error messages.

    Raises:
        InputError: A key is unknown or missing, or a value has the wrong type.
    """
    types = get_type_hints(kind)
    if issubclass(kind, Component):
        fields = types.keys() - {"arguments"}
        table = {
            **{key: value for key, value in table.items() if key in fields},
            "arguments": {key: value for key, value in table.items() if key not in fields},
        }
    for key in table:
        if key not in types:
            raise InputError(f'The recipe {where} has an unknown key "{key}". Allowed are: {", ".join(types)}.')
    values: dict[str, Any] = {}
    for entry in dataclasses.fields(kind):
        key, expected = entry.name, types[entry.name]
        if key in table:
            values[key] = _value(table[key], expected, where, key)
        elif entry.default is dataclasses.MISSING and entry.default_factory is dataclasses.MISSING:
            raise InputError(f'The recipe {where} lacks the key "{key}". Add it.')
    return kind(**values)


def _value(value: Any, expected: Any, where: str, key: str) -> Any:
    """Convert a TOML value to the type of a field."""
    parts = get_args(expected)
    if type(None) in parts:
        expected, parts = parts[0], get_args(parts[0])
    if dataclasses.is_dataclass(expected):
        require(isinstance(value, dict), where, key, "a table")
        return build(expected, value, f"{where} [{key}]")  # type: ignore[arg-type]
    if get_origin(expected) is tuple:
        return _tuple(value, parts, where, key)
    if get_origin(expected) is dict:
        require(isinstance(value, dict), where, key, "a table")
        return {name: _value(part, parts[1], where, f"{key}.{name}") for name, part in value.items()}
    if expected is float:
        number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        require(number, where, key, "a number")
        return float(value)
    if expected is int:
        require(isinstance(value, int) and not isinstance(value, bool), where, key, "a whole number")
    if expected is bool:
        require(isinstance(value, bool), where, key, "true or false")
    if expected is str:
        require(isinstance(value, str), where, key, "a string")
    return value


def _tuple(value: Any, parts: tuple[Any, ...], where: str, key: str) -> tuple[Any, ...]:
    """Convert a list to a tuple with the number of values in the type, or any number if the type ends in `...`."""
    if parts[-1] is not Ellipsis:
        require(isinstance(value, list) and len(value) == len(parts), where, key, f"a list of {len(parts)} numbers")
    require(isinstance(value, list), where, key, "a list")
    return tuple(_value(part, parts[0], where, key) for part in value)
