"""The standing of a key in words: bound to whom, by whom, followed by what, revoked since when."""

from __future__ import annotations

from collections.abc import Sequence

from zkwm.report.visible import visible
from zkwm.written_dates import in_words
from zkwm_protocols.cose.key_contents import KeyBinding, KeyRevocation, KeyRotation
from zkwm_protocols.dates import Interval
from zkwm_protocols.key_history import DatedStatement, LogEntry, Standing
from zkwm_protocols.persons import BoundPerson


def standing_lines(standing: Standing, persons: Sequence[BoundPerson]) -> list[str]:
    """What a reader has to know about a key, one sentence a line; foreign text is made visible.

    Args:
        standing: of the key.
        persons: of ``bound_persons`` for this standing.
    """
    lines = [_person(one) for one in persons] or ["is bound to nobody"]
    if len({one.certified.person for one in persons if one.certified}) > 1:
        lines.append("is bound to several persons: the first of them had it first")
    lines += [f"follows {_about(one)}, {_logged(one.entry)}" for one in standing.predecessors]
    if standing.successor is not None and isinstance(standing.successor.content, KeyRotation):
        follower = standing.successor.content.successor.fingerprint()
        lines.append(f"was left for {follower}, {_logged(standing.successor.entry)}")
        lines.append(f"which can be contested before {day(standing.settles or 0)}")
    if standing.contest is not None:
        lines.append(
            f"has no successor: its rotation was contested, {_logged(standing.contest.entry)}"
        )
    if (revocation := standing.revocation) is not None:
        lines.append(f"{_revoked(revocation)}, {_logged(revocation.entry)}")
    if (suspicion := standing.suspected) is not None:
        lines.append(
            f"{_revoked(suspicion)}, {_logged(suspicion.entry)}: signatures of between count, and "
            "may be a thief's"
        )
    lines.append("counts" if standing.counts else "does not count")
    return lines


def day(seconds: int) -> str:
    """A second since 1970 as people write it."""
    return in_words(Interval(seconds * 1_000_000, seconds * 1_000_000))


def _person(one: BoundPerson) -> str:
    """To whom a key is bound, by whom, and when."""
    content = one.binding.content
    name = visible(content.person) if isinstance(content, KeyBinding) else ""
    when = _logged(one.binding.entry)
    if one.certified is not None:
        known = one.certified.known_since
        revocation = (
            "whether it was revoked is not known" if known is None
            else f"not revoked, as of {day(known)}"
        )  # fmt: skip
        return f"is bound to {name} by {visible(one.certified.authority)}, {when}; {revocation}"
    if one.problem:
        return f"calls itself a key of {name}, {when}, and nobody trusted says so: {one.problem}"
    digest = content.document.hex() if isinstance(content, KeyBinding) and content.document else ""
    return f"calls itself a key of {name}, {when}, by a document that you have to read: {digest}"


def _revoked(one: DatedStatement) -> str:
    content = one.content
    if not isinstance(content, KeyRevocation):
        return ""
    return f"is revoked ({content.reason}) since {day(min(content.since, 253_402_300_799))}"


def _about(one: DatedStatement) -> str:
    """The key that a statement is about."""
    content = one.content
    return content.key if isinstance(content, KeyBinding | KeyRotation | KeyRevocation) else ""


def _logged(entry: LogEntry) -> str:
    return f"logged by {day(entry.time)} in {visible(entry.origin)} as entry {entry.index:,}"
