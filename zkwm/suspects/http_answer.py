"""Parse the reply of an endpoint: ``{"scores": [k numbers]}`` or ``{"label": integer}``.

The reply comes from the other party, so parsing is strict: one key, bounded nesting, no NaN or
Infinity, ``true`` is not a number, no repeated key.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

import numpy as np

from zkwm.suspects.suspect import Answer, answer_from_label, answer_from_scores

UNREADABLE = "its reply is not the JSON of the protocol"
_MAXIMUM_DEPTH = 4


class ReplyError(Exception):
    """The reply breaks the protocol; the text is the problem of an Answer."""


def read_reply(body: bytes) -> list[float] | int:
    """Read the scores, or the label, in ``body``. Raises ReplyError.

    A number too large for a float64 reads as an infinity, which makes the answer not finite.
    """
    try:
        text = body.decode("utf-8")
        _require_shallow(text)
        value = json.loads(text, parse_constant=_refuse, object_pairs_hook=_object)
    except (ValueError, RecursionError):
        raise ReplyError(UNREADABLE) from None
    if not isinstance(value, dict) or len(value) != 1:
        raise ReplyError(UNREADABLE)
    if "label" in value:
        return _label(value["label"])
    if "scores" in value:
        return _scores(value["scores"])
    raise ReplyError(UNREADABLE)


def answer_from_reply(body: bytes, outputs: int) -> Answer:
    """The answer in the body of a reply; ``outputs`` is the endpoint's number of outputs."""
    try:
        reply = read_reply(body)
    except ReplyError as reason:
        return Answer(None, str(reason))
    if isinstance(reply, list):
        return answer_from_scores(np.array(reply, np.float64), outputs)
    return answer_from_label(reply, outputs)


def _label(value: object) -> int:
    """An integer label. Raises ReplyError."""
    if type(value) is not int:
        raise ReplyError("its label is not an integer")
    return value


def _scores(value: object) -> list[float]:
    """A list of numbers. Raises ReplyError."""
    if not isinstance(value, list) or any(type(score) not in (int, float) for score in value):
        raise ReplyError("its scores are not a list of numbers")
    return [_as_float(score) for score in value]


def _as_float(score: int | float) -> float:
    """A number as float; infinity where it is too large."""
    try:
        return float(score)
    except OverflowError:
        return float("inf")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object as dict. Raises ValueError for a repeated key."""
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key twice")
    return value


def _refuse(constant: str) -> NoReturn:
    """Refuse NaN and Infinity, which JSON does not have. Raises ValueError."""
    raise ValueError(constant)


def _require_shallow(text: str) -> None:
    """Bound the nesting before the parser recurses; brackets in strings count too, harmlessly."""
    depth = 0
    for character in text:
        if character in "[{":
            depth += 1
            if depth > _MAXIMUM_DEPTH:
                raise ValueError("nested too deeply")
        elif character in "]}":
            depth -= 1
