"""What ``zkwm vault show`` tells a person."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from zkwm.report.visible import quoted
from zkwm_cli.consent import day, name_blocks

if TYPE_CHECKING:
    from zkwm.owner.overview import CommitmentOverview, VaultOverview
    from zkwm.owner.vault import ArgumentEntry, LedgerEntry

_SHOWN_BLOCKS = 40
_SHOWN_TEXT = 500
_NAME = 16


def vault_text(found: VaultOverview) -> str:
    """The whole text, ending in a line break."""
    lines = [_row("owner's key", f"{found.fingerprint} ({found.algorithm})")]
    judges = found.trusted_judges or ("none",)
    lines += [_row("judges known" if i == 0 else "", one) for i, one in enumerate(judges)]
    for entry in found.older_copies:
        lines.append(_row("older copy", f"accepted {day(entry.recorded)}; what was before is lost"))
    if not found.commitments:
        lines.append(_row("commitments", "none"))
    for commitment in found.commitments:
        lines += ["", *_commitment(commitment)]
    return "\n".join(lines) + "\n"


def _commitment(one: CommitmentOverview) -> Iterator[str]:
    """One commitment, and what was released of it."""
    header = one.commitment.header
    yield f"Commitment {one.commitment.digest.hex()}"
    shape = ",".join(map(str, header.shape))
    yield _row(
        "holds",
        f"{header.leaf_count:,} {header.kind} ({quoted(one.family, 32)}, {shape}), "
        f"{header.class_count:,} classes, {header.label_mode} labels",
    )
    made = "unknown: an earlier release of zkwm did not record it"
    if one.created is not None:
        made = f"{day(one.created)}, by this owner's clock (no evidence of a date)"
    yield _row("made", made)
    tokens, entries = len(one.commitment.timestamps), len(one.commitment.log_proofs)
    if tokens or entries:
        what = f"{_plural(tokens, 'timestamp')}, {_plural(entries, 'log proof')}"
        yield _row("registered", f"{what}: zkwm inspect FILE --trust FOLDER says of when")
    for proof in one.commitment.log_proofs:
        origin = quoted(proof.proof.checkpoint.checkpoint.origin, _SHOWN_TEXT)
        yield _row("in a log", f"entry {proof.proof.index:,} of {origin}")
    spent = f"{_blocks(one.spent)} of {header.block_count:,}" if one.spent else "none"
    yield _row("spent", spent)
    left = f"{one.unspent:,} of {header.block_count:,} blocks of {header.block_size:,}"
    yield _row("left", f"{left}, enough for {_disputes(one.disputes)}")
    for digest, count in one.shares.items():
        yield _row("shares", f"{count:,} images with commitment {digest.hex()[:16]}")
    for entry in one.openings:
        yield _row(f"  {day(entry.recorded)}", f"opened {_blocks(entry.blocks)} {_to(entry)}")
    yield _row("bits told", f"{len(one.arguments)}, by arguments in zero knowledge")
    for bit in one.arguments:
        question = f"{bit.least_matches:,} matches in {bit.block_count:,} blocks"
        yield _row(f"  {day(bit.recorded)}", f"{bit.outcome}: {question} {_to(bit)}")


def _plural(count: int, what: str) -> str:
    """A number of things."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def _disputes(count: int) -> str:
    """How many disputes by opening are left."""
    return f"{count:,} dispute{'' if count == 1 else 's'} by opening, at most"


def _to(entry: LedgerEntry | ArgumentEntry) -> str:
    """To whom, about what and what for."""
    purpose = f", {quoted(entry.purpose, _SHOWN_TEXT)}" if entry.purpose else ""
    suspect = quoted(entry.suspect_description, _SHOWN_TEXT)
    return f"to {entry.judge_fingerprint} for {suspect}{purpose}"


def _blocks(blocks: tuple[int, ...]) -> str:
    """The first of these blocks by number, and how many more there are."""
    more = len(blocks) - _SHOWN_BLOCKS
    return name_blocks(blocks[:_SHOWN_BLOCKS]) + (f" and {more:,} more" if more > 0 else "")


def _row(name: str, value: str) -> str:
    """A name and its value in two columns."""
    return f"  {name:<{_NAME}}  {value}"
