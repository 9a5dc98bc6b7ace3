"""A commitment's statement registered in a log, and its proof verified by the owner's trust.

The same owner states the same bytes about a commitment each time, so that a log which has the entry
answers with that very one: whoever was interrupted runs the command again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from zkwm_protocols.commitment import MAXIMUM_LOG_PROOFS, Commitment
from zkwm_protocols.cose.contents import CommitmentStatement
from zkwm_protocols.cose.logged_statement import LoggedStatement
from zkwm_protocols.cose.receipt import Receipt
from zkwm_protocols.cose.statement import sign_statement
from zkwm_protocols.dates import WITNESS_SECONDS, Interval, witnessed_interval
from zkwm_protocols.errors import CouldNotCheck, InvalidLogProof, UsageError, ZkwmError
from zkwm_protocols.keys import SigningKey
from zkwm_protocols.merkle import leaf_hash
from zkwm_protocols.transparency.note_keys import SignatureType
from zkwm_protocols.transparency.policy import LogPolicy, PolicyLog
from zkwm_protocols.trust import Trust

WAIT = 120.0
"""Seconds that witnesses of a log may take, by default."""


@dataclass(frozen=True)
class RegisteredEntry:
    """A commitment's entry in a log, verified.

    Args:
        url: of the log, as it was given.
        proof: what the commitment's file carries.
        interval: by when a quorum of witnesses had seen it; None where the policy demands none.
        witnesses: the names of those that signed, each operator once.
        kept: whether vault or file had a proof that still verifies, so that nobody was asked.
    """

    url: str
    proof: LoggedStatement
    interval: Interval | None
    witnesses: tuple[str, ...]
    kept: bool


def register_in_log(
    commitment: Commitment,
    kept: Sequence[LoggedStatement],
    key: SigningKey,
    url: str,
    trust: Trust | None,
    *,
    seconds: float,
    wait: float = WAIT,
    tell: Callable[[str], None] = lambda _: None,
) -> RegisteredEntry:
    """Have a log take the owner's statement that a commitment exists, and verify all that it says.

    Args:
        commitment: the owner's.
        kept: the vault's log proofs; these and those of the file are looked at first.
        key: the owner's.
        url: of the log.
        trust: its policy says which witnesses have to have seen the entry.
        seconds: for each request.
        wait: seconds that witnesses may take.
        tell: called with what is being done.

    Raises:
        UsageError: no policy, or none of its logs has this URL.
        CouldNotCheck: the log does not answer, or takes nothing.
        InvalidLogProof: its proof or receipt does not verify, or too few witnesses signed in time.
        InvalidSignature: a line of a trusted key does not verify.
    """
    policy = policy_of(trust, url)
    statement = sign_statement(CommitmentStatement(commitment.digest), key)
    for proof in (*kept, *commitment.log_proofs):
        if proof.statement == statement:
            try:
                return _verified(proof, policy, url, kept=True)
            except ZkwmError:
                continue  # of another log, or seen by too few: the log is asked again
    from zkwm.owner.kept_checkpoints import kept_checkpoints
    from zkwm.transparency_log.client import LogClient
    from zkwm.transparency_log.seen_checkpoints import TwoTreesError

    data = statement.to_bytes()
    client = LogClient(url, policy, kept_checkpoints(), seconds=seconds)
    tell(f"asking {url} to take the statement, and waiting for its witnesses")
    try:
        done = client.register(data, wait_seconds=wait)
    except TwoTreesError:
        raise
    except InvalidLogProof as error:
        error.hint = (
            f"{error.hint}; the log keeps the entry and finds it again: run the command again, or "
            "let it wait longer (`wait`)"
        )
        raise
    finally:
        client.close()
    _verify_receipt(done.receipt, data, statement.content.subject, policy)
    return _verified(LoggedStatement(statement, done.proof), policy, url, kept=False)


def policy_of(trust: Trust | None, url: str) -> LogPolicy:
    """The policy of a trust folder with the log of this URL alone.

    A policy with one log needs no URL. Raises UsageError.
    """
    policy = None if trust is None else trust.read_log_policy()
    if policy is None:
        raise UsageError(
            "a log is asked only where a policy says whose keys and witnesses count"
            + (", and no trust folder was given" if trust is None else ""),
            hint="put a C2SP tlog-policy into the trust folder as the file log-policy (`trust`): "
            "a line 'log KEY URL' for each key of the log, its witnesses, and a quorum",
        )
    names = {log.key.name for log in policy.logs}
    if len(names) != 1:
        names = {log.key.name for log in policy.logs if log.url and _same(log, url)}
    if len(names) != 1:
        raise UsageError(
            f"the log policy names several logs, and {'none' if not names else 'more than one'} "
            f"with the URL {url}",
            hint="write the URL behind the key of each log in log-policy: log KEY URL",
        )
    return replace(policy, logs=tuple(log for log in policy.logs if log.key.name in names))


def own_proofs(
    kept: Sequence[LoggedStatement], entries: Sequence[RegisteredEntry]
) -> tuple[LoggedStatement, ...]:
    """The owner's own log proofs: the vault's, and new ones in place of older ones of an entry.

    Raises UsageError for more than a file holds.
    """
    proofs = {_place_of(one): one for one in [*kept, *(entry.proof for entry in entries)]}
    require_room(len(proofs))
    return tuple(proofs.values())


def require_room(count: int) -> None:
    """Raise UsageError for more log proofs than a file holds."""
    if count > MAXIMUM_LOG_PROOFS:
        raise UsageError(
            f"a commitment has at most {MAXIMUM_LOG_PROOFS} log proofs, those about keys among "
            f"them, and these would be {count}",
            hint="ask fewer logs",
        )


def other_proofs(
    own: Sequence[LoggedStatement], commitment: Commitment, trust: Trust | None
) -> tuple[LoggedStatement, ...]:
    """The proofs of the file that are not among the owner's own, as far as there are places.

    Anybody can add proofs to a file: one that no owner of the commitment stated is left out, and
    so is one that does not verify by the trust folder's policy, where there is one.
    """
    policy = None if trust is None else trust.read_log_policy()
    places = {_place_of(one) for one in own}
    found: dict[tuple[str, int], LoggedStatement] = {}
    for one in commitment.log_proofs:
        try:
            one.require_commitment(commitment.digest, commitment.header.owner_keys)
            if policy is not None:
                one.verify(policy)
        except ZkwmError:
            continue
        if _place_of(one) not in places:
            found.setdefault(_place_of(one), one)
    return tuple(found.values())[: MAXIMUM_LOG_PROOFS - len(own)]


def _place_of(proof: LoggedStatement) -> tuple[str, int]:
    """The log and the number of an entry."""
    return proof.proof.checkpoint.checkpoint.origin, proof.proof.index


def _verified(
    proof: LoggedStatement, policy: LogPolicy, url: str, *, kept: bool
) -> RegisteredEntry:
    """An entry that the policy accepts. Raises what ``LoggedStatement.verify`` raises."""
    witnessed = proof.verify(policy, latest=int(time.time()) + WITNESS_SECONDS)
    seen = policy.reached_at(witnessed)
    interval = None if seen is None else witnessed_interval(seen)
    return RegisteredEntry(url, proof, interval, witnessed.operators, kept)


def _verify_receipt(receipt: bytes, statement: bytes, subject: str, policy: LogPolicy) -> None:
    """Raise InvalidLogProof unless the COSE receipt is of the log's key, for this statement."""
    keys = [log.key for log in policy.logs if log.key.signature_type is SignatureType.ED25519]
    reason = ""
    for key in keys:
        try:
            Receipt.from_bytes(receipt).verify(leaf_hash(statement), subject, key)
        except CouldNotCheck as error:
            reason = error.message
        else:
            return
    if keys:
        raise InvalidLogProof(
            f"the log's receipt does not verify: {reason}",
            hint="tell who runs the log; nothing was kept",
        )


def _same(log: PolicyLog, url: str) -> bool:
    """Whether a policy's URL of a log is this one."""
    return log.url.rstrip("/") == url.rstrip("/")
