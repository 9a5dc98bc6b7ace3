"""What an owner says yes to beyond an answer, each a word of its own (SPEC.md 6.2)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Consent:
    """The consents of ``zkwm.prove``; none by default. ``zkwm.disclosure`` says which it takes.

    Args:
        again: open further blocks to a judge who was answered about this suspect before, or whom
            it takes beyond half of the blocks (``Disclosure.again``).
        last: open the last blocks, after which no opening of this commitment is possible
            (``Disclosure.last``).
        not_older: open blocks although the judge demands a commitment older than the suspect, and
            no date in its file makes it so (``Disclosure.not_older``).
        blocks: open these, ascending, instead of the first that are free. The evidence pays for a
            choice as for none; whoever sees their numbers may guess that others match no better.
        exceed_limit: release more than 16 bits about one commitment, by an argument.
    """

    again: bool = False
    last: bool = False
    exceed_limit: bool = False
    not_older: bool = False
    blocks: tuple[int, ...] | None = None


NO_CONSENT = Consent()
