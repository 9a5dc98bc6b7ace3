"""Load watermarks and attacks by name, and make them from plain parameters.

The tables of names are dicts in ``zkwm.watermarks``, ``zkwm.extraction.schemes`` and
``zkwm.attacks``; a class is imported when it is asked for, so that listing names needs no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from difflib import get_close_matches
from importlib import import_module
from typing import Any

from zkwm.extras import missing_extra
from zkwm_protocols.errors import UsageError

_MOST_SHOWN = 80
_PLAIN = {"int": int, "float": float, "str": str, "bool": bool}
_READ: dict[str, Callable[[str], object]] = {
    "int": int,
    "float": float,
    "bool": {"true": True, "false": False}.__getitem__,
}


def load_class(table: Mapping[str, str], kind: str, name: str) -> Any:  # noqa: ANN401
    """Import the class of a name from a table of ``module:Class``.

    ``kind`` is what to call it in a message. Raises UsageError for a name that is not in the table,
    and where the class needs an extra that is not installed.
    """
    if name not in table:
        near = get_close_matches(str(name), table, n=1)
        raise UsageError(
            f"there is no {kind} {_shown(name)}",
            hint=f"did you mean {near[0]}?" if near else f"choose one of {', '.join(table)}",
        )
    module, _, class_name = table[name].partition(":")
    try:
        return getattr(import_module(module), class_name)
    except ModuleNotFoundError as error:
        raise missing_extra(error) or error from None


def make(table: Mapping[str, str], kind: str, name: str, parameters: Mapping[str, object]) -> Any:  # noqa: ANN401
    """Make an object of a class in a table, a frozen dataclass, from its parameters by name.

    Types are checked by the text of the class's annotations: int, float, str or bool; an int is
    accepted for a float.

    Args:
        table: "module:Class" by name.
        kind: What the table holds, for messages.
        name: Which of them.
        parameters: Values by name; defaults for the others.

    Raises:
        UsageError: A parameter does not exist, is of another type or, as the class says, out of
            range.
    """
    made = load_class(table, kind, name)
    types = {field.name: str(field.type) for field in fields(made)}
    values: dict[str, object] = {}
    for parameter, value in parameters.items():
        if parameter not in types:
            raise UsageError(
                f"the {kind} {name} has no parameter {_shown(parameter)}",
                hint=f"it has {', '.join(types) or 'none'}",
            )
        expected = _PLAIN.get(types[parameter])
        if expected is float and type(value) is int:
            value = float(value)
        if expected is None or type(value) is not expected:
            raise UsageError(
                f"the parameter {parameter} of {name} is a {types[parameter]}, not {_shown(value)}"
            )
        values[parameter] = value
    return made(**values)


def read_parameters(
    table: Mapping[str, str], kind: str, name: str, texts: Sequence[str]
) -> dict[str, object]:
    """Parse parameters typed as ``NAME=VALUE`` into what ``make`` takes.

    A value is parsed as the class declares: ``true`` or ``false``, a number, or text.

    Args:
        table: "module:Class" by name.
        kind: What the table holds, for messages.
        name: Which of them.
        texts: The parameters, as typed.

    Raises:
        UsageError: A text has no ``=``, a parameter is given twice, or a value cannot be parsed.
    """
    types = {field.name: str(field.type) for field in fields(load_class(table, kind, name))}
    values: dict[str, object] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or key in values:
            raise UsageError(
                f"{text!r} is not a parameter, or was given before",
                hint="write it as NAME=VALUE, each once",
            )
        try:
            values[key] = _READ.get(types.get(key, ""), str)(value)
        except (ValueError, KeyError):
            raise UsageError(f"the parameter {key} is a {types[key]}, not {value!r}") from None
    return values


def parameters_of(plugin: type[Any]) -> dict[str, Any]:
    """The parameters of a watermark or an attack with their defaults."""
    return {field.name: field.default for field in fields(plugin)}


def _shown(value: object) -> str:
    """A foreign value in a message, cut off where it is long."""
    return repr(value)[:_MOST_SHOWN]
