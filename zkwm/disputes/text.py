"""A dispute's verdict as plain text for a terminal: the outcome first, no colors."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap

from zkwm.disputes import facts, wording
from zkwm.disputes.verdict import DisputeVerdict
from zkwm.report.visible import utc, visible
from zkwm.written_dates import in_words

WIDTH = 92
_NARROWEST = 60


def render_dispute_text(verdict: DisputeVerdict, *, width: int = WIDTH) -> str:
    """The whole verdict as text ending in a line break; the first line is the outcome."""
    width = max(width, _NARROWEST)
    lines: list[str] = []

    def say(text: str, indent: int = 0) -> None:
        before = " " * indent
        lines.extend(
            wrap(
                visible(text, 4_000),
                width,
                initial_indent=before,
                subsequent_indent=before + "  " * bool(indent),
                break_on_hyphens=False,
            )
        )

    def heading(text: str) -> None:
        lines.extend(("", text))

    say(f"{wording.TITLES[verdict.outcome].upper()}: {verdict.reason}.")
    decided = f"Decided by rule {verdict.decision.section}."
    say(f"{verdict.title}. {decided} It does not say {wording.UNSAID}")
    heading("Dates")
    for event in facts.timeline(verdict):
        say(f"{in_words(event.when)}: {event.what} (by {event.word})", 2)
    heading("Marks and models")
    for party, cells in facts.matrix(verdict):
        for model, cell in zip(verdict.found.models, cells, strict=True):
            star = " (contested)" if model.contested else ""
            words = f" ({cell.words})" if cell.words else ""
            say(f"{party.name} in {model.name}{star}: {cell.short}{words}", 2)
    heading("Persons behind the keys")
    for line, indent in _persons(verdict):
        say(line, indent)
    heading("Rules applied (SPEC.md 28)")
    for rule in facts.applied(verdict):
        say(f"{rule.section} {rule.rule}", 2)
        for place in rule.where:
            say(f"- {place}", 4)
    if verdict.equivocations:
        heading("Evidence against logs")
        for line, indent in _two_trees(verdict):
            say(line, indent)
    heading("What was not checked")
    for sentence in verdict.not_checked or ("Nothing that the case names was left out.",):
        say(f"- {sentence}", 2)
    say(f"Checked {utc(verdict.checked)}, by the judge's own clock.")
    return "\n".join(lines) + "\n"


def _persons(verdict: DisputeVerdict) -> Iterator[tuple[str, int]]:
    """Whose each party's keys are, each line with its indentation."""
    yield wording.PERSONS, 2
    for party in verdict.found.parties:
        for key, whose in facts.persons(party, verdict.people):
            yield f"{party.name}, by the key {key}:", 2
            for line in whose:
                yield f"- {line}", 4


def _two_trees(verdict: DisputeVerdict) -> Iterator[tuple[str, int]]:
    """The evidence against logs, each line with its indentation."""
    for one in verdict.equivocations:
        yield f"{one.first.checkpoint.origin} signed two trees {wording.two_sizes(one)}:", 2
        for signed in (one.first, one.second):
            head = signed.checkpoint.head
            yield f"size {head.size:,}, root {head.root.hex()}", 4
        if one.index is not None:
            yield f"they differ in entry {one.index:,}", 4
