"""What learners tell of a mark once they have relearned a part of it (SPEC.md 8.7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeGuard

import torch
from torch import nn

from zkwm.nn.architectures import Classifier
from zkwm.nn.image_source import as_unit
from zkwm.suspects.learner import learned_scores
from zkwm_protocols.relearning import Form, relearned_ranks, rounds_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def can_relearn(model: nn.Module) -> TypeGuard[Classifier]:
    """Whether a judge with the file could train copies: a built-in network, behind no wrapper."""
    return isinstance(model, Classifier)


def ranks_when_relearned(
    model: Classifier, images: NDArray[np.uint8], labels: list[int], scores: NDArray[np.float64]
) -> tuple[int, ...]:
    """The rank of each label in the round of its part, 0 the highest, as a judge finds it.

    Args:
        model: The suspect, a built-in network, on the CPU; stays as it is.
        images (uint8, (n, c, h, w)): The triggers that are asked, in order of block and index.
        labels: Theirs.
        scores (float64, (n, C)): What the suspect answers as it is, finite.
    """
    fed, wanted = as_unit(torch.tensor(images)), torch.tensor(labels)
    outputs, tables = range(scores.shape[1]), []
    for form in Form:
        tables.append(
            [
                learned_scores(model, form, fed[[*trained, *asked]], wanted[trained], outputs)[0]
                for trained, asked in rounds_of(len(labels))
            ]
        )
    return relearned_ranks(scores, tables, labels)
