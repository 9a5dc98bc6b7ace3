"""Read the JSON of an endpoint's reply strictly.

The reply comes from the other party: nesting is bounded, NaN and Infinity are refused, ``true`` is
no number, and no key stands twice. Every protocol of endpoints reads through these functions.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

UNREADABLE = "its reply is not the JSON of the protocol"


class ReplyError(Exception):
    """The reply breaks the protocol; the text is the problem of an Answer."""


def read_json(body: bytes, depth: int) -> Any:  # noqa: ANN401  (any JSON value)
    """The JSON value in ``body``, nested at most ``depth`` deep. Raises ReplyError.

    A number too large for a float64 reads as an infinity, which makes the answer not finite.
    """
    try:
        text = body.decode("utf-8")
        _require_shallow(text, depth)
        return json.loads(text, parse_constant=_refuse, object_pairs_hook=_object)
    except (ValueError, RecursionError):
        raise ReplyError(UNREADABLE) from None


def read_scores(value: object) -> list[float]:
    """A list of numbers. Raises ReplyError."""
    if not isinstance(value, list):
        raise ReplyError("its scores are not a list of numbers")
    return [read_score(score) for score in value]


def read_score(value: object) -> float:
    """A number as float; infinity where it is too large. Raises ReplyError."""
    if not is_number(value):
        raise ReplyError("its scores are not a list of numbers")
    try:
        return float(value)  # type: ignore[arg-type]
    except OverflowError:
        return float("inf")


def is_number(value: object) -> bool:
    """Whether a JSON value is a number; ``true`` is none."""
    return type(value) in (int, float)


def read_label(value: object) -> int:
    """An integer label. Raises ReplyError."""
    if type(value) is not int:
        raise ReplyError("its label is not an integer")
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object as dict. Raises ValueError for a repeated key."""
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key twice")
    return value


def _refuse(constant: str) -> NoReturn:
    """Refuse NaN and Infinity, which JSON does not have. Raises ValueError."""
    raise ValueError(constant)


def _require_shallow(text: str, limit: int) -> None:
    """Bound the nesting before the parser recurses; brackets in strings count too, harmlessly."""
    depth = 0
    for character in text:
        if character in "[{":
            depth += 1
            if depth > limit:
                raise ValueError("nested too deeply")
        elif character in "]}":
            depth -= 1
