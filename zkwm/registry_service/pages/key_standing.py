"""How a key stands now, by the statements in this log (SPEC.md 26), in a word and a sentence."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from zkwm.registry_service.pages.view import MOST_OF_A_KEY, LoggedEntry, RegistryView
from zkwm_protocols.cose.key_contents import KeyBinding, KeyRevocation
from zkwm_protocols.key_history import DatedStatement, LogEntry, Standing, standing


@dataclass(frozen=True)
class KeyEnd:
    """Why a key does not count any more.

    Args:
        word: revoked, contested or replaced.
        says: what that means.
        grave: whether somebody else may hold it, or it is not to be trusted.
    """

    word: str
    says: str
    grave: bool


_REVOKED = KeyEnd(
    "revoked",
    "The log holds a revocation by this key. What it signed later does not count; what it signed "
    "earlier counts only if a timestamp or the log shows that it is that old.",
    grave=True,
)
_CONTESTED = KeyEnd(
    "contested",
    "This key named two successors, or was revoked soon after it had named one: two people may "
    "hold it. It counts no more, and no successor follows it.",
    grave=True,
)
_REPLACED = KeyEnd(
    "replaced",
    "Its holder named a successor, who agreed. New signatures of this key do not count.",
    grave=False,
)
_FLOODED = KeyEnd(
    "doubtful",
    f"The log holds {MOST_OF_A_KEY:,} rotations and revocations of this key, or more: nobody makes "
    "so many in good faith, and this service looks at no more.",
    grave=True,
)


def key_end(view: RegistryView, fingerprint: str) -> KeyEnd | None:
    """Why this key does not count now; None where it does.

    Entries are taken as they stand now: the log's order decides, not when each came.
    """
    entries = view.ends_of_key(fingerprint)
    if len(entries) >= MOST_OF_A_KEY:
        return _FLOODED
    found = _standing(view, fingerprint, entries)
    if found.revocation is not None:
        return _REVOKED
    if found.contest is not None and not isinstance(found.contest.content, KeyRevocation):
        return _CONTESTED
    return None if found.successor is None else _REPLACED


def void_bindings(
    view: RegistryView, fingerprint: str, entries: Sequence[LoggedEntry]
) -> frozenset[int]:
    """The indexes of bindings among these entries that a key made when it counted no more.

    Whoever stole a key may bind it to themselves after its end.
    """
    bindings = [one for one in entries if isinstance(one.statement.content, KeyBinding)]
    if not bindings:
        return frozenset()
    found = _standing(view, fingerprint, [*bindings, *view.ends_of_key(fingerprint)])
    counting = {one.entry.index for one in found.bindings}
    return frozenset(one.index for one in bindings if one.index not in counting)


def _standing(view: RegistryView, fingerprint: str, entries: Sequence[LoggedEntry]) -> Standing:
    """A key's standing now by these entries of the log."""
    now = int(time.time())
    origin = view.log_state().checkpoint.checkpoint.origin
    dated = [DatedStatement(one.statement, LogEntry(origin, one.index, now)) for one in entries]
    return standing(fingerprint, dated, now)
