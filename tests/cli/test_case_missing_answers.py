"""case check: answers that a verdict, or the machine that repeats it, has not got in time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from tests.cli.test_dispute import one_claim
from tests.support.court import ALL, Court, answering, checked, states, words_of
from zkwm.case_archive import other_rounding, replay_answers
from zkwm.judge.results import CheckStatus, TriggerResult, TriggerStatus
from zkwm.judge.verdict import Outcome, Verdict
from zkwm.suspects.suspect import TIMED_OUT

Change = Callable[[Verdict], Verdict]


@pytest.fixture
def packed(court: Court) -> Court:
    """A case of 50 triggers, all of which match; the triggers are in the archive."""
    court.decide()
    assert court.pack(triggers=True).code == 0
    return court


def without(number: int) -> Change:
    """The verdict of a judge who got no answer to so many triggers."""

    def change(true: Verdict) -> Verdict:
        late = {one.index for one in true.triggers[:number]}
        return answering(true, lambda one: None if one.index in late else one.answer)

    return change


def undecided(true: Verdict) -> Verdict:
    """That of one who got too few, and says so."""
    verdict = checked(without(45)(true), "evidence.threshold", CheckStatus.SKIPPED)
    verdict = checked(verdict, "suspect.answers", CheckStatus.FAILED)
    return replace(verdict, outcome=Outcome.COULD_NOT_CHECK, reason="45 got no answer")


def test_a_judge_to_whom_a_few_answers_came_too_late(packed: Court) -> None:
    packed.lie(without(5))
    found = packed.check(expected=0)
    assert states(found) == ALL
    assert words_of(found) == (
        "asked again, 45 of 45 match, each as the verdict says; 5 have no answer in the verdict, "
        "and cannot decide"
    )


def test_a_judge_who_calls_answers_late_to_deny_a_proof(packed: Court) -> None:
    """Where missing answers could decide, no judge may say that nothing was proven (SPEC 7)."""
    packed.lie(without(45))
    found = packed.check(expected=3)
    assert states(found) == ALL | {"answers": "not repeated", "evidence": "differs"}


def test_a_judge_who_could_not_decide_is_no_liar(packed: Court) -> None:
    packed.lie(undecided)
    found = packed.check(expected=3)
    assert states(found) == ALL | {"answers": "not repeated", "evidence": "not repeated"}
    assert words_of(found, "evidence") == "the verdict decides nothing: 45 got no answer"


def slow_here(monkeypatch: pytest.MonkeyPatch, late: int, problem: str) -> None:
    """A machine that gets no answer to the first triggers, and asks once more, not seven times."""
    monkeypatch.setattr(other_rounding, "ORDERS", 1)
    asked = replay_answers.question

    def question(*given: Any) -> Any:
        results, rates = asked(*given)
        none = {"status": TriggerStatus.NO_ANSWER, "answer": None, "problem": problem}
        first = [_changed(one, none) for one in results[:late]]
        return (*first, *results[late:]), rates

    monkeypatch.setattr(replay_answers, "question", question)


def _changed(one: TriggerResult, none: dict[str, Any]) -> TriggerResult:
    """A result without its answer, if it was asked."""
    return one if one.status == TriggerStatus.MISSING_LEAF else replace(one, **none)


@pytest.mark.parametrize(
    ("late", "lies", "expected", "words"),
    [
        pytest.param(5, 0, "repeated", "and cannot decide", id="few"),
        pytest.param(45, 0, "not repeated", "and could decide", id="many"),
        pytest.param(5, 3, "differs", "the model answers 3 triggers otherwise", id="beside lies"),
    ],
)
def test_a_court_to_which_answers_come_too_late(
    late: int,
    lies: int,
    expected: str,
    words: str,
    packed: Court,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is answered has to be as the verdict says; for the rest the court needs more time."""
    made_up = {10, 20, 30, 31, 32}
    packed.lie(
        lambda true: answering(
            true,
            lambda one: (one.answer or 0) ^ (one.index % 50 in sorted(made_up)[:lies]),
        )
    )
    slow_here(monkeypatch, late, TIMED_OUT)
    code = 0 if expected == "repeated" else 3
    found = packed.check(expected=code)
    assert states(found) == ALL | {"answers": expected}
    assert words in words_of(found)


def test_the_hint_says_how_to_give_more_time(
    packed: Court, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow_here(monkeypatch, 45, TIMED_OUT)
    done = packed.zkwm("case", "check", packed.archive, "--timeout", 40)
    assert done.code == 3
    assert "hint: give it more time for an answer (--timeout)" in done.stderr


def test_a_dispute_says_who_knows_what_helps(
    packed: Court, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The claim stands on its judge's word, and the archive by itself tells how to do better."""
    slow_here(monkeypatch, 45, TIMED_OUT)
    path = packed.folder / "CASE.yaml"
    path.write_text(yaml.safe_dump(one_claim("model.onnx", {"archive": "case.zip"})), "utf-8")
    (claim,) = packed.zkwm("dispute", path, "--json").json["claims"]
    assert claim["detail"].startswith("as its judge says; not repeated: answers: ")
    assert claim["detail"].endswith("; zkwm case check repeats it by itself, and says what helps")


def test_an_answer_that_is_no_number_is_not_late(
    packed: Court, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No machine needs more time for it: a verdict that has a number instead differs."""
    slow_here(monkeypatch, 5, "not finite")
    found = packed.check(expected=3)
    assert states(found) == ALL | {"answers": "differs"}


def test_no_time_for_seven_more_askings_is_told_before_they_begin(
    packed: Court, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each look at the clock takes 200 seconds here."""
    clock = count(0, 200)
    monkeypatch.setattr(other_rounding, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    packed.lie(lambda true: answering(true, lambda one: (one.answer or 0) ^ 1))
    done = packed.zkwm("case", "check", packed.archive)
    assert done.code == 3
    assert "not known: asking it 7 times more would take about" in done.stdout
    assert "hint: give all askings more time (--total-timeout)" in done.stderr
