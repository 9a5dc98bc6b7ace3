"""What is opened and counted, in words: triggers, or the keys of a mark and the bits under them.

A mark that is extracted (SPEC.md 19) has no triggers, and nobody should look for some.
"""

from __future__ import annotations

from zkwm_protocols.commitment import Header
from zkwm_protocols.suspect_identity import SuspectKind


def opened_words(kind: str) -> str:
    """What an owner opens about a suspect of this kind."""
    return "keys" if kind == SuspectKind.EXTRACTION else "triggers"


def counted_words(kind: str) -> str:
    """What matches in a suspect of this kind."""
    return "bits of the mark" if kind == SuspectKind.EXTRACTION else "triggers"


def holds_keys(header: Header) -> bool:
    """Whether the leaves of a commitment have the form of a mark's keys (SPEC.md 19.1)."""
    return header.shape == (1, 1, 32) and header.class_count == 2
