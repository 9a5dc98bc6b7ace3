"""Signed verdicts about a suspect with scores, and the same with a changed body."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from tests.support.dispute import Claimant, TestJudge, new_judge, random_images, verdict_of
from tests.support.scored_suspect import ScoredSuspect, marked_scores
from zkwm_protocols.encoding import encode
from zkwm_protocols.ranks import Statistic
from zkwm_protocols.verdict_file import VerdictFile


def signed_verdict(
    statistic: Statistic, count: int = 50, *, strength: float = 9.0, silent: int = 0
) -> tuple[TestJudge, bytes]:
    """A judge, and their signed verdict about ``count`` triggers.

    ``strength`` is how much larger the scores of labels are, and the first ``silent`` triggers got
    no answer.
    """
    judge, owner = new_judge(), Claimant(random_images(count))
    suspect = ScoredSuspect(owner.images, marked_scores(owner.labels, strength))
    for image in owner.images[:silent]:
        suspect.scores[image.tobytes()] = "timed out"
    challenge = judge.challenge(owner.commitment, suspect, reveal=count, statistic=statistic)
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


def add_to(numbers: list[int], place: int, change: int) -> None:
    """Change one number of a list in place, such as a sum's value, largest or needed one."""
    numbers[place] += change
