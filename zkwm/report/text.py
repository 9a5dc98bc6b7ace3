"""The verdict as plain text for a terminal: 92 columns, no colors, outcome first.

Untrusted text is made visible, so that a description cannot move the cursor or reverse a line.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from textwrap import wrap

from zkwm.judge.results import CheckStatus, TriggerStatus
from zkwm.judge.verdict import Verdict
from zkwm.report import case_facts, facts, wording
from zkwm.report.class_list import class_lines
from zkwm.report.visible import by_luck, groups, visible
from zkwm_protocols.evidence import Evidence

WIDTH = 92
_NAME, _BITS = 28, 11
_SHOWN_INDICES = 12
_SHOWN_CLASSES = 200


def render_text(verdict: Verdict) -> str:
    """The whole verdict as text ending in a line break; the first line is the outcome."""
    lines = [
        *_wrapped(f"{wording.TITLES[verdict.outcome].upper()}: {visible(verdict.reason, 2000)}"),
        *_wrapped(wording.meaning(verdict)),
    ]
    if verdict.hint:
        lines += _wrapped(f"What can be done: {visible(verdict.hint, 2000)}")
    for heading, rows in (*case_facts.as_stated(verdict), *facts.claim(verdict)):
        lines += ["", heading]
        for fact in rows:
            value = " ".join(groups(fact.value)) if fact.digest else visible(fact.value)
            lines += _row(fact.name, value)
    classes = [
        line
        for one in class_lines(verdict.classes or [], _SHOWN_CLASSES, "the JSON verdict")
        for line in _wrapped(one, indent=26, first=" " * 20)
    ]
    lines += ["", "Labels and outputs", *classes] if classes else []
    lines += ["", "Evidence", *_evidence(verdict)]
    if verdict.triggers:
        lines += ["", "Opened triggers", *_triggers(verdict)]
    lines += ["", "Checks"]
    for check in verdict.checks:
        detail = f": {visible(check.detail)}" if check.detail else ""
        status = check.status.upper() if check.status == CheckStatus.FAILED else check.status
        lines += _wrapped(
            f"  {visible(status):<8} {visible(check.id):<22} {visible(check.title)}{detail}",
            indent=33,
        )
    if verdict.files:
        lines += ["", "Files examined"]
        for fact in chain(*case_facts.files(verdict)):
            value = " ".join(groups(fact.value)) if fact.digest else fact.value
            lines += _row(fact.name, value)
    lines += ["", "What this does not say"]
    for sentence in wording.limits_in_short(verdict):
        lines += _wrapped(f"  - {sentence}", indent=4)
    return "\n".join(lines) + "\n"


def _evidence(verdict: Verdict) -> Iterator[str]:
    """The sum term by term, then matches, need and luck; a warning for declared labels."""
    evidence = verdict.evidence
    warning = wording.declared_warning(verdict)
    if evidence is None:
        yield "  none: the check ended before matches were counted"
    elif not warning:
        yield from _sum(evidence)
    if evidence is not None:
        least = "" if verdict.argued is None else "at least "
        yield from _row("Matches", f"{least}{evidence.matches:,} of {evidence.trials:,}")
        needed, ranks = evidence.needed_matches, evidence.rank_sum
        if ranks is not None:
            needed = ranks.needed
            yield from _row("Weight of ranks", f"{ranks.value:,} of {ranks.largest:,}")
        yield from _row(
            "Needed", "out of reach, even if all match" if needed is None else f"{needed:,}"
        )
        if not warning:
            luck = by_luck(evidence.trials, evidence.class_count)
            yield from _row("By luck", f"{luck}, for an unrelated model")
    yield from _wrapped(warning, indent=2, first="  ")


def _sum(evidence: Evidence) -> Iterator[str]:
    """The terms in bits, a rule, what is left and what is demanded."""
    for term in evidence.terms:
        yield from _term(term.name, term.hundredths, term.meaning)
    yield "  " + "-" * (_NAME + _BITS)
    yield from _term(
        "evidence left",
        max(evidence.total_hundredths, 0),
        "enough" if evidence.reached else "not enough",
    )
    yield from _term("demanded by the judge", 100 * evidence.threshold_bits, "")


def _term(name: str, hundredths: int, meaning: str) -> Iterator[str]:
    """One term; its meaning continues on indented lines."""
    head = f"  {visible(name):<{_NAME}}{facts.bits(hundredths):>{_BITS}} bits"
    indent = len(head) + 2
    meanings = wrap(visible(meaning), WIDTH - indent) or [""]
    yield f"{head}  {meanings[0]}".rstrip()
    for line in meanings[1:]:
        yield " " * indent + line


def _triggers(verdict: Verdict) -> Iterator[str]:
    """The number of triggers of each status by block, with the indices of misses."""
    for block in facts.blocks(verdict):
        parts = []
        for status, number in sorted(block.counts.items()):
            part = f"{number:,} {wording.STATUSES.get(status, status)}"
            if status != TriggerStatus.MATCH:
                indices = [str(t.index) for t in block.triggers if t.status == status]
                rest = ", …" if len(indices) > _SHOWN_INDICES else ""
                part += f" ({', '.join(indices[:_SHOWN_INDICES])}{rest})"
            parts.append(part)
        yield from _row(f"Block {block.number}", "; ".join(parts))


def _row(name: str, value: str) -> list[str]:
    """A name and a value in two columns."""
    return _wrapped(f"  {name:<17} {value}", indent=20)


def _wrapped(text: str, *, indent: int = 0, first: str = "") -> list[str]:
    """Lines of at most 92 columns."""
    return wrap(text, WIDTH, initial_indent=first, subsequent_indent=" " * indent)
