"""What keeps a mark that was found from counting: revoked keys, spent blocks, chosen labels.

Each objection names its rule (SPEC.md 28.5). All of them rest on what is signed and dated: a block
that somebody says was opened, and nobody whom the judge trusts dates, is only told.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from zkwm.disputes.case_file import Opening
from zkwm.disputes.findings import Shown
from zkwm.disputes.logged import Logs
from zkwm.disputes.results import FoundModel, FoundParty, Objection
from zkwm.files import read_limited
from zkwm.judge.verdict import Outcome
from zkwm.written_dates import rfc3339
from zkwm_protocols.argument_response import read_response
from zkwm_protocols.challenge import FILE_LIMIT as CHALLENGE_LIMIT
from zkwm_protocols.challenge import Challenge
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.errors import InvalidOpening, ZkwmError
from zkwm_protocols.key_history import LogEntry, Moment
from zkwm_protocols.keys import JudgePublic
from zkwm_protocols.opening import Opening as OpenedResponse
from zkwm_protocols.response_frame import FILE_LIMIT as RESPONSE_LIMIT

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
    found += _fallen(commitment, evidence)
    return tuple(found)


def _revoked(
    shown: Shown, commitment: Commitment, party: FoundParty, evidence: Evidence
) -> Iterator[Objection]:
    """Keys that were revoked before anything dates their signatures (SPEC.md 26)."""
    logs = evidence.logs
    for key in commitment.header.owner_keys:
        name = key.fingerprint()
        committed = logs.history.standing(name, _committed(party, evidence))
        if committed.revocation is not None:
            words = f"the commitment's key {name} is revoked, and nothing dates it before"
            yield Objection(REVOKED_COMMITMENT, words)
        answered = logs.history.standing(name, _answered(shown, commitment, evidence))
        if answered.revocation is not None:
            words = (
                f"the answer is signed by the key {name}, which is revoked, and neither a log nor "
                "the judge who asked dates it before"
            )
            yield Objection(REVOKED_ANSWER, words)


def _committed(party: FoundParty, evidence: Evidence) -> Moment:
    """By when the commitment's signature is known to have been made."""
    times: list[Moment] = [
        LogEntry(place.origin, place.index, place.time)
        for place in party.logged
        if place.time is not None
    ]
    if party.existed is not None:
        times.append(-(-party.existed.latest // _MICRO))
    return min(times, key=_second, default=evidence.now)


def _answered(shown: Shown, commitment: Commitment, evidence: Evidence) -> Moment:
    """By when the answer's signature is known to have been made."""
    entries = (
        evidence.logs.answered(commitment, shown.found.proof),
        evidence.logs.decided(shown.verdict) if shown.verdict is not None else None,
    )
    times: list[Moment] = [one for one in entries if one is not None]
    if shown.answered is not None:
        times.append(shown.answered)
    return min(times, key=_second, default=evidence.now)


def _second(moment: Moment) -> int:
    return moment.time if isinstance(moment, LogEntry) else moment


def _spent(
    shown: Shown, commitment: Commitment, model: FoundModel, evidence: Evidence
) -> Iterator[Objection]:
    """Blocks that others may have known before the model was published (SPEC.md 6.1)."""
    if not shown.opened or model.published is None:
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


def _fallen(commitment: Commitment, evidence: Evidence) -> Iterator[Objection]:
    """A count of spent blocks that is smaller than an earlier one (SPEC.md 23.12)."""
    for origin, counts in evidence.logs.counters(commitment).items():
        most = 0
        for entry, counted in counts:
            if counted.blocks < most:
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
            found.append(_read_opening(opening, commitments, judges))
        except ZkwmError as error:
            problems.append(f"{opening.proof.name}: {error.message}")
    return tuple(found), tuple(problems)


def _read_opening(
    opening: Opening, commitments: Sequence[Commitment], judges: dict[str, JudgePublic]
) -> Opened:
    """An opening that owner and judge signed. Raises what its files raise."""
    challenge = Challenge.from_bytes(
        read_limited(opening.challenge, CHALLENGE_LIMIT + 64, regular=True)
    )
    response = read_response(read_limited(opening.proof, RESPONSE_LIMIT + 64, regular=True))
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
    return Opened(challenge.commitment, challenge.digest, response.blocks, challenge.issued)
