"""Consent of the owner: shows what an answer would release, and asks before it does.

What is released and recorded is decided in ``zkwm.owner``; this is what a person sees and types.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from zkwm_cli.options import option
from zkwm_cli.terminal import ask_yes, note, table, warn
from zkwm_cli.trusted_judge import typed_fingerprint
from zkwm_protocols.errors import Cancelled, UsageError

if TYPE_CHECKING:
    from zkwm.owner.disclosure import ArgumentDisclosure, Disclosure
    from zkwm.owner.vault import Vault
    from zkwm_protocols.challenge import Challenge
    from zkwm_protocols.commitment import Commitment

TRUSTED_LIMIT = 2**20
_SHOWN_CLASSES = 20
_SHOWN_BLOCKS = 40
_SHOWN_TEXT = 500


@dataclass(frozen=True)
class ConsentOptions:
    """Options to confirm a judge whom the vault does not know; without any, a question."""

    judge_fingerprint: str | None = option(
        "--judge-fingerprint",
        metavar="FP",
        help="The judge's fingerprint as you know it from elsewhere; another judge gets nothing.",
    )
    trusted_judges: str | None = option(
        "--trusted-judges",
        type=click.Path(),
        metavar="FILE",
        help="Fingerprints of judges that you trust, one a line.",
    )
    yes: bool = option(
        "--yes", is_flag=True, help="Accept the judge that the challenge names, unasked."
    )

    again: bool = option(
        "--again",
        is_flag=True,
        help="Open more to a judge who was answered about this suspect before, or beyond half of "
        "the blocks.",
    )

    last: bool = option(
        "--last",
        is_flag=True,
        help="Open the last blocks, after which no opening of this commitment is possible.",
    )

    not_older: bool = option(
        "--not-older",
        is_flag=True,
        help="Open although the judge demands a commitment older than the model, and no date in "
        "its file makes it so.",
    )

    older_copy: bool = option(
        "--accept-older-copy",
        is_flag=True,
        help="Go on with an older copy of the vault, where the newest is lost; what was opened "
        "since could be opened again.",
    )

    def accept_older_copy(self, vault: Vault) -> None:
        """Go on with an older copy, if the owner says so; say what that means.

        Raises UsageError where the vault is no older copy.
        """
        if not self.older_copy:
            return
        entry = vault.accept_older_copy()
        warn(
            f"this is an older copy of the vault: entries of its ledger up to number "
            f"{entry.counter} are lost, and what they opened counts as unopened here; recorded in "
            f"{vault.path}"
        )

    def require_one_way(self) -> None:
        """Raise a usage error when the judge would be confirmed in more than one way."""
        ways = (self.judge_fingerprint is not None, self.trusted_judges is not None, self.yes)
        if sum(ways) > 1:
            raise click.UsageError("use one of --judge-fingerprint, --trusted-judges and --yes")

    def read_trusted(self) -> frozenset[str] | None:
        """The fingerprints in --trusted-judges, one a line; ``#`` begins a comment."""
        from zkwm.files import read_limited

        if self.trusted_judges is None:
            return None
        text = read_limited(self.trusted_judges, TRUSTED_LIMIT).decode("utf-8-sig", "replace")
        found = set()
        for number, line in enumerate(text.splitlines(), 1):
            if written := line.partition("#")[0].strip():
                found.add(typed_fingerprint(written, f"line {number} of {self.trusted_judges}: "))
        return frozenset(found)

    def confirm(self, release: Disclosure, trusted: frozenset[str] | None) -> str | None:
        """The fingerprint that the owner confirms, or None for a judge known to the vault.

        Raises Cancelled when a person says no, UsageError where nobody can be asked.
        """
        actual = release.judge_fingerprint
        if self.judge_fingerprint is not None:
            return typed_fingerprint(self.judge_fingerprint, "--judge-fingerprint: ")
        if release.repeated or release.judge_known:
            return None
        if self.yes or (trusted is not None and actual in trusted):
            return actual
        if trusted is not None:
            raise UsageError(
                f"the judge {actual} is not among the trusted judges",
                hint="compare the fingerprint with what the judge told you, then add it to the "
                "file",
            )
        from zkwm_protocols.opened_words import opened_words

        opened = opened_words(release.suspect.kind)
        consequence = f"open the {opened}" if release.argument is None else "answer"
        answer = ask_yes(
            f"Is this the fingerprint of a judge you trust, and do you {consequence} to them?"
        )
        if answer is None:
            raise UsageError(
                "the judge has to be confirmed, and there is no terminal to ask at",
                hint="ask the judge for their fingerprint through another channel, and give what "
                "they tell you: --judge-fingerprint FINGERPRINT",
            )
        if not answer:
            raise Cancelled("declined; nothing was opened")
        return actual


def warn_of_mark(vault: Vault, seen: str = "") -> str:
    """Print what the owner should know about the mark of the ledger, unless ``seen``; return it."""
    if vault.notice and vault.notice != seen:
        warn(vault.notice)
    return vault.notice


def show(release: Disclosure, commitment: Commitment, challenge: Challenge) -> None:
    """Print what is asked and how, what would be released, to whom, for what, and what was before.

    All that the challenge pins is shown: a model asked in another way is another function.
    """
    from zkwm_protocols.opened_words import opened_words

    argument = release.argument
    note(
        f"A judge asks you to open {opened_words(release.suspect.kind)}:"
        if argument is None
        else "A judge asks you for a zero-knowledge argument; no trigger is opened:"
    )
    issued = _utc(release.issued, "%Y-%m-%d %H:%M UTC")
    known = "known to this vault" if release.judge_known else "NOT known to this vault"
    rows = [
        ("suspect", f"{_given(release.suspect.description)} ({release.suspect.kind})"),
        ("its digest", release.suspect.digest.hex()),
        *_question(commitment, challenge),
        ("purpose", _given(release.purpose) if release.purpose else "none given"),
        ("judge", f"{release.judge_fingerprint} ({known})"),
        ("issued", f"{issued}, by the judge's clock"),
        *_demand(release, commitment.header.block_size),
        *_standard(challenge),
        ("opened so far", name_blocks(release.blocks_spent) if release.blocks_spent else "none"),
    ]
    for entry in release.released:
        purpose = f", {_given(entry.purpose)}" if entry.purpose else ""
        rows.append(
            (
                f"  {day(entry.recorded)}",
                f"{name_blocks(entry.blocks)} to {entry.judge_fingerprint} "
                f"for {_given(entry.suspect_description)}{purpose}",
            )
        )
    if argument is not None:
        rows += _released_bits(argument)
    table(rows)
    if release.declared_labels:
        warn("the labels are declared: the verdict states no bits, and needs a judge who allows it")
        if argument is not None:
            warn("an argument shows the declared labels of its blocks to whoever reads it")


def _given(text: str) -> str:
    """Words of the judge's or of the suspect's, which must not look like words of zkwm's."""
    from zkwm.report.visible import quoted

    return quoted(text, _SHOWN_TEXT)


def name_blocks(blocks: tuple[int, ...]) -> str:
    """``block 3``, ``blocks 0, 1``."""
    numbers = ", ".join(str(block) for block in blocks)
    return f"block{'' if len(blocks) == 1 else 's'} {numbers}"


def _question(commitment: Commitment, challenge: Challenge) -> list[tuple[str, str]]:
    """How the suspect is asked, and which of its outputs stand for the labels."""
    from zkwm.report.class_list import class_lines, class_map_in_words, listed_classes
    from zkwm.report.question_facts import question_facts
    from zkwm.report.visible import visible

    rows = [(name.lower(), visible(value)) for name, value, _ in question_facts(challenge)]
    if challenge.suspect.kind == "extraction":
        return rows  # bits stand for themselves
    names, bits = commitment.class_names, challenge.map_bits(commitment)
    cost = f" (costs {bits:,} bits)" if bits else ""
    rows.append(("class map", class_map_in_words(challenge, names) + cost))
    classes = listed_classes(challenge, names)
    shown = class_lines(classes, _SHOWN_CLASSES, "zkwm inspect of challenge and commitment")
    return rows + [("", line) for line in shown]


_COUNTED = {
    "matches": "matches",
    "ranks": "ranks of the labels among the scores",
    "scores": "points of the labels, by place and distance among the scores",
    "relearning": "ranks of the labels, told from others by copies and neurons of the model",
}


def _standard(challenge: Challenge) -> list[tuple[str, str]]:
    """By which statistic and standard the judge decides, and which blocks stay out."""
    from zkwm.report.dates import published_in_words

    policy = challenge.policy
    bits, excluded = policy.threshold_bits, challenge.excluded_blocks
    rows = [
        ("counted", _COUNTED[challenge.statistic.value]),
        ("standard", f"{bits} bits; function {policy.functions_tried:,} tried on this commitment"),
    ]
    if challenge.published is not None:
        rows.append(("published", published_in_words(challenge.published)))
    if policy.older:
        rows.append(("older", "the commitment has to be older than that, or it is NOT PROVEN"))
    if challenge.trust is not None:
        rows.append(("dated by", f"whom the judge trusts: {challenge.trust.hex()[:16]}"))
    if policy.accept_declared_labels:
        rows.append(("declared labels", "accepted by the judge"))
    if policy.owner_choice_bits:
        rows.append(("deducted", f"{policy.owner_choice_bits} bits for choices of the owner's"))
    if excluded:
        more = f" and {len(excluded) - _SHOWN_BLOCKS:,} more"
        shown = name_blocks(excluded[:_SHOWN_BLOCKS])
        rows.append(("excluded", shown + (more if len(excluded) > _SHOWN_BLOCKS else "")))
    return rows


def _demand(release: Disclosure, block_size: int) -> list[tuple[str, str]]:
    """What the challenge demands: triggers to open, or matches to show."""
    from zkwm_protocols.opened_words import opened_words

    argument = release.argument
    if argument is None:
        count = len(release.blocks_to_open) * block_size
        blocks = f"{name_blocks(release.blocks_to_open)} of {release.block_count}"
        known = set(release.blocks_to_open) <= set(release.blocks_spent)
        again = "; opened to this judge before, so that nothing new is shown" if known else ""
        left = release.disputes_after
        return [
            ("to be opened", f"{count} {opened_words(release.suspect.kind)}, {blocks}{again}"),
            (
                "left after it",
                f"enough for {left:,} more dispute{'' if left == 1 else 's'} by opening, at most"
                if left
                else "nothing: no other dispute can be answered by opening",
            ),
        ]
    return [
        ("network", argument.network.hex()),
        (
            "to be shown",
            f"at least {argument.least_matches} of {argument.block_count * block_size} triggers "
            f"({argument.block_count} of {release.block_count} blocks) match",
        ),
        (
            "unopened",
            f"{argument.unopened} block{'' if argument.unopened == 1 else 's'}, of those that the "
            "judge does not exclude",
        ),
    ]


def _released_bits(argument: ArgumentDisclosure) -> list[tuple[str, str]]:
    """How many bits were released about this commitment, and each of them."""
    rows = [
        (
            "bits so far",
            f"{len(argument.bits)}, one per answer; confirmed again beyond {argument.limit}",
        )
    ]
    for entry in argument.bits:
        question = f"{entry.least_matches} of {entry.block_count} blocks"
        rows.append(
            (
                f"  {day(entry.recorded)}",
                f"{entry.outcome}: {question}, network {entry.network_digest.hex()[:16]}, to "
                f"{entry.judge_fingerprint} for {_given(entry.suspect_description)}",
            )
        )
    return rows


def day(recorded: int) -> str:
    """The date of an entry in UTC."""
    return _utc(recorded, "%Y-%m-%d")


def _utc(seconds: int, form: str) -> str:
    """Seconds since 1970 in words; formats admit years that a calendar here does not."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime(form)
    except (ValueError, OverflowError, OSError):
        return f"{seconds:,} seconds after 1970"
