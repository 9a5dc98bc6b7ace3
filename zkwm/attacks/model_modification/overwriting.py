"""Overwriting: embed a second mark over the owner's (Adi et al., USENIX Security 2018, section 5).

Adversary: has the weights and labeled images of the task, and marks the model as an owner would.

1. Draw triggers and commit to them; the labels follow from the commitment.
2. Train them into a copy of the model, among clean images.

Usually both marks can be read afterwards, and the registration dates decide; measured is how much
of the first is left: 65 of 332 bits of Adi, all 664 of the robust embedding
(benchmarks/results/grid.jsonl, attack "overwriting"). Claims on models that nobody touched are in
``zkwm.attacks.false_claims``.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import ClassVar

from zkwm.attacks.attack import Adversary, Attack, AttackResult, Target
from zkwm.attacks.starting_point import stolen_copy
from zkwm.nn.seeds import derived_seed
from zkwm.training import EmbedSettings, default_settings, embed
from zkwm.triggers import TriggerSet, generate
from zkwm_protocols.errors import UsageError
from zkwm_protocols.keys import ED25519, SigningKey
from zkwm_protocols.make_commitment import make_commitment

LARGEST_BLOCK = 50


@dataclass(frozen=True)
class Overwriting(Attack):
    """Embed triggers of the adversary's own, in the plain way of Adi et al.

    Args:
        triggers: How many, at least 1; 100 as in the paper.
        epochs: Of the training, at least 1.
        rate: Its learning rate, above 0; falls to zero (cosine).
        batch_size: At least 1.

    Raises:
        UsageError: A value is out of range.
    """

    name: ClassVar[str] = "overwriting"
    paper: ClassVar[str] = "Adi et al. 2018, section 5"

    triggers: int = 100
    epochs: int = 10
    rate: float = 0.02
    batch_size: int = 100

    def __post_init__(self) -> None:
        if self.triggers < 1:
            raise UsageError(f"expected at least 1 trigger, got {self.triggers}")
        EmbedSettings(epochs=self.epochs, learning_rate=self.rate, batch_size=self.batch_size)

    def run(self, target: Target, adversary: Adversary) -> AttackResult:
        """Mark a copy (one Argon2id hash, about a second, for the labels)."""
        model = stolen_copy(target, adversary)
        count = len(adversary.data.train_labels)
        settings = default_settings(
            model.config.architecture,
            pretrained=True,
            images=count,
            triggers=self.triggers,
            epochs=self.epochs,
            learning_rate=self.rate,
            batch_size=self.batch_size,
            schedule="cosine",
            method="plain",
            seed=derived_seed(adversary.seed, "attack/overwriting"),
            device=adversary.device,
        )
        marked = embed(model, adversary.data, self.second_mark(adversary), settings=settings).model
        size = min(settings.batch_size, count)
        step = size + min(settings.triggers_per_batch, self.triggers)
        used = settings.epochs * (count // size) * step
        return AttackResult(marked, images=count, gradient_images=used)

    def second_mark(self, adversary: Adversary) -> TriggerSet:
        """The adversary's triggers and their derived labels, the same for the same seed.

        Key, salts and signing key follow from the seed and are thrown away.
        """
        shape, classes = adversary.data.shape, adversary.data.class_count
        # the largest block size that divides the number of triggers
        block = next(n for n in range(LARGEST_BLOCK, 0, -1) if self.triggers % n == 0)
        key = _secret(adversary, "triggers")
        images = generate("secret", self.triggers, shape, key=key, block_size=block).images
        commitment = make_commitment(
            images,
            [_secret(adversary, f"salt {number}") for number in range(self.triggers)],
            class_count=classes,
            signers=(SigningKey.from_bytes(ED25519, _secret(adversary, "signing key")),),
            block_size=block,
        )
        return TriggerSet(images, commitment.labels(), "secret", block, classes)


def _secret(adversary: Adversary, purpose: str) -> bytes:
    """32 bytes for one purpose: predictable, for experiments only."""
    return hashlib.sha256(f"overwriting/{adversary.seed}/{purpose}".encode()).digest()
