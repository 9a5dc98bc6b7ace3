"""What is counted of opened triggers beside matches: ranks or points, as evidence takes them.

SPEC.md 8.4, 8.6 and 8.7. ``zkwm.judge.query`` has ranks and points from the suspect's answers, a
verdict's file has them from the judge.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from zkwm.judge.results import TriggerResult, TriggerStatus
from zkwm_protocols.ranks import Statistic, weighted_sum
from zkwm_protocols.score_points import largest_points, most_triggers
from zkwm_protocols.score_tails import ScoreLaw, score_sum

Sums = tuple[int | None, tuple[int, ScoreLaw] | None]
"""The sum of ranks, and the sum of points with its law, each where it is counted."""


def sums_of(triggers: Sequence[TriggerResult], statistic: Statistic, class_count: int) -> Sums:
    """The sum that a statistic counts; both None for matches."""
    if statistic.counts_ranks:
        return weighted_sum([one.rank for one in triggers], class_count), None
    if statistic == Statistic.SCORES:
        rows = [one.points for one in triggers]
        value = score_sum(rows, [one.label for one in triggers])
        return None, (value, ScoreLaw.of(rows, class_count))
    return None, None


def at_best(triggers: Sequence[TriggerResult], class_count: int) -> tuple[TriggerResult, ...]:
    """The triggers as if each missing answer gave all points to the label and none elsewhere."""
    most = largest_points(class_count)
    return tuple(
        replace(one, points=bytes(most * (label == one.label) for label in range(class_count)))
        if one.status == TriggerStatus.NO_ANSWER
        else one
        for one in triggers
    )


def impossible_points(
    triggers: Sequence[TriggerResult], statistic: Statistic, class_count: int
) -> bool:
    """Whether points are there that nobody counted, or are none of C classes.

    Where points are counted exactly the triggers that were answered have them, and there are no
    more triggers than a verdict has the points of.
    """
    if statistic != Statistic.SCORES:
        return any(one.points is not None for one in triggers)
    if len(triggers) > most_triggers(class_count):
        return True
    most = largest_points(class_count)
    answered = (TriggerStatus.MATCH, TriggerStatus.NO_MATCH)
    return any(
        (one.points is not None) != (one.status in answered)
        or (one.points is not None and (len(one.points) != class_count or max(one.points) > most))
        for one in triggers
    )
