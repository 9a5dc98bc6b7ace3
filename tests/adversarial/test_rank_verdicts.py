"""A judge who signs a sum of ranks that is none: SPEC.md 10.4, of whatever size."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.reference.verdict import failing_check
from tests.support.dispute import (
    CLASSES,
    Claimant,
    TableSuspect,
    TestJudge,
    new_judge,
    random_images,
    verdict_of,
)
from zkwm.judge.verdict import Verdict
from zkwm.suspects.suspect import Answer, answer_from_scores
from zkwm_protocols.encoding import encode
from zkwm_protocols.errors import Malformed
from zkwm_protocols.ranks import Statistic, weights
from zkwm_protocols.verdict_file import VerdictFile


class ScoredSuspect(TableSuspect):
    """Scores that are random, and larger for each label."""

    def __init__(self, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> None:
        super().__init__(name="a scored table")
        rows = np.random.default_rng(5).normal(size=(len(images), CLASSES))
        rows[np.arange(len(images)), labels] += 1
        self.scores = dict(zip((image.tobytes() for image in images), rows, strict=True))

    def answer(
        self, images: NDArray[np.uint8], preprocessing: Any, *, progress: Any = None
    ) -> tuple[Answer, ...]:
        nothing = np.zeros(CLASSES)
        found = (self.scores.get(image.tobytes(), nothing) for image in images)
        return tuple(answer_from_scores(row, CLASSES) for row in found)


def signed(count: int) -> tuple[TestJudge, bytes]:
    """A judge, and their signed verdict by ranks about so many triggers."""
    judge, owner = new_judge(), Claimant(random_images(count))
    suspect = ScoredSuspect(owner.images, owner.labels)
    challenge = judge.challenge(owner.commitment, suspect, reveal=count, statistic=Statistic.RANKS)
    proof = owner.answer(challenge, range(count // 50))
    verdict = verdict_of(lambda: judge.verify(owner.commitment, suspect, challenge, proof))
    return judge, judge.sign_verdict(verdict)


def resigned(judge: TestJudge, file: bytes, change: Callable[[Any], object]) -> bytes:
    """The file with a changed body, signed by the judge's own key."""
    fields = VerdictFile.from_bytes(file).fields()
    change(fields)
    body = encode(fields)
    signature = judge.key.signing.sign("verdict", hashlib.sha256(body).digest())
    return VerdictFile(body, signature).to_bytes()


def _more(numbers: list[int], place: int, change: int) -> None:
    """Change a number: value, largest and needed sum."""
    numbers[place] += change


CHANGES: dict[str, Callable[[Any], object]] = {
    "more evidence": lambda value: value["evidence"]["terms"][0].__setitem__(
        1, value["evidence"]["terms"][0][1] + 100
    ),
    "a larger sum": lambda value: _more(value["evidence"]["rank_sum"], 0, 1),
    "a larger whole": lambda value: _more(value["evidence"]["rank_sum"], 1, 1),
    "less needed": lambda value: _more(value["evidence"]["rank_sum"], 2, -1),
}


@pytest.mark.parametrize("count", [100, pytest.param(6_700, marks=pytest.mark.slow)])
def test_a_sum_of_ranks_is_recounted(count: int, quick_labels: None) -> None:
    """6,700 triggers weigh 40,200: earlier readers left such a sum to the judge."""
    judge, file = signed(count)
    assert count < 5000 or count * weights(CLASSES)[0] > 40_000
    read = Verdict.from_bytes(file, judge.public)
    assert read.evidence is not None
    assert read.evidence.rank_sum is not None
    for name, change in CHANGES.items():
        with pytest.raises(Malformed) as refused:
            Verdict.from_bytes(resigned(judge, file, change), judge.public)
        assert refused.value.check == "verdict.format", name


def test_the_reference_recounts_it_too(quick_labels: None) -> None:
    judge, file = signed(50)
    public = VerdictFile.from_bytes(file).fields()["judge"]
    assert failing_check(file, public) is None
    for name, change in CHANGES.items():
        assert failing_check(resigned(judge, file, change), public) == "verdict.format", name
