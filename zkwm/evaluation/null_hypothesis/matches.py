"""Matches of unmarked models under each scheme, and of innocent models under false claims.

The reason for derived labels, measured: for them the matches of any model that is not marked are
exactly binomial, whatever its answers are; labels that an accuser chose follow no law. ``ranks``
does it for rank sums.
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

from zkwm.attacks.false_claims.key_grinding import grind, stand_in_labels
from zkwm.evaluation.null_hypothesis.significance import (
    binomial_probabilities,
    chi_square,
    two_sided,
)
from zkwm.nn.inference import predictions
from zkwm_protocols.commitment import Commitment, make_commitment
from zkwm_protocols.evidence import Evidence, Policy, assess
from zkwm_protocols.keys import SigningKey

if TYPE_CHECKING:
    from zkwm.attacks.attack import Adversary
    from zkwm.attacks.false_claims.claim import Claim, ClaimResult
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
            _classes(model, self.triggers.images) if self.extract is None else self.extract(model)
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
    """What a scheme says of unmarked models.

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


@dataclass(frozen=True)
class ClaimRow:
    """What a false claim reaches on innocent models, with declared labels and with derived ones.

    Args:
        claim: Its name.
        tries: Commitments that the accuser made.
        class_count: C.
        trials: Triggers.
        needed_matches: That reach a judge's usual threshold; None where not even all do.
        declared_matches: Of each victim with the accuser's target labels.
        declared_bits: The nominal bits "by chance", before allowances; no law stands behind them.
        declared_reached: Share of victims with at least ``needed_matches``.
        derived_matches: Of each victim with the labels that follow from a commitment to the same
            images (the best of ``tries``).
        derived_bits: The bits "by chance", before allowances.
        derived_reached: Share of victims with at least ``needed_matches``.
    """

    claim: str
    tries: int
    class_count: int
    trials: int
    needed_matches: int | None
    declared_matches: tuple[int, ...]
    declared_bits: tuple[float, ...]
    declared_reached: float
    derived_matches: tuple[int, ...]
    derived_bits: tuple[float, ...]
    derived_reached: float


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


def examine_claims(
    claim: Claim,
    victims: Sequence[nn.Module],
    accuser_models: Sequence[nn.Module],
    accuser: Adversary,
    class_count: int,
) -> ClaimRow:
    """Make a false claim from the accuser's models, and test it on the victims'.

    Both commitments are real ones, of one block; the derived labels cost an Argon2id hash, or, for
    a claim with many tries, are those of ``grind``. Raises what the claim raises.

    Args:
        claim: The attack.
        victims: Innocent models that the accuser has never seen.
        accuser_models: Models that the accuser trained.
        accuser: Whose images and seed.
        class_count: C.
    """
    result = claim.run(accuser_models, accuser)
    declared = _commitment(result, accuser, class_count, declared=True)
    declared.verify()
    derived = _commitment(result, accuser, class_count, declared=False)
    derived_labels = grind(derived.header, result.target_labels, result.tries)
    answers = [_classes(model, result.images) for model in victims]
    by_target, by_derived = (
        [_assess(int((each == labels).sum()), result, class_count) for each in answers]
        for labels in (result.target_labels, derived_labels)
    )
    return ClaimRow(
        claim=claim.name,
        tries=result.tries,
        class_count=class_count,
        trials=len(result.images),
        needed_matches=by_target[0].needed_matches if by_target else None,
        declared_matches=tuple(each.matches for each in by_target),
        declared_bits=tuple(each.terms[0].bits for each in by_target),
        declared_reached=_share_reached(by_target),
        derived_matches=tuple(each.matches for each in by_derived),
        derived_bits=tuple(each.terms[0].bits for each in by_derived),
        derived_reached=_share_reached(by_derived),
    )


def _null_row(models: Sequence[nn.Module], test: TriggerTest, draws: int) -> NullRow:
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
        reached=_share_reached(evidence),
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


def _commitment(
    result: ClaimResult, accuser: Adversary, class_count: int, *, declared: bool
) -> Commitment:
    """The accuser's commitment to their images, under a key and salts that follow from the seed."""

    def secret(name: str) -> bytes:
        return hashlib.sha256(f"zkwm accuser/{accuser.seed}/{name}".encode()).digest()

    return make_commitment(
        result.images,
        [secret(f"salt/{number}") for number in range(len(result.images))],
        class_count=class_count,
        signers=(SigningKey.from_bytes("ed25519", secret("key")),),
        block_size=len(result.images),
        declared_labels=result.target_labels if declared else None,
    )


def _assess(matches: int, result: ClaimResult, class_count: int) -> Evidence:
    """The evidence of a claim of one block."""
    return assess(
        matches,
        blocks_used=1,
        block_count=1,
        block_size=len(result.images),
        class_count=class_count,
        policy=Policy(accept_declared_labels=True),
    )


def _share_reached(evidence: Sequence[Evidence]) -> float:
    """The share that reaches the threshold, 0 to 1."""
    return sum(each.reached for each in evidence) / len(evidence) if evidence else 0.0


def _classes(model: nn.Module, images: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The class of each uint8 image (n, c, h, w), int64 (n,)."""
    device = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
    batches = torch.split(torch.tensor(images), BATCH)
    answers = torch.cat([predictions(model, batch.to(device)) for batch in batches])
    classes: NDArray[np.int64] = answers.cpu().numpy()
    return classes
