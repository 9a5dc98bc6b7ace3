"""The dates of a case again, from the timestamps in its archive (SPEC.md 8.5, 20.4)."""

from __future__ import annotations

from dataclasses import replace

from zkwm.case_archive.documents import CaseDocuments
from zkwm.case_archive.steps import ReplayState, ReplayStep
from zkwm.judge.dating import Dating, order_by, order_of, read_dates
from zkwm_protocols.dates import Order
from zkwm_protocols.trust import Trust

_NAME = "dates"
_PERSONS = (
    "whose the owners' keys are was not repeated: it rests on statements or authorities that are "
    "not at hand"
)


def trust_of_case(documents: CaseDocuments, given: Trust | None) -> Trust | None:
    """The trust folder of the case: the archive's, or a given one where the archive has none."""
    return given if documents.trust is None else documents.trust


def repeat_dates(documents: CaseDocuments, given: Trust | None) -> ReplayStep | None:
    """Verify every token and log proof again, by whom the judge trusts, or whoever asks.

    ``given`` is what whoever asks trusts; None takes the archive's own, which is the judge's. None
    where nobody names anybody who is trusted.
    """
    verdict, challenge = documents.verdict, documents.challenge
    stated = None if verdict is None else verdict.dating
    named = challenge.trust if stated is None else stated.trust
    trust = given or documents.trust
    if trust is None:
        if named is None:
            return None
        words = "the judge's trust folder is not in the archive, and none was given"
        return ReplayStep(_NAME, ReplayState.NOT_REPEATED, words)
    again = _dates_of(documents, trust)
    order = order_by(again, challenge)
    words = f"by {_whose(trust, named)}, the order is: {order}"
    other = named not in (None, trust.digest)
    if challenge.policy.trusted_beacon and again.beacon is None:
        words += "; none of its authorities signed the beacon that the challenge takes for trusted"
        return ReplayStep(_NAME, _unlike(other=other), words)
    if other and again.existed is None:
        words = (
            "another trust folder than the judge's was given, and too few of its authorities date "
            "the commitment: by it nothing can be said"
        )
        return ReplayStep(_NAME, ReplayState.NOT_REPEATED, words)
    if stated is None:
        return ReplayStep(_NAME, ReplayState.REPEATED, words)
    before = order_of(stated, challenge)
    same = replace(again, owner_keys=()) == replace(stated, owner_keys=())
    if (not same and trust.digest == stated.trust) or order != before:
        return ReplayStep(_NAME, ReplayState.DIFFERS, f"{words}; the verdict says: {before}")
    if again.owner_keys != stated.owner_keys:
        return ReplayStep(_NAME, ReplayState.REPEATED, f"{words}, as the verdict says; {_PERSONS}")
    return ReplayStep(_NAME, ReplayState.REPEATED, f"{words}, as the verdict says")


def dating_again(documents: CaseDocuments, given: Trust | None) -> Dating | None:
    """Dates, and whose the owner's keys are, by whoever asks, else by the archive's own trust."""
    trust = given or documents.trust
    return None if trust is None else _dates_of(documents, trust)


def too_late(documents: CaseDocuments, trust: Trust | None) -> bool:
    """Whether the challenge demands that the commitment be older, and it is not."""
    challenge = documents.challenge
    if not challenge.policy.older:
        return False
    dating = None if documents.verdict is None else documents.verdict.dating
    if dating is not None:
        return order_of(dating, challenge) != Order.OLDER
    if trust is None:
        return True
    return order_by(_dates_of(documents, trust), challenge) != Order.OLDER


def _dates_of(documents: CaseDocuments, trust: Trust) -> Dating:
    """The dates by this trust, at the judge's time where there is a verdict."""
    verdict = documents.verdict
    clock = None if verdict is None else verdict.checked
    trust = replace(trust, statements=(*trust.statements, *documents.statements))
    return read_dates(documents.commitment, trust, clock=clock)[0]


def _unlike(*, other: bool) -> ReplayState:
    """The state where a date is missing: one that somebody else does not know differs from none."""
    return ReplayState.NOT_REPEATED if other else ReplayState.DIFFERS


def _whose(trust: Trust, named: bytes | None) -> str:
    """Whose trust it is, in words."""
    return "the judge's trust folder" if trust.digest == named else "another trust folder"
