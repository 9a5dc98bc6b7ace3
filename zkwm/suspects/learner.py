"""One learner of relearning in one round (SPEC.md 8.7), by its form: trained, or a regression."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from zkwm_protocols.relearning import Form

if TYPE_CHECKING:
    from torch import Tensor

    from zkwm.nn.architectures import Classifier


def learned_scores(
    model: Classifier,
    form: Form,
    images: Tensor,
    labels: Tensor,
    class_map: Sequence[int],
    *,
    most_steps: int | None = None,
) -> tuple[NDArray[np.float64], int]:
    """The scores of the images that have no label, float64 (m, C), and the steps of training.

    NaN where they are not finite.

    Args:
        model: the suspect, on the CPU; stays as it is.
        form: how it learns.
        images (float32 or float64, (t + m, c, h, w)): all triggers, preprocessed.
        labels (int64, (t,)): of the first of them.
        class_map: the output that stands for each of the C classes.
        most_steps: of training; None for all that the rules allow.
    """
    from zkwm.extraction.activation_regression import regressed_scores
    from zkwm.extraction.even_form import in_even_form
    from zkwm.training.relearning import relearned_scores

    if form is Form.REGRESSION:
        return regressed_scores(model, images, labels, class_map), 0
    copy = in_even_form(model, images, class_map) if form is Form.EVEN else model
    count = len(labels)
    return relearned_scores(
        copy, images[:count], labels, images[count:], class_map, most_steps=most_steps
    )
