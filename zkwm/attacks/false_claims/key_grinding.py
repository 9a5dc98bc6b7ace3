"""Key grinding: many commitments, of which the luckiest is claimed (research note 9.2).

The accuser takes images that all models answer alike, so that he knows every innocent model's
answers, and varies his commitment until its derived labels agree with many of them. Each try costs
him an Argon2id hash; SPEC.md 8.2 charges 48 bits for it. With q tries he gains about log2 q bits.
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
    """``tries`` commitments to the same ``triggers`` images.

    The images are those of the accuser's on whose class his models are surest, whichever model is
    asked; they need not be wrong labels, since a ground commitment takes what it gets. Raises
    UsageError for numbers below one.
    """

    triggers: int = 100
    tries: int = 1024
    name: ClassVar[str] = "key_grinding"
    paper: ClassVar[str] = "zkwm, SPEC.md 8.2"

    def __post_init__(self) -> None:
        """Refuse numbers below one."""
        if min(self.triggers, self.tries) < 1:
            raise UsageError("grinding has triggers and tries")

    @torch.no_grad()
    def run(self, accuser_models: Sequence[nn.Module], accuser: Adversary) -> ClaimResult:
        """The images, what models answer to them, and the number of tries.

        ``grind`` makes the tries. Raises UsageError without a model or with too few images.
        """
        too_few = len(accuser.data.train_labels) < self.triggers
        if too_few or not accuser_models:
            raise UsageError(f"grinding needs a model and {self.triggers} images")
        images = as_unit(torch.tensor(accuser.data.train_images).to(accuser.device))
        batches = torch.split(images, BATCH)
        found = [
            torch.cat([model.eval()(batch).softmax(dim=1) for batch in batches])
            for model in accuser_models
        ]
        least = torch.stack(found).amin(dim=0)
        sureness, answers = least.max(dim=1)
        best = sureness.argsort(descending=True, stable=True)[: self.triggers].cpu()
        return ClaimResult(
            images=np.ascontiguousarray(accuser.data.train_images[best.numpy()]),
            target_labels=answers.cpu().numpy()[best.numpy()],
            tries=self.tries,
        )


def grind(header: Header, target_labels: NDArray[np.int64], tries: int) -> NDArray[np.int64]:
    """The derived labels, int64 (n,), of ``tries`` headers that agree most with a target.

    The headers differ in the digest of the owner's model, which costs no new leaf; the first is
    ``header`` itself. Up to 8 tries are the real thing, with an Argon2id hash each. For more, only
    this hash is replaced, by SHA-256 of the header's digest: the labels are as random and follow
    from the seed by the real derivation, but they are not those of these headers, and the cost of
    grinding is not what is measured here.
    """
    best = np.zeros(0, np.int64)
    count, classes = header.leaf_count, header.class_count
    for number in range(tries):
        name = hashlib.sha256(b"zkwm grinding" + number.to_bytes(8, "big")).digest()
        tried = header if number == 0 else replace(header, owner_model=name)
        if tries <= MOST_REAL_TRIES:
            labels = derive_labels(tried.digest, None, count, classes)
        else:
            labels = stand_in_labels(tried.digest, count, classes)
        if not len(best) or (labels == target_labels).sum() > (best == target_labels).sum():
            best = labels
    return best


def stand_in_labels(digest: bytes, count: int, class_count: int) -> NDArray[np.int64]:
    """The labels of a commitment as SPEC.md 5.4 has them, but with a SHA-256 seed, int64 (n,).

    For experiments over very many commitments: never what a judge would derive.
    """
    seed = hashlib.sha256(b"zkwm stand-in seed" + digest).digest()
    return np.array([label(seed, index, class_count) for index in range(count)], dtype=np.int64)
