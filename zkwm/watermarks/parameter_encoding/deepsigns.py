"""DeepSigns (Rouhani et al. 2018), white-box form: bits in the class means of activations.

Activations, rows and bits are defined where they are read: ``zkwm.extraction.deepsigns`` (SPEC.md
19.5).

Ours: the centring (activations after ReLU are positive, so that without it all classes share most
of their bits), the signs, and the training: the paper makes centres of their own carry the bits
and pulls activations to them, which left a third of 256 bits wrong in a LeNet-5; here each
activation itself is trained to give the bits of its class. The paper's term that pushes centres
apart has no lower bound and is left out: the task keeps classes apart. Not the black-box form
(``deepsigns_black_box``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from zkwm.extraction.deepsigns import DeepSignsReader, head_of, key_rows, watched
from zkwm.extraction.keys import read_keys
from zkwm.extraction.reader import WHITE_BOX, MarkReader
from zkwm.watermarks.parameter_encoding.key_commitment import commit_keys, draw_keys, owner_digest
from zkwm.watermarks.parameter_encoding.penalty_training import train_mark, unmarked
from zkwm.watermarks.parameter_encoding.reference_scales import ReferenceScales
from zkwm.watermarks.watermark import Marked, Owner, Watermark
from zkwm_protocols.errors import UsageError

if TYPE_CHECKING:
    from zkwm_protocols.commitment import Commitment


@dataclass(frozen=True)
class DeepSigns(Watermark):
    """Rouhani, Chen, Koushanfar, arXiv 1804.00750, section on intermediate layers.

    ``bits`` keys in blocks of ``block_size``, the classes taken in turn. ``tightness`` and
    ``strength`` are the weights of the paper's two losses, gamma1 and gamma2 (0.01 in its code). In
    a batch of n images of C classes with activations f (at the reference's
    scales), class means mu and their mean m over the
    classes in the batch: sum_i |f_i - mu_class(i)|^2 / n, and C / n times the sum over images and
    the keys of their class of the binary cross-entropy between sigmoid(row . (f_i - m)) and the
    bit. A model that is trained already is marked in ``epochs`` epochs.
    """

    bits: int = 256
    block_size: int = 64
    tightness: float = 0.01
    strength: float = 0.02
    epochs: int = 5

    name: ClassVar[str] = "deepsigns"
    access: ClassVar[str] = WHITE_BOX
    paper: ClassVar[str] = "Rouhani et al. 2018"

    def commit(self, owner: Owner) -> Commitment:
        """Draw keys for all classes in turn and commit to them.

        Raises UsageError for more bits of a class than there are activations.
        """
        classes = owner.data.class_count
        room = head_of(unmarked(owner)).in_features
        if self.bits > room * (classes - 1):
            raise UsageError(
                f"the means of {room} activations over {classes} classes cannot hold "
                f"{self.bits} bits",
                hint=f"choose at most {room * (classes - 1)} bits",
            )
        keys = draw_keys(owner.vault, self, self.bits, range(classes))
        return commit_keys(
            owner.vault, keys, block_size=self.block_size, owner_model=owner_digest(owner)
        )

    def embed(self, owner: Owner, commitment: Commitment) -> Marked:
        """Train with the two penalties of the paper, from the owner's start if there is one."""
        triggers = self.trigger_set(owner, commitment)
        keys = read_keys(triggers.images)
        model = unmarked(owner)
        classes = owner.data.class_count
        device = next(model.parameters()).device
        rows = key_rows(model, keys).to(device, torch.float32)
        of_class = torch.tensor([key.layer for key in keys], device=device)
        wanted = torch.from_numpy(triggers.labels).to(device, torch.float32)

        scales = ReferenceScales(model, owner.start)

        with watched(model) as seen:

            def penalty(images: Tensor, truth: Tensor) -> Tensor:
                features, count = seen[-1] * scales.next(), len(images)
                members = functional.one_hot(truth, classes).to(features)
                numbers = members.sum(dim=0)
                means = members.T @ features / numbers.clamp_min(1)[:, None]
                distance = (features - means[truth]).square().sum() / count
                read = (features - means[numbers > 0].mean(dim=0)) @ rows.T
                carried = functional.binary_cross_entropy_with_logits(
                    read, wanted.expand_as(read), weight=members[:, of_class], reduction="sum"
                )
                return self.tightness * distance + self.strength * carried * classes / count

            return train_mark(owner, model, epochs=self.epochs, batch_penalty=penalty)

    def reader(self) -> MarkReader:
        """The reader of this mark, which is all that a judge needs."""
        return DeepSignsReader()
