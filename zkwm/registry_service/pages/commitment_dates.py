"""When a commitment existed, by whose word: tokens as they say, cosignatures as they verify.

Whom to trust is the reader's to say: tokens are shown unverified, and proofs of other logs too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from zkwm.registry_service.pages.view import LoggedEntry, LogState
from zkwm.registry_service.pages.witnesses import policy_of, signers
from zkwm.written_dates import in_words
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.cose.logged_statement import LoggedStatement
from zkwm_protocols.dates import Interval
from zkwm_protocols.errors import ZkwmError
from zkwm_protocols.timestamps.evidence import TimestampEvidence
from zkwm_protocols.timestamps.token import read_token
from zkwm_protocols.transparency.checkpoint import SignedCheckpoint


@dataclass(frozen=True)
class TokenRow:
    """What the token of a timestamp authority says; ``problem`` where it cannot be read."""

    says: str
    problem: str


@dataclass(frozen=True)
class ProofRow:
    """A proof of a log in the commitment's file.

    Args:
        origin: the log's.
        index: of the entry.
        signed: the tree that the proof leads to; None where it is another log's.
        problem: why it does not verify, or empty.
    """

    origin: str
    index: int
    signed: SignedCheckpoint | None
    problem: str


@dataclass(frozen=True)
class Sight:
    """A witness that cosigned a tree of this log with the commitment in it.

    Args:
        witness: the name of its key.
        algorithm: of its signature.
        time: seconds since 1970.
        size: of the tree.
    """

    witness: str
    algorithm: str
    time: int
    size: int


def token_rows(commitment: Commitment) -> list[TokenRow]:
    """What each timestamp of a commitment says, unverified: nobody here says whom to trust."""
    return [_token_row(one) for one in commitment.timestamps]


def proof_rows(commitment: Commitment, state: LogState) -> list[ProofRow]:
    """The proofs of logs in a commitment's file; this log's are verified."""
    return [_proof_row(commitment, one, state) for one in commitment.log_proofs]


def sights(state: LogState, entry: LoggedEntry | None, proofs: Sequence[ProofRow]) -> list[Sight]:
    """The earliest sight of each witness's key, the earliest first."""
    checkpoints = [one.signed for one in proofs if one.signed is not None and not one.problem]
    newest = state.witnessed
    if entry is not None and newest is not None and entry.index < newest.checkpoint.head.size:
        checkpoints.append(newest)
    found: dict[str, Sight] = {}
    for signed in checkpoints:
        for by in signers(state, signed):
            if by.witness and by.time is not None:
                sight = Sight(by.name, by.algorithm, by.time, by.size)
                known = found.setdefault(by.key, sight)
                found[by.key] = min(known, sight, key=lambda one: one.time)
    return sorted(found.values(), key=lambda one: one.time)


def _proof_row(commitment: Commitment, logged: LoggedStatement, state: LogState) -> ProofRow:
    """One proof."""
    signed = logged.proof.checkpoint
    origin = signed.checkpoint.origin
    if origin != state.checkpoint.checkpoint.origin:
        return ProofRow(origin, logged.proof.index, None, "")
    problem = ""
    try:
        logged.require_commitment(commitment.digest, commitment.header.owner_keys)
        logged.verify(policy_of(state))
    except ZkwmError as error:
        problem = error.message
    return ProofRow(origin, logged.proof.index, signed, problem)


def _token_row(evidence: TimestampEvidence) -> TokenRow:
    """One token."""
    try:
        info = read_token(evidence.token).info
    except ZkwmError as error:
        return TokenRow("", error.message)
    spread = info.accuracy or 0
    when = Interval(max(0, info.gen_time - spread), info.gen_time + spread + info.rounding)
    return TokenRow(f"{in_words(when)}, by an authority of policy {info.policy}", "")
