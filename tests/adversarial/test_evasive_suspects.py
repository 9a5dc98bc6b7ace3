"""Suspects that avoid an answer, or do not give the same one twice: SPEC.md 7.

They may time out on what looks like a trigger, answer NaN or nonsense, change their answers, or
guess from the order of the queries which images are triggers.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.support.dispute import (
    CLASSES,
    Claimant,
    TableSuspect,
    failed,
    marked,
    random_images,
    status,
    verdict_of,
)
from zkwm.judge.judge import Judge
from zkwm.judge.verdict import Verdict
from zkwm.suspects import Answer
from zkwm.suspects.suspect import NOT_FINITE, TIMED_OUT, answer_from_scores
from zkwm_protocols.errors import SuspectUnusable

LARGE = (1, 16, 16)


def judged(judge: Judge, owner: Claimant, suspect: TableSuspect, **options: Any) -> Verdict:
    """The verdict on the first block."""
    challenge = judge.challenge(owner.commitment, suspect, reveal=50)
    proof = owner.answer(challenge, [0])
    return verdict_of(lambda: judge.verify(owner.commitment, suspect, challenge, proof, **options))


def silent_on(owner: Claimant, matching: int, unanswered: int, problem: str) -> TableSuspect:
    """Answers ``matching`` triggers rightly, ``unanswered`` not at all, the others wrongly."""
    suspect = marked(owner.images, owner.labels)
    for index in range(matching, 50):
        wrong = int(owner.labels[index] + 1) % CLASSES
        silent = index < matching + unanswered
        suspect.table[owner.images[index].tobytes()] = problem if silent else wrong
    return suspect


def needed(judge: Judge, owner: Claimant) -> int:
    verdict = judged(judge, owner, marked(owner.images, owner.labels))
    assert verdict.evidence is not None
    assert verdict.evidence.needed_matches is not None
    return verdict.evidence.needed_matches


@pytest.mark.parametrize("problem", [TIMED_OUT, NOT_FINITE, "its label is not in 0 to 9"])
def test_a_suspect_does_not_escape_by_giving_no_answers(
    judge: Judge, owner: Claimant, problem: str
) -> None:
    """It would be proven if the missing answers matched: could not be checked, and not innocent."""
    enough = needed(judge, owner)
    suspect = silent_on(owner, enough - 5, 5, problem)
    verdict = judged(judge, owner, suspect)
    assert verdict.outcome == "could not be checked"
    assert failed(verdict) == ["suspect.answers"]
    assert status(verdict, "evidence.threshold") == "skipped"


def test_missing_answers_that_cannot_change_the_verdict_do_not_delay_it(
    judge: Judge, owner: Claimant
) -> None:
    enough = needed(judge, owner)
    guilty = judged(judge, owner, silent_on(owner, enough, 50 - enough, TIMED_OUT))
    assert guilty.proven
    innocent = judged(judge, owner, silent_on(owner, enough - 6, 5, TIMED_OUT))
    assert innocent.outcome == "not proven"
    assert failed(innocent) == ["evidence.threshold"]


def test_a_suspect_that_never_answers_is_not_acquitted(judge: Judge, owner: Claimant) -> None:
    verdict = judged(judge, owner, TableSuspect(rule=lambda _: TIMED_OUT))
    assert verdict.outcome == "could not be checked"


def test_hidden_triggers_are_no_missing_answers(judge: Judge, owner: Claimant) -> None:
    """The owner leaves triggers out: they are misses, whatever the suspect might have said."""
    suspect = marked(owner.images, owner.labels)
    challenge = judge.challenge(owner.commitment, suspect, reveal=50)
    hidden = {f"t{i}": None for i in range(40)}
    proof = owner.answer(challenge, [owner.block(0, **hidden)])
    verdict = verdict_of(lambda: judge.verify(owner.commitment, suspect, challenge, proof))
    assert verdict.outcome == "not proven"


@pytest.mark.parametrize(
    "scores",
    [
        [np.nan] * CLASSES,
        [1.0] * (CLASSES - 1) + [np.inf],
        [1.0] * (CLASSES - 1),
        [1.0] * (CLASSES + 1),
        [],
    ],
)
def test_outputs_that_are_not_ten_finite_numbers_are_no_answer(scores: list[float]) -> None:
    answer = answer_from_scores(np.array(scores), CLASSES)
    assert answer.output is None
    assert answer.problem


def test_of_equal_outputs_the_first_is_the_answer() -> None:
    """A suspect with all outputs equal gives one answer, not whichever fits."""
    assert answer_from_scores(np.ones(CLASSES), CLASSES) == Answer(0)


class Changeable(TableSuspect):
    """Answers rightly the first time it sees an image, and wrongly ever after."""

    def answer(
        self, images: NDArray[np.uint8], preprocessing: Any, *, progress: Any = None
    ) -> tuple[Answer, ...]:
        answers = super().answer(images, preprocessing, progress=progress)
        for image in images:
            self.table[image.tobytes()] = (int(self.table[image.tobytes()]) + 1) % CLASSES
        return answers


def test_a_suspect_that_changes_its_answers_is_held_to_the_first(judge: Judge) -> None:
    """Each different image is asked once, also where it stands in several leaves."""
    owner = Claimant(np.repeat(random_images(25), 2, axis=0))
    suspect = Changeable({image.tobytes(): 4 for image in owner.images})
    verdict = judged(judge, owner, suspect)
    assert [len(call) for call in suspect.asked] == [25]
    assert {result.answer for result in verdict.triggers} == {4}


@pytest.fixture
def large() -> Claimant:
    """An owner of images that are large enough for decoys of the judge's."""
    return Claimant(random_images(50, shape=LARGE))


def remote(owner: Claimant) -> TableSuspect:
    table = marked(owner.images, owner.labels).table
    return TableSuspect(
        table, shape=owner.commitment.header.shape, kind="http", remote=True, name="https://a.b/"
    )


def asked_of(judge: Judge, owner: Claimant, decoys: tuple[NDArray[np.uint8], ...]) -> list[bytes]:
    """What a remote suspect is asked when the opening holds these decoys."""
    suspect = remote(owner)
    challenge = judge.challenge(owner.commitment, suspect, reveal=50)
    proof = owner.answer(challenge, [replace(owner.block(0), decoys=decoys)])
    assert judge.verify(owner.commitment, suspect, challenge, proof).proven
    (asked,) = suspect.asked
    return asked


def test_an_endpoint_is_asked_as_many_decoys_as_triggers(judge: Judge, large: Claimant) -> None:
    decoys = random_images(50, 9, LARGE)
    asked = asked_of(judge, large, tuple(decoys))
    assert len(asked) == 100
    assert {image.tobytes() for image in decoys} < set(asked)
    assert {image.tobytes() for image in large.images} < set(asked)


@pytest.mark.parametrize("given", [0, 1, 20])
def test_the_judge_makes_up_for_missing_decoys(judge: Judge, large: Claimant, given: int) -> None:
    asked = asked_of(judge, large, tuple(random_images(given, 9, LARGE)))
    assert len(set(asked) - {image.tobytes() for image in large.images}) >= 50


def test_triggers_sealed_as_decoys_hide_nothing_and_are_not_counted(
    judge: Judge, large: Claimant
) -> None:
    """Fifty "decoys" that are the triggers, or one image fifty times: the judge adds others."""
    for decoys in (large.images, np.repeat(random_images(1, 9, LARGE), 50, axis=0)):
        asked = asked_of(judge, large, tuple(decoys))
        assert len(asked) == len(set(asked))
        assert len(set(asked) - {image.tobytes() for image in large.images}) >= 50


def test_an_endpoint_of_tiny_images_gets_decoys_too(judge: Judge, owner: Claimant) -> None:
    """64 pixels are too few for any family of images: independent ones take their place."""
    asked = asked_of(judge, owner, ())
    assert len(set(asked)) == 100


def test_the_order_tells_an_endpoint_nothing(judge: Judge, large: Claimant) -> None:
    """Over 200 rounds, a trigger's mean place and its neighbors are those of a shuffle."""
    triggers = {image.tobytes() for image in large.images}
    suspect = remote(large)
    challenge = judge.challenge(large.commitment, suspect, reveal=50)
    decoys = tuple(random_images(50, 9, LARGE))
    proof = large.answer(challenge, [replace(large.block(0), decoys=decoys)])
    for _ in range(200):
        judge.verify(large.commitment, suspect, challenge, proof)
    flags = np.array([[image in triggers for image in call] for call in suspect.asked])
    assert flags.shape == (200, 100)
    assert (flags.sum(axis=1) == 50).all()
    # Each place holds a trigger with probability 1/2: 100 places, 200 draws, chi-square.
    places = flags.sum(axis=0)
    assert ((places - 100) ** 2 / 50).sum() < 190
    # Neighbours are alike with probability 49/99.
    alike = (flags[:, 1:] == flags[:, :-1]).mean()
    assert abs(alike - 49 / 99) < 6 * 0.5 / np.sqrt(200 * 99)
    assert len({tuple(call) for call in suspect.asked}) == 200


def test_answers_to_decoys_do_not_count(judge: Judge, large: Claimant) -> None:
    suspect = remote(large)
    suspect.rule = lambda _: TIMED_OUT
    challenge = judge.challenge(large.commitment, suspect, reveal=50)
    assert judge.verify(large.commitment, suspect, challenge, large.answer(challenge, [0])).proven


def test_a_suspect_that_cannot_be_opened_was_not_compared(
    judge: Judge, owner: Claimant, tmp_path: Any
) -> None:
    """The verdict does not say that the suspect is the one of the challenge."""
    suspect = marked(owner.images, owner.labels)
    challenge = judge.challenge(owner.commitment, suspect, reveal=50)
    proof = owner.answer(challenge, [0])
    (tmp_path / "model.onnx").write_bytes(b"no model")
    with pytest.raises(SuspectUnusable) as caught:
        judge.verify(owner.commitment, tmp_path / "model.onnx", challenge, proof)
    assert failed(caught.value.verdict) == ["challenge.suspect"]
    assert status(caught.value.verdict, "suspect.answers") == "skipped"
