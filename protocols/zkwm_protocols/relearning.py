"""Labels that a suspect remembers once it has relearned others (SPEC.md 8.7).

An attack suppresses a memory more often than it erases it. So copies of the suspect are trained on
some of the opened triggers with their labels, and the labels of the others are ranked among the
copy's scores: what was embedded together comes back together, and what never was does not. A label
is trained on only after it was ranked, so that every rank is uniform given all earlier labels, and
the law is that of SPEC.md 8.4. ``zkwm.training.relearning`` trains.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

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

LENGTH = 2.0
"""Of each neuron in even form (``zkwm.extraction.even_form``)."""


class Form(Enum):
    """How the scales of a copy's neurons are when it begins to learn, in the order that counts.

    Values are the root mean square of the logits, None for a copy of the suspect as it is. The
    last one begins with next to no readout: what the features still tell comes back with it.
    """

    GIVEN = None
    EVEN = 5.0
    READOUT = 0.02

    @property
    def logits(self) -> float | None:
        """The root mean square of its logits, None where scales are the suspect's own."""
        size: float | None = self.value
        return size


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
    scores: NDArray[np.float64],
    relearned: Sequence[Sequence[NDArray[np.float64]]],
    labels: Sequence[int],
) -> tuple[int, ...]:
    """The rank of each label, 0 the highest, in the round of its part.

    Weights may be made so that a step of training ruins them. So the ranks of a part are those of
    the copies, or of the suspect as it is, that did best in the parts before. Labels of the part
    take no part in that, so that its ranks stay uniform.

    Args:
        scores (float64, (n, C)): of the suspect as it is, finite.
        relearned: for each form, in the order of ``Form``, and each of ``rounds_of`` the scores
            float64 (m, C) of those asked; where one is not finite, the suspect's own ranks count.
        labels: of all triggers.
    """
    own, weight = ranks(scores, labels), weights(scores.shape[1])
    found, sums = list(own), [0] * (len(relearned) + 1)
    for number, (_, asked) in enumerate(rounds_of(len(labels)), start=1):
        part = [place for place in asked.tolist() if place % FOLDS == number]
        wanted = [labels[place] for place in asked]
        learners = []
        for tables in relearned:
            table = tables[number - 1]
            finite = bool(np.isfinite(table).all())
            places = ranks(table, wanted) if finite else [own[place] for place in asked]
            learners.append(dict(zip(asked.tolist(), places, strict=True)))
        learners.append({place: own[place] for place in part})
        best = learners[sums.index(max(sums))]
        for place in part:
            found[place] = best[place]
        sums = [
            total + sum(weight[one[place]] for place in part)
            for total, one in zip(sums, learners, strict=True)
        ]
    return tuple(found)


def most_gradients(count: int) -> int:
    """The most gradients of single images that all copies take: their price."""
    return len(Form) * MOST_STEPS * sum(len(trained) for trained, _ in rounds_of(count))
