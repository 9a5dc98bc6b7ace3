"""Suspects that avoid an answer, or do not give the same one twice: SPEC.md 7.

They may time out on what looks like a trigger, answer NaN or nonsense, change their answers, or
guess from the order of the queries which images are triggers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.support.dispute import (
    CLASSES,
    Claimant,
    TableSuspect,
    TestJudge,
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


def needed(judge: TestJudge, owner: Claimant) -> int:
    verdict = judged(judge, owner, marked(owner.images, owner.labels))
    assert verdict.evidence is not None
    assert verdict.evidence.needed_matches is not None
    judge.forget()
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
    judge: TestJudge, owner: Claimant
) -> None:
    enough = needed(judge, owner)
    guilty = judged(judge, owner, silent_on(owner, enough, 50 - enough, TIMED_OUT))
    assert guilty.proven
    judge.forget()
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


def asked_of(judge: Judge, owner: Claimant, natural: NDArray[np.uint8] | None) -> list[bytes]:
    """What a remote suspect is asked where the judge brings these natural images."""
    suspect = remote(owner)
    challenge = judge.challenge(owner.commitment, suspect, reveal=50)
    proof = owner.answer(challenge, [0])
    assert judge.verify(owner.commitment, suspect, challenge, proof, decoys=natural).proven
    (asked,) = suspect.asked
    return asked


def test_an_endpoint_is_asked_as_many_decoys_as_triggers(judge: Judge, large: Claimant) -> None:
    """Fifty of families in which triggers are made, and natural images: the judge's, or public."""
    natural = random_images(30, 9, LARGE)
    for given, count in ((natural, 30), (None, 25)):
        asked = asked_of(judge, large, given)
        assert len(asked) == len(set(asked)) == 100 + count
        assert {image.tobytes() for image in large.images} < set(asked)
    assert {image.tobytes() for image in natural} < set(asked_of(judge, large, natural))


def test_decoys_that_are_triggers_hide_nothing_and_are_not_counted(
    judge: Judge, large: Claimant
) -> None:
    """Natural images that are the triggers, or one image fifty times: drawn decoys stay."""
    for natural in (large.images, np.repeat(random_images(1, 9, LARGE), 50, axis=0)):
        asked = asked_of(judge, large, natural)
        assert len(asked) == len(set(asked))
        assert len(set(asked) - {image.tobytes() for image in large.images}) >= 50


def test_an_endpoint_of_tiny_images_gets_decoys_too(judge: Judge, owner: Claimant) -> None:
    """64 pixels are too few for any family of images: independent ones take their place."""
    assert len(set(asked_of(judge, owner, None))) == 125


def test_the_owner_has_no_say_in_the_decoys(judge: TestJudge, large: Claimant) -> None:
    """Other responses, other decoys in them: what is asked follows from judge and challenge."""
    suspect = remote(large)
    challenge = judge.challenge(large.commitment, suspect, reveal=50)
    asked = []
    for _ in range(2):
        judge.forget()
        judge.verify(large.commitment, suspect, challenge, large.answer(challenge, [0]))
        asked.append(set(suspect.asked[-1]))
    assert asked[0] == asked[1]
    other = judge.challenge(large.commitment, suspect, reveal=50)
    judge.verify(large.commitment, suspect, other, large.answer(other, [0]))
    assert len(asked[0] & set(suspect.asked[-1])) < 80  # the triggers, and some natural images


def test_a_suspect_that_knows_the_challenge_cannot_tell_its_decoys(
    judge: TestJudge, other_judge: TestJudge, large: Claimant
) -> None:
    """They follow from the judge's secret key, too: another key gives others."""
    challenge = judge.challenge(large.commitment, remote(large), reveal=50)
    keys = {maker.key.decoy_key(challenge.digest, 0) for maker in (judge, other_judge)}
    assert len(keys) == 2
    assert judge.key.decoy_key(challenge.digest, 1) not in keys


def test_the_order_tells_an_endpoint_nothing(judge: TestJudge, large: Claimant) -> None:
    """Over 60 rounds, a trigger's mean place and its neighbors are those of a shuffle."""
    triggers = {image.tobytes() for image in large.images}
    suspect = remote(large)
    challenge = judge.challenge(large.commitment, suspect, reveal=50)
    proof = large.answer(challenge, [0])
    natural = random_images(1, 9, LARGE)
    for _ in range(60):
        judge.forget()
        judge.verify(large.commitment, suspect, challenge, proof, decoys=natural)
    flags = np.array([[image in triggers for image in call] for call in suspect.asked])
    assert flags.shape == (60, 101)
    assert (flags.sum(axis=1) == 50).all()
    # Each place holds a trigger with probability 50/101: 101 places, 60 draws, chi-square.
    places = flags.sum(axis=0)
    expected = 60 * 50 / 101
    assert ((places - expected) ** 2 / (expected * 51 / 101)).sum() < 190
    # Neighbors are alike with this probability.
    alike, by_chance = (flags[:, 1:] == flags[:, :-1]).mean(), (50 * 49 + 51 * 50) / (101 * 100)
    assert abs(alike - by_chance) < 6 * 0.5 / np.sqrt(60 * 100)
    assert len({tuple(call) for call in suspect.asked}) == 60


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
