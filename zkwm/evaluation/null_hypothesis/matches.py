"""What schemes say of unmarked models, and whether a false claim reaches an innocent one.

The reason for derived labels, measured: for them the matches of any model that is not marked are
exactly binomial, whatever its answers are; labels that an accuser chose have no such law. A
measurement for research, not a verdict.
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
    """A scheme's triggers, and how a model is asked about them.

    ``derived`` says whether the labels are derived from the commitment. ``extract`` turns a model
    into int64 (n,) values, -1 for nothing; None asks for the class of each trigger image.
    """

    scheme: str
    triggers: TriggerSet
    derived: bool = True
    extract: Callable[[nn.Module], NDArray[np.int64]] | None = None

    def answers(self, model: nn.Module) -> NDArray[np.int64]:
        """What the model gives for each trigger."""
        return (
            _classes(model, self.triggers.images) if self.extract is None else self.extract(model)
        )


@dataclass(frozen=True)
class Fresh:
    """Matches with fresh labels: ``draws`` label sets for every model, all independent.

    ``p_value`` is that of the exact two-sided binomial test of the sum, ``spread_p_value`` that of
    the chi-square test of how the single counts are distributed (``spread_statistic`` on
    ``spread_degrees``). Labels come from the real derivation but a SHA-256 seed in place of
    Argon2id.
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

    ``matches`` of each model with the labels as committed, of ``trials``; ``most_bits`` the bits
    "by chance" (before allowances) of the luckiest model, ``least_p_value`` the smallest two-sided
    p of a model, times the number of models (at most 1). ``needed_matches`` reach a judge's usual
    threshold when all is opened (None: not even all do), ``reached`` is the share of models that
    do. ``fresh`` is None for declared labels, which cannot be drawn anew.
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
    """What a false claim reaches on innocent models, with labels of its wish and with derived ones.

    ``declared_*`` count against the target labels, ``derived_*`` against those that follow from a
    commitment to the same images (the best of ``tries``). ``*_bits`` are "by chance", before
    allowances; for declared labels they are nominal, since no law stands behind them. ``*_reached``
    is the share of victims at or above ``needed_matches``, a judge's usual threshold.
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
    models: Sequence[nn.Module], schemes: Sequence[TriggerTest], *, draws: int = 50
) -> tuple[NullRow, ...]:
    """One row for each scheme: every unmarked model against its triggers.

    ``draws`` fresh label sets for every model; 20 models and 200 triggers take about a second.
    """
    return tuple(_null_row(models, scheme, draws) for scheme in schemes)


def examine_claims(
    claim: Claim,
    victims: Sequence[nn.Module],
    accuser_models: Sequence[nn.Module],
    accuser: Adversary,
    class_count: int,
) -> ClaimRow:
    """Make a false claim from the accuser's models and hold it against the victims'.

    Both commitments are real ones, of one block; the derived labels cost an Argon2id hash, or, for
    a claim with many tries, are those of ``grind``. Raises what the claim raises.
    """
    claimed = claim.run(accuser_models, accuser)
    declared = _commitment(claimed, accuser, class_count, declared=True)
    declared.verify()
    derived = _commitment(claimed, accuser, class_count, declared=False)
    labels = grind(derived.header, claimed.target_labels, claimed.tries)
    answers = [_classes(model, claimed.images) for model in victims]
    target_labels = [
        _assess(int((each == claimed.target_labels).sum()), claimed, class_count)
        for each in answers
    ]
    drawn = [_assess(int((each == labels).sum()), claimed, class_count) for each in answers]
    return ClaimRow(
        claim=claim.name,
        tries=claimed.tries,
        class_count=class_count,
        trials=len(claimed.images),
        needed_matches=target_labels[0].needed_matches if target_labels else None,
        declared_matches=tuple(found.matches for found in target_labels),
        declared_bits=tuple(found.terms[0].bits for found in target_labels),
        declared_reached=_share(target_labels),
        derived_matches=tuple(found.matches for found in drawn),
        derived_bits=tuple(found.terms[0].bits for found in drawn),
        derived_reached=_share(drawn),
    )


def _null_row(models: Sequence[nn.Module], examined: TriggerTest, draws: int) -> NullRow:
    triggers = examined.triggers
    answers = [examined.answers(model) for model in models]
    found = [
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
    least = min(two_sided(each.matches, each.trials, each.class_count) for each in found)
    return NullRow(
        scheme=examined.scheme,
        derived=examined.derived,
        class_count=triggers.class_count,
        trials=len(triggers.labels),
        matches=tuple(each.matches for each in found),
        most_bits=max(each.terms[0].bits for each in found),
        least_p_value=min(1.0, least * len(models)),
        needed_matches=found[0].needed_matches,
        reached=_share(found),
        fresh=_fresh(examined, answers, draws) if examined.derived else None,
    )


def _fresh(examined: TriggerTest, answers: Sequence[NDArray[np.int64]], draws: int) -> Fresh:
    """Hold each model against ``draws`` label sets of its own; unanswered triggers do not count."""
    count, classes = len(examined.triggers.labels), examined.triggers.class_count
    seen = np.zeros(count + 1, np.int64)
    expected = np.zeros(count + 1)
    total, trials = 0, 0
    for number, each in enumerate(answers):
        asked = int((each >= 0).sum())
        expected[: asked + 1] += draws * binomial_probabilities(asked, classes)
        trials += draws * asked
        for draw in range(draws):
            text = f"zkwm fresh labels/{examined.scheme}/{number}/{draw}"
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
    claimed: ClaimResult, accuser: Adversary, class_count: int, *, declared: bool
) -> Commitment:
    """The accuser's commitment to his images, under a key and salts that follow from his seed."""

    def secret(name: str) -> bytes:
        return hashlib.sha256(f"zkwm accuser/{accuser.seed}/{name}".encode()).digest()

    return make_commitment(
        claimed.images,
        [secret(f"salt/{number}") for number in range(len(claimed.images))],
        class_count=class_count,
        signers=(SigningKey.from_bytes("ed25519", secret("key")),),
        block_size=len(claimed.images),
        declared_labels=claimed.target_labels if declared else None,
    )


def _assess(matches: int, claimed: ClaimResult, class_count: int) -> Evidence:
    return assess(
        matches,
        blocks_used=1,
        block_count=1,
        block_size=len(claimed.images),
        class_count=class_count,
        policy=Policy(accept_declared_labels=True),
    )


def _share(found: Sequence[Evidence]) -> float:
    return sum(each.reached for each in found) / len(found) if found else 0.0


def _classes(model: nn.Module, images: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The class of each uint8 image (n, c, h, w), int64 (n,)."""
    device = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
    batches = torch.split(torch.tensor(images), BATCH)
    answers = torch.cat([predictions(model, batch.to(device)) for batch in batches])
    classes: NDArray[np.int64] = answers.cpu().numpy()
    return classes
