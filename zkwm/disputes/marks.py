"""The parties of a dispute: their commitments, when these existed, where logs have them.

Tokens of the authorities that the judge trusts come first; a log's place and time come second
(SPEC.md 28.3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from zkwm.disputes.case_file import Party
from zkwm.disputes.logged import Logs
from zkwm.disputes.results import FoundParty, LogPlace
from zkwm.files import read_limited
from zkwm.judge.dating import Dating, read_dates
from zkwm.judge.owner_keys import OwnerKey, look_up_owner_keys
from zkwm_protocols.commitment import FILE_LIMIT, Commitment
from zkwm_protocols.dates import Order, order
from zkwm_protocols.errors import InvalidSignature, Malformed, ZkwmError
from zkwm_protocols.trust import Trust


@dataclass(frozen=True)
class Mark:
    """A party with its commitment.

    Args:
        party: as the case says.
        commitment: None where it could not be read or verified.
        problem: why, or empty.
    """

    party: Party
    commitment: Commitment | None
    problem: str = ""


def read_mark(party: Party) -> Mark:
    """Read and verify a party's commitment; what stands in the way is told, not raised."""
    try:
        data = read_limited(party.commitment, FILE_LIMIT + 64, regular=True)
        commitment = Commitment.from_bytes(data)
        commitment.verify_root()
        commitment.verify_class_names()
        commitment.verify_signatures()
        keys = [key.fingerprint() for key in commitment.header.owner_keys]
        if party.key and party.key not in keys:
            raise InvalidSignature("the commitment is not signed by the key of this party")
    except ZkwmError as error:
        return Mark(party, None, error.message)
    return Mark(party, commitment)


def require_different(marks: Sequence[Mark]) -> None:
    """Raise Malformed for two parties with one commitment.

    A commitment's file is public: whoever hands in somebody else's would share in what it shows,
    and a mark that counts for two decides for nobody.
    """
    names: dict[bytes, str] = {}
    for one in marks:
        if one.commitment is None:
            continue
        digest = one.commitment.digest
        if digest in names:
            raise Malformed(
                f"{names[digest]} and {one.party.name} have the same commitment",
                hint="it is the party's whose key signed it: write that key's fingerprint as key, "
                "and leave out the other party",
            )
        names[digest] = one.party.name


def date_mark(mark: Mark, trust: Trust | None, logs: Logs, now: int) -> FoundParty:
    """When a party's commitment existed, by whom the judge trusts and by logs that are sound.

    ``now`` is the judge's clock, in seconds since 1970. Whose the keys are is shown beside it.
    """
    party, commitment = mark.party, mark.commitment
    if commitment is None:
        return FoundParty(party.name, party.called, None, (), None, (), (), mark.problem)
    dating: Dating | None = None
    keys, problem = tuple(OwnerKey(key.fingerprint()) for key in commitment.header.owner_keys), ""
    if trust is not None:
        commitment = replace(commitment, authorities=trust.authorities)
        bare = replace(logs.sound(commitment), key_proofs=())
        dating, refused = read_dates(bare, replace(trust, statements=()), clock=now)
        keys, more = look_up_owner_keys(
            commitment,
            trust,
            now,
            more=logs.about_keys,
            disbelieved=logs.disbelieved_on_persons,
        )
        problem = "; ".join((*refused, *more))
    return FoundParty(
        party.name,
        party.called,
        commitment.digest,
        keys,
        None if dating is None else dating.existed,
        () if dating is None else tuple((one.authority, one.interval) for one in dating.dated),
        logs.places_of(commitment),
        problem,
    )


@dataclass(frozen=True)
class Compared:
    """Which of two commitments is the older, and by what (SPEC.md 28.3)."""

    first: str
    second: str
    order: Order
    by: str


def compare(parties: Sequence[FoundParty]) -> tuple[Compared, ...]:
    """Each two commitments: by tokens, and where these leave it open by the place in one log."""
    found = []
    for number, first in enumerate(parties):
        for second in parties[number + 1 :]:
            if first.commitment is not None and second.commitment is not None:
                found.append(_compared(first, second))
    return tuple(found)


def _compared(first: FoundParty, second: FoundParty) -> Compared:
    known = order(first.existed, second.existed)
    if known in (Order.OLDER, Order.NOT_OLDER):
        return Compared(first.name, second.name, known, "tokens")
    places = _same_log(first.logged, second.logged)
    if places is not None:
        earlier = Order.OLDER if places[0].index < places[1].index else Order.NOT_OLDER
        return Compared(first.name, second.name, earlier, f"the log {places[0].origin}")
    return Compared(first.name, second.name, known, "tokens")


def _same_log(
    first: Sequence[LogPlace], second: Sequence[LogPlace]
) -> tuple[LogPlace, LogPlace] | None:
    """The places of both in one log, or None."""
    places = {one.origin: one for one in sorted(second, key=lambda one: -one.index)}
    for one in sorted(first, key=lambda one: one.index):
        if one.origin in places:
            return one, places[one.origin]
    return None
