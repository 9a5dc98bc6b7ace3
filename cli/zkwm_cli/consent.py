"""What an owner sees before he answers a challenge, and what he has to confirm.

Not what is then released or recorded: that is in ``zkwm.owner.commit`` and
``zkwm.owner.prove_argument``.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zkwm.owner.disclosure import ArgumentDisclosure, Disclosure

TRUSTED_LIMIT = 2**20


def show(shown: Disclosure, block_size: int) -> None:
    """What is about to be released, to whom, for what, and what was released before."""
    from zkwm_cli.terminal import note, table, warn

    argument = shown.argument
    note(
        "A judge asks you to open triggers:"
        if argument is None
        else "A judge asks you for a zero-knowledge argument; no trigger is opened:"
    )
    issued = datetime.fromtimestamp(shown.issued, UTC).strftime("%Y-%m-%d %H:%M UTC")
    known = "known to this vault" if shown.judge_known else "NOT known to this vault"
    rows = [
        ("suspect", f"{shown.suspect.description} ({shown.suspect.kind})"),
        ("its digest", shown.suspect.digest.hex()),
        ("purpose", shown.purpose or "none given"),
        ("judge", f"{shown.judge_fingerprint} ({known})"),
        ("issued", f"{issued}, by his clock"),
        *_what(shown, block_size),
        ("opened so far", name_blocks(shown.blocks_spent) if shown.blocks_spent else "none"),
    ]
    for entry in shown.released:
        day = datetime.fromtimestamp(entry.recorded, UTC).strftime("%Y-%m-%d")
        purpose = f", {entry.purpose}" if entry.purpose else ""
        rows.append(
            (
                f"  {day}",
                f"{name_blocks(entry.blocks)} to {entry.judge_fingerprint} "
                f"for {entry.suspect_description}{purpose}",
            )
        )
    if argument is not None:
        rows += _bits(argument)
    table(rows)
    if shown.declared_labels:
        warn("the labels are declared: the verdict states no bits, and needs a judge who allows it")
        if argument is not None:
            warn("an argument shows the declared labels of its blocks to whoever reads it")


def _what(shown: Disclosure, block_size: int) -> list[tuple[str, str]]:
    argument = shown.argument
    if argument is None:
        count = len(shown.blocks_to_open) * block_size
        blocks = f"{name_blocks(shown.blocks_to_open)} of {shown.block_count}"
        return [("to be opened", f"{count} triggers, {blocks}")]
    return [
        ("network", argument.network.hex()),
        (
            "to be shown",
            f"at least {argument.least_matches} of {argument.block_count * block_size} triggers "
            f"({argument.block_count} of {shown.block_count} blocks) match",
        ),
        ("unopened", f"{argument.unopened} blocks, of those that the judge does not exclude"),
    ]


def _bits(argument: ArgumentDisclosure) -> list[tuple[str, str]]:
    """How many bits were released about this commitment, and each of them."""
    rows = [("bits so far", f"{len(argument.bits)}, one an answer; asked beyond {argument.limit}")]
    for entry in argument.bits:
        day = datetime.fromtimestamp(entry.recorded, UTC).strftime("%Y-%m-%d")
        question = f"{entry.least_matches} of {entry.block_count} blocks"
        rows.append(
            (
                f"  {day}",
                f"{entry.outcome}: {question}, network {entry.network_digest.hex()[:16]}, to "
                f"{entry.judge_fingerprint} for {entry.suspect_description}",
            )
        )
    return rows


def confirm_limit(shown: Disclosure, given: bool) -> bool:
    """Whether more bits than the limit may be released, asked where it matters and was not said.

    Raises Cancelled when a person says no, UsageError where nobody can be asked.
    """
    from zkwm_cli.terminal import ask_yes
    from zkwm_protocols.errors import Cancelled, UsageError

    argument = shown.argument
    assert argument is not None
    if given or shown.repeated or len(argument.bits) < argument.limit:
        return given
    released = f"{len(argument.bits)} bits have been released about this commitment"
    answer = ask_yes(f"{released}. Release one more?")
    if answer is None:
        raise UsageError(
            f"{released}, and there is no terminal to ask at",
            hint="consider who has asked and why; --exceed-limit answers all the same",
        )
    if not answer:
        raise Cancelled("declined; nothing was answered")
    return True


def confirmed(
    shown: Disclosure, given: str | None, trusted: frozenset[str] | None, *, yes: bool
) -> str | None:
    """The fingerprint that the owner confirms, or None for a judge whom the vault knows.

    Raises Cancelled when a person says no, UsageError where nobody can be asked.
    """
    from zkwm_cli.terminal import ask_yes
    from zkwm_protocols.errors import Cancelled, UsageError

    actual = shown.judge_fingerprint
    if given is not None:
        return given
    if shown.repeated or shown.judge_known:
        return None
    if yes or (trusted is not None and actual in trusted):
        return actual
    if trusted is not None:
        raise UsageError(
            f"the judge {actual} is not among the trusted judges",
            hint="compare the fingerprint with what the judge told you, then add it to the file",
        )
    question = "do you open them to him" if shown.argument is None else "do you answer him"
    answer = ask_yes(f"Is this the fingerprint of a judge you trust, and {question}?")
    if answer is None:
        raise UsageError(
            "the judge has to be confirmed, and there is no terminal to ask at",
            hint=f"compare the fingerprint with what the judge told you, then say "
            f"--judge-fingerprint {actual}",
        )
    if not answer:
        raise Cancelled("declined; nothing was opened")
    return actual


def read_trusted(name: str) -> frozenset[str]:
    """The fingerprints in a file, one a line; empty lines and those with # do not count."""
    from zkwm.files import read_limited

    text = read_limited(name, TRUSTED_LIMIT).decode("utf-8", "replace")
    lines = (line.partition("#")[0].strip().lower() for line in text.splitlines())
    return frozenset(line for line in lines if line)


def name_blocks(blocks: tuple[int, ...]) -> str:
    """``block 3``, ``blocks 0, 1``."""
    numbers = ", ".join(str(block) for block in blocks)
    return f"block{'' if len(blocks) == 1 else 's'} {numbers}"
