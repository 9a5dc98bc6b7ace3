"""Schemes and attacks by name: load a class from its module, and make it from plain parameters.

Not entry points of other distributions: the tables of names are ours (``zkwm.watermarks`` and
``zkwm.attacks``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from difflib import get_close_matches
from importlib import import_module
from typing import Any

from zkwm.extras import missing_extra
from zkwm_protocols.errors import UsageError

_PLAIN = {"int": int, "float": float, "str": str, "bool": bool}
_READ: dict[str, Callable[[str], object]] = {
    "int": int,
    "float": float,
    "bool": {"true": True, "false": False}.__getitem__,
}


def load_class(table: Mapping[str, str], kind: str, name: str) -> Any:  # noqa: ANN401
    """The class that ``table`` names ``module:Class`` for ``name``.

    Raises UsageError for an unknown name, and where the class needs an extra that is missing.
    """
    if name not in table:
        near = get_close_matches(str(name), table, n=1)
        raise UsageError(
            f"there is no {kind} {name!r}",
            hint=f"did you mean {near[0]}?" if near else f"choose one of {', '.join(table)}",
        )
    module, _, class_name = table[name].partition(":")
    try:
        return getattr(import_module(module), class_name)
    except ModuleNotFoundError as error:
        raise missing_extra(error) or error from None


def make(table: Mapping[str, str], kind: str, name: str, parameters: Mapping[str, object]) -> Any:  # noqa: ANN401
    """An object of that class, a frozen dataclass, from its parameters by name.

    Parameters are whole numbers, numbers, texts, or yes and no, as the class declares; a whole
    number may stand for a number. Raises UsageError for a parameter that does not exist or is of
    another type, and whatever the class raises for a value out of range.
    """
    found = load_class(table, kind, name)
    types = {field.name: str(field.type) for field in fields(found)}
    values: dict[str, object] = {}
    for parameter, value in parameters.items():
        if parameter not in types:
            raise UsageError(
                f"the {kind} {name} has no parameter {parameter!r}",
                hint=f"it has {', '.join(types) or 'none'}",
            )
        wanted = _PLAIN.get(types[parameter])
        if wanted is float and type(value) is int:
            value = float(value)
        if wanted is None or type(value) is not wanted:
            raise UsageError(
                f"the parameter {parameter} of {name} is a {types[parameter]}, not {value!r}"
            )
        values[parameter] = value
    return found(**values)


def read_parameters(
    table: Mapping[str, str], kind: str, name: str, texts: Sequence[str]
) -> dict[str, object]:
    """Parameters typed as ``key=value``, as ``make`` takes them.

    A value is read as the class declares: yes or no (``true``, ``false``), a number, or text.
    Raises UsageError for a text without ``=``, a parameter given twice, and a value that is none.
    """
    types = {field.name: str(field.type) for field in fields(load_class(table, kind, name))}
    values: dict[str, object] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or key in values:
            raise UsageError(
                f"{text!r} is no parameter, or one that was there before",
                hint="write it as NAME=VALUE, each once",
            )
        try:
            values[key] = _READ.get(types.get(key, ""), str)(value)
        except (ValueError, KeyError):
            raise UsageError(f"the parameter {key} is a {types[key]}, not {value!r}") from None
    return values


def parameters_of(found: type[Any]) -> dict[str, Any]:
    """The parameters of a scheme or an attack and their defaults."""
    return {field.name: field.default for field in fields(found)}
