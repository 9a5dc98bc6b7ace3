"""What a replay says of answers that differ, by how they change with the last bits of pixels."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from zkwm.case_archive import replay_triggers
from zkwm.case_archive.other_rounding import RoundedAnswers, _moved
from zkwm.case_archive.steps import ReplayState
from zkwm.judge.results import TriggerResult, TriggerStatus
from zkwm_protocols.errors import SuspectUnusable
from zkwm_protocols.suspect_identity import Preprocessing

COUNT, NEEDED = 100, 40


class Weighing:
    """Two bits for each match after the fifth; 40 matches are enough."""

    def weigh(self, matches: int, triggers: Sequence[TriggerResult]) -> Any:
        assert matches == sum(one.status == TriggerStatus.MATCH for one in triggers)
        return SimpleNamespace(total_hundredths=200 * matches - 1000, reached=matches >= NEEDED)


def results(matching: set[int]) -> list[TriggerResult]:
    """Triggers of which these match."""
    status = {True: TriggerStatus.MATCH, False: TriggerStatus.NO_MATCH}
    return [
        TriggerResult(0, place, status[place in matching], None, 1, 1, int(place in matching))
        for place in range(COUNT)
    ]


def step(stated: set[int], here: set[int], rounded: Sequence[set[int]]) -> tuple[ReplayState, str]:
    """The state of the step "answers", and its words."""
    answers = RoundedAnswers(
        case=cast(Any, Weighing()),
        stated=results(stated),
        here=results(here),
        same=lambda ours, theirs: ours.status == theirs.status,
        rounded=[results(one) for one in rounded],
    )
    found = answers.step("some differ")
    return found.state, found.words


FIRM = set(range(50))


def test_what_rounding_changes_may_differ() -> None:
    state, words = step(FIRM | {60, 61}, FIRM | {62}, [FIRM | {60}, FIRM | {61, 63}])
    assert state == ReplayState.REPEATED
    assert words == (
        "some differ; where the last bits of pixels differ, 4 of 100 answers change, 3 of these "
        "among them, and 92.00 to 94.00 bits are left, which always decide as the verdict does"
    )


def test_without_anything_that_rounding_changes_one_answer_is_a_lie() -> None:
    words = (
        "some differ; where the last bits of pixels differ, 0 of 100 answers change, 0 of these "
    )
    assert step(FIRM | {60}, FIRM, [FIRM] * 7) == (ReplayState.DIFFERS, words + "among them")


def test_a_lie_about_more_than_a_few_answers_beside_those_that_rounding_changes() -> None:
    loose = [{60}, {61}, {62}, {63}]
    assert step(FIRM | {60, 70}, FIRM, [FIRM | one for one in loose])[0] == ReplayState.REPEATED
    assert step(FIRM | {60, 70, 71}, FIRM, [FIRM | one for one in loose])[0] == ReplayState.DIFFERS


def test_nobody_repeats_what_rounding_decides() -> None:
    near = set(range(39))
    state, words = step(near | {60}, near, [near | {60}, near, near | {61, 62}])
    assert state == ReplayState.NOT_REPEATED
    assert "do not always decide as the verdict does" in words


def test_the_luckiest_answers_of_all_machines_together_are_a_lie() -> None:
    """Rounding changes every answer that the verdict has better, and none has so many."""
    few = set(range(20))
    changes = [few | {place, place + 1} for place in range(30, 100)]
    state, words = step(set(range(COUNT)), few, changes)
    assert state == ReplayState.DIFFERS
    assert words.endswith("far from the verdict's 190.00")


def test_less_than_no_bits_are_shown_as_none() -> None:
    state, words = step({60}, set(), [{60}, {61}])
    assert state == ReplayState.REPEATED
    assert "0.00 to 0.00 bits are left" in words


def within(monkeypatch: pytest.MonkeyPatch, *, moved: bool) -> tuple[ReplayState, str]:
    """The step where pixels cannot be moved, or the suspect cannot be asked again then."""

    def refuse(*_: Any) -> Any:
        raise SuspectUnusable("it takes too long", check="suspect.answers")

    monkeypatch.setattr(replay_triggers, "ask_here", refuse)
    monkeypatch.setattr(replay_triggers, "rounded_cases", (lambda *_: [None]) if moved else refuse)
    answers = RoundedAnswers(cast(Any, Weighing()), (), (), lambda *_: True)
    found = replay_triggers._within_rounding(cast(Any, None), (), answers, "some differ")
    return found.state, found.words


def test_a_suspect_that_cannot_be_asked_so(monkeypatch: pytest.MonkeyPatch) -> None:
    assert within(monkeypatch, moved=False) == (
        ReplayState.DIFFERS,
        "some differ; whether rounding decides them cannot be tried with such an input",
    )


def test_a_suspect_that_is_too_slow_tells_nothing_about_the_judge(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert within(monkeypatch, moved=True) == (
        ReplayState.NOT_REPEATED,
        "some differ; whether rounding decides them is not known: it takes too long",
    )


@pytest.mark.parametrize(
    ("mean", "std", "move", "expected"),
    [
        ((), (), 1, ("1.000000100000",) * 3),
        ((), (), -2, ("0.999999800000",) * 3),
        (("0.5",) * 3, ("0.25", "0.5", "255"), 4, ("0.250000100000", "0.500000200000",
                                                 "255.000102000000")),
        (("0",), ("0.000000000001",), -1, ("0.000000000001",)),
    ],
)  # fmt: skip
def test_a_preprocessing_with_other_last_bits(
    mean: tuple[str, ...], std: tuple[str, ...], move: int, expected: tuple[str, ...]
) -> None:
    given = Preprocessing(scale="unit", mean=mean, std=std, layout="nhwc")
    moved = _moved(given, len(expected), move)
    assert moved.std == expected
    assert (moved.mean, moved.layout) == (mean or ("0",) * 3, "nhwc")
