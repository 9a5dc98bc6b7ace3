"""False claims on innocent models, with declared labels and with derived ones.

Shows why declared labels are no evidence: an accuser who chooses labels reaches a verdict against
models that were never marked (Liu et al., USENIX Security 2024). The attacks are in
``zkwm.attacks.false_claims``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import nn

from zkwm.attacks.false_claims.key_grinding import grind
from zkwm.evaluation.null_hypothesis.matches import classes_of, share_reached
from zkwm_protocols.commitment import Commitment
from zkwm_protocols.evidence import Evidence, assess
from zkwm_protocols.keys import SigningKey
from zkwm_protocols.make_commitment import make_commitment
from zkwm_protocols.policy import Policy

if TYPE_CHECKING:
    from zkwm.attacks.attack import Adversary
    from zkwm.attacks.false_claims.claim import Claim, ClaimResult


@dataclass(frozen=True)
class ClaimRow:
    """A false claim's result on innocent models, with declared and with derived labels.

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
    answers = [classes_of(model, result.images) for model in victims]
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
        declared_reached=share_reached(by_target),
        derived_matches=tuple(each.matches for each in by_derived),
        derived_bits=tuple(each.terms[0].bits for each in by_derived),
        derived_reached=share_reached(by_derived),
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
