"""What keeps a mark that was found from counting: revoked keys, spent blocks, chosen labels.

Each objection names its rule (SPEC.md 28.5). All of them rest on what is signed and dated: a block
that somebody says was opened, and nobody whom the judge trusts dates, is only told.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from zkwm.disputes.case_file import Opening
from zkwm.disputes.findings import Shown
from zkwm.disputes.logged import Logs
from zkwm.disputes.results import FoundModel, FoundParty, Objection
from zkwm.files import read_limited
from zkwm.judge.verdict import Outcome, Verdict
from zkwm.written_dates import rfc3339
from zkwm_protocols.argument_response import read_response
from zkwm_protocols.challenge import FILE_LIMIT as CHALLENGE_LIMIT
from zkwm_protocols.challenge import Challenge
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.errors import InvalidOpening, ZkwmError
from zkwm_protocols.key_history import LogEntry, Moment, before
from zkwm_protocols.keys import JudgePublic
from zkwm_protocols.opening import Opening as OpenedResponse
from zkwm_protocols.response_frame import FILE_LIMIT as RESPONSE_LIMIT
from zkwm_protocols.verdict_file import FILE_LIMIT as VERDICT_LIMIT

DECLARED, REVOKED_COMMITMENT, REVOKED_ANSWER = "28.5.1", "28.5.2", "28.5.3"
OPENED_BEFORE, COUNTER_FELL = "28.5.4", "28.5.5"
_MICRO = 1_000_000


@dataclass(frozen=True)
class Opened:
    """Blocks of a commitment that were opened to somebody.

    ``since`` is the earliest second at which that can have been, by a judge whom the case names.
    """

    commitment: bytes
    challenge: bytes
    blocks: tuple[int, ...]
    since: int


@dataclass(frozen=True)
class Evidence:
    """What objections rest on: earlier openings, what logs say, and the judge's time."""

    opened: tuple[Opened, ...]
    logs: Logs
    now: int


def objections(
    shown: Shown,
    commitment: Commitment,
    party: FoundParty,
    model: FoundModel,
    evidence: Evidence,
) -> tuple[Objection, ...]:
    """All that keeps this claim from counting; empty where the mark was not found."""
    if shown.found.outcome != Outcome.PROVEN:
        return ()
    found: list[Objection] = []
    if shown.declared:
        words = "the owner chose the labels: images that deceive many models alike would match"
        found.append(Objection(DECLARED, words))
    found += _revoked(shown, commitment, party, evidence)
    found += _spent(shown, commitment, model, evidence)
    found += _fallen(shown, commitment, evidence)
    return tuple(found)


def _revoked(
    shown: Shown, commitment: Commitment, party: FoundParty, evidence: Evidence
) -> Iterator[Objection]:
    """Keys that were revoked before anything dates their signatures (SPEC.md 26)."""
    logs = evidence.logs
    for key in commitment.header.owner_keys:
        name = key.fingerprint()
        if _revoked_at(logs, name, committed_at(party, evidence)):
            words = f"the commitment's key {name} is revoked, and nothing dates it before"
            yield Objection(REVOKED_COMMITMENT, words)
        if _revoked_at(logs, name, answered_at(shown, commitment, evidence)):
            words = (
                f"the answer is signed by the key {name}, which is revoked, and neither a log nor "
                "the judge who asked dates it before"
            )
            yield Objection(REVOKED_ANSWER, words)


def _revoked_at(logs: Logs, key: str, moments: Sequence[Moment]) -> bool:
    """Whether a key is revoked at each of the moments by which it is known to have signed.

    Each of them is true, and one before the revocation is enough: an entry may be before it by its
    place in the log, where a token is after it by its time.
    """
    return all(logs.history.standing(key, one).revocation is not None for one in moments)


def committed_at(party: FoundParty, evidence: Evidence) -> list[Moment]:
    """The moments by which the commitment's signature is known to have been made."""
    times: list[Moment] = [
        LogEntry(place.origin, place.index, place.time)
        for place in party.logged
        if place.time is not None
    ]
    if party.existed is not None:
        times.append(-(-party.existed.latest // _MICRO))
    return times or [evidence.now]


def answered_at(shown: Shown, commitment: Commitment, evidence: Evidence) -> list[Moment]:
    """The moments by which the answer's signature is known to have been made."""
    entries = (
        evidence.logs.answered(commitment, shown.found.proof),
        evidence.logs.decided(shown.verdict) if shown.verdict is not None else None,
    )
    times: list[Moment] = [one for one in entries if one is not None]
    if shown.answered is not None:
        times.append(shown.answered)
    return times or [evidence.now]


def _spent(
    shown: Shown, commitment: Commitment, model: FoundModel, evidence: Evidence
) -> Iterator[Objection]:
    """Blocks that others may have known before the model was published (SPEC.md 6.1).

    Also where the answer is an argument, which hides the triggers: others have them all the same.
    """
    if model.published is None:
        return
    for one in evidence.opened:
        again = sorted(set(one.blocks) & set(shown.found.blocks))
        other = one.commitment == commitment.digest and one.challenge != shown.found.challenge
        if other and again and one.since * _MICRO <= model.published.interval.latest:
            yield Objection(
                OPENED_BEFORE,
                f"block {', '.join(map(str, again))} was opened in another case at "
                f"{rfc3339(one.since * _MICRO)} or later, and the model was not published before: "
                "opened triggers can be trained into any model",
            )


def _fallen(shown: Shown, commitment: Commitment, evidence: Evidence) -> Iterator[Objection]:
    """A count of spent blocks that is smaller than an earlier one (SPEC.md 23.12).

    It says nothing about an answer from before the larger count: else a thief of the key could undo
    what the owner proved before.
    """
    answered = answered_at(shown, commitment, evidence)
    for origin, counts in evidence.logs.counters(commitment).items():
        most = 0
        for number, (entry, counted) in enumerate(counts):
            larger = (one for one, more in counts[:number] if more.blocks > counted.blocks)
            first = next(larger, None)
            if first is not None and not any(before(one, first.entry) for one in answered):
                yield Objection(
                    COUNTER_FELL,
                    f"the owner's count of spent blocks in the log {origin} fell from {most} to "
                    f"{counted.blocks} at entry {entry.entry.index}: an older copy of the vault "
                    "was put back, and what it opens may be spent",
                )
                break
            most = max(most, counted.blocks)


def read_openings(
    openings: Sequence[Opening],
    shown: Sequence[Shown],
    commitments: Sequence[Commitment],
    judges: dict[str, JudgePublic],
    logs: Logs,
    now: int,
) -> tuple[tuple[Opened, ...], tuple[str, ...]]:
    """Every opening that the case knows of, and what of it could not be used.

    The claims' own openings are among them: two of them may have one block.
    """
    found = [
        Opened(
            one.challenge.commitment, one.challenge.digest, one.found.blocks, one.challenge.issued
        )
        for one in shown
        if one.opened and one.challenge is not None and one.found.blocks
    ]
    problems = []
    for opening in openings:
        try:
            found.append(_read_opening(opening, commitments, judges, logs, now))
        except ZkwmError as error:
            problems.append(f"{opening.proof.name}: {error.message}")
    return tuple(found), tuple(problems)


def _read_opening(
    opening: Opening,
    commitments: Sequence[Commitment],
    judges: dict[str, JudgePublic],
    logs: Logs,
    now: int,
) -> Opened:
    """An opening that owner and judge signed. Raises what its files raise."""
    challenge = Challenge.from_bytes(
        read_limited(opening.challenge, CHALLENGE_LIMIT + 64, regular=True)
    )
    data = read_limited(opening.proof, RESPONSE_LIMIT + 64, regular=True)
    response = read_response(data)
    challenge.verify_signature()
    if judges.get(challenge.judge.fingerprint()) != challenge.judge:
        raise InvalidOpening(
            "nobody whom the case names dates this opening: its judge is none of them"
        )
    owners = [one for one in commitments if one.digest == challenge.commitment]
    if not owners or not isinstance(response, OpenedResponse):
        raise InvalidOpening("it opens no block of a commitment of this case")
    response.verify_signatures(owners[0].header)
    if response.challenge != challenge.digest or response.commitment != owners[0].digest:
        raise InvalidOpening("it does not answer this challenge")
    proof = hashlib.sha256(data).digest()
    entry = logs.answered(owners[0], proof)
    times: list[Moment] = [] if entry is None else [entry]
    if opening.verdict is not None:
        times.append(_checked(opening.verdict, challenge, proof))
    for key in owners[0].header.owner_keys:
        if _revoked_at(logs, key.fingerprint(), times or [now]):
            raise InvalidOpening(
                f"it is signed by the key {key.fingerprint()}, which is revoked, and nothing dates "
                "it before: whoever has the key can have signed it since",
                hint="give the verdict of its judge beside it, where there is one",
            )
    return Opened(challenge.commitment, challenge.digest, response.blocks, challenge.issued)


def _checked(path: Path, challenge: Challenge, proof: bytes) -> int:
    """When the judge who asked had this answer. Raises what the verdict raises, InvalidOpening."""
    verdict = Verdict.from_bytes(
        read_limited(path, VERDICT_LIMIT + 64, regular=True), challenge.judge
    )
    asked = None if verdict.challenge is None else verdict.challenge.digest
    if asked != challenge.digest or verdict.proof_digest != proof:
        raise InvalidOpening("the verdict beside it is about another answer")
    return verdict.checked
