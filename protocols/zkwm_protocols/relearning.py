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

from zkwm_protocols.ranks import ranks, weights

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

    Where the copies of earlier rounds did worse than the suspect as it is, its own ranks count:
    weights may be made so that a step of training ruins them. Labels of the part take no part in
    that, so that its ranks stay uniform.

    Args:
        scores (float64, (n, C)): of the suspect as it is, finite.
        relearned: for each of ``rounds_of`` the scores float64 (m, C) of those asked; where one is
            not finite, the suspect's own ranks count.
        labels: of all triggers.
    """
    own = ranks(scores, labels)
    found, ahead, weight = list(own), 0, weights(scores.shape[1])
    for number, ((_, asked), table) in enumerate(
        zip(rounds_of(len(labels)), relearned, strict=True), start=1
    ):
        if not np.isfinite(table).all():
            continue
        places = ranks(table, [labels[place] for place in asked])
        ranked = zip(asked.tolist(), places, strict=True)
        part = {place: rank for place, rank in ranked if place % FOLDS == number}
        if ahead >= 0:
            for place, rank in part.items():
                found[place] = rank
        ahead += sum(weight[rank] - weight[own[place]] for place, rank in part.items())
    return tuple(found)


def most_gradients(count: int) -> int:
    """The most gradients of single images that all rounds take: their price."""
    return MOST_STEPS * sum(len(trained) for trained, _ in rounds_of(count))
