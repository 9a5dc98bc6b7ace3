"""case check: verdicts about networks in which rounding decides some answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.support.case_files import PASSPHRASE, Command, Files, dispute_over
from tests.support.court import ALL, Court, states
from tests.support.rounded_lookup import answers_elsewhere, save_rounded_lookup
from zkwm.judge.key_file import open_judge_key
from zkwm.judge.results import TriggerResult, TriggerStatus
from zkwm.judge.verdict import Outcome, Verdict
from zkwm_protocols.evidence import assess

WORDS = "which always decide as the verdict does"


def answering(true: Verdict, output: Callable[[TriggerResult], int | None]) -> Verdict:
    """The verdict of a judge whose suspect answers so; bits, outcome and checks follow."""
    triggers = []
    for one in true.triggers:
        answer = output(one)
        matches = answer == one.expected_output
        status = TriggerStatus.MATCH if matches else TriggerStatus.NO_MATCH
        triggers.append(replace(one, status=status, answer=answer))
    assert true.header is not None
    assert true.challenge is not None
    evidence = assess(
        sum(one.status == TriggerStatus.MATCH for one in triggers),
        blocks_used=len(true.blocks), block_count=true.header.block_count,
        block_size=true.header.block_size, class_count=true.header.class_count,
        policy=replace(true.challenge.policy, functions_tried=true.functions_tried or 1),
    )  # fmt: skip
    outcome = Outcome.PROVEN if evidence.reached else Outcome.NOT_PROVEN
    return replace(true, triggers=tuple(triggers), evidence=evidence, outcome=outcome)


def decided(court: Court, zkwm: Command, case: Files, right: int, loose: int, code: int) -> None:
    """Decide about a suspect by two blocks of 50.

    In each, the first ``right`` labels are its answers, and rounding decides the last ``loose``.
    """
    images, labels = case.triggers()
    places = np.arange(len(labels)) % 50
    outputs = np.where(places < right, labels, labels + 1) % 10
    model = case.folder / "rounded.onnx"
    save_rounded_lookup(model, images, outputs, places >= 50 - loose)
    options = dispute_over(zkwm, case, model=model, reveal=100)
    court.files = [case.commitment, case.folder / "new.challenge", case.folder / "new.proof",
                   case.public, model]  # fmt: skip
    court.decide(*options, expected=code)
    assert court.pack(triggers=True).code == 0
    assert states(court.check(expected=code)) == ALL


def elsewhere(case: Files) -> Callable[[TriggerResult], int | None]:
    """The answers of another machine."""
    images, _ = case.triggers()
    found = answers_elsewhere(case.folder / "rounded.onnx", images)
    return lambda one: found[one.index]


def words_of(found: dict[str, Any]) -> str:
    """What the step of answers says."""
    return next(step["words"] for step in found["steps"] if step["step"] == "answers")


@pytest.mark.parametrize(("right", "code"), [(35, 0), (0, 10)])
def test_an_honest_judge_of_another_machine_is_repeated(
    right: int, code: int, court: Court, zkwm: Command, case: Files
) -> None:
    decided(court, zkwm, case, right, 15, code)
    court.lie(lambda true: answering(true, elsewhere(case)))
    found = court.check(expected=code)
    assert states(found) == ALL
    assert WORDS in words_of(found)


@pytest.mark.parametrize(
    ("loose", "said", "unsaid"),
    [
        pytest.param(50, "far from the verdict's", "decide as", id="about answers that are loose"),
        pytest.param(15, "answers change", "bits are left", id="about the others"),
    ],
)
def test_a_judge_who_makes_up_answers_beside_loose_ones(
    loose: int, said: str, unsaid: str, court: Court, zkwm: Command, case: Files
) -> None:
    """The lie is about answers that rounding decides, which no machine finds all right, or not."""
    proof = proven(court, case)
    decided(court, zkwm, case, 0, loose, 10)
    court.lie(
        lambda true: replace(
            answering(true, lambda one: one.expected_output),
            checks=proof.checks,
            reason=proof.reason,
        )
    )
    found = court.check(expected=3)
    assert states(found)["answers"] == "differs"
    assert said in words_of(found)
    assert unsaid not in words_of(found)


def proven(court: Court, case: Files) -> Verdict:
    """An honest verdict that proves, whose checks and reason a lie repeats."""
    court.decide()
    return Verdict.from_bytes(
        court.verdict.read_bytes(), open_judge_key(case.judge, PASSPHRASE).public
    )
