"""Key grinding: make many commitments and claim with the luckiest (SPEC.md 8.2).

Adversary: an accuser with models and images of the task.

1. Take images that all models answer alike, so that the answers of every innocent model are known.
2. Vary the commitment until its derived labels agree with many of these answers.

Each try costs an Argon2id hash. With q tries the accuser gains about log2 q bits; SPEC.md 8.2
charges every claim 48 bits for it. Measured with 16,384 tries: 14.6 bits, and none of 20 innocent
models reaches a verdict (benchmarks/results/null_models.jsonl, "false claims", claim
"key_grinding").
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from zkwm.attacks.attack import Adversary
from zkwm.attacks.false_claims.claim import Claim, ClaimResult
from zkwm.nn.image_source import as_unit
from zkwm_protocols.commitment import Header
from zkwm_protocols.errors import UsageError
from zkwm_protocols.labels import derive_labels, label

MOST_REAL_TRIES = 8
BATCH = 500


@dataclass(frozen=True)
class KeyGrinding(Claim):
    """Grind commitments to the same images.

    The images are those of the accuser on whose class their models are surest, whichever model is
    asked; they need not be wrong labels, since a ground commitment takes what it gets.

    Args:
        triggers: How many images, at least 1.
        tries: How many commitments, at least 1; 1,024 take a second with stand-in labels.

    Raises:
        UsageError: A number is below 1.
    """

    triggers: int = 100
    tries: int = 1024
    name: ClassVar[str] = "key_grinding"
    paper: ClassVar[str] = "zkwm, SPEC.md 8.2"

    def __post_init__(self) -> None:
        if min(self.triggers, self.tries) < 1:
            raise UsageError(
                f"expected at least 1 trigger and 1 try, got {self.triggers} and {self.tries}"
            )

    @torch.no_grad()
    def run(self, accuser_models: Sequence[nn.Module], accuser: Adversary) -> ClaimResult:
        """The images, what models answer to them, and the number of tries.

        ``grind`` makes the tries. Raises UsageError without a model or with too few images.
        """
        if not accuser_models or len(accuser.data.train_labels) < self.triggers:
            raise UsageError(f"key grinding needs a model and {self.triggers} images")
        images = as_unit(torch.tensor(accuser.data.train_images).to(accuser.device))
        batches = torch.split(images, BATCH)
        probabilities = [
            torch.cat([model.eval()(batch).softmax(dim=1) for batch in batches])
            for model in accuser_models
        ]
        least = torch.stack(probabilities).amin(dim=0)
        confidence, answers = least.max(dim=1)
        order = confidence.argsort(descending=True, stable=True)
        best = order[: self.triggers].cpu().numpy()
        return ClaimResult(
            images=np.ascontiguousarray(accuser.data.train_images[best]),
            target_labels=answers.cpu().numpy()[best],
            tries=self.tries,
        )


def grind(header: Header, target_labels: NDArray[np.int64], tries: int) -> NDArray[np.int64]:
    """The derived labels that agree most with a target, of several headers.

    The headers differ in the digest of the owner's model, which costs no new leaf. Up to 8 tries
    are real, with an Argon2id hash each. For more, only this hash is replaced, by SHA-256 of the
    header's digest: the labels are as random and follow from the seed by the real derivation, but
    they are not those of these headers, and the cost of grinding is not what is measured here.

    Args:
        header: Of the first commitment.
        target_labels (int64, (n,)): What the accuser would like.
        tries: How many headers, at least 1.

    Returns:
        Int64 (n,).
    """
    best = np.zeros(0, np.int64)
    count, classes = header.leaf_count, header.class_count
    for number in range(tries):
        name = hashlib.sha256(b"zkwm grinding" + number.to_bytes(8, "big")).digest()
        variant = header if number == 0 else replace(header, owner_model=name)
        if tries <= MOST_REAL_TRIES:
            labels = derive_labels(variant.digest, None, count, classes)
        else:
            labels = stand_in_labels(variant.digest, count, classes)
        if not len(best) or (labels == target_labels).sum() > (best == target_labels).sum():
            best = labels
    return best


def stand_in_labels(digest: bytes, count: int, class_count: int) -> NDArray[np.int64]:
    """The labels of a commitment (SPEC.md 5.4) but from a SHA-256 seed, int64 (count,).

    For experiments over very many commitments: never what a judge would derive.
    """
    seed = hashlib.sha256(b"zkwm stand-in seed" + digest).digest()
    return np.array([label(seed, index, class_count) for index in range(count)], dtype=np.int64)
