"""Change answered probabilities by a key, keeping the first class, and read the change back.

Zkwm's own construction for ``dynamarks``: the paper (Chakraborty et al. 2022) changes answers by
secret parameters, but its formulas are not public. Log-probabilities change linearly with the
lowest frequencies of the queried image, so that a repeated query gets the same answer and a tiny
change of an image changes little. The service that applies it is
``zkwm.watermarks.active.dynamarks``; no function here knows a key's label.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from zkwm.extraction.dct_features import low_frequencies
from zkwm.extraction.keys import ExtractionKey

SIDE = 8
FEATURES = SIDE * SIDE - 1
CAP = 0.98
RIDGE = 0.1
LARGEST_EXPONENT = 6.0
HALVINGS = 40


def key_maps(keys: Sequence[ExtractionKey], classes: int) -> Tensor:
    """The linear map of each key, float32 (keys, 63, classes) of fair signs.

    The signs of the key's stream ``answers`` in the order (feature, class): by how much the class's
    log-probability changes with the feature of ``features``.
    """
    drawn = [key.signs("answers", FEATURES * classes).reshape(FEATURES, classes) for key in keys]
    return torch.from_numpy(np.stack(drawn)).float()


def features(images: Tensor) -> Tensor:
    """The features that a change depends on, float32 (n, 63), of images (n, c, h, w) in [0, 1].

    The 8 lowest frequencies of each axis (``low_frequencies``), scaled to the norm 1. Raises
    UsageError for images of less than 8 pixels a side.
    """
    return low_frequencies(images, SIDE) / math.sqrt(FEATURES)


def changed(answers: Tensor, changes: Tensor, floor: float) -> Tensor:
    """Change the logarithms of probabilities and keep the first class.

    Every probability is raised by ``floor`` and all are divided by 1 + C floor. The first class's
    stays at that; the others are multiplied by exp(changes) and scaled to their previous sum, each
    at most 0.98 of the first class's. Last, all are scaled to the sum 1.

    Args:
        answers (float, (n, C)): the model's probabilities.
        changes (float, (n, C)): what is added to the logarithms.
        floor: what is added to every probability first.
    """
    first = answers.argmax(dim=1)[:, None]
    raised = (answers + floor) / (1 + answers.shape[1] * floor)
    largest = raised.gather(1, first)
    others = (raised.log() + changes).scatter(1, first, -math.inf).softmax(dim=1)
    others = torch.minimum(others * (1 - largest), CAP * largest).scatter(1, first, largest)
    return others / others.sum(dim=1, keepdim=True)


def read_back(
    keys: Sequence[ExtractionKey],
    suspect: Tensor,
    reference: Tensor,
    inputs: Tensor,
    floor: float,
) -> NDArray[np.float64]:
    """The share of each key's change that a suspect has, positive for the bit 1.

    The symbols are those of SPEC.md 19.5. No label is used.

    1. The suspect's answers are brought to the temperature at which they are as confident as the
       reference's raised by ``floor``; then they are raised by a third of ``floor``.
    2. Logarithms are centered over all classes but the reference's first: a for the reference, b
       for the suspect.
    3. The multiple of a that leaves the smallest squares is subtracted from b, which leaves d.
    4. d is explained by the changes of all keys at once: least squares with a ridge of 0.1 of the
       mean diagonal, in float64.

    Args:
        keys: the opened keys, each once.
        suspect (float, (n, C)): log-probabilities of the suspect.
        reference (float, (n, C)): those of the owner's unmarked model for the same images.
        inputs (float32, (n, 63)): the images' ``features``.
        floor: the scheme's parameter.

    Returns float64 (keys,).
    """
    answers = reference.double().exp()
    first = answers.argmax(dim=1)
    a = _centered((answers + floor).log(), first)
    confidence = float(((answers.amax(dim=1) + floor) / (1 + answers.shape[1] * floor)).mean())
    b = _centered((_as_confident(confidence, suspect.double()).exp() + floor / 3).log(), first)
    d = b - a * ((b * a).sum() / (a * a).sum().clamp_min(1e-12))
    count, classes = len(keys), answers.shape[1]
    maps, inputs = key_maps(keys, classes).double(), inputs.double()
    gram = torch.zeros(count, count, dtype=torch.float64)
    right = torch.zeros(count, dtype=torch.float64)
    for number in range(classes):
        chosen = first == number
        if not bool(chosen.any()):
            continue
        # Centering depends on the first class alone, so probes of one class share their maps.
        there, x = _centered(maps, torch.full((), number)), inputs[chosen]
        gram += (x.T @ x @ there).flatten(1) @ there.flatten(1).T
        right += there.flatten(1) @ (x.T @ d[chosen]).flatten()
    ridge = RIDGE * gram.diagonal().mean() * torch.eye(count, dtype=torch.float64)
    solved: NDArray[np.float64] = torch.linalg.solve(gram + ridge, right).numpy()
    return solved


def _as_confident(confidence: float, answers: Tensor) -> Tensor:
    """Log-probabilities (n, C) at the temperature where the largest probability has this mean.

    Without it, an adversary could sharpen or soften a surrogate's answers, which changes no first
    class. The inverse temperature is found between 2^-6 and 2^6 by 40 bisections.
    """
    low, high = -LARGEST_EXPONENT, LARGEST_EXPONENT
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if float((answers * math.pow(2, middle)).softmax(dim=1).amax(dim=1).mean()) < confidence:
            low = middle
        else:
            high = middle
    return (answers * math.pow(2, (low + high) / 2)).log_softmax(dim=1)


def _centered(values: Tensor, first: Tensor) -> Tensor:
    """Values (..., C) minus their mean over all classes but ``first``, which becomes 0."""
    classes = values.shape[-1]
    kept = 1 - functional.one_hot(first, classes).to(values)
    mean = (values * kept).sum(dim=-1, keepdim=True) / (classes - 1)
    return (values - mean) * kept
