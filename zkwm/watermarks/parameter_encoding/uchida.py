"""Uchida (Uchida, Nagai, Sakazawa, Satoh, ICMR 2017): bits in a convolution's mean filter.

- Embedded: one bit for each committed key, as the sign of a keyed projection of the mean over the
  layer's output filters.
- Loss (sections 3.2 and 3.3): task loss plus ``strength`` times the sum over keys of the binary
  cross-entropy between sigmoid(row . mean filter) and the bit.
- Read: the sign of row . summed filter (``zkwm.extraction.uchida``, SPEC.md 19.5).
- Ours: rows are signs that follow from committed keys, and bits follow from the commitment's
  digest. The paper's owner chooses projection and bits, so that any network fits any signature
  after enough choices (tests/zkwm/watermarks/parameter_encoding/test_uchida.py shows it).

A network without convolutions has no room for it, and distillation removes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from zkwm.extraction.keys import read_keys
from zkwm.extraction.reader import WHITE_BOX, MarkReader
from zkwm.extraction.uchida import UchidaReader, mean_filters, projections
from zkwm.watermarks.parameter_encoding.key_commitment import commit_keys_of, draw_keys
from zkwm.watermarks.parameter_encoding.penalty_training import train_mark, unmarked
from zkwm.watermarks.watermark import Marked, Owner, Watermark
from zkwm_protocols.errors import UsageError

if TYPE_CHECKING:
    from zkwm_protocols.commitment import Commitment

MOST_BITS = 256


@dataclass(frozen=True)
class Uchida(Watermark):
    """Uchida et al. 2017, sections 3.2 and 3.3.

    Attributes:
        bits: The number of keys, whole blocks; 0 for as many as the layer has room for (the M = i h
            w numbers of its mean filter), at most 256 as in the paper's code.
        layer: The number of a convolution; -1 for the one with the largest M, the last of these.
        block_size: Keys that are opened together.
        strength: The paper's lambda (0.01 in its code, for hundreds of epochs).
        epochs: Of marking a trained model.
    """

    bits: int = 0
    layer: int = -1
    block_size: int = 64
    strength: float = 0.05
    epochs: int = 5

    name: ClassVar[str] = "uchida"
    access: ClassVar[str] = WHITE_BOX
    paper: ClassVar[str] = "Uchida et al. 2017"

    def commit(self, owner: Owner) -> Commitment:
        """Draw keys for one convolution and commit to them.

        Raises:
            UsageError: The layer does not exist, or has room for fewer bits: beyond M bits, no
                filter has some of the bit strings.
        """
        layer, room = self._place(unmarked(owner))
        fitting = min(room, MOST_BITS) // self.block_size * self.block_size
        bits = self.bits or fitting
        if not 0 < bits <= room:
            raise UsageError(
                f"the mean filter of convolution {layer} has {room} numbers, and cannot hold "
                f"{self.bits or self.block_size} bits",
                hint="mark a wider layer, or with fewer bits and smaller blocks",
            )
        keys = draw_keys(owner.vault, self, bits, (layer,))
        return commit_keys_of(owner, keys, block_size=self.block_size)

    def embed(self, owner: Owner, commitment: Commitment) -> Marked:
        """Train with the paper's regularizer, from the owner's start if there is one."""
        triggers = self.trigger_set(owner, commitment)
        keys = read_keys(triggers.images)
        model = unmarked(owner)
        parts = [
            (weight, rows.to(weight), torch.from_numpy(triggers.labels[numbers]).to(weight))
            for weight, rows, numbers in projections(model, keys)
        ]

        def penalty() -> Tensor:
            total = torch.zeros((), device=parts[0][0].device)
            for weight, rows, wanted in parts:
                read = rows @ weight.mean(dim=0).flatten()
                total = total + functional.binary_cross_entropy_with_logits(
                    read, wanted, reduction="sum"
                )
            return self.strength * total

        return train_mark(owner, model, epochs=self.epochs, penalty=penalty)

    def reader(self) -> MarkReader:
        """The reader of this mark, which is all that a judge needs."""
        return UchidaReader()

    def _place(self, model: nn.Module) -> tuple[int, int]:
        """The number of the layer that is marked, and how many numbers its mean filter has."""
        sizes = {number: weight[0].numel() for number, weight in mean_filters(model).items()}
        if not sizes:
            raise UsageError(
                "the network has no convolution, and this mark is in one",
                hint="choose another architecture, or the watermark tartaglione",
            )
        layer = self.layer
        if layer == -1:
            layer = max(sizes, key=lambda number: (sizes[number], number))
        if layer not in sizes:
            raise UsageError(
                f"layer {layer} is not a convolution",
                hint=f"the convolutions are {', '.join(map(str, sizes))}",
            )
        return layer, sizes[layer]
