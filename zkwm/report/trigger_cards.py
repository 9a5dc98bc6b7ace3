"""Opened triggers as a page shows them: one card each, by block, with its picture or without.

A public report has no pictures, and no words of a suspect's server about one image.
"""

from __future__ import annotations

from dataclasses import dataclass

from zkwm.judge.results import TriggerResult, TriggerStatus
from zkwm.judge.verdict import Verdict
from zkwm.report import facts, wording
from zkwm.report.mark_words import of_keys, status_meaning
from zkwm.report.pictures import MAXIMUM_PICTURES, data_uri, side_limit


@dataclass(frozen=True)
class Card:
    """One opened trigger: its result, picture (data URI or empty), status in words and icon."""

    result: TriggerResult
    picture: str
    status: str
    mark: str
    problem: str


@dataclass(frozen=True)
class TriggerCards:
    """All opened triggers: cards by block, the legend, a note, and whether any picture is shown."""

    blocks: tuple[tuple[facts.Block, tuple[Card, ...]], ...]
    statuses: tuple[tuple[str, str, str], ...]
    note: str
    pictured: bool


def trigger_cards(verdict: Verdict, *, public: bool) -> TriggerCards:
    """Cards, legend and note; pictures reduced and left out as the page's budget demands."""
    shown = () if public else _pictured(verdict)
    limit, note = _limit_and_note(verdict, shown)
    kept = {result.index for result in shown}
    blocks = tuple(
        (
            block,
            tuple(
                Card(
                    result=result,
                    picture=data_uri(result.image, limit)
                    if result.image is not None and result.index in kept
                    else "",
                    status=wording.STATUSES.get(result.status, result.status),
                    mark=_mark(result.status),
                    problem=result.problem if shown else "",
                )
                for result in block.triggers
            ),
        )
        for block in facts.blocks(verdict)
    )
    present = {result.status for result in verdict.triggers}
    statuses = tuple(
        (_mark(status), name, status_meaning(verdict, status))
        for status, name in wording.STATUSES.items()
        if status in present
    )
    return TriggerCards(blocks, statuses, note, bool(shown))


def _pictured(verdict: Verdict) -> tuple[TriggerResult, ...]:
    """The triggers that a full report shows as pictures; keys of a mark are none."""
    if of_keys(verdict):
        return ()
    with_image = (result for result in verdict.triggers if result.image is not None)
    return tuple(with_image)[:MAXIMUM_PICTURES]


def _limit_and_note(verdict: Verdict, shown: tuple[TriggerResult, ...]) -> tuple[int, str]:
    """The longest side of a picture, and what a reader must know of all of them."""
    if of_keys(verdict):
        return 0, "The keys themselves are secret, and are not shown."
    if not shown or shown[0].image is None:
        return 0, "The pictures are left out of this copy."
    notes = []
    channels, height, width = shown[0].image.shape
    limit = side_limit(len(shown), (channels, height, width))
    if max(height, width) > limit:
        notes.append(
            f"The pictures are reduced to at most {limit} pixels on the longer side; the model "
            f"was asked with the full images of {width} × {height} pixels."
        )
    if sum(result.image is not None for result in verdict.triggers) > len(shown):
        notes.append(f"Only the first {len(shown):,} are shown as pictures.")
    return limit, " ".join(notes)


def _mark(status: str) -> str:
    """The icon of a status: yes, no or unknown."""
    if status == TriggerStatus.MATCH:
        return "yes"
    return "unknown" if status == TriggerStatus.NO_ANSWER else "no"
