"""What a verdict calls what it counted: triggers, or the bits of a mark that lie under keys.

A mark in weights, activations or answers has no triggers (SPEC.md 19), and a court that reads of
some looks for pictures that there never were.
"""

from __future__ import annotations

from zkwm.judge.results import Check, TriggerStatus
from zkwm.judge.verdict import Verdict
from zkwm_protocols.suspect_identity import SuspectKind

_TRIGGER_MEANINGS: dict[str, str] = {
    TriggerStatus.MATCH: "the answer is the expected output",
    TriggerStatus.NO_MATCH: "the answer is another output",
    TriggerStatus.WRONG_LEAF: "opened, but not to what was committed; counts as a miss",
    TriggerStatus.MISSING_LEAF: "the owner did not open it; counts as a miss",
    TriggerStatus.NO_ANSWER: "the model gave no usable answer",
}

_BIT_MEANINGS: dict[str, str] = {
    **_TRIGGER_MEANINGS,
    TriggerStatus.MATCH: "the bit in the model is the one that the commitment fixes",
    TriggerStatus.NO_MATCH: "the bit in the model is the other one",
    TriggerStatus.NO_ANSWER: "no bit could be extracted",
}

_KEY_TITLES = {
    "challenge.reachable": "The number of keys can reach the threshold",
    "opening.leaves": "Every opened key hashes to its committed leaf",
    "suspect.answers": "Every bit that matters could be extracted",
}

OPENED_KEYS = (
    "Opened keys",
    "They are spent: whoever has seen them can put their bits into any model, or take them out. "
    "They count only against models published before they were opened.",
)
"""What it says of what was opened."""


def of_keys(verdict: Verdict) -> bool:
    """Whether the bits of a mark were counted, under keys, and no triggers."""
    challenge = verdict.challenge
    return challenge is not None and challenge.suspect.kind == SuspectKind.EXTRACTION


def opened_heading(verdict: Verdict) -> str:
    """The heading above what was opened."""
    return "Opened keys" if of_keys(verdict) else "Opened triggers"


def status_meaning(verdict: Verdict, status: str) -> str:
    """What the status of a trigger, or of a mark's bit, means."""
    return (_BIT_MEANINGS if of_keys(verdict) else _TRIGGER_MEANINGS)[status]


def check_title(verdict: Verdict, check: Check) -> str:
    """The title of a check, which of a mark speaks of its keys and bits."""
    return _KEY_TITLES.get(check.id, check.title) if of_keys(verdict) else check.title
