"""Scores that no classifier gives: the same for every image, or sorted; or none (SPEC.md 6.1).

A file whose last node sorts its scores says how sure it is, not which class it means. Asked all the
same, it would match by chance alone, after a block has been opened.
"""

from __future__ import annotations

import secrets

import numpy as np
from numpy.typing import NDArray

from zkwm.suspects.suspect import CHECK, Answer
from zkwm_protocols.errors import SuspectUnusable

_EACH = 8
_LEAST_SORTED = 4
"""Scores of fewer outputs are in order by chance too often."""


def trial_images(shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Images uint8 (16, c, h, w) that nobody can foresee: half noise, half coarse patches."""
    channels, height, width = shape
    random = np.random.default_rng(secrets.randbits(128))
    noise = random.integers(0, 256, (_EACH, *shape), dtype=np.uint8)
    rows, columns = -(-height // 4), -(-width // 4)
    patches = random.integers(0, 256, (_EACH, channels, 4, 4), dtype=np.uint8)
    large = patches.repeat(rows, axis=2).repeat(columns, axis=3)[:, :, :height, :width]
    return np.concatenate([noise, large])


def require_classes(answers: tuple[Answer, ...]) -> None:
    """Raise SuspectUnusable unless the answers to different images can be those of classes."""
    rows = [answer.scores for answer in answers if answer.scores is not None]
    if len(rows) < 2:
        return
    scores = np.stack(rows)
    if (scores == scores[0]).all():
        raise SuspectUnusable(
            "the suspect gives the same scores for every image",
            hint="check that the output with the scores is asked, and `scale`, `mean` and `std`",
            check=CHECK,
        )
    steps = np.diff(scores, axis=1)
    if scores.shape[1] >= _LEAST_SORTED and ((steps <= 0).all() or (steps >= 0).all()):
        raise SuspectUnusable(
            "the suspect sorts its scores, so that they do not say which class they are of",
            hint="ask an output with the scores in the order of the classes",
            check=CHECK,
        )


def require_scores(answers: tuple[Answer, ...], statistic: str) -> None:
    """Raise SuspectUnusable unless a statistic can be counted in the answers to trial images.

    Every image that is answered needs scores, and one at least.
    """
    labels = sum(answer.output is not None and answer.scores is None for answer in answers)
    if not labels and any(answer.scores is not None for answer in answers):
        return
    how = f"labels without scores to {labels}" if labels else "no answer to any"
    raise SuspectUnusable(
        f"{statistic} are counted by scores, and the suspect gives {how} of {len(answers)} images",
        hint=f"ask for matches (leave `statistic='{statistic}'` out)",
        check=CHECK,
    )
