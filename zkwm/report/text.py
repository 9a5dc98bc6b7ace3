"""The verdict as plain text for a terminal: as wide as it is, no colors, outcome first.

Untrusted text is made visible, so that a description cannot move the cursor or reverse a line.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from textwrap import wrap

from zkwm.judge.results import Check, CheckStatus, TriggerStatus
from zkwm.judge.verdict import Verdict
from zkwm.report import case_facts, dates, facts, mark_words, wording
from zkwm.report.class_list import class_lines
from zkwm.report.facts import Fact
from zkwm.report.visible import by_luck, groups, visible
from zkwm_protocols.evidence import Evidence

WIDTH = 92
"""The width where nobody says another; below it, long columns stand under each other."""
_NARROWEST = 60
_NAME, _BITS = 28, 11
_SHOWN_INDICES = 12
_SHOWN_CLASSES = 200


def render_text(verdict: Verdict, *, width: int = WIDTH) -> str:
    """The whole verdict as text ending in a line break; the first line is the outcome.

    ``width`` is the longest line, at least 60 columns.
    """
    page = _Page(max(width, _NARROWEST))
    page.paragraph(f"{wording.TITLES[verdict.outcome].upper()}: {visible(verdict.reason, 2000)}")
    page.paragraph(dates.in_short(verdict))
    page.paragraph(wording.meaning(verdict))
    if verdict.hint:
        page.paragraph(f"What can be done: {visible(verdict.hint, 2000)}")
    for heading, rows in (*case_facts.as_stated(verdict), *facts.claim(verdict)):
        page.heading(heading)
        page.facts(rows)
    page.heading("Evidence")
    _evidence(page, verdict)
    if verdict.triggers:
        page.heading(mark_words.opened_heading(verdict))
        _triggers(page, verdict)
    classes = list(class_lines(verdict.classes or [], _SHOWN_CLASSES, "the JSON verdict"))
    if classes:
        page.heading("Labels and outputs")
        for one in classes:
            page.paragraph(one, first=20, indent=26)
    page.heading("Checks")
    for check in verdict.checks:
        page.check(check, mark_words.check_title(verdict, check))
    if verdict.files:
        page.heading("Files examined")
        page.facts(chain(*case_facts.files(verdict)))
    page.heading("What this does not say")
    for sentence in wording.limits_in_short(verdict):
        page.paragraph(f"- {sentence}", first=2, indent=4)
    return "\n".join(page.lines) + "\n"


class _Page:
    """Lines of at most ``width`` columns."""

    def __init__(self, width: int) -> None:
        self.lines: list[str] = []
        self._width = width

    def paragraph(self, text: str, *, first: int = 0, indent: int = 0) -> None:
        """Words, the first line and the others indented."""
        before, between = " " * first, " " * indent
        self.lines += wrap(
            text,
            self._width,
            initial_indent=before,
            subsequent_indent=between,
            break_on_hyphens=False,
        )

    def heading(self, text: str) -> None:
        """A heading below an empty line."""
        self.lines += ["", text]

    def row(self, name: str, value: str) -> None:
        """A name and a value in two columns."""
        self.paragraph(f"{name:<17} {value}", first=2, indent=20)

    def facts(self, facts: Iterable[Fact]) -> None:
        """A row for each; digests in groups, which no line breaks."""
        for fact in facts:
            shown = " ".join(groups(fact.value)) if fact.digest else visible(fact.value)
            self.row(fact.name, shown)

    def check(self, check: Check, title: str) -> None:
        """Status, id and title of a check, and why it ended so."""
        detail = f": {visible(check.detail)}" if check.detail else ""
        failed = check.status == CheckStatus.FAILED
        status = visible(check.status.upper() if failed else check.status)
        head = f"{status:<8} {visible(check.id):<22} "
        self.paragraph(
            f"{head}{visible(title)}{detail}",
            first=2,
            indent=33 if self._width >= WIDTH else 11,
        )

    def term(self, name: str, value: str, meaning: str) -> None:
        """A term of the sum; its meaning continues on indented lines, or stands below."""
        head = f"  {visible(name):<{_NAME}}{value:>{_BITS}} bits"
        if self._width < WIDTH or len(head) > self._width // 2:
            if len(head) <= self._width:
                self.lines.append(head)
            else:  # of a file that anybody may have written
                self.paragraph(" ".join(head.split()), first=2, indent=6)
            self.paragraph(visible(meaning), first=6, indent=6)
            return
        indent = len(head) + 2
        meanings = wrap(visible(meaning), self._width - indent) or [""]
        self.lines.append(f"{head}  {meanings[0]}".rstrip())
        self.lines += [" " * indent + line for line in meanings[1:]]

    def rule(self) -> None:
        """The line below a sum."""
        self.lines.append("  " + "-" * (_NAME + _BITS))


def _evidence(page: _Page, verdict: Verdict) -> None:
    """The sum term by term, then matches, need and luck; a warning for declared labels."""
    evidence = verdict.evidence
    warning = wording.declared_warning(verdict)
    if evidence is None:
        page.paragraph("none: the check ended before matches were counted", first=2, indent=2)
    elif not warning:
        _sum(page, evidence)
    if evidence is not None:
        least = "" if verdict.argued is None else "at least "
        page.row("Matches", f"{least}{evidence.matches:,} of {evidence.trials:,}")
        needed = evidence.needed_matches
        sums = {"Weight of ranks": evidence.rank_sum, "Points of labels": evidence.score_sum}
        for name, total in sums.items():
            if total is not None:
                needed = total.needed
                page.row(name, f"{total.value:,} of {total.largest:,}")
        page.row("Needed", "out of reach, even if all match" if needed is None else f"{needed:,}")
        if not warning:
            luck = by_luck(evidence.trials, evidence.class_count)
            summed = any(total is not None for total in sums.values())
            page.row("Matches by luck" if summed else "By luck", f"{luck}, for an unrelated model")
    page.paragraph(warning, first=2, indent=2)


def _sum(page: _Page, evidence: Evidence) -> None:
    """The terms in bits, a rule, what is left and what is demanded."""
    for term in evidence.terms:
        page.term(term.name, facts.bits(term.hundredths), term.meaning)
    page.rule()
    left, words = facts.bits_left(evidence), "enough" if evidence.reached else "not enough"
    if evidence.total_hundredths > 0:
        page.term("evidence left", left.removesuffix(" bits"), words)
    else:
        page.lines.append(f"  {'evidence left':<{_NAME}}{left:>{_BITS}}")
        page.paragraph(f"the deductions take all of it: {words}", first=6, indent=6)
    page.term("demanded by the judge", facts.bits(100 * evidence.threshold_bits), "")


def _triggers(page: _Page, verdict: Verdict) -> None:
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
        page.row(f"Block {block.number}", "; ".join(parts))
