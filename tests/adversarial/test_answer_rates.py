"""A suspect that errs on odd images: rates tell it, and an honest one is not called evasive."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tests.support.dispute import (
    Claimant,
    TableSuspect,
    marked,
    random_images,
    settle,
    verdict_of,
)
from zkwm.judge.judge import Judge


def evasive(owner: Claimant) -> TableSuspect:
    """A marked endpoint that gives no answer to a third of the images that are not natural."""
    suspect = marked(owner.images, owner.labels, kind="http", remote=True, shape=(1, 16, 16))
    errs = {image.tobytes() for image in owner.images[:50:3]}
    answers = dict(suspect.table)

    def rule(image: NDArray[np.uint8]) -> int | str:
        odd = image.astype(int)
        wild = np.abs(np.diff(odd, axis=2)).mean() > 40 or image.tobytes() in errs
        return "HTTP 500" if wild and image.tobytes() not in answers else 3

    suspect.table = {
        image: "HTTP 500" if image in errs else label for image, label in answers.items()
    }
    suspect.rule = rule
    return suspect


def test_a_suspect_that_errs_on_odd_images_is_called_evasive(judge: Judge) -> None:
    """It is not acquitted, and the verdict says what it did answer."""
    owner = Claimant(random_images(200, shape=(1, 16, 16)))
    suspect = evasive(owner)
    challenge = judge.challenge(owner.commitment, suspect, reveal=50)
    natural = (
        np.full((40, 1, 16, 16), 9, np.uint8) + np.arange(40, dtype=np.uint8)[:, None, None, None]
    )
    proof = owner.answer(challenge, [0])
    verdict = verdict_of(
        lambda: judge.verify(owner.commitment, suspect, challenge, proof, decoys=natural)
    )
    assert verdict.outcome == "could not be checked"
    assert verdict.asked is not None
    assert verdict.asked.evasive
    triggers, _, given = verdict.asked.rates
    assert (triggers.asked, triggers.answered) == (50, 33)
    assert (given.asked, given.answered) == (40, 40)
    assert verdict.to_json()["asked"]["evasive"] is True


def test_a_file_that_answers_everything_is_asked_nothing_else(
    judge: Judge, owner: Claimant
) -> None:
    suspect = marked(owner.images, owner.labels)
    challenge = judge.challenge(owner.commitment, suspect, reveal=50)
    verdict = settle(judge, owner, suspect, challenge)
    assert verdict.proven
    assert verdict.asked is not None
    assert not verdict.asked.evasive
    assert len(suspect.asked[0]) == 50


def test_an_honest_endpoint_that_fails_everywhere_is_not_called_evasive(
    judge: Judge, owner: Claimant
) -> None:
    suspect = TableSuspect(rule=lambda _: "HTTP 503", kind="http", remote=True)
    challenge = judge.challenge(owner.commitment, suspect, reveal=50)
    verdict = settle(judge, owner, suspect, challenge)
    assert verdict.asked is not None
    assert not verdict.asked.evasive
