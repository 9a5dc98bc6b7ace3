"""What an owner is asked beside who the judge is: more, the last blocks, bits beyond the limit.

Where nobody can be asked, an option has to say it. ``zkwm_cli.consent`` shows what is released.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zkwm_cli.terminal import ask_yes
from zkwm_protocols.errors import Cancelled, UsageError

if TYPE_CHECKING:
    from zkwm.owner.disclosure import ArgumentDisclosure, Disclosure


def confirm_again(release: Disclosure, again: bool) -> bool:
    """Whether the owner consents to a further opening; asks where that matters.

    Raises Cancelled when a person says no, UsageError where nobody can be asked.
    """
    if again or not release.again:
        return again
    require_yes(
        f"Beware: {release.again}. Open more?",
        reason=release.again,
        hint="ask the judge what the answers before did not settle; --again opens all the same",
    )
    return True


def confirm_last(release: Disclosure, last: bool) -> bool:
    """Whether the owner consents to the last opening of a commitment; asks where that matters.

    Raises Cancelled when a person says no, UsageError where nobody can be asked.
    """
    if last or not release.last:
        return last
    require_yes(
        f"Beware: {release.last}. Open it?",
        reason=release.last,
        hint="ask the judge for an argument in zero knowledge, which spends no block; --last opens "
        "all the same",
    )
    return True


def confirm_not_older(release: Disclosure, not_older: bool) -> bool:
    """Whether the owner opens blocks though the judge's demand of a date cannot be met; asks.

    Raises Cancelled when a person says no, UsageError where nobody can be asked.
    """
    if not_older or not release.not_older:
        return not_older
    require_yes(
        f"Beware: {release.not_older}. Open it?",
        reason=release.not_older,
        hint="use the file of this commitment that has all its timestamps and log proofs (zkwm "
        "register wrote it); --not-older opens all the same",
    )
    return True


def confirm_limit(release: Disclosure, argument: ArgumentDisclosure, exceed: bool) -> bool:
    """Whether more bits than the limit may be released; asks where that matters.

    Raises Cancelled when a person says no, UsageError where nobody can be asked.
    """
    if exceed or release.repeated or len(argument.bits) < argument.limit:
        return exceed
    released = f"{len(argument.bits)} bits have been released about this commitment"
    require_yes(
        f"{released}. Release one more?",
        reason=released,
        hint="consider who has asked and why; --exceed-limit answers all the same",
    )
    return True


def require_yes(question: str, *, reason: str, hint: str) -> None:
    """Ask a person. Raises Cancelled when they say no, UsageError where nobody can be asked."""
    answer = ask_yes(question)
    if answer is None:
        raise UsageError(f"{reason}, and there is no terminal to ask at", hint=hint)
    if not answer:
        raise Cancelled("declined; nothing was released")
