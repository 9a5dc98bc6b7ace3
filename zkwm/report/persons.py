"""The person behind an owner's key, in words, with what that rests on (SPEC.md 26.7)."""

from __future__ import annotations

from collections.abc import Sequence

from zkwm.judge.owner_keys import OwnerKey, StatedPerson
from zkwm.report.standing import day
from zkwm.report.visible import quoted, visible

MOST_NAME = 200


def person_lines(one: OwnerKey, people: Sequence[str]) -> list[str]:
    """Whose a key is, and what a reader has to know of it, one sentence a line.

    Args:
        one: the key.
        people: the names of those whom the judge trusts to know persons.
    """
    certified = [stated for stated in one.persons if stated.authority]
    lines = [_certified(stated) for stated in certified]
    if len({stated.person for stated in certified}) > 1:
        lines.append("several persons: the first of them had the key first")
    if not certified:
        lines.append(f"nobody is shown: {_why(one, people)}")
    lines += [_stated(stated) for stated in one.persons if not stated.authority]
    if one.revoked:
        lines.append(f"the key is revoked ({one.revoked}) since {day(one.revoked_since)}")
    if one.successor:
        lines.append(f"the key was left for {one.successor}")
    if one.contested:
        lines.append("the key has no successor: its rotation was contested")
    return lines


def _why(one: OwnerKey, people: Sequence[str]) -> str:
    """Why there is no person."""
    if one.persons:
        return "nobody whom the judge trusts says whose the key is"
    if not people:
        return "the judge names nobody who knows persons, and no statement about the key was given"
    return "no logged statement that says whose the key is was given"


def _certified(one: StatedPerson) -> str:
    """A person by a trusted authority."""
    revocation = "whether it was revoked is not known"
    if one.known_since is not None:
        revocation = f"not revoked, as of {day(one.known_since)}"
    return (
        f"{quoted(one.person, MOST_NAME)}, by a certificate of {visible(one.authority)}; "
        f"{_logged(one)}; {revocation}"
    )


def _stated(one: StatedPerson) -> str:
    """A person whom nobody trusted vouches for."""
    words = f"calls itself a key of {quoted(one.person, MOST_NAME)}"
    if one.log:
        words += f", {_logged(one)}"
    if one.problem:
        return f"{words}, which does not hold: {visible(one.problem)}"
    document = "" if one.document is None else one.document.hex()
    return f"{words}, by a document that people have to read: SHA-256 {document}"


def _logged(one: StatedPerson) -> str:
    """Where it stands in a log."""
    return f"logged by {day(one.time)} in {visible(one.log)} as entry {one.index:,}"
