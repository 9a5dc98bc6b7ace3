"""A dispute's verdict as one self-contained HTML page for a court, made to be printed.

It loads nothing and runs nothing. Foreign text is made visible, then escaped by the template.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from zkwm.disputes import facts, wording
from zkwm.disputes.results import DisputeOutcome, Standing
from zkwm.disputes.verdict import DisputeVerdict
from zkwm.report.pages import page_resource, page_templates
from zkwm.report.visible import visible
from zkwm_protocols.dates import Interval
from zkwm_protocols.transparency.checkpoint import SignedCheckpoint

if TYPE_CHECKING:
    from jinja2 import Template

_PACKAGE = "zkwm.disputes"
_ICONS = {DisputeOutcome.SUPPORTED: "yes", DisputeOutcome.NOT_SUPPORTED: "no"}
_CELLS = {
    Standing.COUNTS: "yes",
    Standing.NOT_FOUND: "no",
    Standing.OWN_PRODUCT: "skipped",
    Standing.OBJECTED: "no",
    Standing.NOT_OLDER: "no",
}
_BAR = 1_000
"""Units that the whole timeline is wide."""
_LINE, _CUT = 400, 100
"""Characters of a line of a checkpoint that is shown whole, and of a longer one that are shown."""
_LEAST = 12
"""Units that an interval is wide at least, so that it is seen."""


def render_dispute_page(verdict: DisputeVerdict) -> str:
    """The page as one HTML document, for every outcome."""
    from markupsafe import Markup

    events = facts.timeline(verdict)
    style = page_resource("zkwm.report", "report.css") + page_resource(_PACKAGE, "dispute.css")
    return _template().render(
        verdict=verdict,
        title=wording.TITLES[verdict.outcome],
        icon_name=_ICONS.get(verdict.outcome, "unknown"),
        caution=wording.UNSAID,
        party=verdict.found.party(verdict.decision.party) if verdict.decision.party else None,
        events=tuple(zip(events, _bars([one.when for one in events]), strict=True)),
        rows=facts.matrix(verdict),
        cells=_CELLS,
        reasoning=tuple(
            (one, wording.on_party(verdict.found, one.name)) for one in verdict.found.parties
        ),
        bases=wording.BASES,
        claims=tuple((one, verdict.standing(one)) for one in verdict.found.claims),
        standings=wording.STANDINGS,
        on_claim=wording.on_claim,
        persons=facts.persons,
        on_persons=wording.PERSONS,
        two_sizes=wording.two_sizes,
        rules=facts.applied(verdict),
        kinds=wording.KINDS,
        files=wording.FILES,
        style=Markup(style),  # noqa: S704 - this package's own files
    )


def _bars(intervals: list[Interval]) -> list[tuple[int, int]]:
    """Where each interval begins on the timeline, and how wide it is, in units of it."""
    begin = min(one.earliest for one in intervals)
    whole = max(max(one.latest for one in intervals) - begin, 1)
    return [
        (
            (one.earliest - begin) * _BAR // whole,
            max((one.latest - one.earliest) * _BAR // whole, _LEAST),
        )
        for one in intervals
    ]


def _begun(text: str) -> str:
    """A sentence that begins with a capital letter."""
    return text[:1].upper() + text[1:]


def _note(checkpoint: SignedCheckpoint) -> str:
    """A checkpoint as it was served, each line made visible, those of post-quantum keys cut."""
    lines = checkpoint.to_bytes().decode("utf-8").splitlines()
    return "\n".join(
        visible(line, _LINE) if len(line) <= _LINE else f"{visible(line[:_CUT], _LINE)}…"
        for line in lines
    )


@lru_cache(maxsize=1)
def _template() -> Template:
    """The compiled template with its filters."""
    environment = page_templates(_PACKAGE)
    environment.filters |= {
        "note": _note,
        "begun": _begun,
    }
    return environment.get_template("dispute.html.j2")
