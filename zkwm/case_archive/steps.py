"""One step of a replay, as data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class StepState(StrEnum):
    """The outcome of one step."""

    REPEATED = "repeated"
    DIFFERS = "differs"
    NOT_REPEATED = "not repeated"


@dataclass(frozen=True)
class Step:
    """One step of a replay: what it is about, how it ended, and why."""

    name: str
    state: StepState
    words: str
