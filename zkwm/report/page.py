"""The verdict as one self-contained HTML page that can be printed on A4 and filed.

It loads nothing: no network, script or font; a content security policy in the page forbids them.
Untrusted text is made visible, then escaped by the template. jinja2 is imported on first use.
"""

from __future__ import annotations

from functools import lru_cache, partial
from typing import TYPE_CHECKING

from zkwm.judge.results import CheckStatus
from zkwm.judge.verdict import Outcome, Verdict
from zkwm.report import case_facts, dates, facts, mark_words, repetition, wording
from zkwm.report.class_list import class_lines
from zkwm.report.figure import null_figure
from zkwm.report.glossary import glossary
from zkwm.report.pages import page_resource, page_templates
from zkwm.report.rank_figure import rank_figure, score_figure
from zkwm.report.trigger_cards import trigger_cards
from zkwm.report.visible import by_luck

if TYPE_CHECKING:
    from jinja2 import Template

_PACKAGE = "zkwm.report"
_SHOWN_CLASSES = 2_000


def render_report(verdict: Verdict, *, public: bool = False) -> str:
    """The report as one HTML document, for every outcome, however little is known.

    A full report shows every opened trigger and says on every page that it is not for third
    parties (SPEC.md 10): whoever has seen a trigger can train it into any model. With ``public``
    the pictures are left out, and what a suspect's server said about single images; so they are
    where the verdict has no pictures, as one that was read from a file.
    """
    from markupsafe import Markup

    evidence = verdict.evidence
    cards = trigger_cards(verdict, public=public)
    return _template().render(
        verdict=verdict,
        evidence=evidence,
        title=wording.TITLES[verdict.outcome],
        meaning=wording.meaning(verdict),
        dates=dates.in_short(verdict),
        caution=wording.caution(verdict),
        notice=wording.notice(verdict, pictured=cards.pictured),
        words=facts.in_plain_words(verdict),
        warning=wording.declared_warning(verdict),
        undecided=verdict.outcome == Outcome.COULD_NOT_CHECK,
        claim=facts.claim(verdict),
        classes=tuple(class_lines(verdict.classes or [], _SHOWN_CLASSES, "the JSON verdict")),
        leaves_failed=any(
            check.id == "opening.leaves" and check.status == CheckStatus.FAILED
            for check in verdict.checks
        ),
        ranked=evidence is not None and evidence.rank_sum is not None,
        scored=evidence is not None and evidence.score_sum is not None,
        figure=Markup(_figure(verdict)),  # noqa: S704 - made of numbers and fixed words only
        style=Markup(page_resource(_PACKAGE, "report.css")),  # noqa: S704 - this package's own file
        cards=cards,
        keys=mark_words.of_keys(verdict),
        opened=mark_words.opened_heading(verdict),
        check_title=partial(mark_words.check_title, verdict),
        limits=wording.limits(verdict),
        glossary=glossary(verdict),
        exactness=repetition.exactness(verdict),
        command=repetition.command(verdict),
        case=case_facts.HEADING,
        particulars=case_facts.particulars(verdict),
        files=case_facts.files(verdict),
        commitment=verdict.commitment_digest.hex() if verdict.commitment_digest else "",
        challenge=verdict.challenge.digest.hex() if verdict.challenge else "",
    )


def _figure(verdict: Verdict) -> str:
    """The SVG of what was counted; empty without evidence, and where labels are declared."""
    evidence = verdict.evidence
    if evidence is None or verdict.declared_labels:
        return ""
    if evidence.rank_sum is not None:
        return rank_figure([result.rank for result in verdict.triggers], evidence.class_count)
    if evidence.score_sum is not None:
        counted = [(one.points, one.label) for one in verdict.triggers]
        return score_figure(counted, evidence.class_count)
    final = verdict.outcome != Outcome.COULD_NOT_CHECK
    return null_figure(evidence, final=final, least=verdict.argued is not None)


@lru_cache(maxsize=1)
def _template() -> Template:
    """The compiled template with its filters."""
    environment = page_templates(_PACKAGE)
    environment.filters |= {
        "bits": _bits,
        "bits_left": facts.bits_left,
        "by_luck": by_luck,
    }
    return environment.get_template("report.html.j2")


def _bits(hundredths: int) -> str:
    """As ``facts.bits``, with a true minus sign."""
    return facts.bits(hundredths).replace("-", "−")
