"""All attacks behind one interface, by name: ``make_attack("fine_tuning", rate=0.05)``.

``ATTACKS`` change a suspect; ``CLAIMS`` are an accuser's, who claims a model that is not his.
Importing this package does not import torch; an attack's module is loaded when it is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zkwm.registry import load_class, make

if TYPE_CHECKING:
    from zkwm.attacks.attack import Attack
    from zkwm.attacks.false_claims.claim import Claim

ATTACKS = {
    "none": "zkwm.attacks.no_attack:NoAttack",
    "fine_tuning": "zkwm.attacks.model_modification.fine_tuning:FineTuning",
    "refit": "zkwm.attacks.model_modification.refit:Refit",
    "transfer": "zkwm.attacks.model_modification.transfer:Transfer",
    "pruning": "zkwm.attacks.model_modification.pruning:Pruning",
    "fine_pruning": "zkwm.attacks.model_modification.fine_pruning:FinePruning",
    "quantisation": "zkwm.attacks.model_modification.quantization:Quantization",
    "weight_noise": "zkwm.attacks.model_modification.weight_noise:WeightNoise",
    "weight_shifting": "zkwm.attacks.model_modification.weight_shifting:WeightShifting",
    "permutation": "zkwm.attacks.model_modification.permutation:Permutation",
    "distillation": "zkwm.attacks.model_extraction.distillation:Distillation",
    "extraction": "zkwm.attacks.model_extraction.extraction:Extraction",
    "overwriting": "zkwm.attacks.model_modification.overwriting:Overwriting",
    "smoothing": "zkwm.attacks.input_preprocessing.smoothing:Smoothing",
    "jpeg": "zkwm.attacks.input_preprocessing.jpeg:Jpeg",
    "outlier_detector": "zkwm.attacks.input_preprocessing.outlier_detector:OutlierDetector",
    "blockdoor": "zkwm.attacks.input_preprocessing.blockdoor:BlockDoor",
    "laundering": "zkwm.attacks.model_modification.laundering:Laundering",
    "unlearning": "zkwm.attacks.model_modification.unlearning:Unlearning",
    "seeking": "zkwm.attacks.model_modification.confident_noise:ConfidentNoise",
}
"""Each attack on a suspect, and where its class is."""

CLAIMS = {
    "false_claim": "zkwm.attacks.false_claims.transferable_examples:FalseClaim",
    "key_grinding": "zkwm.attacks.false_claims.key_grinding:KeyGrinding",
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
