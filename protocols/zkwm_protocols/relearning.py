"""Labels that a suspect remembers once it has relearned others (SPEC.md 8.7).

An attack suppresses a memory more often than it erases it. So copies of the suspect are trained on
some of the opened triggers with their labels, and the labels of the others are ranked among the
copy's scores: what was embedded together comes back together, and what never was does not. A label
is trained on only after it was ranked, so that every rank is uniform given all earlier labels, and
the law is that of SPEC.md 8.4. ``zkwm.training.relearning`` trains.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.ranks import ranks

FOLDS = 8
"""Parts of the triggers: all before a part are trained on when it is ranked."""
MOST_STEPS = 100
ENOUGH = 0.05
"""The mean loss below which a round takes no further step."""
RATE, MOMENTUM = 0.01, 0.9
LARGEST_NORM = 5.0
"""A longer gradient is shortened to this Euclidean norm."""
CHUNK = 32
"""Images whose gradients are taken together, and then added up."""

Round = tuple[NDArray[np.int64], NDArray[np.int64]]
"""The triggers that are trained on, and those that are asked then, by place among all."""


def rounds_of(count: int) -> list[Round]:
    """The rounds after the first, which trains on nothing, for ``count`` triggers in their order.

    The part of a trigger is its place modulo 8, so that each has some of every block.
    """
    part = np.arange(count) % FOLDS
    return [
        (np.flatnonzero(part < number), np.flatnonzero(part >= number))
        for number in range(1, min(FOLDS, count))
    ]


def relearned_ranks(
    scores: NDArray[np.float64], relearned: Sequence[NDArray[np.float64]], labels: Sequence[int]
) -> tuple[int, ...]:
    """The rank of each label, 0 the highest, in the round of its part.

    Args:
        scores (float64, (n, C)): of the suspect as it is, finite.
        relearned: for each of ``rounds_of`` the scores float64 (m, C) of those asked; where one is
            not finite, those of the suspect as it is count.
        labels: of all triggers.
    """
    count = len(labels)
    found = list(ranks(scores, labels))
    for (_, asked), table in zip(rounds_of(count), relearned, strict=True):
        own = scores[asked] if not np.isfinite(table).all() else table
        places = ranks(own, [labels[place] for place in asked])
        for place, rank in zip(asked.tolist(), places, strict=True):
            found[place] = rank  # the last round that asks a trigger is that of its part
    return tuple(found)


def most_gradients(count: int) -> int:
    """The most gradients of single images that all rounds take: their price."""
    return MOST_STEPS * sum(len(trained) for trained, _ in rounds_of(count))
