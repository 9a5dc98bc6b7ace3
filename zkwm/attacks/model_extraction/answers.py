"""The answers of a service as a thief gets them: probabilities, the largest few, or the class.

Services that return only the largest probabilities are those of Orekondy et al. (Knockoff nets,
CVPR 2019), whose published code (tribhuvanesh/knockoffnets, 403fbf7) sets all others to zero
(``drop``). What a thief knows about the rest is its sum; to spread it evenly over the other classes
(``spread``) is the completion of largest entropy, and ours.
"""

from __future__ import annotations

from torch import Tensor

from zkwm_protocols.errors import UsageError

SOFT, HARD, TOP = "soft", "hard", "top-k"
LABELS = (SOFT, HARD, TOP)
SPREAD, DROP = "spread", "drop"
RESTS = (SPREAD, DROP)


def surrogate_labels(answers: Tensor, labels: str, k: int, rest: str) -> Tensor:
    """What a surrogate learns from the answers of a service.

    Args:
        answers (float32, (n, C)): Probabilities.
        labels: One of ``LABELS``.
        k: How many probabilities a service returns with ``top-k``.
        rest: One of ``RESTS``, for the other classes.

    Returns:
        Classes, int64 (n,), for ``hard``; else probabilities, float32 (n, C).

    Raises:
        UsageError: There are fewer than ``k`` classes.
    """
    if labels == HARD:
        return answers.argmax(dim=1)
    answers = answers.float()
    if labels == SOFT:
        return answers
    classes = answers.shape[1]
    if k > classes:
        raise UsageError(f"the {k} largest of {classes} probabilities were asked for")
    values, places = answers.topk(k, dim=1)
    if rest == DROP:
        return answers.new_zeros(answers.shape).scatter(1, places, values / values.sum(1, True))
    left = (1 - values.sum(dim=1, keepdim=True)).clamp_min(0) / max(classes - k, 1)
    return left.expand(answers.shape).scatter(1, places, values)
