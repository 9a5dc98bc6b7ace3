"""Attacks on watermarks by name: ``make_attack("fine_tuning", rate=0.05)``.

The folders follow the taxonomy of Lukas et al. ("SoK: How Robust is Image Classification Deep
Neural Network Watermarking?", IEEE S&P 2022), which sorts removal attacks by what they change:

- ``input_preprocessing``: the model stays as it is; its input is filtered or refused.
  Helps only an adversary who serves answers.
- ``model_modification``: the weights change, by training, compression, noise or symmetry.
- ``model_extraction``: a new network (the surrogate) learns from the model's answers.

Lukas et al. have no attack on the claim itself, so a fourth folder is added:

- ``false_claims``: the adversary is the accuser, who claims a model that is not theirs
  (Liu et al., USENIX Security 2024).

``chain`` runs several of them one after the other.

``attack`` is the interface and the threat model, ``starting_point`` what each adversary begins
with, ``fake_triggers``, ``block_imitation`` and ``other_data`` the images they make or fetch.
``ATTACKS`` are removal attacks, ``CLAIMS`` false claims. How much of a mark is left is measured by
``zkwm.evaluation``. Importing this package does not import torch; each attack is loaded on demand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zkwm.named_classes import load_class, make

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
    "structural_obfuscation": (
        "zkwm.attacks.model_modification.structural_obfuscation:StructuralObfuscation"
    ),
    "distillation": "zkwm.attacks.model_extraction.distillation:Distillation",
    "extraction": "zkwm.attacks.model_extraction.extraction:Extraction",
    "data_free_extraction": "zkwm.attacks.model_extraction.data_free:DataFreeExtraction",
    "data_free_distillation": "zkwm.attacks.model_extraction.data_free:DataFreeDistillation",
    "ensemble": "zkwm.attacks.model_extraction.ensemble:Ensemble",
    "merging": "zkwm.attacks.model_modification.merging:Merging",
    "chain": "zkwm.attacks.chain:Chain",
    "overwriting": "zkwm.attacks.model_modification.overwriting:Overwriting",
    "smoothing": "zkwm.attacks.input_preprocessing.smoothing:Smoothing",
    "jpeg": "zkwm.attacks.input_preprocessing.jpeg:Jpeg",
    "input_noise": "zkwm.attacks.input_preprocessing.input_noise:InputNoise",
    "flip": "zkwm.attacks.input_preprocessing.flip:Flip",
    "bit_depth": "zkwm.attacks.input_preprocessing.bit_depth:BitDepth",
    "autoencoder": "zkwm.attacks.input_preprocessing.autoencoder:Autoencoder",
    "outlier_detector": "zkwm.attacks.input_preprocessing.outlier_detector:OutlierDetector",
    "blockdoor": "zkwm.attacks.input_preprocessing.blockdoor:BlockDoor",
    "laundering": "zkwm.attacks.model_modification.laundering:Laundering",
    "partial_laundering": ("zkwm.attacks.model_modification.partial_laundering:PartialLaundering"),
    "channel_lipschitz_pruning": (
        "zkwm.attacks.model_modification.channel_lipschitz_pruning:ChannelLipschitzPruning"
    ),
    "reconstructive_pruning": (
        "zkwm.attacks.model_modification.reconstructive_pruning:ReconstructivePruning"
    ),
    "hypergradient_unlearning": (
        "zkwm.attacks.model_modification.hypergradient_unlearning:HypergradientUnlearning"
    ),
    "adversarial_training": (
        "zkwm.attacks.model_modification.adversarial_training:AdversarialTraining"
    ),
    "feature_shift_tuning": (
        "zkwm.attacks.model_modification.feature_shift_tuning:FeatureShiftTuning"
    ),
    "low_rank_tuning": "zkwm.attacks.model_modification.low_rank_tuning:LowRankTuning",
    "unlearning": "zkwm.attacks.model_modification.unlearning:Unlearning",
    "seeking": "zkwm.attacks.model_modification.confident_noise:ConfidentNoise",
    "dehydra": "zkwm.attacks.model_modification.dehydra:Dehydra",
    "wrk": "zkwm.attacks.model_modification.wrk:Wrk",
}
"""Removal attacks: the name in a grid file, and the module and class. Names never change."""

CLAIMS = {
    "false_claim": "zkwm.attacks.false_claims.transferable_examples:FalseClaim",
    "key_grinding": "zkwm.attacks.false_claims.key_grinding:KeyGrinding",
}
"""False claims: the name in a grid file, and the module and class. Names never change."""

__all__ = ["ATTACKS", "CLAIMS", "attack_class", "claim_class", "make_attack", "make_claim"]


def make_attack(name: str, **parameters: object) -> Attack:
    """A removal attack with its parameters.

    Raises:
        UsageError: The name or a parameter is unknown, or a value is out of range.
    """
    attack: Attack = make(ATTACKS, "attack", name, parameters)
    return attack


def attack_class(name: str) -> type[Attack]:
    """The class of a removal attack. Raises UsageError for an unknown name."""
    attack: type[Attack] = load_class(ATTACKS, "attack", name)
    return attack


def make_claim(name: str, **parameters: object) -> Claim:
    """A false claim with its parameters.

    Raises:
        UsageError: The name or a parameter is unknown, or a value is out of range.
    """
    claim: Claim = make(CLAIMS, "claim", name, parameters)
    return claim


def claim_class(name: str) -> type[Claim]:
    """The class of a false claim. Raises UsageError for an unknown name."""
    claim: type[Claim] = load_class(CLAIMS, "claim", name)
    return claim
