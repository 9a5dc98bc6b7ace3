"""Scores that a reply gives by the names of classes, all of them or the best few.

Only a reply that scores every output is read as scores. One that leaves outputs out tells which
output it puts first, and no more: it is a label. A class that is missing has no score, in
particular none of 0, since whoever answers chooses what they leave out.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from zkwm.suspects.http_adapter import Reading
from zkwm.suspects.http_json import ReplyError, read_score
from zkwm.suspects.suspect import NOT_FINITE
from zkwm_protocols.class_names import folded

_NUMBER = re.compile(r"0|[1-9][0-9]{0,6}")
UNKNOWN_NAME = "its reply names a class that the suspect does not have"
TWICE = "its reply scores a class twice"
NO_SCORES = "its reply has no scores"
NUMBERS_UNKNOWN = "its reply does not tell how many outputs there are"
HINTS = {
    UNKNOWN_NAME: "give the names that the service replies (`suspect_classes`); where it replies "
    "numbers, leave names out and give their number (`outputs`)",
    NUMBERS_UNKNOWN: "give the number of its outputs (`outputs`)",
}
"""What to do about a problem, before a challenge goes out."""


class OutputNames:
    """Finds outputs by their names, or by their numbers in decimals where there are none."""

    def __init__(self, names: tuple[str, ...] | None) -> None:
        self._places: dict[str, int] | None = None
        if names is not None:
            self._places = {folded(name): number for number, name in enumerate(names)}

    @property
    def count(self) -> int | None:
        """How many outputs have a name; None without names."""
        return None if self._places is None else len(self._places)

    def number(self, name: object) -> int:
        """The output of this name. Raises ReplyError."""
        if not isinstance(name, str):
            raise ReplyError("the name of a class in its reply is not text")
        if self._places is not None:
            number = self._places.get(folded(name))
        else:
            number = int(name) if _NUMBER.fullmatch(name) else None
        if number is None:
            raise ReplyError(UNKNOWN_NAME)
        return number

    def read(self, pairs: Iterable[tuple[object, object]], outputs: int | None) -> Reading:
        """What pairs of name and score say: all scores, or the output that stands first.

        Args:
            pairs: as the reply has them, in any order.
            outputs: the number of outputs; None while they are counted, which takes all of them.

        Raises ReplyError, also for a score that is not finite.
        """
        scores: dict[int, float] = {}
        for name, value in pairs:
            number, score = self.number(name), read_score(value)
            if number in scores:
                raise ReplyError(TWICE)
            scores[number] = score
        if not scores:
            raise ReplyError(NO_SCORES)
        if not all(map(math.isfinite, scores.values())):
            raise ReplyError(NOT_FINITE)
        count = self.count if self.count is not None else outputs
        if count is None and max(scores) + 1 != len(scores):
            raise ReplyError(NUMBERS_UNKNOWN)
        count = len(scores) if count is None else count
        if max(scores) >= count:
            raise ReplyError(UNKNOWN_NAME)
        if len(scores) == count:
            return [scores[number] for number in range(count)]
        return min(scores, key=lambda number: (-scores[number], number))


def read_entries(value: object, name_key: str, score_key: str) -> list[tuple[object, object]]:
    """The pairs in a list of objects that have a name and a score, and nothing else.

    Raises ReplyError.
    """
    if not isinstance(value, list):
        raise ReplyError("its reply is not a list of classes and scores")
    keys = {name_key, score_key}
    if any(not isinstance(entry, dict) or entry.keys() != keys for entry in value):
        raise ReplyError(f"an entry of its reply is not {name_key} and {score_key}")
    return [(entry[name_key], entry[score_key]) for entry in value]
