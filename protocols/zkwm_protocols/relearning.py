"""Labels that a suspect remembers once it has relearned others (SPEC.md 8.7).

An attack suppresses a memory more often than it erases it. So a learner is given some of the opened
triggers with their labels, and the labels of the others are ranked among its scores: what was
embedded together comes back together, and what never was does not. Learners are copies of the
suspect that are trained (``zkwm.training.relearning``), and a regression on what its neurons give
(``zkwm.extraction.activation_regression``). A label is learned only after it was ranked, so that
every rank is uniform given all earlier labels, and the law is that of SPEC.md 8.4.
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

LENGTH, LOGITS = 2.0, 5.0
"""Of each neuron, and root mean square of logits, in even form (``zkwm.extraction.even_form``)."""
HIDDEN_LAYERS = 2
"""Whose activations enter the regression: the last ones."""
RIDGE = 0.5
"""Added to the diagonal of the kernel, whose mean diagonal is 1."""
OWN_SHARE = 0.3
"""Of the suspect's own scores, of which the regression tells the rest."""
CONSTANT = 1e-6
"""A unit is constant whose standard deviation is at most this share of its root mean square:
float32 rounds so much."""
CUT = 1e4
"""Values of a unit are cut at so many times the median of those that are not 0."""
DOMINANT, MOST_DIRECTIONS, FEWEST_TIMES = 0.9, 8, 4
"""Directions that hold this share of a table are taken away, where they are no more than 8, and
columns and triggers at least 4 times as many; the table counts with and without them."""
MOST_REMOVALS = 4
LEFT = 1e-10
"""A unit of which at most this share is left then is left out: float64 rounds so much."""


class Form(Enum):
    """The learners, in the order that counts."""

    REGRESSION = "regression"
    """On the suspect's activations."""
    GIVEN = "given"
    """A copy of the suspect as it is, trained."""
    EVEN = "even"
    """A copy whose neurons have scales that only the function decides, trained."""

    @property
    def trained(self) -> bool:
        """Whether it is a copy that takes steps of training."""
        return self is not Form.REGRESSION


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
    the learner, or of the suspect as it is, that did best in the parts before. Labels of the part
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
    copies = sum(form.trained for form in Form)
    return copies * MOST_STEPS * sum(len(trained) for trained, _ in rounds_of(count))
