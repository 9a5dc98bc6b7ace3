"""A suspect with a row of scores for each known image."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.support.dispute import CLASSES, TableSuspect
from zkwm.suspects.suspect import Answer, answer_from_scores


class ScoredSuspect(TableSuspect):
    """Gives the scores of images that it knows, others a row of its own; or a problem."""

    def __init__(
        self, images: NDArray[np.uint8], rows: NDArray[np.float64], **options: Any
    ) -> None:
        super().__init__(name="a scored table", **options)
        self.scores: dict[bytes, NDArray[np.float64] | str] = {
            image.tobytes(): row for image, row in zip(images, rows, strict=True)
        }

    def answer(
        self, images: NDArray[np.uint8], preprocessing: Any, *, progress: Any = None
    ) -> tuple[Answer, ...]:
        found = [self.scores.get(image.tobytes(), np.zeros(CLASSES)) for image in images]
        return tuple(
            Answer(None, row) if isinstance(row, str) else answer_from_scores(row, CLASSES)
            for row in found
        )


def marked_scores(labels: NDArray[np.int64], strength: float) -> NDArray[np.float64]:
    """Scores with a habit for class 3, and ``strength`` more for each label, float64 (n, C)."""
    rows = np.random.default_rng(5).normal(size=(len(labels), CLASSES))
    rows[:, 3] += 8
    rows[np.arange(len(labels)), labels] += strength
    return rows
