"""What a signed statement says, in words: what a log's entry is about (SPEC.md 23.12, 23.13)."""

from __future__ import annotations

from zkwm.report.standing import day
from zkwm.report.visible import quoted
from zkwm_protocols.cose.contents import DisputeStatement, SpentBlocks, VerdictStatement
from zkwm_protocols.cose.key_contents import KeyBinding, KeyRevocation, KeyRotation
from zkwm_protocols.cose.statement import Content

_LAST_SECOND = 253_402_300_799
_MOST_NAME = 200


def stated_in_words(content: Content) -> str:
    """One sentence without its end; nothing of it is more than what the signer states."""
    if isinstance(content, VerdictStatement):
        return f"a judge gave the verdict with SHA-256 {content.verdict.hex()}"
    if isinstance(content, SpentBlocks):
        return f"{content.blocks:,} blocks are spent, by {content.releases:,} releases"
    if isinstance(content, DisputeStatement):
        about = "" if content.document is None else f", SHA-256 {content.document.hex()}"
        suspect = content.suspect.hex()
        return f"a dispute about the suspect {suspect} is {content.event.value}{about}"
    if isinstance(content, KeyBinding):
        by = f"{len(content.certificates)} certificates"
        if not content.certificates:
            by = f"a document, SHA-256 {(content.document or b'').hex()}"
        return f"the key is that of {quoted(content.person, _MOST_NAME)}, by {by}"
    if isinstance(content, KeyRotation):
        return f"the key {content.successor.fingerprint()} follows"
    if isinstance(content, KeyRevocation):
        since = day(min(content.since, _LAST_SECOND))
        return f"the key is revoked ({content.reason.value}) since {since}"
    return "the commitment exists"
