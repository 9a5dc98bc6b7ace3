"""What a file of evidence against a log says, and what of it can be checked."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from zkwm_cli.reading import Reading
from zkwm_protocols.errors import InvalidLogProof
from zkwm_protocols.transparency.checkpoint import SignedCheckpoint
from zkwm_protocols.transparency.equivocation import Equivocation
from zkwm_protocols.transparency.note_keys import VerifierKey
from zkwm_protocols.transparency.policy import LogPolicy
from zkwm_protocols.trust import Trust


def evidence_fields(data: bytes, trust: Trust | None = None) -> Reading:
    """Two trees of one log; by the log's keys in a trust folder, that it signed both."""
    evidence = Equivocation.from_bytes(data)
    origin = evidence.first.checkpoint.origin
    fields = {
        "origin": origin,
        "first": _head(evidence.first),
        "second": _head(evidence.second),
        "index": evidence.index,
    }
    keys = _keys(trust, origin)
    test: Callable[[], object] | None = partial(evidence.verify, keys) if keys else None
    if trust is not None and not keys:
        test = partial(_unknown, origin)
    advice = (
        "by the log's keys, in a trust folder whose policy names the log: zkwm inspect FILE "
        "--trust FOLDER; verified means that the log signed two trees that cannot both be true"
    )
    return Reading(fields, {"log.equivocation": test}, advice)


def _head(signed: SignedCheckpoint) -> dict[str, Any]:
    """Size and root of a tree."""
    head = signed.checkpoint.head
    return {"size": head.size, "root": head.root.hex()}


def _keys(trust: Trust | None, origin: str) -> list[VerifierKey]:
    """The keys of a log that a judge trusts."""
    if trust is None or trust.log_policy is None:
        return []
    policy = LogPolicy.from_bytes(trust.log_policy)
    return [log.key for log in policy.logs if log.key.name == origin]


def _unknown(origin: str) -> None:
    """Raise InvalidLogProof: nobody is trusted to be this log."""
    raise InvalidLogProof(
        f"the trust folder names no log {origin!r}",
        hint="put the log's keys into its policy",
    )
