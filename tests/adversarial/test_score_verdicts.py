"""A judge who signs points or a sum of points that are none: SPEC.md 10.4."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.reference.verdict import failing_check
from tests.support.dispute import CLASSES
from tests.support.signed_verdicts import add_to, resigned, signed_verdict
from zkwm.judge.verdict import Verdict
from zkwm_protocols.challenge import OpeningChallenge
from zkwm_protocols.commitment import Header, LabelMode
from zkwm_protocols.errors import Malformed
from zkwm_protocols.ranks import Statistic
from zkwm_protocols.score_points import largest_points
from zkwm_protocols.verdict_file import VerdictFile

_POINTS = 6
"""Their place in the row of a trigger."""


def _term(value: Any, change: int) -> None:
    value["evidence"]["terms"][0][1] += change


def _points(value: Any, row: bytes | None, trigger: int = 0) -> None:
    value["triggers"][trigger][_POINTS] = row


def _exchange(triggers: list[Any]) -> None:
    first, second = triggers[0][_POINTS], triggers[1][_POINTS]
    triggers[0][_POINTS], triggers[1][_POINTS] = second, first


CHANGES: dict[str, Callable[[Any], object]] = {
    "more evidence": lambda value: _term(value, 1),
    "less evidence": lambda value: _term(value, -1),
    "a larger sum": lambda value: add_to(value["evidence"]["rank_sum"], 0, 1),
    "a larger whole": lambda value: add_to(value["evidence"]["rank_sum"], 1, 1),
    "less needed": lambda value: add_to(value["evidence"]["rank_sum"], 2, -1),
    "more needed": lambda value: add_to(value["evidence"]["rank_sum"], 2, 1),
    "no sum": lambda value: value["evidence"].update(rank_sum=None),
    "points of one trigger raised": lambda value: _points(
        value, bytes([largest_points(CLASSES)] * CLASSES)
    ),
    "too many points": lambda value: _points(value, bytes([largest_points(CLASSES) + 1] * CLASSES)),
    "points of fewer classes": lambda value: _points(value, bytes(CLASSES - 1)),
    "points of more classes": lambda value: _points(value, bytes(CLASSES + 1)),
    "an answer without points": lambda value: _points(value, None),
    "a rank instead of points": lambda value: _points(value, 0),
    "points of two triggers exchanged": lambda value: _exchange(value["triggers"]),
}


def test_points_are_recounted_by_readers_and_by_the_reference(quick_labels: None) -> None:
    judge, file = signed_verdict(Statistic.SCORES)
    public = VerdictFile.from_bytes(file).fields()["judge"]
    assert Verdict.from_bytes(file, judge.public).proven
    assert failing_check(file, public) is None
    for name, change in CHANGES.items():
        altered = resigned(judge, file, change)
        with pytest.raises(Malformed) as refused:
            Verdict.from_bytes(altered, judge.public)
        assert refused.value.check == "verdict.format", name
        assert failing_check(altered, public) == "verdict.format", name


def test_unanswered_triggers_have_no_points(quick_labels: None) -> None:
    judge, file = signed_verdict(Statistic.SCORES, silent=2)
    public = VerdictFile.from_bytes(file).fields()["judge"]
    Verdict.from_bytes(file, judge.public)
    assert failing_check(file, public) is None
    altered = resigned(judge, file, lambda value: _points(value, bytes(CLASSES)))
    with pytest.raises(Malformed):
        Verdict.from_bytes(altered, judge.public)
    assert failing_check(altered, public) == "verdict.format"


def _bad_leaf(value: Any) -> None:
    value["triggers"][0][2:7] = ["wrong leaf", *[None] * 4]
    names = [row[0] for row in value["checks"]]
    value["checks"][names.index("opening.leaves")][1] = "failed"


def _no_class(value: Any) -> None:
    value["triggers"][0][3:5] = [CLASSES, CLASSES]


def _label_without_points(value: Any) -> None:
    value["triggers"][1][2:6] = ["no match", CLASSES, CLASSES, 0]


def _declared(value: Any) -> None:
    header = replace(Header.from_bytes(value["header"]), label_mode=LabelMode.DECLARED)
    value.update(header=header.to_bytes(), commitment=header.digest, declared_labels_accepted=True)


QUESTIONS: dict[str, tuple[int, Callable[[Any], object]]] = {
    "a label that is none of its classes": (CLASSES + 1, _no_class),
    "a label that no points belong to": (CLASSES + 1, _label_without_points),
    "declared labels": (CLASSES, _declared),
    "a bad leaf": (CLASSES, _bad_leaf),
}
"""How many outputs the class map has, and what else is another."""


@pytest.mark.parametrize("name", QUESTIONS)
@pytest.mark.parametrize("statistic", [Statistic.RANKS, Statistic.SCORES])
def test_what_no_judge_asks_is_refused(statistic: Statistic, name: str, quick_labels: None) -> None:
    """The sum stays right, since the first trigger counts for nothing before and after."""
    judge, file = signed_verdict(statistic, silent=1)
    outputs, change = QUESTIONS[name]
    public = VerdictFile.from_bytes(file).fields()["judge"]

    def exchange(value: Any) -> None:
        change(value)
        asked = OpeningChallenge.from_bytes(value["challenge"])
        other = replace(
            asked,
            commitment=value["commitment"],
            class_map=tuple(range(outputs)),
            suspect=replace(asked.suspect, outputs=outputs),
        )
        value.update(challenge=other.signed_by(judge.key.signing).to_bytes(), files=[])

    altered = resigned(judge, file, exchange)
    with pytest.raises(Malformed) as refused:
        Verdict.from_bytes(altered, judge.public)
    assert refused.value.check == failing_check(altered, public) == "verdict.format"


@pytest.mark.parametrize("statistic", [Statistic.MATCHES, Statistic.RANKS])
def test_points_that_nobody_counted(statistic: Statistic, quick_labels: None) -> None:
    judge, file = signed_verdict(statistic)
    public = VerdictFile.from_bytes(file).fields()["judge"]
    assert failing_check(file, public) is None
    altered = resigned(judge, file, lambda value: _points(value, bytes(CLASSES)))
    with pytest.raises(Malformed):
        Verdict.from_bytes(altered, judge.public)
    assert failing_check(altered, public) == "verdict.format"
