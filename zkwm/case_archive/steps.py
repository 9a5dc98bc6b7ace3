"""One step of a replay, as data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ReplayState(StrEnum):
    """The outcome of one step."""

    REPEATED = "repeated"
    DIFFERS = "differs"
    NOT_REPEATED = "not repeated"


@dataclass(frozen=True)
class ReplayStep:
    """One step of a replay: what it is about, how it ended, why, and what to do then."""

    name: str
    state: ReplayState
    words: str
    hint: str = ""
