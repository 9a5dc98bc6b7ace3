"""What else a dispute shows, and what nothing follows from by itself (SPEC.md 28.3, 28.8)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from zkwm.disputes.findings import Shown
from zkwm.disputes.logged import Logs
from zkwm.disputes.marks import Compared, Mark, compare
from zkwm.disputes.objections import Evidence, answered_at, committed_at
from zkwm.disputes.results import Found, FoundParty, Objection
from zkwm.disputes.wording import two_sizes
from zkwm.judge.verdict import Outcome
from zkwm_protocols.dates import Order
from zkwm_protocols.key_history import Moment
from zkwm_protocols.suspect_identity import SuspectKind
from zkwm_protocols.trust import Trust

AGE, TWO_TREES = "28.3.2", "28.3.3"
SUSPECTED, SUSPECTED_ANSWER = "28.5.2", "28.5.3"
COPIED, OTHERWISE, TERMS = "28.8.1", "28.8.2", "28.8.3"


def remarks(
    found: Found,
    marks: Sequence[Mark],
    shown: Mapping[tuple[str, str], Shown],
    trust: Trust | None,
    evidence: Evidence,
) -> tuple[Objection, ...]:
    """All remarks, in the order of their rules."""
    logs = evidence.logs
    rows = [
        *(_age(one) for one in compare(found.parties)),
        *_two_trees(logs),
        *_suspected(found.parties, evidence),
        *_suspected_answers(marks, shown, evidence),
        *_copied(marks),
        *_otherwise(found, shown),
        *_terms(found, shown, trust),
    ]
    return tuple(sorted(rows, key=lambda one: one.section))


def _age(one: Compared) -> Objection:
    """Which of two commitments is the older."""
    words = {
        Order.OLDER: f"the commitment of {one.first} is older than that of {one.second}, by "
        f"{one.by}",
        Order.NOT_OLDER: f"the commitment of {one.second} is older than that of {one.first}, by "
        f"{one.by}",
        Order.UNDECIDED: f"the dates of the commitments of {one.first} and {one.second} overlap: "
        "undecided in time",
        Order.UNKNOWN: f"it is not known which commitment is older, that of {one.first} or that of "
        f"{one.second}",
    }
    return Objection(AGE, words[one.order] + "; this decides nothing by itself")


def _two_trees(logs: Logs) -> Iterator[Objection]:
    """Logs that signed two trees, and whether anything of them counts."""
    for one in logs.equivocations:
        origin = one.first.checkpoint.origin
        follows = "what a quorum of the judge's witnesses signed counts still, and no more"
        if origin in logs.disbelieved:
            follows = "nothing that it says counts here"
        yield Objection(
            TWO_TREES, f"the log {origin} signed two different trees {two_sizes(one)}: {follows}"
        )


def _suspected(parties: Sequence[FoundParty], evidence: Evidence) -> Iterator[Objection]:
    """Keys of which a revocation names an earlier compromise than the log shows."""
    for party in parties:
        for key in party.owner_keys:
            if _suspected_at(evidence, key, committed_at(party, evidence)):
                yield Objection(
                    SUSPECTED,
                    f"the key {key} of {party.name} may have been in other hands when the "
                    "commitment was dated: its revocation names an earlier time than its own entry",
                )


def _suspected_at(evidence: Evidence, key: str, moments: Sequence[Moment]) -> bool:
    """Whether a key is suspected at each of these moments."""
    history = evidence.logs.history
    return all(history.standing(key, one).suspected is not None for one in moments)


def _suspected_answers(
    marks: Sequence[Mark], shown: Mapping[tuple[str, str], Shown], evidence: Evidence
) -> Iterator[Objection]:
    """Marks that were found in answers which somebody else may have given (SPEC.md 26.3)."""
    commitments = {one.party.name: one.commitment for one in marks}
    for (mark, model), one in shown.items():
        commitment = commitments[mark]
        if commitment is None or one.found.outcome != Outcome.PROVEN:
            continue
        moments = answered_at(one, commitment, evidence)
        for key in (key.fingerprint() for key in commitment.header.owner_keys):
            if _suspected_at(evidence, key, moments):
                yield Objection(
                    SUSPECTED_ANSWER,
                    f"the key {key} of {mark} may have been in other hands when it signed the "
                    f"answer about {model}: its revocation names an earlier time than its own "
                    "entry",
                )


def _copied(marks: Sequence[Mark]) -> Iterator[Objection]:
    """Leaves that stand in the commitments of two parties."""
    known = [(one.party.name, one.commitment) for one in marks if one.commitment is not None]
    for number, (first, mine) in enumerate(known):
        for second, other in known[number + 1 :]:
            same = len(set(mine.leaves) & set(other.leaves))
            if same:
                words = (
                    f"{same:,} leaves stand in the commitments of both {first} and {second}: "
                    "leaves are public, and whoever copies them cannot open them"
                )
                yield Objection(COPIED, words)


def _otherwise(found: Found, shown: Mapping[tuple[str, str], Shown]) -> Iterator[Objection]:
    """Endpoints that answer otherwise than published weights of the same product."""
    endpoints = [one for one in found.models if one.kind == SuspectKind.HTTP]
    files = [one for one in found.models if one.kind not in (SuspectKind.HTTP, "")]
    for endpoint in endpoints:
        for model in files:
            if model.published_by != endpoint.published_by:
                continue
            for party in found.parties:
                pair = [shown.get((party.name, one.name)) for one in (endpoint, model)]
                yield from _different(endpoint.name, model.name, party.name, pair)


def _different(
    endpoint: str, model: str, mark: str, pair: Sequence[Shown | None]
) -> Iterator[Objection]:
    """How many of the triggers that both were asked have two answers."""
    asked, weights = pair
    if asked is None or weights is None:
        return
    both = set(asked.answers) & set(weights.answers)
    other = sum(asked.answers[one] != weights.answers[one] for one in both)
    if other:
        words = (
            f"the endpoint {endpoint} answered the judge otherwise than the published weights "
            f"{model} on {other} of {len(both)} triggers of {mark} that both were asked"
        )
    elif asked.found.outcome != weights.found.outcome and not both:
        words = (
            f"the endpoint {endpoint} and the published weights {model} give two outcomes for the "
            f"mark of {mark}: {asked.found.outcome}, and {weights.found.outcome}"
        )
    else:
        return
    yield Objection(OTHERWISE, words + "; each model is weighed by itself")


def _terms(
    found: Found, shown: Mapping[tuple[str, str], Shown], trust: Trust | None
) -> Iterator[Objection]:
    """Challenges that named another trust or another date than this dispute."""
    for (mark, model), one in shown.items():
        challenge = one.challenge
        if challenge is None:
            continue
        where = f"the challenge about the mark of {mark} in {model}"
        if challenge.trust is not None and (trust is None or challenge.trust != trust.digest):
            yield Objection(TERMS, f"{where} names another trust folder than this dispute's")
        if challenge.published not in (None, found.model(model).published):
            yield Objection(TERMS, f"{where} states another date or source of publication")
