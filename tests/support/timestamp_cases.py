"""Tokens of ``timestamps.json`` as evidence, D and authority."""

from __future__ import annotations

from typing import Any

from zkwm_protocols.timestamps.authority import TimestampAuthority
from zkwm_protocols.timestamps.evidence import TimestampEvidence


def evidence_of(case: dict[str, Any]) -> TimestampEvidence:
    """What a commitment carries."""
    return TimestampEvidence(
        token=bytes.fromhex(case["token"]),
        nonce=bytes.fromhex(case["nonce"]),
        **{
            name: tuple(bytes.fromhex(data) for data in case[name])
            for name in ("certificates", "crls", "ocsp_responses")
        },
    )


def authority_of(case: dict[str, Any]) -> TimestampAuthority:
    """The authority that the case's policy trusts."""
    return TimestampAuthority("Vector", (bytes.fromhex(case["root"]),), (case["policy"],))
