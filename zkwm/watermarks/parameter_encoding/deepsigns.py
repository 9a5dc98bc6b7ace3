"""DeepSigns, white-box form (Rouhani, Chen, Koushanfar 2018): bits in mean activations.

- Embedded: one bit for each committed key, as the sign of a keyed projection of a class's mean
  activation at the input of the last linear layer.
- Loss: with n images of C classes in a batch, activations f_i (at the reference's scales), class
  means mu_c and their mean m,

      task loss + tightness * sum_i |f_i - mu_class(i)|^2 / n
                + strength * C / n * sum_i sum over keys k of class(i) of
                             BCE(sigmoid(row_k . (f_i - m)), bit_k)

- Read: the sign of row . (mu_c - m) on the judge's probes (``zkwm.extraction.deepsigns``, SPEC.md
  19.5).
- Ours: means are centered (after ReLU, all classes would otherwise share most bits), rows are
  signs, and each activation is trained to give the bits of its class, where the paper pulls
  activations to separate centers that carry them. The paper's term that pushes centers apart has
  no lower bound and is left out.

The black-box form is ``zkwm.watermarks.trigger_sets.deepsigns_black_box``.
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
from zkwm.watermarks.parameter_encoding.key_commitment import commit_keys_of, draw_keys
from zkwm.watermarks.parameter_encoding.penalty_training import train_mark, unmarked
from zkwm.watermarks.parameter_encoding.reference_scales import ReferenceScales
from zkwm.watermarks.watermark import Marked, Owner, Watermark
from zkwm_protocols.errors import UsageError

if TYPE_CHECKING:
    from zkwm_protocols.commitment import Commitment


@dataclass(frozen=True)
class DeepSigns(Watermark):
    """Rouhani et al., arXiv 1804.00750, section on intermediate layers.

    Attributes:
        bits: The number of keys, taken for the classes in turn.
        block_size: Keys that are opened together.
        tightness: The paper's gamma1 (0.01 in its code).
        strength: The paper's gamma2 (0.01 in its code).
        epochs: Of marking a trained model.
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

        Raises UsageError for more bits than the means can hold: activations times (classes - 1).
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
        return commit_keys_of(owner, keys, block_size=self.block_size)

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
