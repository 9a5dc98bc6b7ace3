"""From marks, models and dates to one outcome (SPEC.md 28.4 to 28.6).

Pure: the reader of a dispute's verdict calls the same functions, and refuses a verdict that says
something else.
"""

from __future__ import annotations

from dataclasses import dataclass

from zkwm.disputes.results import (
    DisputeOutcome,
    Found,
    FoundClaim,
    Standing,
)
from zkwm.judge.verdict import Outcome
from zkwm_protocols.dates import Order, order

OWN_PRODUCT, OLDER, IN_TIME, NO_DATE, COUNTS = "28.4.1", "28.4.3", "28.4.4", "28.4.5", "28.4.6"
OBJECTIONS, NOT_FOUND, NOT_CHECKED = "28.5", "28.4.2", "28.4.2"

SECTIONS = {
    Standing.OWN_PRODUCT: OWN_PRODUCT,
    Standing.NOT_FOUND: NOT_FOUND,
    Standing.NOT_CHECKED: NOT_CHECKED,
    Standing.OBJECTED: OBJECTIONS,
    Standing.NOT_OLDER: OLDER,
    Standing.UNDECIDED_IN_TIME: IN_TIME,
    Standing.NO_DATE: NO_DATE,
    Standing.COUNTS: COUNTS,
}
"""The rule by which a claim has its standing."""

_ORDERS = {
    Order.OLDER: Standing.COUNTS,
    Order.NOT_OLDER: Standing.NOT_OLDER,
    Order.UNDECIDED: Standing.UNDECIDED_IN_TIME,
    Order.UNKNOWN: Standing.NO_DATE,
}


@dataclass(frozen=True)
class Decision:
    """The outcome, for whom, and by which rule."""

    outcome: DisputeOutcome
    party: str
    section: str


def standing(found: Found, claim: FoundClaim) -> Standing:
    """What a claim is worth (SPEC.md 28.4): the first rule that speaks decides."""
    model = found.model(claim.model)
    if model.published_by == claim.mark:
        return Standing.OWN_PRODUCT
    if claim.outcome == Outcome.NOT_PROVEN:
        return Standing.NOT_FOUND
    if claim.outcome == Outcome.TRUST_MATERIAL_MISSING:
        return Standing.NO_DATE
    if claim.outcome != Outcome.PROVEN:
        return Standing.NOT_CHECKED
    if claim.objections:
        return Standing.OBJECTED
    published = None if model.published is None else model.published.interval
    return _ORDERS[order(found.party(claim.mark).existed, published)]


def decide(found: Found) -> Decision:
    """The outcome of the dispute (SPEC.md 28.6)."""
    worth = {(one.mark, one.model): standing(found, one) for one in found.claims}
    contested = {one.name for one in found.models if one.contested}
    shown = _counted(worth, contested)
    supported = sorted(name for name in shown if not _against(found, worth, name))
    if len(supported) == 1:
        return Decision(DisputeOutcome.SUPPORTED, supported[0], "28.6.1")
    if shown:
        return Decision(DisputeOutcome.UNDECIDED, "", "28.6.2")
    left = {state for (_, model), state in worth.items() if model in contested}
    for state, outcome, section in (
        (Standing.NOT_CHECKED, DisputeOutcome.COULD_NOT_CHECK, "28.6.3"),
        (Standing.NO_DATE, DisputeOutcome.TRUST_MATERIAL_MISSING, "28.6.4"),
        (Standing.UNDECIDED_IN_TIME, DisputeOutcome.UNDECIDED, "28.6.5"),
    ):
        if state in left:
            return Decision(outcome, "", section)
    return Decision(DisputeOutcome.NOT_SUPPORTED, "", "28.6.6")


def against(found: Found, name: str) -> tuple[str, ...]:
    """Parties whose marks count in a product of this one's (SPEC.md 28.6)."""
    worth = {(one.mark, one.model): standing(found, one) for one in found.claims}
    return tuple(sorted(_against(found, worth, name)))


def _counted(worth: dict[tuple[str, str], Standing], models: set[str]) -> set[str]:
    """The marks that count in one of these models."""
    return {
        mark
        for (mark, model), state in worth.items()
        if state == Standing.COUNTS and model in models
    }


def _against(found: Found, worth: dict[tuple[str, str], Standing], name: str) -> set[str]:
    """The marks that count in products of a party."""
    return _counted(worth, {one.name for one in found.models if one.published_by == name})
