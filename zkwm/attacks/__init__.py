"""All attacks behind one interface, by name: ``make_attack("fine_tuning", rate=0.05)``.

``ATTACKS`` change a suspect; ``CLAIMS`` are an accuser's, who claims a model that is not his.
Importing this package does not import torch; an attack's module is loaded when it is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zkwm.plugins import load_class, make

if TYPE_CHECKING:
    from zkwm.attacks.attack import Attack
    from zkwm.attacks.claim import Claim

ATTACKS = {
    "none": "zkwm.attacks.none:NoAttack",
    "fine_tuning": "zkwm.attacks.fine_tuning:FineTuning",
    "refit": "zkwm.attacks.refit:Refit",
    "transfer": "zkwm.attacks.transfer:Transfer",
    "pruning": "zkwm.attacks.pruning:Pruning",
    "fine_pruning": "zkwm.attacks.fine_pruning:FinePruning",
    "quantisation": "zkwm.attacks.quantisation:Quantisation",
    "weight_noise": "zkwm.attacks.weight_noise:WeightNoise",
    "weight_shifting": "zkwm.attacks.weight_shifting:WeightShifting",
    "permutation": "zkwm.attacks.permutation:Permutation",
    "distillation": "zkwm.attacks.distillation:Distillation",
    "extraction": "zkwm.attacks.extraction:Extraction",
    "overwriting": "zkwm.attacks.overwriting:Overwriting",
    "smoothing": "zkwm.attacks.smoothing:Smoothing",
    "jpeg": "zkwm.attacks.jpeg:Jpeg",
    "outlier_detector": "zkwm.attacks.outlier_detector:OutlierDetector",
    "blockdoor": "zkwm.attacks.blockdoor:BlockDoor",
    "laundering": "zkwm.attacks.laundering:Laundering",
    "unlearning": "zkwm.attacks.unlearning:Unlearning",
    "seeking": "zkwm.attacks.seeking:Seeking",
}
"""Each attack on a suspect, and where its class is."""

CLAIMS = {
    "false_claim": "zkwm.attacks.false_claim:FalseClaim",
    "key_grinding": "zkwm.attacks.key_grinding:KeyGrinding",
}
"""Each attack of an accuser, and where its class is."""

__all__ = ["ATTACKS", "CLAIMS", "attack_class", "claim_class", "make_attack", "make_claim"]


def make_attack(name: str, **parameters: object) -> Attack:
    """An attack with its parameters. Raises UsageError for an unknown name or parameter."""
    made: Attack = make(ATTACKS, "attack", name, parameters)
    return made


def attack_class(name: str) -> type[Attack]:
    """The class of an attack. Raises UsageError for an unknown name."""
    found: type[Attack] = load_class(ATTACKS, "attack", name)
    return found


def make_claim(name: str, **parameters: object) -> Claim:
    """An accuser's attack with its parameters. Raises UsageError for an unknown one."""
    made: Claim = make(CLAIMS, "claim", name, parameters)
    return made


def claim_class(name: str) -> type[Claim]:
    """The class of an accuser's attack. Raises UsageError for an unknown name."""
    found: type[Claim] = load_class(CLAIMS, "claim", name)
    return found
