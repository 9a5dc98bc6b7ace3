"""Logged statements about the owner's keys in a commitment's file (SPEC.md 23.15, 26.7).

They let whoever reads the file see whose the keys are. Anybody can add some, so that those of the
file are looked at before they are kept.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from zkwm_protocols.commitment import Commitment
from zkwm_protocols.cose.logged_statement import LoggedStatement
from zkwm_protocols.dates import WITNESS_SECONDS
from zkwm_protocols.errors import UsageError, ZkwmError
from zkwm_protocols.trust import Trust


def own_key_proofs(
    commitment: Commitment,
    kept: Sequence[LoggedStatement],
    new: Sequence[LoggedStatement],
    trust: Trust | None,
) -> tuple[LoggedStatement, ...]:
    """The owner's own: the vault's, and new ones behind them, each statement of a log once.

    Raises UsageError for a statement that is not about a key of the commitment, and what
    ``LoggedStatement.verify`` raises for one that does not verify by the policy of ``trust``.
    """
    for one in new:
        if not _is_of(commitment, one):
            raise UsageError(
                "a statement is not about a key of this commitment: it is about "
                f"{one.statement.content.subject}",
                hint="give what zkwm key log wrote for the key of this vault",
            )
        _verify(one, trust)
    return tuple({_name(one): one for one in (*kept, *new)}.values())


def other_key_proofs(
    own: Sequence[LoggedStatement], commitment: Commitment, trust: Trust | None
) -> tuple[LoggedStatement, ...]:
    """Those of the file that are not among the owner's own, and that verify as far as can be."""
    names = {_name(one) for one in own}
    found: dict[tuple[str, bytes], LoggedStatement] = {}
    for one in commitment.key_proofs:
        try:
            _verify(one, trust)
        except ZkwmError:
            continue
        if _name(one) not in names and _is_of(commitment, one):
            found.setdefault(_name(one), one)
    return tuple(found.values())


def _is_of(commitment: Commitment, one: LoggedStatement) -> bool:
    """Whether a key of the commitment states something about itself."""
    return one.is_about_a_key and one.statement.key in commitment.header.owner_keys


def _verify(one: LoggedStatement, trust: Trust | None) -> None:
    """Verify by the policy of a trust folder, where there is one."""
    policy = None if trust is None else trust.read_log_policy()
    if policy is not None:
        one.verify(policy, latest=int(time.time()) + WITNESS_SECONDS)


def _name(one: LoggedStatement) -> tuple[str, bytes]:
    """The log and the statement."""
    return one.proof.checkpoint.checkpoint.origin, one.statement.to_bytes()
