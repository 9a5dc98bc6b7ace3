"""Matches of unmarked models under each scheme, against the binomial law.

The reason for derived labels, measured: for them the matches of any model that is not marked are
exactly binomial, whatever its answers are; labels that somebody chose follow no law. ``ranks`` does
it for rank sums, ``claims`` for false claims.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from zkwm.attacks.false_claims.key_grinding import stand_in_labels
from zkwm.evaluation.null_hypothesis.significance import (
    binomial_probabilities,
    chi_square,
    two_sided,
)
from zkwm.nn.inference import predictions
from zkwm_protocols.evidence import Evidence, assess
from zkwm_protocols.policy import Policy

if TYPE_CHECKING:
    from zkwm.triggers import TriggerSet

BATCH = 500


@dataclass(frozen=True)
class TriggerTest:
    """A scheme's committed triggers, and how a model is asked about them.

    Args:
        scheme: Its name.
        triggers: Leaves and labels.
        derived: Whether the labels are derived from the commitment.
        extract: Turns a model into int64 (n,) values, -1 for no answer; None asks for the class of
            each trigger image.
    """

    scheme: str
    triggers: TriggerSet
    derived: bool = True
    extract: Callable[[nn.Module], NDArray[np.int64]] | None = None

    def answers(self, model: nn.Module) -> NDArray[np.int64]:
        """The model's value for each trigger, int64 (n,)."""
        return (
            classes_of(model, self.triggers.images) if self.extract is None else self.extract(model)
        )


@dataclass(frozen=True)
class Fresh:
    """Matches with fresh labels, several independent label sets for every model.

    Labels come from the real derivation but a SHA-256 seed in place of Argon2id.

    Args:
        draws: Label sets for each model.
        matches: Of all sets together.
        trials: Of all sets together.
        p_value: Of the exact two-sided binomial test of ``matches``.
        spread_statistic: Of the chi-square test of the distribution of the single counts.
        spread_degrees: Its degrees of freedom.
        spread_p_value: Its p-value.
    """

    draws: int
    matches: int
    trials: int
    p_value: float
    spread_statistic: float
    spread_degrees: int
    spread_p_value: float


@dataclass(frozen=True)
class NullRow:
    """The matches of unmarked models under one scheme.

    Args:
        scheme: Its name.
        derived: Whether its labels are derived from the commitment.
        class_count: C.
        trials: Triggers.
        matches: Of each model with the labels as committed.
        most_bits: Bits "by chance" (before allowances) of the luckiest model.
        least_p_value: The smallest two-sided p of a model, times the number of models, at most 1.
        needed_matches: That reach a judge's usual threshold when all is opened; None where not even
            all do.
        reached: The share of models that reach it.
        fresh: None for declared labels, of which there are no others to draw.
    """

    scheme: str
    derived: bool
    class_count: int
    trials: int
    matches: tuple[int, ...]
    most_bits: float
    least_p_value: float
    needed_matches: int | None
    reached: float
    fresh: Fresh | None


def examine_null(
    models: Sequence[nn.Module], tests: Sequence[TriggerTest], *, draws: int = 50
) -> tuple[NullRow, ...]:
    """Compare every unmarked model with the triggers of each scheme.

    20 models and 200 triggers take about a second.

    Args:
        models: Unmarked networks.
        tests: One for each scheme.
        draws: Fresh label sets for each model.

    Returns:
        One row for each test.
    """
    return tuple(_null_row(models, test, draws) for test in tests)


def _null_row(models: Sequence[nn.Module], test: TriggerTest, draws: int) -> NullRow:
    """The row of one scheme; ``draws`` as in ``examine_null``."""
    triggers = test.triggers
    answers = [test.answers(model) for model in models]
    evidence = [
        assess(
            int((each == triggers.labels).sum()),
            blocks_used=len(triggers.labels) // triggers.block_size,
            block_count=len(triggers.labels) // triggers.block_size,
            block_size=triggers.block_size,
            class_count=triggers.class_count,
            policy=Policy(),
        )
        for each in answers
    ]
    least = min(two_sided(each.matches, each.trials, each.class_count) for each in evidence)
    return NullRow(
        scheme=test.scheme,
        derived=test.derived,
        class_count=triggers.class_count,
        trials=len(triggers.labels),
        matches=tuple(each.matches for each in evidence),
        most_bits=max(each.terms[0].bits for each in evidence),
        least_p_value=min(1.0, least * len(models)),
        needed_matches=evidence[0].needed_matches,
        reached=share_reached(evidence),
        fresh=_fresh(test, answers, draws) if test.derived else None,
    )


def _fresh(test: TriggerTest, answers: Sequence[NDArray[np.int64]], draws: int) -> Fresh:
    """Compare each model with label sets of its own.

    Args:
        test: For the name, the number of triggers and of classes.
        answers (int64, (n,) each): What each model answered; -1 is no trial.
        draws: Label sets for each model.
    """
    count, classes = len(test.triggers.labels), test.triggers.class_count
    seen = np.zeros(count + 1, np.int64)
    expected = np.zeros(count + 1)
    total, trials = 0, 0
    for number, each in enumerate(answers):
        answered = int((each >= 0).sum())
        expected[: answered + 1] += draws * binomial_probabilities(answered, classes)
        trials += draws * answered
        for draw in range(draws):
            text = f"zkwm fresh labels/{test.scheme}/{number}/{draw}"
            labels = stand_in_labels(hashlib.sha256(text.encode()).digest(), count, classes)
            matches = int((each == labels).sum())
            seen[matches] += 1
            total += matches
    spread = chi_square(seen.tolist(), expected)
    return Fresh(
        draws=draws,
        matches=total,
        trials=trials,
        p_value=two_sided(total, trials, classes),
        spread_statistic=spread.statistic,
        spread_degrees=spread.degrees,
        spread_p_value=spread.p_value,
    )


def share_reached(evidence: Sequence[Evidence]) -> float:
    """The share that reaches the threshold, 0 to 1."""
    return sum(each.reached for each in evidence) / len(evidence) if evidence else 0.0


def classes_of(model: nn.Module, images: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The class of each uint8 image (n, c, h, w), int64 (n,)."""
    device = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
    batches = torch.split(torch.tensor(images), BATCH)
    answers = torch.cat([predictions(model, batch.to(device)) for batch in batches])
    classes: NDArray[np.int64] = answers.cpu().numpy()
    return classes
