"""NeuralMark (Yao, Song, Jin, AAAI 2026, arXiv 2507.11137): bits and places from a hash of a key.

- Embedded: one bit for each committed key, as the sign of a keyed projection of pooled weights. The
  key's hash decides which half of a layer's weights is pooled.
- Loss: task loss plus ``strength`` times the sum over keys of the binary cross-entropy between the
  sigmoid of the projection and the bit. The projection is divided by its standard deviation in the
  network before marking, so that ``strength`` means the same in every layer.
- Read: the sign of the projection (``zkwm.extraction.neuralmark``, SPEC.md 19.5).
- Ours: each key has a filter of its own, and bits follow from the commitment's digest. In the paper
  the watermark, a hash of one secret key, is filter and bits at once: nobody can fit it to a
  network, and another owner's mark lies elsewhere. Derived bits have the first by themselves.

Distillation removes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from zkwm.extraction.keys import read_keys
from zkwm.extraction.neuralmark import NeuralMarkReader, key_row, layer_weight
from zkwm.extraction.neuron_groups import weighted_layers
from zkwm.extraction.reader import WHITE_BOX, MarkReader
from zkwm.watermarks.parameter_encoding.key_commitment import commit_keys_of, draw_keys
from zkwm.watermarks.parameter_encoding.penalty_training import train_mark, unmarked
from zkwm.watermarks.watermark import Marked, Owner, Watermark
from zkwm_protocols.errors import UsageError

if TYPE_CHECKING:
    from zkwm_protocols.commitment import Commitment

LEAST_WEIGHTS = 16
"""Weights of the layer for each bit."""


@dataclass(frozen=True)
class NeuralMark(Watermark):
    """Yao et al. 2026, under committed keys.

    Attributes:
        bits: The number of keys, whole blocks; the layer needs 16 weights for each.
        layer: The number of a convolution or linear layer; -1 for the one with most weights.
        block_size: Keys that are opened together.
        strength: Weight of the penalty, above 0.
        epochs: Of marking a trained model.

    Raises:
        UsageError: A value is out of range.
    """

    bits: int = 256
    layer: int = -1
    block_size: int = 64
    strength: float = 0.01
    epochs: int = 5

    name: ClassVar[str] = "neuralmark"
    access: ClassVar[str] = WHITE_BOX
    paper: ClassVar[str] = "Yao et al. 2026 (AAAI), arXiv 2507.11137"

    def __post_init__(self) -> None:
        if not self.strength > 0:
            raise UsageError(f"expected a strength above 0, got {self.strength}")

    def commit(self, owner: Owner) -> Commitment:
        """Draw keys for one layer and commit to them.

        Raises UsageError for a layer that does not exist, or has fewer than 16 weights a bit.
        """
        sizes = [layer.weight.numel() for _, layer in weighted_layers(unmarked(owner))]
        layer = sizes.index(max(sizes)) if self.layer == -1 else self.layer
        if not 0 <= layer < len(sizes):
            raise UsageError(f"there is no layer {layer}: the network has {len(sizes)}")
        if LEAST_WEIGHTS * self.bits > sizes[layer]:
            raise UsageError(
                f"layer {layer}, of {sizes[layer]} weights, is too small for {self.bits} bits"
            )
        keys = draw_keys(owner.vault, self, self.bits, (layer,))
        return commit_keys_of(owner, keys, block_size=self.block_size)

    def embed(self, owner: Owner, commitment: Commitment) -> Marked:
        """Train with the penalty, from the owner's start if there is one."""
        triggers = self.trigger_set(owner, commitment)
        keys = read_keys(triggers.images)
        model = unmarked(owner)
        weight = layer_weight(model, keys[0].layer)
        rows = torch.from_numpy(np.stack([key_row(key, weight.numel()) for key in keys]))
        scale = weight.detach().std() * (weight.numel() / 2) ** 0.5
        projection = rows.to(weight) / scale
        wanted = torch.from_numpy(triggers.labels).to(weight)

        def penalty() -> Tensor:
            read = projection @ weight.flatten()
            loss = functional.binary_cross_entropy_with_logits(read, wanted, reduction="sum")
            return self.strength * loss

        return train_mark(owner, model, epochs=self.epochs, penalty=penalty)

    def reader(self) -> MarkReader:
        """The reader of this mark, which is all that a judge needs."""
        return NeuralMarkReader()
