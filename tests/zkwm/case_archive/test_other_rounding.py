"""What a replay says of answers that differ, by how they change with other rounding."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, cast

import pytest

from zkwm.case_archive import other_rounding
from zkwm.case_archive.other_rounding import Askings, NoOtherRoundingError, Replaying, _moved
from zkwm.case_archive.rounded_answers import RoundedAnswers
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


def step(
    stated: set[int],
    here: set[int],
    rounded: Sequence[set[int]],
    missing: Iterable[int] = (),
) -> tuple[ReplayState, str]:
    """The state of the step "answers", and its words; ``missing`` have no answer here."""
    answers = RoundedAnswers(
        case=cast(Any, Weighing()),
        stated=results(stated),
        here=results(here),
        same=lambda ours, theirs: ours.status == theirs.status,
        rounded=[results(one) for one in rounded],
        open=frozenset(missing),
    )
    found = answers.step("some differ")
    return found.state, found.words


FIRM = set(range(50))


def test_what_rounding_changes_may_differ() -> None:
    state, words = step(FIRM | {60, 61}, FIRM | {62}, [FIRM | {60}, FIRM | {61, 63}])
    assert state == ReplayState.REPEATED
    assert words == (
        "some differ; with other rounding, 4 of 100 answers change, 3 of these "
        "among them, and 92.00 to 94.00 bits are left, which always decide as the verdict does"
    )


def test_without_anything_that_rounding_changes_one_answer_is_a_lie() -> None:
    words = "some differ; with other rounding, 0 of 100 answers change, 0 of these "
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


def test_answers_that_are_missing_here_beside_others() -> None:
    """They are not compared; beside a lie about others the step differs, else nobody knows."""
    here = {*FIRM, 60}
    rounded = [{*FIRM, 61}]
    assert step(FIRM | {70}, here, rounded, missing={70})[0] == ReplayState.NOT_REPEATED
    assert step(FIRM | {70, 80, 81}, here, rounded, missing={70})[0] == ReplayState.DIFFERS


def test_less_than_no_bits_are_shown_as_none() -> None:
    state, words = step({60}, set(), [{60}, {61}])
    assert state == ReplayState.REPEATED
    assert "0.00 to 0.00 bits are left" in words


class Asked:
    """Counts askings, and says how they were made."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, *, whole: bool = False, fixed: bool = False
    ) -> None:
        self.orders: list[int] = []
        self.seconds: list[float] = []
        self.told: list[tuple[str, int, int]] = []
        self._whole, self._fixed = whole, fixed
        monkeypatch.setattr(other_rounding, "suspect_again", self._opened)

    @contextmanager
    def _opened(self, *given: Any, order: int = 0) -> Iterator[Any]:
        self.orders.append(order)
        self.seconds.append(given[2].total_seconds)
        if order and self._fixed:
            raise SuspectUnusable("no memory for another order", check="suspect.answers")
        yield SimpleNamespace(
            identity=SimpleNamespace(shape=(1, 4, 4)), check_preprocessing=self._check
        )

    def _check(self, _: Preprocessing) -> None:
        if self._whole:
            raise SuspectUnusable("whole numbers", check="suspect.answers")

    def askings(self, kind: str = "safetensors") -> Askings:
        documents = SimpleNamespace(
            challenge=SimpleNamespace(
                preprocessing=Preprocessing(), suspect=SimpleNamespace(kind=kind)
            )
        )
        replaying = Replaying(progress=lambda *given: self.told.append(given))
        return Askings(cast(Any, documents), "model", replaying)

    def answer(self, _: Any, preprocessing: Preprocessing, progress: Any) -> tuple[str, ...]:
        progress(1, 2)
        return preprocessing.std


def test_seven_other_askings_have_what_is_left_of_one_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = Asked(monkeypatch)
    askings = asked.askings()
    assert askings.first(asked.answer) == ()
    moved = askings.others(asked.answer)
    assert len({*moved, ()}) == 8
    assert asked.orders == [0, 1, 2, 3, 4, 5, 6, 7]
    assert asked.seconds[0] <= 3600
    assert asked.seconds == sorted(asked.seconds, reverse=True)
    assert asked.told[0] == ("asking the suspect again", 1, 2)
    assert asked.told[-1] == ("asking it with other rounding, 7 of 7", 1, 2)


def test_one_that_cannot_be_opened_in_another_order_has_its_pixels_moved(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = Asked(monkeypatch, fixed=True)
    moved = asked.askings().others(asked.answer)
    assert len({*moved, ()}) == 8
    assert asked.orders[:4] == [1, 0, 2, 0]
    with pytest.raises(SuspectUnusable, match="no memory"):
        Asked(monkeypatch, whole=True, fixed=True).askings().others(asked.answer)


@pytest.mark.parametrize(("kind", "whole"), [("safetensors", True), ("extraction", False)])
def test_a_suspect_that_cannot_be_asked_so(
    kind: str, whole: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Asked(monkeypatch, whole=whole)
    with pytest.raises(NoOtherRoundingError):
        asked.askings(kind).others(asked.answer)


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
